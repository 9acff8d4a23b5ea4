//! Choosing by `Vary` (RFC 9111 §4.1, RFC 9110 §12.5.5).
//!
//! Responsible for: the selecting fields kept with an alternate, and whether a request matches them.
//! Not responsible for: the order in which alternates are tried (`store`).
//! Invariants: a field present in one request and absent in the other never matches; matching does not allocate
//! unless a field has several long lines; values are compared as lists (lines joined, white space around members
//! ignored), `Accept-Encoding` and `Accept-Language` as sets of weighted members without regard to case.

use crate::policy::NormalizeAe;
use foldhash::fast::FixedState;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};
use tollgate_http::headers::{push_len, take_len};
use tollgate_http::names::is_token;
use tollgate_http::{FieldName, HeaderBlock, Known, PackedFields, list, names};

/// Above this many members a list is compared in order instead of as a set. LIMIT: keeps matching linear.
const MAX_SET_MEMBERS: usize = 32;

/// The request fields that a response was chosen by, as the request had them: in the order of their names, packed.
/// Each is the number of its name (255, a length and the name in lower case for others), then the length of its value
/// plus one and the value: all lines, joined by a comma; or 0 if the request did not have the field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selecting<'a> {
    packed: Cow<'a, [u8]>,
    never: bool,
}

/// "Not a well-known name".
const OTHER: u8 = u8::MAX;

#[derive(Clone, Copy, Debug)]
struct SelectingField<'a> {
    name: FieldName<'a>,
    value: Option<&'a [u8]>,
}

impl SelectingField<'_> {
    fn known(&self) -> Option<Known> {
        match self.name {
            FieldName::Known(known) => Some(known),
            FieldName::Other(_) => None,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self.name {
            FieldName::Known(known) => out.push(known.index()),
            FieldName::Other(name) => {
                out.push(OTHER);
                push_len(out, name.len());
                out.extend_from_slice(name);
            }
        }
        push_len(out, self.value.map_or(0, |value| value.len() + 1));
        out.extend_from_slice(self.value.unwrap_or_default());
    }
}

/// What is left of packed fields.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (part, rest) = self.0.split_at_checked(len).unwrap_or_default();
        self.0 = rest;
        part
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = SelectingField<'a>;

    #[inline]
    fn next(&mut self) -> Option<SelectingField<'a>> {
        let (number, rest) = self.0.split_first()?;
        self.0 = rest;
        let name = match Known::from_index(*number) {
            Some(known) => FieldName::Known(known),
            None => {
                let len = take_len(&mut self.0);
                FieldName::Other(self.take(len))
            }
        };
        let len = take_len(&mut self.0).checked_sub(1);
        Some(SelectingField { name, value: len.map(|len| self.take(len)) })
    }
}

