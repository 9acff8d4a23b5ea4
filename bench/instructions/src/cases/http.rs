//! Messages: heads, header fields, chunks, URLs.

use std::hint::black_box;

use bytes::Bytes;
use tollgate_http::chunked::Decoder;
use tollgate_http::h1::{self, HeadScanner, Limits};
use tollgate_http::{HeaderBlock, Response, Url, Version, names};

/// What a browser sends: ten fields.
pub(super) const REQUEST: &[u8] = b"GET /assets/app.js?v=3 HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: */*\r\n\
    Accept-Language: en-GB,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://www.example.com/index.html\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Connection: keep-alive\r\n\
    Sec-Fetch-Dest: script\r\n\
    Sec-Fetch-Mode: no-cors\r\n\
    \r\n";

/// What an origin answers: eight fields.
pub(super) const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Sun, 06 Nov 2022 08:49:37 GMT\r\n\
    Server: origin/1.0\r\n\
    Content-Type: text/javascript; charset=utf-8\r\n\
    Content-Length: 1024\r\n\
    Last-Modified: Sat, 05 Nov 2022 08:49:37 GMT\r\n\
    ETag: \"5f3e-59a1\"\r\n\
    Cache-Control: public, max-age=3600\r\n\
    Vary: Accept-Encoding\r\n\
    \r\n";

const LIMITS: Limits =
    Limits { start_line_bytes: 8192, head_bytes: 65_536, fields: 128, field_bytes: 16_384 };

/// Finds the end of a head in a receive buffer and copies it out, as a session does.
fn head(received: &[u8]) -> Bytes {
    let end = HeadScanner::default().find_end(received, &LIMITS).ok().flatten().unwrap_or_default();
    Bytes::copy_from_slice(&received[..end])
}

pub(super) fn parse_request(iterations: u64) {
    for _ in 0..iterations {
        let request = h1::parse_request(head(black_box(REQUEST)).into(), &LIMITS);
        assert!(black_box(request).is_ok());
    }
}

pub(super) fn parse_response(iterations: u64) {
    for _ in 0..iterations {
        let response = h1::parse_response(head(black_box(RESPONSE)).into(), &LIMITS);
        assert!(black_box(response).is_ok());
    }
}

/// The response of [`RESPONSE`].
pub(super) fn response() -> Response {
    h1::parse_response(head(RESPONSE).into(), &LIMITS).unwrap_or_else(|_| Response::new(500))
}

pub(super) fn write_response(iterations: u64) {
    let response = response();
    let mut out = Vec::with_capacity(4096);
    for _ in 0..iterations {
        out.clear();
        h1::write_response(black_box(&response), Version::Http11, &mut out);
        black_box(&out);
    }
}

/// One field added, one set, one removed, in a block of eight.
pub(super) fn edit_headers(iterations: u64) {
    let headers = response().headers;
    for _ in 0..iterations {
        let mut block: HeaderBlock = black_box(&headers).clone();
        block.append("X-Served-By", "edge-1");
        block.set(names::CACHE_CONTROL, "max-age=60");
        block.remove(names::SERVER);
        black_box(&block);
    }
}

/// Four chunks of a kilobyte.
pub(super) fn decode_chunked(iterations: u64) {
    let chunk = [&b"400\r\n"[..], &[b'x'; 1024], b"\r\n"].concat();
    let body = [&chunk.repeat(4)[..], b"0\r\n\r\n"].concat();
    for _ in 0..iterations {
        let mut decoder = Decoder::new();
        let mut rest = black_box(&body[..]);
        while let Ok(decoded) = decoder.decode(rest) {
            black_box(&rest[decoded.data]);
            rest = &rest[decoded.consumed..];
            if decoded.done || rest.is_empty() {
                break;
            }
        }
        assert!(decoder.is_done());
    }
}

pub(super) fn parse_url(iterations: u64) {
    let text = Bytes::from_static(b"http://www.example.com:8080/assets/app.js?v=3");
    for _ in 0..iterations {
        let url = Url::parse_absolute(black_box(&text).clone());
        assert!(black_box(url).is_ok());
    }
}
