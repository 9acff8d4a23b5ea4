//! Comma-separated values, split as Traffic Server splits them.
//!
//! Responsible for: where the elements of a value are, with white space and quotes trimmed or kept.
//! Not responsible for: which fields take lists (`tokens`).

use std::ops::Range;

/// Whether the quotes around an element are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// Left out, as when an element is read.
    Trimmed,
    /// Kept, as when an element is replaced.
    Kept,
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The elements of `value`. There is always at least one: an empty value has one empty element.
///
/// ATS: a backslash does not escape a quote, and an unclosed quote runs to the end of the value.
pub fn elements(value: &[u8], quotes: Quotes) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut rest = 0;
    let mut after_comma = false;
    while rest < value.len() {
        let Some(first) = value[rest..].iter().position(|b| !is_blank(*b)).map(|i| rest + i) else { break };
        if value[first] == b',' {
            out.push(rest..rest);
            (rest, after_comma) = (first + 1, true);
            continue;
        }
        let comma = end_of_element(value, first);
        after_comma = comma < value.len();
        out.push(trimmed(value, first..comma, quotes));
        rest = comma + 1;
    }
    if after_comma || out.is_empty() {
        let end = rest.min(value.len());
        out.push(end..end);
    }
    out
}

/// The first comma from `first` on that is not quoted.
fn end_of_element(value: &[u8], first: usize) -> usize {
    let mut quoted = false;
    for (i, byte) in value.iter().enumerate().skip(first) {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => return i,
            _ => {}
        }
    }
    value.len()
}

fn trimmed(value: &[u8], range: Range<usize>, quotes: Quotes) -> Range<usize> {
    let Range { mut start, mut end } = range;
    let trims = quotes == Quotes::Trimmed;
    if trims && value[start] == b'"' {
        start += 1;
    }
    while end > start && is_blank(value[end - 1]) {
        end -= 1;
    }
    if trims && end > start && value[end - 1] == b'"' {
        end -= 1;
    }
    start..end
}

/// `value` with its elements given by `change`, joined by comma and space. `None` if `change` refuses; an empty
/// list gives no value at all.
fn rebuilt<'v>(
    value: Option<&'v [u8]>,
    change: impl FnOnce(&mut Vec<&'v [u8]>) -> bool,
) -> Option<Option<Vec<u8>>> {
    let mut list: Vec<&[u8]> =
        value.map(|v| elements(v, Quotes::Kept).into_iter().map(|r| &v[r]).collect()).unwrap_or_default();
    if !change(&mut list) {
        return None;
    }
    Some((!list.is_empty()).then(|| list.join(&b", "[..])))
}

/// Replaces an element; `None` if there is none of that index.
pub fn replace(value: Option<&[u8]>, index: usize, with: &[u8]) -> Option<Option<Vec<u8>>> {
    rebuilt(value, |list| list.get_mut(index).map(|e| *e = with).is_some())
}

/// Inserts an element before that of `index`, or at the end.
pub fn insert(value: Option<&[u8]>, index: Option<usize>, new: &[u8]) -> Option<Option<Vec<u8>>> {
    rebuilt(value, |list| {
        let at = index.unwrap_or(list.len());
        let fits = at <= list.len();
        if fits {
            list.insert(at, new);
        }
        fits
    })
}

/// Removes an element.
pub fn remove(value: Option<&[u8]>, index: usize) -> Option<Option<Vec<u8>>> {
    rebuilt(value, |list| {
        let there = index < list.len();
        if there {
            list.remove(index);
        }
        there
    })
}

/// Appends bytes to an element, inside its quotes if it has some.
pub fn extend(value: Option<&[u8]>, index: usize, more: &[u8]) -> Option<Option<Vec<u8>>> {
    let whole = value?;
    let range = elements(whole, Quotes::Kept).get(index)?.clone();
    let longer = match &whole[range] {
        [b'"', inner @ .., b'"'] => [b"\"", inner, more, b"\""].concat(),
        element => [element, more].concat(),
    };
    replace(value, index, &longer).map(|v| v.map(|v| v.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(value: &str) -> Vec<&str> {
        elements(value.as_bytes(), Quotes::Trimmed).into_iter().map(|r| &value[r]).collect()
    }

    #[test]
    fn elements_lose_blanks_and_quotes() {
        assert_eq!(texts("a, b ,\"c,d\" ,"), ["a", "b", "c,d", ""]);
        assert_eq!(texts(""), [""]);
        assert_eq!(texts("\"a,"), ["a,"]);
        assert_eq!(texts("\""), [""]);
    }

    proptest! {
        #[test]
        fn replacing_an_element_by_itself_keeps_all_elements(value in "[ab,\" \t]{0,30}") {
            let before = elements(value.as_bytes(), Quotes::Kept);
            for (i, range) in before.iter().enumerate() {
                let again = replace(Some(value.as_bytes()), i, &value.as_bytes()[range.clone()]);
                let again = again.flatten().expect("the element is there");
                let after = elements(&again, Quotes::Kept);
                prop_assert_eq!(after.len(), before.len());
                for (a, b) in after.iter().zip(&before) {
                    prop_assert_eq!(&again[a.clone()], &value.as_bytes()[b.clone()]);
                }
            }
        }

        #[test]
        fn an_inserted_token_is_read_back_at_its_place(value in "[ab, ]{0,30}", at in 0usize..12) {
            let count = elements(value.as_bytes(), Quotes::Kept).len();
            match insert(Some(value.as_bytes()), Some(at), b"new") {
                Some(Some(again)) => {
                    let list = elements(&again, Quotes::Trimmed);
                    prop_assert_eq!(list.len(), count + 1);
                    prop_assert_eq!(&again[list[at].clone()], b"new");
                }
                other => prop_assert!(other.is_none() && at > count),
            }
        }

        #[test]
        fn any_bytes_have_elements_in_order_within_the_value(value in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut last = 0;
            for range in elements(&value, Quotes::Trimmed) {
                prop_assert!(range.start <= range.end && range.end <= value.len() && range.start >= last);
                last = range.start;
            }
        }
    }
}
