//! UUIDs as Traffic Server makes and reads them.

/// A UUID of a known version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uuid {
    bytes: [u8; 16],
    version: u8,
}

/// Digits of each number in the text, and whether a dash stands before it.
const NUMBERS: [(usize, bool); 11] = [
    (8, false),
    (4, true),
    (4, true),
    (2, true),
    (2, false),
    (2, true),
    (2, false),
    (2, false),
    (2, false),
    (2, false),
    (2, false),
];

impl Uuid {
    /// A UUID of version 1 to 5. ATS: only version 4 has content, of `random` bytes; the others are all zeros.
    pub fn new(version: u8, random: [u8; 16]) -> Option<Uuid> {
        let mut bytes = [0; 16];
        if version == 4 {
            bytes = random;
            bytes[6] = bytes[6] & 0x0f | 0x40;
            bytes[8] = bytes[8] & 0x3f | 0x80;
        }
        (1..=5).contains(&version).then_some(Uuid { bytes, version })
    }

    /// Reads a UUID of version 1 to 5. ATS: numbers may have fewer digits, and what follows is passed over.
    pub fn parse(text: &[u8]) -> Option<Uuid> {
        let mut bytes = Vec::with_capacity(16);
        let mut rest = text;
        for (width, dash) in NUMBERS {
            if dash {
                rest = rest.strip_prefix(b"-")?;
            }
            let digits = rest.iter().take(width).take_while(|b| b.is_ascii_hexdigit()).count();
            let number = std::str::from_utf8(&rest[..digits]).ok()?;
            let number = u32::from_str_radix(number, 16).ok()?;
            bytes.extend_from_slice(&number.to_be_bytes()[4 - width / 2..]);
            rest = &rest[digits..];
        }
        let bytes: [u8; 16] = bytes.try_into().ok()?;
        let version = bytes[6] >> 4;
        (1..=5).contains(&version).then_some(Uuid { bytes, version })
    }

    /// The version.
    pub fn version(&self) -> u8 {
        self.version
    }
}

impl std::fmt::Display for Uuid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, byte) in self.bytes.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_written_uuid_is_read_back(random: [u8; 16]) {
            let uuid = Uuid::new(4, random).expect("a known version");
            prop_assert_eq!(Uuid::parse(uuid.to_string().as_bytes()), Some(uuid));
        }

        #[test]
        fn any_bytes_are_read_without_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
            Uuid::parse(&text);
        }
    }
}