impl<'a> Selecting<'a> {
    /// The selecting fields of a response with these `response` fields to a request with these `request` fields.
    pub fn of(request: &HeaderBlock, response: &HeaderBlock) -> Selecting<'static> {
        if !response.has(names::VARY) {
            return Selecting::default();
        }
        let mut selecting = Selecting::default();
        let mut named = SmallVec::<[SmallVec<[u8; 32]>; 4]>::new();
        for member in response.list(names::VARY) {
            // A member that is no name says nothing of what the response was chosen by.
            selecting.never |= member == b"*" || !is_token(member);
            let mut name = SmallVec::from_slice(member);
            name.make_ascii_lowercase();
            if !named.contains(&name) {
                named.push(name);
            }
        }
        named.sort();
        let mut packed = Vec::new();
        for name in &named {
            let name = FieldName::of(name);
            let value = joined(request, name);
            SelectingField { name, value: value.as_deref() }.put(&mut packed);
        }
        selecting.packed = Cow::Owned(packed);
        selecting
    }

    /// Selecting fields as they were, made of their names (in order) and values.
    pub(crate) fn restored(never: bool, fields: &[(&[u8], Option<&[u8]>)]) -> Selecting<'static> {
        let mut packed = Vec::new();
        for (name, value) in fields {
            SelectingField { name: FieldName::of(name), value: *value }.put(&mut packed);
        }
        Selecting { packed: Cow::Owned(packed), never }
    }

    pub(crate) fn of_packed(packed: &'a [u8], never: bool) -> Selecting<'a> {
        Selecting { packed: Cow::Borrowed(packed), never }
    }

    pub(crate) fn as_packed(&self) -> &[u8] {
        &self.packed
    }

    fn fields(&self) -> Fields<'_> {
        Fields(&self.packed)
    }

    /// Whether no request matches, whatever its fields.
    pub(crate) fn is_never(&self) -> bool {
        self.never
    }

    /// The selecting fields after the response's header changed to `response` (a 304). A name that was not selected
    /// by before has no known value, so that nothing matches any more and the next request fetches anew.
    pub fn after_update(&self, response: &HeaderBlock) -> Selecting<'static> {
        let updated = Selecting::of(&HeaderBlock::new(), response);
        let mut never = updated.never;
        let mut packed = Vec::new();
        for field in updated.fields() {
            let before = self.fields().find(|before| same_name(before.name, field.name));
            never |= before.is_none();
            before.unwrap_or(field).put(&mut packed);
        }
        Selecting { packed: Cow::Owned(packed), never }
    }

    /// Whether there are none: every request matches.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// The names, in usual spelling or lower case, and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.fields().map(|field| {
            let name = match field.name {
                FieldName::Known(known) => known.as_str().as_bytes(),
                FieldName::Other(name) => name,
            };
            (name, field.value)
        })
    }

    /// Whether `Vary` named this field.
    pub(crate) fn names(&self, name: Known) -> bool {
        // Most are chosen by one field.
        self.packed.first() == Some(&name.index()) || self.fields().any(|field| field.known() == Some(name))
    }

    /// Whether a request with these fields is answered by the response whose fields are `stored`.
    pub fn matches(&self, request: &HeaderBlock, stored: PackedFields<'_>) -> bool {
        self.matches_but(request, stored, None)
    }

    /// The same, whatever the field `ignored` is.
    pub(crate) fn matches_but(
        &self,
        request: &HeaderBlock,
        stored: PackedFields<'_>,
        ignored: Option<Known>,
    ) -> bool {
        let is_ignored = |field: &SelectingField<'_>| ignored.is_some() && field.known() == ignored;
        !self.never && self.fields().all(|field| is_ignored(&field) || field_matches(&field, request, stored))
    }

    /// Whether both were chosen by the same fields with the same values, so that one replaces the other.
    pub fn same_variant(&self, other: &Selecting<'_>) -> bool {
        let same_value = |known, a: Option<&[u8]>, b: Option<&[u8]>| match (a, b) {
            (Some(x), Some(y)) => values_equal(known, x, y),
            (None, None) => true,
            _ => false,
        };
        let same_fields = || {
            let mut pairs = self.fields().zip(other.fields());
            self.fields().count() == other.fields().count()
                && pairs.all(|(a, b)| same_name(a.name, b.name) && same_value(a.known(), a.value, b.value))
        };
        self.packed == other.packed || same_fields()
    }
}

fn same_name(one: FieldName<'_>, other: FieldName<'_>) -> bool {
    match (one, other) {
        (FieldName::Known(a), FieldName::Known(b)) => a == b,
        (FieldName::Other(a), FieldName::Other(b)) => a == b,
        _ => false,
    }
}

/// All lines of a field as one value; a quoted string that is not closed goes on in the next line.
fn joined(headers: &HeaderBlock, name: FieldName<'_>) -> Option<SmallVec<[u8; 256]>> {
    let mut lines = headers.get_all(name);
    let mut value = SmallVec::from_slice(lines.next()?);
    for line in lines {
        value.push(b',');
        value.extend_from_slice(line);
    }
    Some(value)
}

fn field_matches(field: &SelectingField<'_>, request: &HeaderBlock, stored: PackedFields<'_>) -> bool {
    let (name, known) = (field.name, field.known());
    let mut lines = request.get_all(name);
    match (lines.next(), field.value) {
        (None, None) => true,
        (Some(first), Some(value)) => {
            let is_equal = if lines.next().is_none() {
                first == value || values_equal(known, first, value)
            } else {
                joined(request, name).is_some_and(|all| values_equal(known, &all, value))
            };
            is_equal || known == Some(names::ACCEPT_LANGUAGE) && language_is_preferred(request, stored)
        }
        _ => false,
    }
}

