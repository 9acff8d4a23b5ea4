//! Requests, responses and a one-line "would it be served again?".

use bytes::Bytes;
use std::sync::Arc;
use std::task::{Context, Poll};
use tollgate_cache::rules::{
    FreshState, Freshness, StoreDecision, freshness, request_policy, store_decision,
};
use tollgate_cache::{
    Body, CacheKey, CacheReason, FillAborted, FillPiece, FillReader, Policy, StoredHead, StoredObject,
};
use tollgate_http::{Method, Request, Response, Url, date};

/// The next bytes of a fill, from wherever they are.
pub(crate) fn poll_bytes(
    reader: &mut FillReader,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Bytes>, FillAborted>> {
    reader.poll_piece(cx).map_ok(|piece| {
        piece.map(|piece| match piece {
            FillPiece::Memory(bytes) => bytes,
            FillPiece::Disk(piece) => piece.read().expect("a good device"),
        })
    })
}

/// When responses arrive.
pub(crate) const T0: i64 = 1_790_000_000;

pub(crate) type Fields<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn url(text: &str) -> Url {
    text.parse().expect("test URL")
}

pub(crate) fn request_to(method: Method, target: &str, fields: Fields<'_>) -> Request {
    let mut request = Request::new(method, url(target));
    request.headers = fields.iter().copied().collect();
    request
}

pub(crate) fn get(fields: Fields<'_>) -> Request {
    request_to(Method::Get, "http://h.example/a", fields)
}

/// An HTTP date `offset` seconds after arrival.
pub(crate) fn at(offset: i64) -> String {
    String::from_utf8(date::format(T0 + offset).to_vec()).expect("dates are ASCII")
}

/// Replaces `{+n}` and `{-n}` by dates relative to arrival.
pub(crate) fn with_dates(text: &str) -> String {
    let Some((head, rest)) = text.split_once('{') else { return text.to_string() };
    let (offset, tail) = rest.split_once('}').expect("closed");
    format!("{head}{}{}", at(offset.parse().expect("offset")), with_dates(tail))
}

/// Fields from lines `Name: value`, with dates.
pub(crate) fn lines(text: &str) -> Vec<(String, String)> {
    let split = |line: &str| {
        let (name, value) = line.split_once(':').expect("a field line");
        (name.trim().to_string(), with_dates(value.trim()))
    };
    text.lines().map(str::trim).filter(|l| !l.is_empty()).map(split).collect()
}

pub(crate) fn response_of(status: u16, text: &str) -> Response {
    let mut response = Response::new(status);
    for (name, value) in lines(text) {
        response.headers.append(&name, value);
    }
    response
}

pub(crate) fn stored(
    request: &Request,
    response: &Response,
    policy: &Policy,
) -> Result<StoredHead, CacheReason> {
    match store_decision(request, response, T0, policy) {
        StoreDecision::Store { meta } => Ok(StoredHead::new(request, response, meta, policy.set_cookie)),
        StoreDecision::Dont(reason) => Err(reason),
    }
}

pub(crate) fn head(fields: &str) -> StoredHead {
    stored(&get(&[]), &response_of(200, fields), &Policy::default()).expect("storable")
}

pub(crate) fn verdict(head: &StoredHead, request: &Request, now: i64, policy: &Policy) -> Freshness {
    freshness(&head.meta(), now, &request_policy(request, policy), policy)
}

/// Stored on arrival and served without the origin `after` seconds later.
pub(crate) fn is_reused(status: u16, fields: &str, after: i64, policy: &Policy) -> bool {
    let request = get(&[]);
    stored(&request, &response_of(status, fields), policy)
        .is_ok_and(|head| verdict(&head, &request, T0 + after, policy).state == FreshState::Fresh)
}

pub(crate) fn key(path: &str) -> CacheKey {
    CacheKey::for_url(&url(&format!("http://h.example/{path}")), -1)
}

pub(crate) fn object(fields: &str, body: &[u8]) -> Arc<StoredObject> {
    object_for(&get(&[]), fields, body)
}

pub(crate) fn object_for(request: &Request, fields: &str, body: &[u8]) -> Arc<StoredObject> {
    let head = stored(request, &response_of(200, fields), &Policy::default()).expect("storable");
    Arc::new(StoredObject::new(head, Body::from_bytes(body.to_vec().into())))
}

/// The object, pinned for so many seconds after it came.
pub(crate) fn pinned(object: &StoredObject, seconds: u32) -> Arc<StoredObject> {
    let head = object.head().clone().pinned_for(seconds);
    Arc::new(StoredObject::new(head, object.body().clone()))
}
