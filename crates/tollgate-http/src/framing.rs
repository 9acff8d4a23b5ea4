//! Message framing: how long a body is (RFC 9112 §6.3).
//!
//! Responsible for: the one decision, for every protocol, of how a message's body ends; refusing ambiguity.
//! Not responsible for: decoding chunks (`chunked`), which connection closes afterwards (the session).
//! Invariant: strict. Content-Length with Transfer-Encoding, more than one Content-Length (even equal ones), a
//! malformed number, Transfer-Encoding in HTTP/1.0 or not exactly `chunked` are errors, never guesses.

use crate::{HeaderBlock, Method, Version, names};

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// Exactly that many bytes, more than 0.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
    /// Everything until the connection closes (responses only).
    UntilClose,
}

/// Why a message's framing was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// RFC 9112 §6.3 rule 3.
    #[error("both Transfer-Encoding and Content-Length")]
    Conflict,
    /// More than one Content-Length, as lines or as a list.
    #[error("more than one Content-Length")]
    DuplicateLength,
    /// Content-Length is not a plain decimal number that fits 63 bits.
    #[error("malformed Content-Length")]
    BadLength,
    /// RFC 9112 §6.1: Transfer-Encoding in an HTTP/1.0 message.
    #[error("Transfer-Encoding in an HTTP/1.0 message")]
    TransferEncodingVersion,
    /// The final coding is not `chunked`, or `chunked` is applied twice, or the value is malformed.
    #[error("malformed Transfer-Encoding")]
    BadTransferEncoding,
    /// A transfer coding other than chunked: 501 (RFC 9112 §6.1).
    #[error("transfer coding other than chunked")]
    UnknownCoding,
}

/// The framing of a request's body.
pub fn of_request(version: Version, headers: &HeaderBlock) -> Result<Framing, FramingError> {
    if !headers.has(names::TRANSFER_ENCODING) && !headers.has(names::CONTENT_LENGTH) {
        return Ok(Framing::None);
    }
    Ok(declared(version, headers)?.unwrap_or(Framing::None))
}

/// The framing of a response's body, given the method of its request.
pub fn of_response(
    method: &Method,
    status: u16,
    version: Version,
    headers: &HeaderBlock,
) -> Result<Framing, FramingError> {
    // RFC 9112 §6.3 rules 1 and 2: these never have a body, whatever the fields say. 304 and HEAD may carry a
    // Content-Length of the representation; ambiguity there is harmless and still refused.
    let declared = declared(version, headers)?;
    if !may_have_body(method, status) {
        return Ok(Framing::None);
    }
    Ok(declared.unwrap_or(Framing::UntilClose))
}

/// Whether a response to `method` with that status can have a body.
pub fn may_have_body(method: &Method, status: u16) -> bool {
    !(*method == Method::Head
        || (100..200).contains(&status)
        || status == 204
        || status == 304
        || (*method == Method::Connect && (200..300).contains(&status)))
}

fn declared(version: Version, headers: &HeaderBlock) -> Result<Option<Framing>, FramingError> {
    if headers.has(names::TRANSFER_ENCODING) {
        if version == Version::Http10 {
            return Err(FramingError::TransferEncodingVersion);
        }
        if headers.has(names::CONTENT_LENGTH) {
            return Err(FramingError::Conflict);
        }
        return transfer_encoding(headers).map(Some);
    }
    content_length(headers)
        .map(|length| length.map(|n| if n == 0 { Framing::None } else { Framing::Length(n) }))
}

fn transfer_encoding(headers: &HeaderBlock) -> Result<Framing, FramingError> {
    let mut codings = headers.list(names::TRANSFER_ENCODING);
    let chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (Some(only), None) if chunked(only) => Ok(Framing::Chunked),
        (None, _) => Err(FramingError::BadTransferEncoding),
        (Some(first), rest) => {
            let last = codings.last().or(rest).unwrap_or(first);
            let token =
                |c: &[u8]| crate::names::is_token(crate::list::parameters(c).next().unwrap_or_default());
            if !token(first) || (chunked(first) && rest.is_some()) {
                Err(FramingError::BadTransferEncoding)
            } else if chunked(last) || rest.is_none() {
                Err(FramingError::UnknownCoding)
            } else {
                Err(FramingError::BadTransferEncoding)
            }
        }
    }
}

