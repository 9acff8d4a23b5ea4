//! Bodies: what a script sends and what it demands, also when they are larger than memory.
//!
//! Responsible for: the body syntax (`body: text` or `body: {size: N}`), the generated pattern and its comparison
//! while bytes arrive. Not responsible for: framing (see [`framing`](crate::framing)).
//! Invariant: a generated body of any size needs one block of memory, for sending and for checking.

use crate::matcher::found;
use crate::text::{bytes_of, escaped};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::sync::OnceLock;

/// Length of the repeated block; prime, so that a shifted or lost range of any usual size is noticed.
const BLOCK: usize = 65_521;
/// Bytes of a received body that are kept for messages and regular expressions.
const KEPT: usize = 256 * 1024;

/// A body as a scenario writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Exactly this text; with a leading `~` (only as a demand) a regular expression.
    Text(String),
    /// This many bytes of the generated pattern; as a demand with `any`, this many bytes whatever they are.
    Generated {
        /// Total length in bytes.
        size: u64,
        /// As a demand: only the length counts.
        any: bool,
    },
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or {size: N, any: bool}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Body, E> {
        Ok(Body::Text(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Body, E> {
        Ok(Body::Text(n.to_string()))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<Body, E> {
        Ok(Body::Text(n.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let (mut size, mut any) = (None, false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "size" => size = Some(map.next_value()?),
                "any" => any = map.next_value()?,
                other => return Err(de::Error::unknown_field(other, &["size", "any"])),
            }
        }
        let size = size.ok_or_else(|| de::Error::missing_field("size"))?;
        Ok(Body::Generated { size, any })
    }
}

/// The pattern block: pseudo-random printable bytes, the same in every run.
fn block() -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    PATTERN.get_or_init(|| {
        let mut x: u32 = 0x2545_f491;
        let next = || {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            b'!' + (x % 94) as u8
        };
        std::iter::repeat_with(next).take(BLOCK).collect()
    })
}

/// The pattern's bytes from `offset` on: as many as the block holds, at most `limit`.
pub fn pattern_at(offset: u64, limit: u64) -> &'static [u8] {
    let start = (offset % BLOCK as u64) as usize;
    let rest = &block()[start..];
    &rest[..rest.len().min(usize::try_from(limit).unwrap_or(usize::MAX))]
}

impl Body {
    /// Length in bytes once variables are replaced.
    pub fn size(&self, expand: &dyn Fn(&str) -> String) -> u64 {
        match self {
            Self::Text(text) => bytes_of(&expand(text)).len() as u64,
            Self::Generated { size, .. } => *size,
        }
    }

    /// Calls `write` with consecutive pieces of at most `piece` bytes until `end` bytes were given.
    pub fn pieces<E>(
        &self,
        expand: &dyn Fn(&str) -> String,
        end: u64,
        piece: u64,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let text = match self {
            Self::Text(text) => bytes_of(&expand(text)),
            Self::Generated { .. } => Vec::new(),
        };
        let end = end.min(self.size(expand));
        let mut at = 0;
        while at < end {
            let limit = piece.max(1).min(end - at);
            let part = match self {
                Self::Text(_) => &text[at as usize..(at + limit) as usize],
                Self::Generated { .. } => pattern_at(at, limit),
            };
            write(part)?;
            at += part.len() as u64;
        }
        Ok(())
    }
}

/// Collects a received body and compares it with a demand at the end, or at once for generated bodies.
#[derive(Debug, Default)]
pub struct Received {
    /// Bytes received so far.
    pub size: u64,
    kept: Vec<u8>,
    first_difference: Option<u64>,
}

impl Received {
    /// Takes the next piece.
    pub fn push(&mut self, mut piece: &[u8]) {
        let room = KEPT.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
        while !piece.is_empty() {
            let expected = pattern_at(self.size, piece.len() as u64);
            let (now, rest) = piece.split_at(expected.len());
            if self.first_difference.is_none() && now != expected {
                let at = now.iter().zip(expected).take_while(|(a, b)| a == b).count();
                self.first_difference = Some(self.size + at as u64);
            }
            self.size += now.len() as u64;
            piece = rest;
        }
    }

    /// The beginning of the body in printable form.
    pub fn shown(&self) -> String {
        format!("{} bytes: {}", self.size, escaped(&self.kept, 300))
    }

    /// The bytes kept (all of a small body).
    pub fn bytes(&self) -> &[u8] {
        &self.kept
    }

    /// What is wrong with the body, as (expected, got).
    pub fn unmet(&self, demand: &Body, expand: &dyn Fn(&str) -> String) -> Option<(String, String)> {
        match demand {
            Body::Text(text) => {
                let text = expand(text);
                let (is_met, expected) = match text.strip_prefix('~') {
                    Some(pattern) => (found(pattern, &self.kept), format!("body matching /{pattern}/")),
                    None => {
                        let wanted = bytes_of(&text);
                        let is_met = wanted.len() as u64 == self.size && self.kept.starts_with(&wanted);
                        (is_met, format!("body of {} bytes: {}", wanted.len(), escaped(&wanted, 300)))
                    }
                };
                (!is_met).then(|| (expected, self.shown()))
            }
            Body::Generated { size, any } => match self.first_difference {
                _ if self.size != *size => Some((format!("body of {size} bytes"), self.shown())),
                Some(at) if !any => {
                    Some(("the generated pattern".into(), format!("a difference at byte {at}")))
                }
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str) -> String {
        text.to_owned()
    }

    fn received(body: &Body, piece: u64) -> Received {
        let mut received = Received::default();
        let end = body.size(&same);
        body.pieces(&same, end, piece, |p| {
            received.push(p);
            Ok::<(), ()>(())
        })
        .unwrap();
        received
    }

    #[test]
    fn generated_body_is_recognised_whatever_the_pieces() {
        let body = Body::Generated { size: 200_000, any: false };
        for piece in [1000, 65_521, 70_000] {
            assert_eq!(received(&body, piece).unmet(&body, &same), None);
        }
    }

    #[test]
    fn one_changed_or_missing_byte_of_a_generated_body_is_noticed() {
        let body = Body::Generated { size: 100_000, any: false };
        let mut short = Received::default();
        body.pieces(&same, 99_999, 4096, |p| {
            short.push(p);
            Ok::<(), ()>(())
        })
        .unwrap();
        assert!(short.unmet(&body, &same).is_some());
        short.push(b" ");
        assert_eq!(short.unmet(&body, &same).unwrap().1, "a difference at byte 99999");
        assert_eq!(short.unmet(&Body::Generated { size: 100_000, any: true }, &same), None);
    }

    #[test]
    fn text_body_is_exact_and_tilde_is_a_regex() {
        let got = received(&Body::Text("hello".into()), 2);
        assert_eq!(got.unmet(&Body::Text("hello".into()), &same), None);
        assert!(got.unmet(&Body::Text("hell".into()), &same).is_some());
        assert_eq!(got.unmet(&Body::Text("~^h.*o$".into()), &same), None);
    }
}
