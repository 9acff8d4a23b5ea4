//! The known name nearest to an unknown one, for messages.
//!
//! Responsible for: "did you mean". Not responsible for: deciding anything.
//! Invariants: a name that shares too little is not offered; equal distances are decided by the alphabet.

/// The candidate with the fewest edits from `name`, case ignored, if at most a third of it is wrong (always
/// allowing two edits).
pub(crate) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let wanted = name.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .filter(|candidate| !candidate.is_empty())
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= limit && *edits < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_insertions_deletions_and_substitutions() {
        for (a, b, edits) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 2), ("same", "same", 0)]
        {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn nearest_offers_the_closest_name_and_ignores_case() {
        let known = ["denylist", "remoteip", "denylist#check"];
        assert_eq!(nearest("denylst", known).as_deref(), Some("denylist"));
        assert_eq!(nearest("RemoteIP", known).as_deref(), Some("remoteip"));
        assert_eq!(nearest("denylist#chek", known).as_deref(), Some("denylist#check"));
    }

    #[test]
    fn nearest_offers_nothing_that_shares_too_little() {
        assert_eq!(nearest("rewrite", ["denylist", "remoteip", "a", ""]), None);
        assert_eq!(nearest("x", ["y", "yz"]), None);
    }

    #[test]
    fn nearest_decides_a_tie_by_the_alphabet() {
        assert_eq!(nearest("cat", ["rat", "bat", "hat"]).as_deref(), Some("bat"));
    }
}
