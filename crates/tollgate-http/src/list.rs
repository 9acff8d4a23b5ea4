//! Comma-separated lists and their parameters (RFC 9110 §5.6.1, §5.6.6).

use crate::h1;

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
    let first = h1::find_near(separator, text)?;
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

/// Whether a token is a member of the list, without regard to case.
pub fn has_token<'a>(mut list: impl Iterator<Item = &'a [u8]>, token: &str) -> bool {
    list.any(|m| m.eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
