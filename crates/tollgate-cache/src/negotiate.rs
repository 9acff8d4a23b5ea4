//! Whether a stored response is one that the request accepts (RFC 9110 §12), for those who want that besides `Vary`.
//!
//! Responsible for: `Accept`, `Accept-Charset`, `Accept-Encoding` and `Accept-Language` against the fields of the
//! stored response, and when that is asked at all (`proxy.config.http.cache.ignore_accept*_mismatch`).
//! Not responsible for: `Vary` itself ([`crate::vary`]).
//! Invariants: a field that `Vary` names is not judged here, because its value is the same as when the response was
//! chosen; without `Vary` nothing is judged, unless a record says so.

use crate::vary::{Selecting, Weighted};
use tollgate_http::{HeaderBlock, Known, list, names};

/// What becomes of a stored response that a request does not accept by one of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// 0: it is not used.
    Heed,
    /// 1: it is used.
    Ignore,
    /// 2: it is used if it has no `Vary`.
    IgnoreWithoutVary,
}

impl Mismatch {
    /// The value with this number; 2 for one that there is not.
    pub fn of(number: i64) -> Mismatch {
        match number {
            0 => Mismatch::Heed,
            1 => Mismatch::Ignore,
            _ => Mismatch::IgnoreWithoutVary,
        }
    }
}

/// What is heeded of a request's preferences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiation {
    /// `http.cache.ignore_accept_mismatch`
    pub accept: Mismatch,
    /// `http.cache.ignore_accept_charset_mismatch`
    pub charset: Mismatch,
    /// `http.cache.ignore_accept_encoding_mismatch`; with [`Mismatch::Ignore`] a `Vary: Accept-Encoding` counts for
    /// nothing either.
    pub encoding: Mismatch,
    /// `http.cache.ignore_accept_language_mismatch`
    pub language: Mismatch,
}

impl Default for Negotiation {
    /// `Vary` alone decides (RFC 9111 §4.1), and a coding that the request does not accept where `Vary` has no word of it.
    fn default() -> Self {
        use Mismatch::{Ignore, IgnoreWithoutVary};
        Negotiation { accept: Ignore, charset: Ignore, encoding: IgnoreWithoutVary, language: Ignore }
    }
}

impl Negotiation {
    /// Whether a response without `Vary` may answer every request.
    pub(crate) fn ignores_plain(&self) -> bool {
        [self.accept, self.charset, self.encoding, self.language].iter().all(|m| *m != Mismatch::Heed)
    }

    /// The field whose mention in `Vary` counts for nothing.
    // ATS: with 2, too. That would break RFC 9111 §4.1, and is not what its manual says.
    pub(crate) fn ignored_in_vary(&self) -> Option<Known> {
        (self.encoding == Mismatch::Ignore).then_some(names::ACCEPT_ENCODING)
    }

    /// Whether a request with these fields accepts a response with the fields `stored`.
    pub(crate) fn accepts(&self, request: &HeaderBlock, stored: &HeaderBlock, selecting: &Selecting) -> bool {
        let is_heeded = |mismatch, name| match mismatch {
            Mismatch::Heed => !selecting.names(name),
            Mismatch::Ignore => false,
            Mismatch::IgnoreWithoutVary => !selecting.is_empty() && !selecting.names(name),
        };
        (!is_heeded(self.accept, names::ACCEPT) || accepts_type(request, stored))
            && (!is_heeded(self.charset, names::ACCEPT_CHARSET) || accepts_charset(request, stored))
            && (!is_heeded(self.encoding, names::ACCEPT_ENCODING) || accepts_encoding(request, stored))
            && (!is_heeded(self.language, names::ACCEPT_LANGUAGE) || accepts_language(request, stored))
    }
}

fn wishes(request: &HeaderBlock, name: Known) -> impl Iterator<Item = Weighted<'_>> {
    request.list(name).map(Weighted::parse)
}

/// The greatest weight of the members that `fits` lets.
fn weight<'a>(wishes: impl Iterator<Item = Weighted<'a>>, fits: impl Fn(&[u8]) -> bool) -> Option<u16> {
    wishes.filter(|wish| fits(wish.token)).map(|wish| wish.weight).max()
}