/// The value of the only Content-Length, if there is one.
pub fn content_length(headers: &HeaderBlock) -> Result<Option<u64>, FramingError> {
    if !headers.has(names::CONTENT_LENGTH) {
        return Ok(None);
    }
    let value = headers.get(names::CONTENT_LENGTH).unwrap_or_default();
    let is_repeated =
        headers.may_repeat(names::CONTENT_LENGTH) && headers.get_all(names::CONTENT_LENGTH).nth(1).is_some();
    if is_repeated || value.contains(&b',') {
        return Err(FramingError::DuplicateLength);
    }
    parse_length(value).map(Some).ok_or(FramingError::BadLength)
}

/// A plain decimal number: digits only, at most 63 bits.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |n, b| {
        if !b.is_ascii_digit() {
            return None;
        }
        n.checked_mul(10)?.checked_add(u64::from(b - b'0')).filter(|n| *n <= i64::MAX as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, fields: &[(&str, &str)]) -> Result<Framing, FramingError> {
        of_request(version, &fields.iter().copied().collect())
    }

    #[test]
    fn plain_cases() {
        let v = Version::Http11;
        assert_eq!(request(v, &[]), Ok(Framing::None));
        assert_eq!(request(v, &[("Content-Length", "0")]), Ok(Framing::None));
        assert_eq!(request(v, &[("Content-Length", "5")]), Ok(Framing::Length(5)));
        assert_eq!(request(v, &[("Transfer-Encoding", "Chunked")]), Ok(Framing::Chunked));
    }

    #[test]
    fn ambiguity_is_refused() {
        use FramingError::*;
        let v = Version::Http11;
        let (cl, te) = ("Content-Length", "Transfer-Encoding");
        assert_eq!(request(v, &[(cl, "5"), (te, "chunked")]), Err(Conflict));
        assert_eq!(request(v, &[(cl, "5"), (cl, "5")]), Err(DuplicateLength));
        assert_eq!(request(v, &[(cl, "5, 5")]), Err(DuplicateLength));
        for bad in ["", "-1", "+1", "1 ", "0x5", "5;", "99999999999999999999", "9223372036854775808", "1_0"] {
            assert_eq!(request(v, &[(cl, bad)]), Err(BadLength), "{bad:?}");
        }
        assert_eq!(request(Version::Http10, &[(te, "chunked")]), Err(TransferEncodingVersion));
        assert_eq!(request(v, &[(te, "gzip")]), Err(UnknownCoding));
        assert_eq!(request(v, &[(te, "gzip, chunked")]), Err(UnknownCoding));
        assert_eq!(request(v, &[(te, "chunked, gzip")]), Err(BadTransferEncoding));
        assert_eq!(request(v, &[(te, "chunked, chunked")]), Err(BadTransferEncoding));
        assert_eq!(request(v, &[(te, "chunked"), (te, "chunked")]), Err(BadTransferEncoding));
        assert_eq!(request(v, &[(te, "")]), Err(BadTransferEncoding));
        assert_eq!(request(v, &[(te, "\u{b}chunked")]), Err(BadTransferEncoding));
        assert_eq!(request(v, &[(te, "xchunked")]), Err(UnknownCoding));
    }

    #[test]
    fn responses_without_body_have_none() {
        let five: HeaderBlock = [("Content-Length", "5")].into_iter().collect();
        let of = |m: &Method, s| of_response(m, s, Version::Http11, &five);
        assert_eq!(of(&Method::Head, 200), Ok(Framing::None));
        assert_eq!(of(&Method::Get, 304), Ok(Framing::None));
        assert_eq!(of(&Method::Get, 204), Ok(Framing::None));
        assert_eq!(of(&Method::Connect, 200), Ok(Framing::None));
        assert_eq!(of(&Method::Get, 200), Ok(Framing::Length(5)));
        assert_eq!(
            of_response(&Method::Get, 200, Version::Http11, &HeaderBlock::new()),
            Ok(Framing::UntilClose)
        );
    }
}
