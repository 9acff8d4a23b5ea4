//! Comma-separated lists and their parameters (RFC 9110 §5.6.1, §5.6.6).

/// The non-empty members of a list value, trimmed; commas inside quoted strings do not split.
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(value, b',')
}

/// The parts of a member separated by `;`, trimmed; semicolons inside quoted strings do not split.
pub fn parameters(member: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(member, b';')
}

fn split(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        loop {
            let text = rest?;
            let end = unquoted(text, separator);
            rest = end.map(|i| &text[i + 1..]);
            let member = text[..end.unwrap_or(text.len())].trim_ascii();
            if !member.is_empty() {
                return Some(member);
            }
        }
    })
}

/// Position of the first `separator` outside a quoted string.
fn unquoted(text: &[u8], separator: u8) -> Option<usize> {
    let first = find_near(separator, text)?;
    if !text[..first].contains(&b'"') {
        return Some(first);
    }
    let (mut quoted, mut escaped) = (false, false);
    text.iter().position(|&b| {
        match (quoted, escaped, b) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, false, b'"') => quoted = !quoted,
            _ => {}
        }
        !quoted && b == separator
    })
}

/// The place of `byte` in `text`, where it is likely to stand near: eight bytes at a time, without a call.
#[inline]
pub(crate) fn find_near(byte: u8, text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    const NEAR: usize = 64;
    let pattern = ONES * u64::from(byte);
    let mut at = 0;
    for word in text.as_chunks::<8>().0.iter().take(NEAR / 8) {
        let zero_where_found = u64::from_le_bytes(*word) ^ pattern;
        // The lowest set bit marks the first zero byte.
        let found = zero_where_found.wrapping_sub(ONES) & !zero_where_found & HIGHS;
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr::memchr(byte, &text[at..]).map(|i| at + i)
}

/// Whether a token is a member of the list, without regard to case.
pub fn has_token<'a>(mut list: impl Iterator<Item = &'a [u8]>, token: &str) -> bool {
    list.any(|m| m.eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_byte_is_found_where_a_naive_search_finds_it(
            text in proptest::collection::vec(0u8..=255, 0..200), byte: u8
        ) {
            prop_assert_eq!(find_near(byte, &text), text.iter().position(|b| *b == byte));
        }

        #[test]
        fn a_byte_that_occurs_is_found_first(text in "[a-c]{0,100}") {
            prop_assert_eq!(find_near(b'c', text.as_bytes()), text.find('c'));
        }
    }

    fn texts(value: &str) -> Vec<String> {
        members(value.as_bytes()).map(|m| String::from_utf8_lossy(m).into_owned()).collect()
    }

    #[test]
    fn members_are_trimmed_and_empty_ones_ignored() {
        assert_eq!(texts(" a, b ,,\tc,"), ["a", "b", "c"]);
        assert!(texts(" , ").is_empty());
    }

    #[test]
    fn commas_in_quoted_strings_do_not_split() {
        assert_eq!(texts(r#"a="x,\"y", b"#), [r#"a="x,\"y""#, "b"]);
    }
}
