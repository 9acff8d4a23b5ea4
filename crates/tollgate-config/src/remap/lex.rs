//! Lines and tokens of `remap.config`.
//!
//! A backslash at the end of a line joins the next one. Blanks and tabs separate tokens; single and double
//! quotes protect them but stay part of the token, as in Traffic Server.

/// One line after joining, with the number of its first physical line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) number: u32,
    pub(super) tokens: Vec<std::borrow::Cow<'a, str>>,
    /// Whether a quote was left open.
    pub(super) has_open_quote: bool,
}

/// The lines of `text` that are neither empty nor comments.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut rest = text;
    let mut number = 0;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let first = number + 1;
            let (joined, used) = take_joined(rest);
            number += u32::try_from(used.matches('\n').count()).unwrap_or(u32::MAX);
            rest = &rest[used.len()..];
            if let Some(line) = tokenize(first, joined) {
                return Some(line);
            }
        }
        None
    })
}

/// Takes lines up to one that does not end in a backslash; the text joined, and the text used.
fn take_joined(text: &str) -> (std::borrow::Cow<'_, str>, &str) {
    let mut end = 0;
    let mut is_continued = false;
    for piece in text.split_inclusive('\n') {
        end += piece.len();
        if !piece.ends_with("\\\n") {
            break;
        }
        is_continued = true;
    }
    let used = &text[..end];
    let joined = if is_continued { used.replace("\\\n", "  ").into() } else { used.into() };
    (joined, used)
}

fn tokenize(number: u32, text: std::borrow::Cow<'_, str>) -> Option<Line<'_>> {
    use std::borrow::Cow;
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return None;
    }
    let mut line = Line { number, tokens: Vec::new(), has_open_quote: false };
    match &text {
        Cow::Borrowed(text) => {
            line.has_open_quote = split(text.trim(), |token| line.tokens.push(Cow::Borrowed(token)));
        }
        Cow::Owned(text) => {
            line.has_open_quote = split(text.trim(), |token| line.tokens.push(Cow::Owned(token.to_owned())));
        }
    }
    Some(line)
}

/// Calls `take` with each token; returns whether a quote was left open.
fn split<'a>(text: &'a str, mut take: impl FnMut(&'a str)) -> bool {
    let mut start = None;
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (byte, quote) {
            (b' ' | b'\t', None) => {
                if let Some(start) = start.take() {
                    take(&text[start..at]);
                }
                continue;
            }
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if open == byte => quote = None,
            _ => {}
        }
        start.get_or_insert(at);
    }
    if let Some(start) = start {
        take(&text[start..]);
    }
    quote.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(u32, Vec<String>)> {
        lines(text).map(|line| (line.number, line.tokens.iter().map(ToString::to_string).collect())).collect()
    }

    #[test]
    fn comments_and_empty_lines_are_left_out_but_counted() {
        let found = tokens("# one\n\n  # two\n\t map a b # c\r\n");
        assert_eq!(found, [(4, vec!["map".into(), "a".into(), "b".into(), "#".into(), "c".into()])]);
    }

    #[test]
    fn a_backslash_at_the_end_joins_lines() {
        let found = tokens("map a \\\n  b\nmap c d");
        assert_eq!(found[0], (1, vec!["map".into(), "a".into(), "b".into()]));
        assert_eq!(found[1].0, 3);
        assert_eq!(tokens("map a\\")[0].1, ["map", "a\\"]);
    }

    #[test]
    fn quotes_protect_blanks_and_stay() {
        let found = tokens("map a b @pparam=\"x y\" '@pparam=it\"s z'\n");
        assert_eq!(found[0].1[3..], ["@pparam=\"x y\"", "'@pparam=it\"s z'"]);
        assert!(lines("map a \"b").next().expect("line").has_open_quote);
    }
}
