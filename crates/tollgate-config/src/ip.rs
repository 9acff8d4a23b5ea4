//! Ranges of IP addresses as configuration files write them.
//!
//! Forms: one address, `FIRST-LAST`, and `ADDRESS/BITS`, where an IPv4 address may leave out trailing zero
//! octets (`10/8`, `0/0`). An IPv4 address mapped into IPv6 counts as the IPv4 address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::IpNet;

/// Addresses of one family from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpRange {
    first: IpAddr,
    last: IpAddr,
}

/// The text is not a range of IP addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an IP address or range of addresses")]
pub struct NotAnIpRange(String);

impl IpRange {
    /// Whether `address` is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// The lowest and the highest address.
    pub fn bounds(&self) -> (IpAddr, IpAddr) {
        (self.first, self.last)
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some((address, bits)) = text.split_once('/') {
            let net = IpNet::new(parse_short_address(address)?, bits.parse().ok()?).ok()?;
            return Some(IpRange { first: net.network(), last: net.broadcast() });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let first = first.trim().parse::<IpAddr>().ok()?.to_canonical();
        let last = last.trim().parse::<IpAddr>().ok()?.to_canonical();
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(IpRange { first, last })
    }
}

impl FromStr for IpRange {
    type Err = NotAnIpRange;

    fn from_str(text: &str) -> Result<Self, NotAnIpRange> {
        Self::parse(text.trim()).ok_or_else(|| NotAnIpRange(text.to_owned()))
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

fn parse_short_address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse().ok();
    }
    let mut octets = [0; 4];
    for (place, part) in text.split('.').enumerate() {
        *octets.get_mut(place)? = part.parse().ok()?;
    }
    Some(IpAddr::V4(Ipv4Addr::from(octets)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, address: &str) -> bool {
        range.parse::<IpRange>().expect(range).contains(address.parse().expect(address))
    }

    #[test]
    fn all_forms_of_ranges_are_read() {
        assert!(contains("10.1.2.3", "10.1.2.3"));
        assert!(!contains("10.1.2.3", "10.1.2.4"));
        assert!(contains("10.0.0.5-10.0.1.7", "10.0.1.0"));
        assert!(!contains("10.0.0.5-10.0.1.7", "10.0.1.8"));
        assert!(contains("10/8", "10.255.255.255"));
        assert!(contains("0/0", "255.255.255.255"));
        assert!(contains("192.168.4.9/22", "192.168.7.255"));
        assert!(contains("::/0", "ffff::1"));
        assert!(contains("fe80::/10", "febf::1"));
    }

    #[test]
    fn families_are_distinct_except_for_mapped_addresses() {
        assert!(!contains("0/0", "::1"));
        assert!(!contains("::/0", "1.2.3.4"));
        assert!(contains("1.2.3.0/24", "::ffff:1.2.3.4"));
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "x",
            "1.2.3",
            "1.2.3.4.5/8",
            "1.2.3.4/33",
            "::/129",
            "1.2.3.4-1.2.3.3",
            "::1-1.2.3.4",
            "/",
            "-",
        ] {
            assert!(bad.parse::<IpRange>().is_err(), "{bad:?}");
        }
    }
}
