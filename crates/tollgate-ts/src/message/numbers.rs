//! Numbers in field values, read as Traffic Server reads them.
//!
//! Responsible for: its treatment of blanks, signs, junk and overflow.

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Skips leading space and the minus sign; whether there was one.
fn start(text: &[u8]) -> (&[u8], bool) {
    match skip_space(text) {
        [b'-', digits @ ..] => (digits, true),
        rest => (rest, false),
    }
}

fn skip_space(text: &[u8]) -> &[u8] {
    let at = text.iter().position(|b| !is_space(*b)).unwrap_or(text.len());
    &text[at..]
}

/// A signed 32-bit number; it stays at the limit once a step has overflowed.
pub fn int(text: &[u8]) -> i32 {
    let (digits, negative) = start(text);
    let limit = if negative { i32::MIN } else { i32::MAX };
    let mut number = 0i32;
    for digit in digits.iter().take_while(|b| b.is_ascii_digit()) {
        if number == limit {
            continue;
        }
        let digit = i32::from(digit - b'0');
        let next = number.wrapping_mul(10);
        let next = if negative { next.wrapping_sub(digit) } else { next.wrapping_add(digit) };
        // ATS: only a step that changes direction counts as overflow.
        let over = if negative { next > number } else { next < number };
        number = if over { limit } else { next };
    }
    number
}

/// An unsigned 32-bit number, modulo 2^32.
pub fn uint(text: &[u8]) -> u32 {
    skip_space(text)
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .fold(0, |n: u32, b| n.wrapping_mul(10).wrapping_add(u32::from(b - b'0')))
}

/// A signed 64-bit number, modulo 2^64.
pub fn int64(text: &[u8]) -> i64 {
    let (digits, negative) = start(text);
    let number = digits
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .fold(0, |n: i64, b| n.wrapping_mul(10).wrapping_add(i64::from(b - b'0')));
    if negative { number.wrapping_neg() } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int_stays_at_its_limits_and_the_others_wrap() {
        assert_eq!((int(b"2147483648"), int(b"-2147483649")), (i32::MAX, i32::MIN));
        assert_eq!((uint(b"4294967296"), uint(b"-1")), (0, 0));
        assert_eq!(int64(b"9223372036854775808"), i64::MIN);
        assert_eq!((int(b" \t12abc"), int(b"+5"), int(b"")), (12, 0, 0));
    }
}
