//! Addresses in text, as `TSIpStringToAddr` reads them.
//!
//! Responsible for: the forms that the C library's `inet_aton` knows for IPv4, IPv6, brackets, ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Reads an address with an optional port: `1.2.3.4:80`, `[::1]:443`, `::1`.
pub fn parse(text: &str) -> Option<SocketAddr> {
    let (host, port) = split(text.trim_ascii_start());
    let ip = match ipv4(host) {
        Some(v4) => IpAddr::V4(v4),
        None => IpAddr::V6(host.trim_ascii_end().parse::<Ipv6Addr>().ok()?),
    };
    Some(SocketAddr::new(ip, leading_number(port)))
}

/// Host and port. More than one colon outside of brackets: there is no port.
fn split(text: &str) -> (&str, &str) {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').unwrap_or((inner, ""));
        return (host, rest.strip_prefix(':').unwrap_or(""));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, port),
        _ => (text, ""),
    }
}

/// The digits at the beginning, cut to 16 bits.
fn leading_number(text: &str) -> u16 {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0_u16, |n, digit| n.wrapping_mul(10).wrapping_add(u16::from(digit - b'0')))
}

/// One to four numbers, decimal, octal or hexadecimal, of which the last fills the rest.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let text = text.split_ascii_whitespace().next()?;
    let parts = text.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let room = 32 - 8 * first.len() as u32;
    if room < 32 && *last >> room != 0 {
        return None;
    }
    let high = first.iter().enumerate().fold(0, |bits, (i, part)| bits | part << (24 - 8 * i));
    Some(Ipv4Addr::from_bits(high | last))
}

fn number(text: &str) -> Option<u32> {
    if text.starts_with('+') {
        return None;
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if hex.starts_with('+') => None,
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_the_c_library_are_read() {
        let read = |text: &str| parse(text).map(|a| a.to_string());
        for (text, expected) in [
            ("1.2.3", "1.2.0.3:0"),
            ("0x7f.1", "127.0.0.1:0"),
            ("01.02.03.010", "1.2.3.8:0"),
            ("1.2.3.4:99999", "1.2.3.4:34463"),
            ("[::1]:443", "[::1]:443"),
            ("[::1", "[::1]:0"),
            ("4294967295", "255.255.255.255:0"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", ":80", "256.1.1.1", "1.2.3.4.5", "host", "1..2", "0x", "1.16777216", "+1.2.3.4"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn plain_addresses_are_read_as_usual(ip: Ipv4Addr, six: Ipv6Addr, port: u16) {
            proptest::prop_assert_eq!(parse(&format!("{ip}:{port}")), Some(SocketAddr::new(ip.into(), port)));
            proptest::prop_assert_eq!(parse(&format!("[{six}]:{port}")), Some(SocketAddr::new(six.into(), port)));
        }

        #[test]
        fn nothing_panics(text: String) {
            parse(&text);
        }
    }
}