fn values_equal(known: Option<Known>, given: &[u8], value: &[u8]) -> bool {
    if !matches!(known, Some(names::ACCEPT_ENCODING | names::ACCEPT_LANGUAGE)) {
        return list::members(given).eq(list::members(value));
    }
    let given: SmallVec<[Weighted<'_>; MAX_SET_MEMBERS]> =
        list::members(given).map(Weighted::parse).take(MAX_SET_MEMBERS + 1).collect();
    let wanted: SmallVec<[Weighted<'_>; MAX_SET_MEMBERS]> =
        list::members(value).map(Weighted::parse).take(MAX_SET_MEMBERS + 1).collect();
    if given.len() > MAX_SET_MEMBERS || wanted.len() > MAX_SET_MEMBERS {
        return false;
    }
    given.len() == wanted.len()
        && given.iter().all(|a| wanted.iter().any(|b| a.same(b)))
        && wanted.iter().all(|a| given.iter().any(|b| a.same(b)))
}

/// A member of a list with weights (RFC 9110 §12.4.2).
#[derive(Clone, Copy)]
pub(crate) struct Weighted<'a> {
    pub(crate) token: &'a [u8],
    /// Thousandths.
    pub(crate) weight: u16,
}

impl<'a> Weighted<'a> {
    pub(crate) fn parse(member: &'a [u8]) -> Weighted<'a> {
        let mut parts = list::parameters(member);
        let token = parts.next().unwrap_or_default();
        let weight = parts.find_map(|p| match p {
            [b'q' | b'Q', b'=', value @ ..] => Some(thousandths(value)),
            _ => None,
        });
        Weighted { token, weight: weight.unwrap_or(1000) }
    }

    fn same(&self, other: &Weighted<'_>) -> bool {
        self.weight == other.weight && self.token.eq_ignore_ascii_case(other.token)
    }
}

/// `0`, `0.5`, `1.000`: thousandths; malformed counts as 1000.
fn thousandths(text: &[u8]) -> u16 {
    let (whole, fraction) = match text {
        [w @ (b'0' | b'1')] => (w, &[][..]),
        [w @ (b'0' | b'1'), b'.', fraction @ ..] if fraction.len() <= 3 => (w, fraction),
        _ => return 1000,
    };
    let digit =
        |at: usize| fraction.get(at).filter(|b| b.is_ascii_digit()).map_or(0, |b| u16::from(b - b'0'));
    (u16::from(whole - b'0') * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2)).min(1000)
}

/// RFC 9111 §4.1 lets a cache negotiate: a stored response whose one `Content-Language` is what the request likes
/// best, by weight, matches.
fn language_is_preferred(request: &HeaderBlock, stored: PackedFields<'_>) -> bool {
    let mut languages = stored.list(names::CONTENT_LANGUAGE);
    let (Some(language), None) = (languages.next(), languages.next()) else { return false };
    let mut weight_of_it = 0;
    let mut best_other = 0;
    for member in request.get_all(names::ACCEPT_LANGUAGE).flat_map(list::members).map(Weighted::parse) {
        if member.token.eq_ignore_ascii_case(language) {
            weight_of_it = member.weight;
        } else {
            best_other = best_other.max(member.weight);
        }
    }
    weight_of_it > best_other
}

/// A number for the variant that a request belongs to, given the `Vary` names of a response: requests that match
/// the same alternate have the same number. For collapsing per variant within this process.
pub fn variant_hash(vary: &HeaderBlock, request: &HeaderBlock) -> u64 {
    let selecting = Selecting::of(request, vary);
    let mut hasher = FixedState::default().build_hasher();
    for field in selecting.fields() {
        hasher.write(field.name.as_bytes());
        hasher.write_u8(u8::from(field.value.is_some()));
        let weighted = matches!(field.known(), Some(names::ACCEPT_ENCODING | names::ACCEPT_LANGUAGE));
        let mut members: Vec<Vec<u8>> = list::members(field.value.unwrap_or_default())
            .map(|m| {
                if !weighted {
                    return m.to_vec();
                }
                let member = Weighted::parse(m);
                let mut text = member.token.to_ascii_lowercase();
                text.extend_from_slice(&member.weight.to_be_bytes());
                text
            })
            .collect();
        if weighted {
            members.sort();
        }
        for member in members {
            hasher.write_usize(member.len());
            hasher.write(&member);
        }
    }
    hasher.finish()
}

/// What `Accept-Encoding` becomes under `proxy.config.http.normalize_ae`; `None` when the field is to be removed.
/// Applied to the request before look-up, key and origin alike, so that stored variants stay few. Not to be called
/// for [`NormalizeAe::Off`] or a request without the field.
pub fn normalized_accept_encoding(request: &HeaderBlock, mode: NormalizeAe) -> Option<&'static str> {
    let (mut gzip, mut br) = (false, false);
    for member in request.list(names::ACCEPT_ENCODING).map(Weighted::parse) {
        if member.weight == 0 {
            continue;
        }
        gzip |= member.token.eq_ignore_ascii_case(b"gzip") || member.token.eq_ignore_ascii_case(b"x-gzip");
        br |= member.token.eq_ignore_ascii_case(b"br");
    }
    match mode {
        NormalizeAe::Off => None,
        NormalizeAe::Gzip => gzip.then_some("gzip"),
        NormalizeAe::Br if br => Some("br"),
        NormalizeAe::BrGzip if br && gzip => Some("br, gzip"),
        NormalizeAe::BrGzip if br => Some("br"),
        NormalizeAe::Br | NormalizeAe::BrGzip => gzip.then_some("gzip"),
    }
}
