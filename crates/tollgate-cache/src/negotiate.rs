//! Whether a stored response is one that the request accepts (RFC 9110 §12), for those who want that besides `Vary`, and
//! which of several the request likes best.
//!
//! Responsible for: `Accept`, `Accept-Charset`, `Accept-Encoding` and `Accept-Language` against the fields of the
//! stored response, when that is asked at all (`proxy.config.http.cache.ignore_accept*_mismatch`), and the choice among
//! alternates that may all be served.
//! Not responsible for: `Vary` itself ([`crate::vary`]).
//! Invariants: a field that `Vary` names does not make a response unacceptable, because its value is the same as when
//! the response was chosen; without `Vary` nothing is judged, unless a record says so; weights never decide whether
//! something may be served, only what is served first; nothing is weighed where there is no choice.

use crate::object::StoredHead;
use crate::vary::{Selecting, Weighted};
use tollgate_http::{HeaderBlock, Known, PackedFields, list, names};

/// Thousandths: a perfect weight.
const WHOLE: u16 = 1000;
/// Of a coding that the request does not name, but does not refuse either.
const LEAST: u16 = 1;

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

    /// Whether a request with these fields accepts the stored response.
    // ATS: what was stored for a request without Accept-Encoding is good for the next one without it, whatever its coding.
    pub(crate) fn accepts(
        &self,
        request: &HeaderBlock,
        stored: PackedFields<'_>,
        selecting: &Selecting<'_>,
        heeded: Heeded,
    ) -> bool {
        let is_heeded = |mismatch, name| is_heeded(mismatch, name, selecting);
        (!is_heeded(self.accept, names::ACCEPT) || type_weight(request, stored) > 0)
            && (!is_heeded(self.charset, names::ACCEPT_CHARSET) || charset_weight(request, stored) > 0)
            && (!is_heeded(self.encoding, names::ACCEPT_ENCODING)
                || encoding_weight(request, stored) > 0
                || heeded.is_as_unasked(request))
            && (!is_heeded(self.language, names::ACCEPT_LANGUAGE) || language_weight(request, stored) > 0)
    }

    /// By which fields a response with these selecting fields is judged.
    pub(crate) fn heeded(&self, selecting: &Selecting<'_>) -> Heeded {
        let bit = |bit, mismatch, name| if is_heeded(mismatch, name, selecting) { bit } else { 0 };
        Heeded(
            bit(Heeded::TYPE, self.accept, names::ACCEPT)
                | bit(Heeded::TYPE, self.charset, names::ACCEPT_CHARSET)
                | bit(Heeded::ENCODING, self.encoding, names::ACCEPT_ENCODING)
                | bit(Heeded::LANGUAGE, self.language, names::ACCEPT_LANGUAGE),
        )
    }
}

fn is_heeded(mismatch: Mismatch, name: Known, selecting: &Selecting<'_>) -> bool {
    match mismatch {
        Mismatch::Heed => !selecting.names(name),
        Mismatch::Ignore => false,
        Mismatch::IgnoreWithoutVary => !selecting.is_empty() && !selecting.names(name),
    }
}

/// By what, besides `Vary`, a stored response was chosen: one that differs in that is another alternate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heeded(u8);

impl Heeded {
    const TYPE: u8 = 1;
    const ENCODING: u8 = 2;
    const LANGUAGE: u8 = 4;
    const HANDLERS: u8 = 8;
    const CODING_UNASKED: u8 = 16;
    /// All of these.
    pub(crate) const ALL_BITS: u8 = 31;

    /// What these bits say.
    pub(crate) const fn of_bits(bits: u8) -> Heeded {
        Heeded(bits & Heeded::ALL_BITS)
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// Besides, handlers have refused another alternate.
    #[must_use]
    pub(crate) fn by_handlers(self, have_refused: bool) -> Heeded {
        if have_refused { Heeded(self.0 | Heeded::HANDLERS) } else { self }
    }

    /// Besides, whether the request has said nothing of codings.
    #[must_use]
    pub(crate) fn for_request(self, request: &HeaderBlock) -> Heeded {
        if request.has(names::ACCEPT_ENCODING) { self } else { Heeded(self.0 | Heeded::CODING_UNASKED) }
    }

    /// Both.
    #[must_use]
    pub(crate) const fn and(self, other: Heeded) -> Heeded {
        Heeded(self.0 | other.0)
    }

    fn is_as_unasked(self, request: &HeaderBlock) -> bool {
        self.0 & Heeded::CODING_UNASKED != 0 && !request.has(names::ACCEPT_ENCODING)
    }

    /// Whether `Vary` alone decides.
    pub(crate) fn is_nothing(self) -> bool {
        self.0 & !Heeded::CODING_UNASKED == 0
    }

    /// Whether responses with these fields are different alternates though `Vary` does not tell them apart.
    pub(crate) fn tells_apart(self, one: PackedFields<'_>, other: PackedFields<'_>) -> bool {
        let differs = |bit, name| self.0 & bit != 0 && one.get_all(name).ne(other.get_all(name));
        self.0 & Heeded::HANDLERS != 0
            || differs(Heeded::TYPE, names::CONTENT_TYPE)
            || differs(Heeded::ENCODING, names::CONTENT_ENCODING)
            || differs(Heeded::LANGUAGE, names::CONTENT_LANGUAGE)
    }
}

/// How well a stored response suits a request by its `Accept` fields: the product of four weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Preference(u64);

impl Preference {
    /// Of a response with the fields `stored` for a request with the fields `request`.
    // RFC 9111 §4.1: "that mechanism MAY be used to choose a preferred response".
    pub fn of(request: &HeaderBlock, stored: PackedFields<'_>) -> Preference {
        let weights = [
            type_weight(request, stored),
            charset_weight(request, stored),
            encoding_weight(request, stored),
            language_weight(request, stored),
        ];
        Preference(weights.into_iter().map(u64::from).product())
    }

