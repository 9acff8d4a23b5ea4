//! The header of a stored response as bytes.
//!
//! Responsible for: everything of a [`StoredHead`] that cannot be worked out from its fields, the fields as text, and for
//! the program that wrote it what that has worked out.
//! Invariants: reading gives back what was written; any bytes are either a head or none, without panic. Facts that
//! follow from the fields are taken as they were written only by a program that would come to the same ([`MADE_BY`]);
//! others read them from the fields again, so that a newer program judges old objects by its own rules.

use super::record::Input;
use crate::key::CacheKey;
use crate::negotiate::Heeded;
use crate::object::{Draft, Facts, Source, StoredHead};
use crate::policy::SetCookiePolicy;
use crate::purge::Born;
use crate::rules::StoredMeta;
use crate::vary::Selecting;
use tollgate_http::{HeaderBlock, PackedFields, names};

const VERSION: u8 = 3;
/// Beside what the response was chosen by: for how long it is pinned follows.
const IS_PINNED: u8 = 0x80;

/// To be raised with every change of what follows from a response's fields, or of how that is packed.
const FACTS: u64 = 1;
/// Whose table of fields and whose facts they are.
const MADE_BY: u64 = names::FINGERPRINT.wrapping_add(FACTS);

/// The bytes of a head.
pub fn encode_head(head: &StoredHead) -> Vec<u8> {
    encode_made_by(head, MADE_BY)
}

fn encode_made_by(head: &StoredHead, made_by: u64) -> Vec<u8> {
    let meta = head.meta();
    let (table, text) = head.fields().parts();
    let mut out = Vec::with_capacity(text.len() + table.len() + 128);
    out.extend_from_slice(&[VERSION, set_cookie_number(head.set_cookie())]);
    out.extend_from_slice(&meta.status.to_le_bytes());
    out.extend_from_slice(&meta.request_time.to_le_bytes());
    out.extend_from_slice(&meta.response_time.to_le_bytes());
    out.extend_from_slice(&meta.age_value.to_le_bytes());
    out.extend_from_slice(&head.mark().judged().to_le_bytes());
    out.extend_from_slice(&head.stale_since().unwrap_or(0).to_le_bytes());
    put_optional(&mut out, head.reason());
    let pinned_until = head.pinned_until();
    let pinned = if pinned_until.is_some() { IS_PINNED } else { 0 };
    let selecting = head.selecting();
    out.push(u8::from(selecting.is_never()) | head.heeded().bits() << 1 | pinned);
    if let Some(until) = pinned_until {
        out.extend_from_slice(&((until - meta.response_time) as u32).to_le_bytes());
    }
    put_len(&mut out, selecting.iter().count());
    for (name, value) in selecting.iter() {
        put(&mut out, name);
        put_optional(&mut out, value);
    }
    put(&mut out, text);
    let facts = head.facts_alone();
    out.extend_from_slice(&made_by.to_le_bytes());
    out.extend_from_slice(&facts.flags.to_le_bytes());
    put(&mut out, table);
    put(&mut out, facts.bytes);
    out
}

/// The head in `bytes`, stored under `key`, if there is one.
pub fn decode_head(bytes: &[u8], key: &CacheKey) -> Option<StoredHead> {
    let mut input = Input(bytes);
    if input.u8()? != VERSION {
        return None;
    }
    let set_cookie = set_cookie_of(input.u8()?)?;
    let status = input.u16()?;
    let (request_time, response_time) = (input.u64()? as i64, input.u64()? as i64);
    let age_value = input.u32()?;
    let judged = input.u64()?;
    let stale_since = input.u64()? as i64;
    let reason = get_optional(&mut input)?;
    let chosen_by = input.u8()?;
    let pinned_for = if chosen_by & IS_PINNED != 0 { input.u32()? } else { 0 };
    let mut selecting = Vec::new();
    for _ in 0..input.u32()? {
        selecting.push((get(&mut input)?, get_optional(&mut input)?));
    }
    let text = get(&mut input)?;
    let made_by = input.u64()?;
    let flags = input.u32()?;
    let fields = PackedFields::new(get(&mut input)?, text);
    let facts = Facts { flags, bytes: get(&mut input)? };
    if !input.0.is_empty() {
        return None;
    }
    let block;
    let (meta, fields) = if made_by == MADE_BY && fields.is_consistent() {
        (facts.meta(status, response_time), Source::Packed(fields))
    } else {
        block = fields_of(text)?;
        // `Age` is not stored as a field.
        let meta = StoredMeta { age_value, ..StoredMeta::of(status, &block, request_time, response_time) };
        (meta, Source::Block(&block))
    };
    let draft = Draft {
        meta,
        fields,
        selecting: Selecting::restored(chosen_by & 1 != 0, &selecting),
        heeded: Heeded::of_bits(chosen_by >> 1),
        set_cookie,
        pinned_for,
        reason,
        tags: &[],
        key: &[],
    };
    let head = StoredHead::restored(draft, key, Born { purge: judged, removals: None });
    Some(if stale_since > 0 { head.stale_from(stale_since) } else { head })
}

