//! HTTP/1 messages: heads and chunked bodies, however the bytes are cut.

use bytes::Bytes;
use tollgate_http::chunked::{self, ChunkError, Decoder};
use tollgate_http::h1::{self, HeadError, HeadScanner, Limits};
use tollgate_http::{HeaderBlock, Version, framing};

use crate::random::Random;

/// Words of heads.
pub const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b" HTTP/2.0\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"GET ",
    b"CONNECT h:443",
    b"OPTIONS *",
    b"http://[::1]:8080/",
    b"Host: h\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b" : ",
    b"\r\n ",
    b"@internal: x\r\n",
];

/// Words of chunked bodies.
pub const CHUNKED_TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"0\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b";a=b",
    b"X-T: v\r\n",
    b"7fffffffffffffff",
    b"f",
];

/// What heads are held against.
const LIMITS: Limits = Limits { start_line_bytes: 500, head_bytes: 2000, fields: 40, field_bytes: 1000 };
/// For what was written here: it may be longer than what was read.
const WIDE: Limits =
    Limits { start_line_bytes: 1 << 20, head_bytes: 1 << 20, fields: h1::MAX_FIELDS, field_bytes: 1 << 20 };

/// Ends of the pieces that an input arrives in. The same input is always cut in the same way.
fn cuts(input: &[u8]) -> Vec<usize> {
    let seed = input.iter().fold(input.len() as u64, |hash, byte| hash.wrapping_mul(31) + u64::from(*byte));
    let mut random = Random::new(seed);
    let longest = 1 + random.below(40);
    let mut ends = Vec::new();
    let mut end = 0;
    while end < input.len() {
        end = (end + 1 + random.below(longest)).min(input.len());
        ends.push(end);
    }
    ends
}

fn scan(input: &[u8], ends: &[usize], limits: &Limits) -> Result<Option<usize>, HeadError> {
    let mut scanner = HeadScanner::default();
    for end in ends {
        if let Some(found) = scanner.find_end(&input[..*end], limits)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The head at the start of the input, if there is a complete one. Whether there is does not depend on the pieces;
/// only which of several faults is named may.
fn head(input: &[u8]) -> Option<Bytes> {
    let input = &input[h1::skip_empty_lines(input)..];
    let whole = scan(input, &[input.len()], &LIMITS);
    let in_pieces = scan(input, &cuts(input), &LIMITS);
    assert_eq!(whole.ok(), in_pieces.ok(), "the end of the head depends on the pieces");
    if let Some(lines) = h1::find_lines(input, &LIMITS) {
        assert_eq!(whole, Ok(Some(lines.len)), "one pass finds the end that the scanner finds");
    }
    whole.ok().flatten().map(|end| Bytes::copy_from_slice(&input[..end]))
}

fn fields(headers: &HeaderBlock) -> Vec<(Vec<u8>, Vec<u8>)> {
    headers.iter().map(|field| (field.name.to_vec(), field.value.to_vec())).collect()
}

/// A request that is accepted is understood in the same way after it was written.
pub fn request(input: &[u8]) {
    let Some(request) = head(input).and_then(|head| h1::parse_request(head.into(), &LIMITS).ok()) else {
        return;
    };
    let mut written = Vec::new();
    h1::write_request(&request, &mut written);
    let end = scan(&written, &[written.len()], &WIDE);
    assert_eq!(end, Ok(Some(written.len())), "what was written is one head");
    let again =
        h1::parse_request(Bytes::from(written.clone()).into(), &WIDE).expect("what was written is a request");
    assert_eq!(again.method, request.method);
    assert_eq!(again.version, request.version);
    assert_eq!((&again.url.path, &again.url.query), (&request.url.path, &request.url.query));
    assert_eq!(fields(&again.headers), fields(&request.headers));
    assert_eq!(
        framing::of_request(again.version, &again.headers),
        framing::of_request(request.version, &request.headers)
    );
    let mut twice = Vec::new();
    h1::write_request(&again, &mut twice);
    assert_eq!(twice, written, "writing settles at once");
}

/// A response that is accepted is understood in the same way after it was written.
pub fn response(input: &[u8]) {
    let Some(response) = head(input).and_then(|head| h1::parse_response(head.into(), &LIMITS).ok()) else {
        return;
    };
    let mut written = Vec::new();
    h1::write_response(&response, Version::Http11, &mut written);
    let end = scan(&written, &[written.len()], &WIDE);
    assert_eq!(end, Ok(Some(written.len())), "what was written is one head");
    let again =
        h1::parse_response(Bytes::from(written).into(), &WIDE).expect("what was written is a response");
    assert_eq!((again.status, again.reason()), (response.status, response.reason()));
    assert_eq!(fields(&again.headers), fields(&response.headers));
    let compact = response.headers.compact();
    assert_eq!(fields(&compact), fields(&response.headers), "a compact copy has the same fields");
}

/// Body, bytes used and trailers. `None`: more input is needed.
type Body = Option<(Vec<u8>, usize, Result<Vec<(Vec<u8>, Vec<u8>)>, ChunkError>)>;

fn decode(input: &[u8], ends: &[usize]) -> Result<Body, ChunkError> {
    let mut decoder = Decoder::new();
    let (mut body, mut used) = (Vec::new(), 0);
    for end in ends {
        while used < *end && !decoder.is_done() {
            let rest = &input[used..*end];
            let decoded = decoder.decode(rest)?;
            assert!(decoded.consumed > 0 && decoded.data.end <= decoded.consumed, "decoding goes on");
            body.extend_from_slice(&rest[decoded.data]);
            used += decoded.consumed;
        }
    }
    let trailers = |decoder: &mut Decoder| decoder.trailers().map(|block| fields(&block));
    Ok(decoder.is_done().then(|| (body, used, trailers(&mut decoder))))
}

/// A chunked body decodes to the same however it is cut, and to the same again after it was encoded anew.
pub fn chunked(input: &[u8]) {
    let whole = decode(input, &[input.len()]);
    assert_eq!(whole, decode(input, &cuts(input)), "pieces");
    assert_eq!(whole, decode(input, &(1..=input.len()).collect::<Vec<_>>()), "single bytes");
    let Ok(Some((body, _, Ok(trailers)))) = whole else { return };
    let mut encoded = Vec::new();
    if !body.is_empty() {
        encoded.extend_from_slice(chunked::chunk_header(body.len()).as_bytes());
        encoded.extend_from_slice(&body);
        encoded.extend_from_slice(b"\r\n");
    }
    let block: HeaderBlock = trailers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    chunked::write_last_chunk(Some(&block), &mut encoded);
    let length = encoded.len();
    assert_eq!(decode(&encoded, &[length]), Ok(Some((body, length, Ok(trailers)))), "encoded anew");
}