    /// From 0 to 1.
    pub fn quality(self) -> f32 {
        self.0 as f32 / u64::from(WHOLE).pow(4) as f32
    }
}

/// Of `alternates`, newest first, that may all be served, the one that the request likes best; of equals that with the
/// latest `Date` (RFC 9111 §4.1).
pub(crate) fn best<'a, T>(
    mut alternates: impl Iterator<Item = T>,
    head: impl Fn(&T) -> &'a StoredHead,
    request: &HeaderBlock,
) -> Option<T> {
    let first = alternates.next()?;
    let Some(second) = alternates.next() else { return Some(first) };
    let rank = |object: &T| {
        let head = head(object);
        (Preference::of(request, head.fields()), head.meta().date)
    };
    let mut best = (rank(&first), first);
    for other in std::iter::once(second).chain(alternates) {
        let rank = rank(&other);
        if rank > best.0 {
            best = (rank, other);
        }
    }
    Some(best.1)
}

fn wishes(request: &HeaderBlock, name: Known) -> impl Iterator<Item = Weighted<'_>> {
    request.list(name).map(Weighted::parse)
}

/// The greatest weight of the members that `fits` lets.
fn weight<'a>(wishes: impl Iterator<Item = Weighted<'a>>, fits: impl Fn(&[u8]) -> bool) -> Option<u16> {
    wishes.filter(|wish| fits(wish.token)).map(|wish| wish.weight).max()
}

/// RFC 9110 §12.5.1: the most precise range that fits counts.
fn type_weight(request: &HeaderBlock, stored: PackedFields<'_>) -> u16 {
    let Some(content) = stored.get(names::CONTENT_TYPE) else { return WHOLE };
    let media_type = list::parameters(content).next().unwrap_or_default();
    if media_type.is_empty() || !request.has(names::ACCEPT) {
        return WHOLE;
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
        .unwrap_or(0)
}

/// RFC 9110 §12.5.2; UTF-8, which is what counts if nothing is said, is accepted unless it is refused.
fn charset_weight(request: &HeaderBlock, stored: PackedFields<'_>) -> u16 {
    let Some(content) = stored.get(names::CONTENT_TYPE) else { return WHOLE };
    if !request.has(names::ACCEPT_CHARSET) {
        return WHOLE;
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
        .unwrap_or(if charset.eq_ignore_ascii_case(b"utf-8") { WHOLE } else { 0 })
}

/// RFC 9110 §12.5.3: every coding must be accepted. No coding is, unless it is refused.
// ATS: a request without the field accepts no coding, since clients that know none do not say so.
fn encoding_weight(request: &HeaderBlock, stored: PackedFields<'_>) -> u16 {
    let wishes = || wishes(request, names::ACCEPT_ENCODING);
    let weight_of = |coding: &[u8]| {
        let coding = without_x(coding);
        weight(wishes(), |token| without_x(token).eq_ignore_ascii_case(coding))
            .or_else(|| weight(wishes(), |token| token == b"*"))
    };
    let is_identity = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"identity");
    let codings = stored.list(names::CONTENT_ENCODING).filter(|coding| !is_identity(coding));
    let of_codings = codings.map(|coding| weight_of(coding).unwrap_or(0)).min();
    of_codings.unwrap_or_else(|| {
        let unnamed = if request.has(names::ACCEPT_ENCODING) { LEAST } else { WHOLE };
        weight_of(b"identity").unwrap_or(unnamed)
    })
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
fn language_weight(request: &HeaderBlock, stored: PackedFields<'_>) -> u16 {
    let mut languages = stored.list(names::CONTENT_LANGUAGE).peekable();
    if languages.peek().is_none() || !request.has(names::ACCEPT_LANGUAGE) {
        return WHOLE;
    }
    let wishes = || wishes(request, names::ACCEPT_LANGUAGE);
    let least = languages
        .filter_map(|language| {
            let longest =
                wishes().filter(|wish| is_range_of(wish.token, language)).max_by_key(|w| w.token.len());
            longest.map(|wish| wish.weight)
        })
        .min();
    least.or_else(|| weight(wishes(), |token| token == b"*")).unwrap_or(0)
}

/// RFC 4647 §3.3.1: the tag is the range, or the range and more subtags.
fn is_range_of(range: &[u8], tag: &[u8]) -> bool {
    tag.get(..range.len()).is_some_and(|start| start.eq_ignore_ascii_case(range))
        && tag.get(range.len()).is_none_or(|next| *next == b'-')
}
