//! Cutting input that comes in pieces into header lines.
//!
//! Responsible for: lines across pieces, folded lines, the empty line at the end.
//! Not responsible for: what is in a line (`parse`).
//! ATS: a line that ends where a piece ends is complete, even if the next piece goes on with white space.

/// What came of the input so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A complete line, with its line end.
    Line(Vec<u8>),
    /// The empty line.
    Done,
    /// More input is needed.
    More,
    /// The input holds a NUL.
    Malformed,
}

/// Whether lines that start with white space continue the line before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folding {
    /// A line ends at its line end: start lines.
    Never,
    /// Continuation lines are joined with spaces: fields.
    Joined,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    FoundCr,
    Inside,
    After,
}

/// Cuts lines.
#[derive(Clone, Debug, Default)]
pub struct LineScanner {
    state: State,
    /// What earlier pieces had of the line.
    kept: Vec<u8>,
}

impl LineScanner {
    /// Consumes the next line or all there is of it; returns how much was consumed.
    pub fn next(&mut self, input: &[u8], folding: Folding) -> (usize, Parsed) {
        let mut text = Vec::new();
        let (at, mut outcome) = self.scan(input, folding, &mut text);
        let consumed = &input[..at];
        text.resize(at, 0);
        if outcome == Some(Parsed::More) || outcome.is_none() {
            outcome = Some(self.at_end(&text));
        } else if !self.kept.is_empty() {
            self.kept.extend_from_slice(&text);
        }
        let malformed = memchr::memchr(0, consumed).is_some();
        let parsed = match outcome {
            _ if malformed => Parsed::Malformed,
            Some(Parsed::Line(_)) if !self.kept.is_empty() => Parsed::Line(std::mem::take(&mut self.kept)),
            Some(Parsed::Line(_)) => Parsed::Line(text),
            Some(other) => other,
            None => Parsed::More,
        };
        (at, parsed)
    }

    /// Runs the states over the input. `text` becomes the input with folds replaced by spaces.
    fn scan(&mut self, input: &[u8], folding: Folding, text: &mut Vec<u8>) -> (usize, Option<Parsed>) {
        text.extend_from_slice(input);
        let mut at = 0;
        while let Some(byte) = input.get(at) {
            match self.state {
                State::Before => {
                    self.kept.clear();
                    match byte {
                        b'\r' if input.get(at + 1) == Some(&b'\n') => return (at + 2, Some(Parsed::Done)),
                        b'\r' => {
                            at += 1;
                            self.state = State::FoundCr;
                        }
                        b'\n' => return (at + 1, Some(Parsed::Done)),
                        _ => self.state = State::Inside,
                    }
                }
                State::FoundCr if *byte == b'\n' => {
                    self.state = State::Before;
                    return (at + 1, Some(Parsed::Done));
                }
                State::FoundCr => {
                    // ATS: a lone CR belongs to the line it starts, which makes that line no field.
                    self.kept.push(b'\r');
                    self.state = State::Inside;
                }
                State::Inside => match memchr::memchr(b'\n', &input[at..]) {
                    None => at = input.len(),
                    Some(end) => {
                        at += end + 1;
                        if folding == Folding::Never {
                            self.state = State::Before;
                            return (at, Some(Parsed::Line(Vec::new())));
                        }
                        self.state = State::After;
                    }
                },
                State::After if matches!(byte, b' ' | b'\t') => {
                    unfold(text, at);
                    self.state = State::Inside;
                }
                State::After => {
                    self.state = State::Before;
                    return (at, Some(Parsed::Line(Vec::new())));
                }
            }
        }
        (at, None)
    }

    /// The input has run out.
    fn at_end(&mut self, text: &[u8]) -> Parsed {
        if text.is_empty() {
            return Parsed::More;
        }
        match self.state {
            State::After => {
                self.state = State::Before;
                if !self.kept.is_empty() {
                    self.kept.extend_from_slice(text);
                }
                Parsed::Line(Vec::new())
            }
            State::Inside => {
                self.kept.extend_from_slice(text);
                Parsed::More
            }
            State::Before | State::FoundCr => Parsed::More,
        }
    }
}

/// Replaces the line end before `at` by spaces.
fn unfold(text: &mut [u8], at: usize) {
    for before in [1, 2] {
        match at.checked_sub(before).and_then(|i| text.get_mut(i)) {
            Some(byte) if matches!(byte, b'\r' | b'\n') => *byte = b' ',
            _ => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_come_in_pieces() {
        let mut scanner = LineScanner::default();
        let mut lines = Vec::new();
        for byte in b"ab: c\r\n\r\n" {
            match scanner.next(&[*byte], Folding::Joined).1 {
                Parsed::Line(line) => lines.push(line),
                Parsed::Done => lines.push(Vec::new()),
                Parsed::More => {}
                Parsed::Malformed => panic!("well-formed"),
            }
        }
        assert_eq!(lines, [b"ab: c\r\n".to_vec(), Vec::new()]);
    }

    #[test]
    fn a_folded_line_is_joined_with_spaces() {
        let mut scanner = LineScanner::default();
        let parsed = scanner.next(b"a: b\r\n c\r\nd", Folding::Joined);
        assert_eq!(parsed, (10, Parsed::Line(b"a: b   c\r\n".to_vec())));
    }
}