/// RFC 9110 §12.5.1: the most precise range that fits counts.
fn accepts_type(request: &HeaderBlock, stored: &HeaderBlock) -> bool {
    let Some(content) = stored.get(names::CONTENT_TYPE) else { return true };
    let media_type = list::parameters(content).next().unwrap_or_default();
    if media_type.is_empty() || !request.has(names::ACCEPT) {
        return true;
    }
    let whole_type = |token: &[u8]| {
        let of_type = token.strip_suffix(b"*").filter(|start| start.ends_with(b"/"));
        of_type.is_some_and(|start| {
            media_type.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start))
        })
    };
    let wishes = || wishes(request, names::ACCEPT);
    weight(wishes(), |token| token.eq_ignore_ascii_case(media_type))
        .or_else(|| weight(wishes(), whole_type))
        .or_else(|| weight(wishes(), |token| matches!(token, b"*" | b"*/*")))
        .is_some_and(|weight| weight > 0)
}

/// RFC 9110 §12.5.2; UTF-8, which is what counts if nothing is said, is accepted unless it is refused.
fn accepts_charset(request: &HeaderBlock, stored: &HeaderBlock) -> bool {
    let Some(content) = stored.get(names::CONTENT_TYPE) else { return true };
    if !request.has(names::ACCEPT_CHARSET) {
        return true;
    }
    let named = list::parameters(content).skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_at_checked(8)?;
        name.eq_ignore_ascii_case(b"charset=").then_some(value)
    });
    let charset = match named {
        Some([b'"', inner @ .., b'"']) => inner,
        Some(name) => name,
        None => b"utf-8",
    };
    let wishes = || wishes(request, names::ACCEPT_CHARSET);
    weight(wishes(), |token| token.eq_ignore_ascii_case(charset))
        .or_else(|| weight(wishes(), |token| token == b"*"))
        .map_or(charset.eq_ignore_ascii_case(b"utf-8"), |weight| weight > 0)
}

/// RFC 9110 §12.5.3: every coding must be accepted. No coding is, unless it is refused.
// ATS: a request without the field accepts no coding, since clients that know none do not say so.
fn accepts_encoding(request: &HeaderBlock, stored: &HeaderBlock) -> bool {
    let wishes = || wishes(request, names::ACCEPT_ENCODING);
    let weight_of = |coding: &[u8]| {
        let coding = without_x(coding);
        weight(wishes(), |token| without_x(token).eq_ignore_ascii_case(coding))
            .or_else(|| weight(wishes(), |token| token == b"*"))
    };
    let is_identity = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"identity");
    let mut codings = stored.list(names::CONTENT_ENCODING).filter(|coding| !is_identity(coding)).peekable();
    if codings.peek().is_none() {
        return weight_of(b"identity").is_none_or(|weight| weight > 0);
    }
    codings.all(|coding| weight_of(coding).is_some_and(|weight| weight > 0))
}

/// RFC 9110 §8.4.1: `x-gzip` is `gzip`, `x-compress` is `compress`.
fn without_x(coding: &[u8]) -> &[u8] {
    match coding {
        [b'x' | b'X', b'-', name @ ..] => name,
        name => name,
    }
}

/// RFC 9110 §12.5.4: of the languages that the response is in, each that the request mentions must be accepted, and one
/// must be.
fn accepts_language(request: &HeaderBlock, stored: &HeaderBlock) -> bool {
    let mut languages = stored.list(names::CONTENT_LANGUAGE).peekable();
    if languages.peek().is_none() || !request.has(names::ACCEPT_LANGUAGE) {
        return true;
    }
    let wishes = || wishes(request, names::ACCEPT_LANGUAGE);
    let least = languages
        .filter_map(|language| {
            let longest =
                wishes().filter(|wish| is_range_of(wish.token, language)).max_by_key(|w| w.token.len());
            longest.map(|wish| wish.weight)
        })
        .min();
    least.or_else(|| weight(wishes(), |token| token == b"*")).is_some_and(|weight| weight > 0)
}

/// RFC 4647 §3.3.1: the tag is the range, or the range and more subtags.
fn is_range_of(range: &[u8], tag: &[u8]) -> bool {
    tag.get(..range.len()).is_some_and(|start| start.eq_ignore_ascii_case(range))
        && tag.get(range.len()).is_none_or(|next| *next == b'-')
}