/// The fields of a text of `Name: value CRLF`.
fn fields_of(text: &[u8]) -> Option<HeaderBlock> {
    let mut headers = HeaderBlock::new();
    let mut rest = text;
    while !rest.is_empty() {
        let name = rest.windows(2).position(|two| two == b": ")?;
        let value = &rest[name + 2..];
        let end = value.windows(2).position(|two| two == b"\r\n")?;
        headers.try_append(&rest[..name], &value[..end]).ok()?;
        rest = &value[end + 2..];
    }
    Some(headers)
}

fn set_cookie_number(policy: SetCookiePolicy) -> u8 {
    match policy {
        SetCookiePolicy::Replay => 0,
        SetCookiePolicy::Strip => 1,
        SetCookiePolicy::DontStore => 2,
    }
}

fn set_cookie_of(number: u8) -> Option<SetCookiePolicy> {
    [SetCookiePolicy::Replay, SetCookiePolicy::Strip, SetCookiePolicy::DontStore]
        .get(usize::from(number))
        .copied()
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&(len as u32).to_le_bytes());
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_optional(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    out.push(u8::from(bytes.is_some()));
    if let Some(bytes) = bytes {
        put(out, bytes);
    }
}

fn get<'a>(input: &mut Input<'a>) -> Option<&'a [u8]> {
    let len = input.u32()?;
    input.take(len as usize)
}

