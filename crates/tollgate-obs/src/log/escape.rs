//! Writing texts and numbers into a log line so that nothing can forge its structure.
//!
//! Responsible for: httpd's item escaping, percent-encoding for space-separated formats, decimals, addresses.
//! Not responsible for: which field uses which.
//! Invariants: output is printable ASCII; an httpd-escaped text cannot end a quoted field, a percent-encoded one
//! cannot end a space-separated field, neither can end a line; nothing allocates beyond the buffer.

use std::io::Write;
use std::net::IpAddr;

const HEX_LOWER: &[u8; 16] = b"0123456789abcdef";
const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// Whether a byte stands for itself in a quoted item.
#[inline(always)]
const fn is_httpd_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) & (byte != b'"') & (byte != b'\\')
}

/// Whether a byte stands for itself in a percent-encoded text. `%` does, so that an encoded URL is not encoded twice.
#[inline(always)]
const fn is_url_plain(byte: u8) -> bool {
    let is_unsafe = matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}');
    matches!(byte, 0x21..=0x7e) & !is_unsafe
}

/// Appends `text` as httpd's log items are: `\"`, `\\`, `\n` and the like, `\xhh` for the rest that is not printable.
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    push_runs(out, text, is_httpd_plain, |out, byte| match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0b => out.extend_from_slice(b"\\v"),
        _ => {
            let digits = [HEX_LOWER[usize::from(byte >> 4)], HEX_LOWER[usize::from(byte & 15)]];
            out.extend_from_slice(&[b'\\', b'x', digits[0], digits[1]]);
        }
    });
}

/// Appends `text` with spaces, controls, non-ASCII and the unsafe characters of URLs percent-encoded.
pub(super) fn push_percent_encoded(out: &mut Vec<u8>, text: &[u8]) {
    push_runs(out, text, is_url_plain, |out, byte| {
        let digits = [HEX_UPPER[usize::from(byte >> 4)], HEX_UPPER[usize::from(byte & 15)]];
        out.extend_from_slice(&[b'%', digits[0], digits[1]]);
    });
}

/// Appends plain runs as they are and hands each other byte to `special`.
fn push_runs(
    out: &mut Vec<u8>,
    text: &[u8],
    is_plain: impl Fn(u8) -> bool + Copy,
    special: impl Fn(&mut Vec<u8>, u8),
) {
    // Nearly every text is plain; this pass has no branches in it, so it runs on 16 bytes at a time.
    if text.iter().fold(true, |plain, &byte| plain & is_plain(byte)) {
        out.extend_from_slice(text);
        return;
    }
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| !is_plain(byte)) {
        out.extend_from_slice(&rest[..at]);
        special(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Appends a number.
pub(super) fn push_decimal(out: &mut Vec<u8>, number: u64) {
    push_padded(out, number, 1);
}

/// Appends a number with at least `width` digits (at most 20).
pub(super) fn push_padded(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number != 0 {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    let at = at.min(digits.len() - width.clamp(1, digits.len()));
    out.extend_from_slice(&digits[at..]);
}

/// Appends an address; an IPv4 address mapped into IPv6 as IPv4.
pub(super) fn push_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            for (i, octet) in v4.octets().into_iter().enumerate() {
                if i > 0 {
                    out.push(b'.');
                }
                push_decimal(out, u64::from(octet));
            }
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{push_decimal, push_escaped, push_ip, push_padded, push_percent_encoded};

    fn text_of(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("log output is ASCII")
    }

    #[test]
    fn httpd_escapes_quotes_backslashes_controls_and_non_ascii() {
        let escaped = text_of(|out| push_escaped(out, b"a b\"c\\d\n\r\t\x08\x0b\x00\x1b\x7f\xc3\xa9%"));
        assert_eq!(escaped, "a b\\\"c\\\\d\\n\\r\\t\\b\\v\\x00\\x1b\\x7f\\xc3\\xa9%");
    }

    #[test]
    fn percent_encoding_keeps_what_is_encoded_already() {
        let encoded = text_of(|out| push_percent_encoded(out, b"http://h/a b%20c?q=\"<>\n\xe9~"));
        assert_eq!(encoded, "http://h/a%20b%20c?q=%22%3C%3E%0A%E9~");
    }

    #[test]
    fn addresses_are_canonical() {
        let ip = |s: &str| text_of(|out| push_ip(out, s.parse().unwrap()));
        assert_eq!(ip("192.0.2.1"), "192.0.2.1");
        assert_eq!(ip("255.10.0.100"), "255.10.0.100");
        assert_eq!(ip("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(ip("2001:db8:0::1"), "2001:db8::1");
    }

    proptest! {
        #[test]
        fn decimals_equal_the_standard_librarys(number: u64, width in 1_usize..=20) {
            prop_assert_eq!(text_of(|out| push_decimal(out, number)), number.to_string());
            prop_assert_eq!(text_of(|out| push_padded(out, number, width)), format!("{number:0width$}"));
        }

        #[test]
        fn no_text_breaks_out_of_its_field(text: Vec<u8>) {
            let escaped = text_of(|out| push_escaped(out, &text));
            prop_assert!(escaped.bytes().all(|b| (0x20..0x7f).contains(&b)));
            prop_assert!(!escaped.replace("\\\\", "").replace("\\\"", "").contains('"'));
            let encoded = text_of(|out| push_percent_encoded(out, &text));
            prop_assert!(encoded.bytes().all(|b| (0x21..0x7f).contains(&b)));
        }
    }
}
