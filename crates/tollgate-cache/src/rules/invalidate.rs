//! What an unsafe request makes unusable (RFC 9111 §4.4).

use bytes::Bytes;
use smallvec::SmallVec;
use tollgate_http::{Method, Request, Response, Url, names};

/// The URLs whose stored responses must go.
pub type Invalidated = SmallVec<[Url; 3]>;

/// Whether a request with that method, answered with that status, invalidates: an unsafe (or unknown) method with
/// a non-error answer.
pub fn invalidates(method: &Method, status: u16) -> bool {
    !method.is_safe() && !matches!(method, Method::Connect | Method::Purge) && (200..400).contains(&status)
}

/// The URLs to invalidate after `request` (whose URL is absolute) got `response`: the target, and `Location` and
/// `Content-Location` where they have the same origin. Empty when nothing is invalidated. The URLs are those of the
/// client's view: a proxy that remaps maps them before it makes keys of them.
pub fn invalidation_targets(request: &Request, response: &Response) -> Invalidated {
    let mut urls = Invalidated::new();
    if !invalidates(&request.method, response.status) {
        return urls;
    }
    urls.push(request.url.clone());
    for name in [names::LOCATION, names::CONTENT_LOCATION] {
        if let Some(reference) = response.headers.get(name)
            && let Some(url) = resolve(&request.url, reference)
            && same_origin(&request.url, &url)
            && !urls.contains(&url)
        {
            urls.push(url);
        }
    }
    urls
}

/// Whether `reference` names the request's own target.
pub(super) fn names_same_resource(request: &Request, reference: &[u8]) -> bool {
    let Some(mut url) = resolve(&request.url, reference) else { return false };
    let mut target = request.url.clone();
    if target.host.is_empty()
        && let Some(host) = request.headers.get(names::HOST)
        && let Ok((host, port)) = tollgate_http::url::split_host_port(host)
    {
        target.host = Bytes::copy_from_slice(host);
        target.port = port.unwrap_or(0);
        if url.host.is_empty() {
            (url.host, url.port) = (target.host.clone(), target.port);
        }
        target.scheme = target.scheme.or(url.scheme);
    }
    same_origin(&target, &url) && target.path == url.path && target.query == url.query
}

fn same_origin(a: &Url, b: &Url) -> bool {
    let scheme = |url: &Url| url.scheme.unwrap_or(tollgate_http::Scheme::Http);
    scheme(a) == scheme(b) && a.effective_port() == b.effective_port() && a.host.eq_ignore_ascii_case(&b.host)
}

/// Resolves a reference against `base` (RFC 3986 §5): absolute, `//authority`, `/path`, `?query` or relative
/// path; dot segments are removed.
fn resolve(base: &Url, reference: &[u8]) -> Option<Url> {
    let reference = reference.trim_ascii();
    let end = reference.iter().position(|b| *b == b'#').unwrap_or(reference.len());
    let text = &reference[..end];
    let scheme_end = text.iter().position(|b| matches!(b, b':' | b'/' | b'?'));
    if scheme_end.is_some_and(|at| text[at] == b':') {
        return Url::parse_absolute(Bytes::copy_from_slice(text)).ok();
    }
    if text.starts_with(b"//") {
        let scheme = base.scheme.unwrap_or(tollgate_http::Scheme::Http).as_str();
        return Url::parse_absolute([scheme.as_bytes(), b":", text].concat().into()).ok();
    }
    let (path, query) = match text.iter().position(|b| *b == b'?') {
        Some(at) => (&text[..at], Some(Bytes::copy_from_slice(&text[at + 1..]))),
        None => (text, None),
    };
    let mut url = base.clone();
    url.fragment = None;
    if path.is_empty() {
        url.query = query.or(url.query);
        return Some(url);
    }
    url.query = query;
    url.path = match path.strip_prefix(b"/") {
        Some(absolute) => without_dot_segments(absolute),
        None => {
            let folder = base.path.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
            without_dot_segments(&[&base.path[..folder], path].concat())
        }
    };
    Some(url)
}

/// RFC 3986 §5.2.4 for a path without its leading slash.
fn without_dot_segments(path: &[u8]) -> Bytes {
    if !path.contains(&b'.') {
        return Bytes::copy_from_slice(path);
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut open_end = false;
    for segment in path.split(|b| *b == b'/') {
        open_end = matches!(segment, b"." | b"..");
        match segment {
            b"." => {}
            b".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    if open_end {
        kept.push(b"");
    }
    kept.join(&b'/').into()
}