fn get_optional<'a>(input: &mut Input<'a>) -> Option<Option<&'a [u8]>> {
    match input.u8()? {
        0 => Some(None),
        1 => get(input).map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::negotiate::{Mismatch, Negotiation};
    use proptest::prelude::*;
    use tollgate_http::{Method, Request, Response};

    fn key() -> CacheKey {
        CacheKey::for_url(&"http://h/".parse().expect("a URL"), -1)
    }

    fn head(fields: &[(&str, &str)], request_fields: &[(&str, &str)]) -> StoredHead {
        let mut request = Request::new(Method::Get, "http://h/".parse().expect("a URL"));
        let mut response = Response::new(203);
        request_fields.iter().for_each(|(n, v)| request.headers.append(*n, *v));
        fields.iter().for_each(|(n, v)| response.headers.append(*n, *v));
        response.reason = Some("Fine".into());
        let meta = StoredMeta::new(&response, 1_790_000_000, 1_790_000_003);
        StoredHead::new(&request, &response, meta, SetCookiePolicy::Strip)
            .chosen_by(&Negotiation { language: Mismatch::Heed, ..Negotiation::default() }, true)
            .pinned_for(77)
            .born_as(&key(), Born { purge: 17, removals: None })
            .stale_from(1_790_000_100)
    }

    fn assert_same(one: &StoredHead, other: &StoredHead) {
        assert_eq!((one.meta(), one.reason()), (other.meta(), other.reason()));
        assert_eq!((one.selecting(), one.set_cookie()), (other.selecting(), other.set_cookie()));
        assert_eq!((one.heeded(), one.pinned_until()), (other.heeded(), other.pinned_until()));
        assert_eq!((one.mark().judged(), one.stale_since()), (other.mark().judged(), other.stale_since()));
        assert!(one.fields().iter().eq(other.fields().iter()));
    }

    #[test]
    fn a_head_comes_back_with_everything_that_rules_look_at() {
        let fields = [
            ("Cache-Control", "max-age=60, stale-while-revalidate=5, no-cache=\"x\""),
            ("CDN-Cache-Control", "max-age=600"),
            ("Age", "17"),
            ("Expires", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("ETag", "\"a\""),
            ("x-MixedCase", ""),
            ("Vary", "Accept-Encoding, X-None"),
            ("Set-Cookie", "a=b"),
        ];
        let head = head(&fields, &[("Accept-Encoding", "gzip"), ("accept-encoding", "br")]);
        assert_same(&head, &decode_head(&encode_head(&head), &key()).expect("as written"));
        let of_another = encode_made_by(&head, MADE_BY + 1);
        assert_same(&head, &decode_head(&of_another, &key()).expect("as another program has written"));
    }

    /// What the rules make of these responses has changed: then heads that lie on disks are to be judged anew. Raise
    /// `FACTS`, and write the new number here.
    #[test]
    fn what_follows_from_fields_is_what_heads_on_disks_were_written_with() {
        let responses: [&[(&str, &str)]; 8] = [
            &[],
            &[("Cache-Control", "max-age=60, s-maxage=70, stale-while-revalidate=5, stale-if-error=6")],
            &[("Cache-Control", "no-store, no-cache, private, public, must-revalidate, proxy-revalidate")],
            &[("Cache-Control", "must-understand, immutable, no-transform, max-age=x, s-maxage=99999999999")],
            &[("CDN-Cache-Control", "max-age=600"), ("Cache-Control", "no-store")],
            &[("Date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("Expires", "Thu, 01 Jan 2026 00:01:00 GMT")],
            &[("Expires", "0"), ("Last-Modified", "Thursday, 01-Jan-26 00:00:00 GMT"), ("ETag", "W/\"a\"")],
            &[
                ("Date", "x"),
                ("Age", "17"),
                ("Last-Modified", "Thu Jan  1 00:00:00 2026"),
                ("Pragma", "no-cache"),
            ],
        ];
        let facts: Vec<String> = responses
            .iter()
            .flat_map(|fields| [200, 206, 302, 404].map(|status| (fields, status)))
            .map(|(fields, status)| {
                let headers: HeaderBlock = fields.iter().copied().collect();
                format!("{:?}", StoredMeta::of(status, &headers, 1_790_000_000, 1_790_000_003))
            })
            .collect();
        let packed: Vec<String> = responses
            .iter()
            .map(|fields| head(fields, &[]))
            .map(|head| format!("{:x} {:?}", head.facts_alone().flags, head.facts_alone().bytes))
            .collect();
        let sum = twox_hash::XxHash3_64::oneshot((facts.concat() + &packed.concat()).as_bytes());
        assert_eq!((FACTS, sum), (1, 2_678_686_061_324_592_716), "{facts:#?} {packed:#?}");
    }

    #[test]
    fn a_head_cut_off_anywhere_is_none() {
        let bytes = encode_head(&head(&[("Vary", "a"), ("X", "y")], &[("A", "b")]));
        assert!(decode_head(&bytes, &key()).is_some());
        for len in 0..bytes.len() {
            assert!(decode_head(&bytes[..len], &key()).is_none(), "{len}");
        }
    }

    proptest! {
        #[test]
        fn any_fields_come_back(
            fields in prop::collection::vec(("[A-Za-z-]{1,12}", "[ -~]{0,30}"), 0..20),
            selecting in prop::collection::vec(("[a-z-]{1,8}", "[ -~]{0,20}"), 0..4),
        ) {
            let borrow = |list: &[(String, String)]| -> Vec<(String, String)> { list.to_vec() };
            let mut all = borrow(&fields);
            all.push(("Vary".into(), selecting.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>().join(",")));
            let pairs = |list: &[(String, String)]| -> Vec<(String, String)> {
                list.iter().map(|(n, v)| (n.clone(), v.trim().to_string())).collect()
            };
            let (all, selecting) = (pairs(&all), pairs(&selecting));
            let all: Vec<(&str, &str)> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let selecting: Vec<(&str, &str)> =
                selecting.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let head = head(&all, &selecting);
            assert_same(&head, &decode_head(&encode_head(&head), &key()).expect("as written"));
            let of_another = encode_made_by(&head, MADE_BY + 1);
            assert_same(&head, &decode_head(&of_another, &key()).expect("as another program has written"));
        }

        #[test]
        fn any_bytes_are_a_head_or_not_but_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            bytes.insert(0, VERSION);
            let _: Option<StoredHead> = decode_head(&bytes, &key());
        }
    }
}
