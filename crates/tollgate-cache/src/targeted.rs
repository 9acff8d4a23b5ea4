//! `CDN-Cache-Control`: a targeted field (RFC 9213), parsed as a structured-field dictionary (RFC 8941 §4.2.2).
//!
//! Responsible for: deciding whether the field is usable at all, and its directives.
//! Invariants: a field that does not parse, is empty, or whose only known directives have a wrong type is as good
//! as absent (RFC 9213 §2.1); no input panics; of a repeated member the last counts (RFC 8941 §3.2).

use crate::control::{MAX_DELTA_SECONDS, ResponseControl};

/// The directives of all lines of the field together; `None` when `Cache-Control` is to be used instead.
pub(crate) fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<ResponseControl> {
    let mut dictionary = Dictionary::default();
    for line in lines {
        Parser { rest: line }.dictionary(&mut dictionary)?;
    }
    let usable = dictionary.members > 0 && (dictionary.understood > 0 || dictionary.mistyped == 0);
    dictionary.control.targeted = true;
    usable.then_some(dictionary.control)
}

#[derive(Default)]
struct Dictionary {
    control: ResponseControl,
    members: usize,
    understood: usize,
    mistyped: usize,
}

impl Dictionary {
    fn add(&mut self, key: &[u8], value: Item) {
        self.members += 1;
        let control = &mut self.control;
        let good = match key {
            b"max-age" => seconds(&mut control.max_age, value),
            b"s-maxage" => seconds(&mut control.s_maxage, value),
            b"stale-while-revalidate" => seconds(&mut control.stale_while_revalidate, value),
            b"stale-if-error" => seconds(&mut control.stale_if_error, value),
            b"no-store" => flag(&mut control.no_store, value),
            b"no-cache" => flag(&mut control.no_cache, value),
            b"private" => flag(&mut control.private, value),
            b"public" => flag(&mut control.public, value),
            b"must-revalidate" => flag(&mut control.must_revalidate, value),
            b"proxy-revalidate" => flag(&mut control.proxy_revalidate, value),
            b"must-understand" => flag(&mut control.must_understand, value),
            b"immutable" => flag(&mut control.immutable, value),
            b"no-transform" => flag(&mut control.no_transform, value),
            _ => return,
        };
        if good {
            self.understood += 1;
        } else {
            self.mistyped += 1;
        }
    }
}

fn seconds(slot: &mut Option<u32>, value: Item) -> bool {
    if let Item::Integer(number) = value {
        *slot = Some(number.clamp(0, i64::from(MAX_DELTA_SECONDS)) as u32);
        return true;
    }
    false
}

fn flag(slot: &mut bool, value: Item) -> bool {
    match value {
        Item::Boolean(set) => *slot = set,
        // The qualified forms of `no-cache` and `private` count as unqualified.
        Item::String => *slot = true,
        _ => return false,
    }
    true
}

#[derive(Clone, Copy)]
enum Item {
    Integer(i64),
    Boolean(bool),
    String,
    Other,
}

struct Parser<'a> {
    rest: &'a [u8],
}

impl<'a> Parser<'a> {
    fn dictionary(mut self, out: &mut Dictionary) -> Option<()> {
        self.skip(|b| b == b' ');
        while !self.rest.is_empty() {
            let key = self.key()?;
            let value = if self.take(b'=') { self.member_value()? } else { Item::Boolean(true) };
            self.parameters()?;
            out.add(key, value);
            self.skip(|b| b == b' ' || b == b'\t');
            if self.rest.is_empty() {
                return Some(());
            }
            if !self.take(b',') {
                return None;
            }
            self.skip(|b| b == b' ' || b == b'\t');
            if self.rest.is_empty() {
                return None;
            }
        }
        Some(())
    }

    fn member_value(&mut self) -> Option<Item> {
        if !self.take(b'(') {
            return self.bare_item();
        }
        loop {
            self.skip(|b| b == b' ');
            if self.take(b')') {
                return Some(Item::Other);
            }
            self.bare_item()?;
            self.parameters()?;
            if !matches!(self.rest.first(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.take(b';') {
            self.skip(|b| b == b' ');
            self.key()?;
            if self.take(b'=') {
                self.bare_item()?;
            }
        }
        Some(())
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        if !matches!(self.rest.first(), Some(b'a'..=b'z' | b'*')) {
            return None;
        }
        Some(self.skip(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*')))
    }

    fn bare_item(&mut self) -> Option<Item> {
        match self.rest.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'?' => self.boolean(),
            b':' => self.binary(),
            b'A'..=b'Z' | b'a'..=b'z' | b'*' => {
                self.skip(|b| b == b':' || b == b'/' || tollgate_http::names::is_token_byte(b));
                Some(Item::Other)
            }
            _ => None,
        }
    }

    /// An integer of at most 15 digits or a decimal of at most 12 with 1 to 3 behind the point.
    fn number(&mut self) -> Option<Item> {
        let negative = self.take(b'-');
        let whole = self.skip(|b| b.is_ascii_digit());
        if whole.is_empty() {
            return None;
        }
        if self.take(b'.') {
            let fraction = self.skip(|b| b.is_ascii_digit());
            let good = whole.len() <= 12 && (1..=3).contains(&fraction.len());
            return good.then_some(Item::Other);
        }
        if whole.len() > 15 {
            return None;
        }
        let value = whole.iter().fold(0i64, |n, b| n * 10 + i64::from(b - b'0'));
        Some(Item::Integer(if negative { -value } else { value }))
    }

    fn string(&mut self) -> Option<Item> {
        self.take(b'"');
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return Some(Item::String),
                b'\\' if !(self.take(b'"') || self.take(b'\\')) => return None,
                b'\\' | b' '..=b'~' => {}
                _ => return None,
            }
        }
    }

    fn boolean(&mut self) -> Option<Item> {
        self.take(b'?');
        if self.take(b'1') {
            return Some(Item::Boolean(true));
        }
        self.take(b'0').then_some(Item::Boolean(false))
    }

    fn binary(&mut self) -> Option<Item> {
        self.take(b':');
        self.skip(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
        self.take(b':').then_some(Item::Other)
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn skip(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|b| !accept(*b)).unwrap_or(self.rest.len());
        let (head, rest) = self.rest.split_at(end);
        self.rest = rest;
        head
    }
}
