//! The fields of cache groups (RFC 9875): lists of strings (RFC 9651).
//!
//! Responsible for: their members. Not responsible for: which requests may invalidate (unsafe ones only).
//! Invariants: a field that is not a list of strings has no members; parameters have no meaning.

use tollgate_http::HeaderBlock;

/// The groups that a response belongs to.
pub const FIELD_GROUPS: &str = "Cache-Groups";
/// The groups that the response to an unsafe request invalidates.
pub const FIELD_INVALIDATION: &str = "Cache-Group-Invalidation";

/// LIMIT: members of a field; the RFC wants at least 32.
const MAX_MEMBERS: usize = 128;

/// The members of the field `name`; empty if it is not there, malformed or too long.
pub fn members(headers: &HeaderBlock, name: &str) -> Vec<Vec<u8>> {
    let mut text = Vec::new();
    for line in headers.get_all(name) {
        if !text.is_empty() {
            text.extend_from_slice(b", ");
        }
        text.extend_from_slice(line);
    }
    List(&text).strings().filter(|all| all.len() <= MAX_MEMBERS).unwrap_or_default()
}

/// What is left of a structured list.
struct List<'a>(&'a [u8]);

impl List<'_> {
    fn strings(mut self) -> Option<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        self.skip(b" ");
        while !self.0.is_empty() {
            all.push(self.string()?);
            self.parameters()?;
            self.skip(b" \t");
            if self.0.is_empty() {
                break;
            }
            self.take(b',')?;
            self.skip(b" \t");
            if self.0.is_empty() {
                return None;
            }
        }
        Some(all)
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        self.take(b'"')?;
        let mut text = Vec::new();
        loop {
            match self.next()? {
                b'"' => return Some(text),
                b'\\' => text.push(self.next().filter(|b| matches!(b, b'"' | b'\\'))?),
                b @ b' '..=b'~' => text.push(b),
                _ => return None,
            }
        }
    }

    /// Skips `;key` and `;key=value`, where the value is a string or has no separators in it.
    fn parameters(&mut self) -> Option<()> {
        while self.0.first() == Some(&b';') {
            self.next();
            self.skip(b" ");
            self.bare(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b))?;
            if self.0.first() == Some(&b'=') {
                self.next();
                if self.0.first() == Some(&b'"') {
                    self.string()?;
                } else {
                    self.bare(|b| b.is_ascii_graphic() && !b"\",;".contains(&b))?;
                }
            }
        }
        Some(())
    }

    fn bare(&mut self, belongs: impl Fn(u8) -> bool) -> Option<()> {
        let len = self.0.iter().take_while(|b| belongs(**b)).count();
        self.0 = &self.0[len..];
        (len > 0).then_some(())
    }

    fn skip(&mut self, blanks: &[u8]) {
        while self.0.first().is_some_and(|b| blanks.contains(b)) {
            self.next();
        }
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(lines: &[&str]) -> Vec<String> {
        let headers: HeaderBlock = lines.iter().map(|line| (FIELD_GROUPS, *line)).collect();
        let text = |member: Vec<u8>| String::from_utf8(member).expect("ASCII");
        members(&headers, FIELD_GROUPS).into_iter().map(text).collect()
    }

    #[test]
    fn members_are_strings_and_parameters_have_no_meaning() {
        assert_eq!(of(&[r#""a", "b c""#, r#"  "d\"\\";p;q=1;r="x, y"  "#]), ["a", "b c", "d\"\\"]);
        assert_eq!(of(&[]), [""; 0]);
        assert_eq!(of(&[""]), [""; 0]);
    }

    #[test]
    fn a_field_that_is_no_list_of_strings_has_no_members() {
        for wrong in
            [r#"a"#, r#""a", b"#, r#""a" "b""#, r#""a","#, r#""a"#, r#""\n""#, r#""a";"#, "1", "\"\u{e9}\""]
        {
            assert_eq!(of(&[wrong]), [""; 0], "{wrong}");
        }
    }

    #[test]
    fn more_members_than_the_limit_are_none() {
        let list = |n: usize| vec![r#""a""#; n].join(", ");
        assert_eq!(of(&[&list(MAX_MEMBERS)]).len(), MAX_MEMBERS);
        assert_eq!(of(&[&list(MAX_MEMBERS + 1)]).len(), 0);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(names in proptest::collection::vec("[ -~]{0,10}", 0..8)) {
            let quoted = |name: &String| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
            let line = names.iter().map(quoted).collect::<Vec<_>>().join(", ");
            prop_assert_eq!(of(&[&line]), names);
        }

        #[test]
        fn nothing_panics(line in "[\"a,;= \\\\]{0,30}") {
            of(&[&line]);
        }
    }
}
