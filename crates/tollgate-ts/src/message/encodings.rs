//! Percent encoding and base64 as Traffic Server does them.

/// Percent-encodes every byte whose bit is set in `map` (bit 7 of the first byte is NUL), without a map: controls,
/// space and the delimiters; bytes from 80 on are left alone.
pub fn percent_encode(text: &[u8], map: Option<&[u8; 32]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        let encodes = match map {
            Some(map) => map[usize::from(byte / 8)] & (0x80 >> (byte % 8)) != 0,
            None => *byte <= b' ' || *byte == 0x7f || b"\"#%<>[\\]^`{|}~".contains(byte),
        };
        if encodes {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out
}

/// Decodes `%xx`. What is no such escape stays; an escape that is cut off at the end is dropped (ATS).
pub fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            out.push(*first);
            rest = after;
            continue;
        }
        match after {
            [] => break,
            [a] if a.is_ascii_hexdigit() => break,
            [a, b, tail @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                out.push(hex(*a) * 16 + hex(*b));
                rest = tail;
            }
            [a, _, ..] if a.is_ascii_hexdigit() => {
                out.extend_from_slice(&[b'%', *a]);
                rest = &after[1..];
            }
            _ => {
                out.push(b'%');
                rest = after;
            }
        }
    }
    out
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Room that encoding `len` bytes asks for, NUL included (ATS).
pub fn base64_room(len: usize) -> usize {
    len.div_ceil(3) * 4 + 1
}

/// Room that decoding `len` bytes asks for, NUL included (ATS).
pub fn base64_decoded_room(len: usize) -> usize {
    len.div_ceil(4) * 3 + 1
}

/// Base64 with padding.
pub fn base64_encode(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(base64_room(data.len()));
    for group in data.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i > group.len() { b'=' } else { digit });
        }
    }
    out
}

/// Decodes base64 of either alphabet up to the first byte that belongs to neither.
pub fn base64_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let digits: Vec<u8> = text.iter().map_while(|b| sextet(*b)).collect();
    for group in digits.chunks(4) {
        let digit = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = digit(0) << 18 | digit(1) << 12 | digit(2) << 6 | digit(3);
        out.extend_from_slice(&bits.to_be_bytes()[1..group.len().max(1)]);
    }
    out
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'-' => Some(62),
        b'_' => Some(63),
        _ => ALPHABET.iter().position(|a| *a == byte).map(|i| i as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broken_escapes_stay() {
        assert_eq!(percent_decode(b"%zz%4z%%41%4"), b"%zz%4z%A");
    }

    proptest! {
        #[test]
        fn base64_decodes_what_was_encoded(data in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(base64_decode(&base64_encode(&data)), data);
        }

        #[test]
        fn percent_decodes_what_was_encoded(data in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(percent_decode(&percent_encode(&data, None)), data);
        }
    }
}
