//! Whether a device holds what must not be overwritten.
//!
//! Responsible for: recognising file systems, volumes and partition tables by what they write at fixed places.
//! Not responsible for: whether the device is in use (the kernel says that when it is opened).
//! Invariants: nothing is written; a device that begins as a stripe does is ours.

use super::layout::{PAGE, Superblock};
use std::io;

/// What stands where. In order: what is named first is what is told.
const SIGNATURES: &[(u64, &[u8], &str)] = &[
    (512, b"EFI PART", "a partition table"),
    (1080, &[0x53, 0xef], "an ext2, ext3 or ext4 file system"),
    (0, b"XFSB", "an XFS file system"),
    (0x1_0040, b"_BHRfS_M", "a btrfs file system"),
    (1024, &[0x10, 0x20, 0xf5, 0xf2], "an F2FS file system"),
    (0x1_0034, b"ReIsEr", "a ReiserFS file system"),
    (3, b"NTFS    ", "an NTFS file system"),
    (3, b"EXFAT   ", "an exFAT file system"),
    (54, b"FAT1", "a FAT file system"),
    (82, b"FAT32", "a FAT file system"),
    (0x8001, b"CD001", "an ISO 9660 file system"),
    (0x2_0000, &[0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0], "a ZFS pool"),
    (0, b"LUKS\xba\xbe", "an encrypted volume (LUKS)"),
    (0, b"LABELONE", "a physical volume of LVM"),
    (512, b"LABELONE", "a physical volume of LVM"),
    (1024, b"LABELONE", "a physical volume of LVM"),
    (1536, b"LABELONE", "a physical volume of LVM"),
    (0, &[0xfc, 0x4e, 0x2b, 0xa9], "a member of a RAID array"),
    (4096, &[0xfc, 0x4e, 0x2b, 0xa9], "a member of a RAID array"),
    (4120, &[0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca], "a member of a bcache"),
    (4086, b"SWAPSPACE2", "swap space"),
    (4086, b"SWAP-SPACE", "swap space"),
    (510, &[0x55, 0xaa], "a partition table or boot sector"),
];
/// Of a RAID array whose superblock stands at the end.
const RAID_MAGIC: &[u8] = &[0xfc, 0x4e, 0x2b, 0xa9];

/// What a device of `bytes` bytes holds that is not ours, if it is something known.
pub(super) fn foreign(
    bytes: u64,
    read_at: impl Fn(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<Option<&'static str>> {
    let mut pages = vec![0; (2 * PAGE).min(bytes) as usize];
    read_at(&mut pages, 0)?;
    if pages.chunks(PAGE as usize).any(Superblock::is_like) {
        return Ok(None);
    }
    let found = |at: u64, magic: &[u8]| -> io::Result<bool> {
        let mut there = vec![0; magic.len()];
        if at.saturating_add(magic.len() as u64) > bytes {
            return Ok(false);
        }
        read_at(&mut there, at)?;
        Ok(there == magic)
    };
    for (at, magic, name) in SIGNATURES {
        if found(*at, magic)? {
            return Ok(Some(name));
        }
    }
    // Versions 0.90 and 1.0.
    let (old, new) = ((bytes & !0xffff).checked_sub(0x1_0000), (bytes & !0xfff).checked_sub(0x2000));
    for at in [old, new].into_iter().flatten() {
        if found(at, RAID_MAGIC)? {
            return Ok(Some("a member of a RAID array"));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 1 << 20;

    fn told(image: &[u8]) -> Option<&'static str> {
        let read = |buf: &mut [u8], at: u64| {
            buf.copy_from_slice(&image[at as usize..][..buf.len()]);
            Ok(())
        };
        foreign(image.len() as u64, read).expect("an image can be read")
    }

    #[test]
    fn every_signature_is_found_where_it_stands_and_nowhere_else() {
        assert_eq!(told(&vec![0; BYTES]), None);
        assert_eq!(told(&[0; 100]), None, "shorter than the places");
        for (at, magic, name) in SIGNATURES {
            let mut image = vec![0; BYTES];
            image[*at as usize..][..magic.len()].copy_from_slice(magic);
            assert_eq!(told(&image), Some(*name));
            image.rotate_right(1);
            assert_eq!(told(&image), None, "{name}, a byte further on");
        }
        for from_end in [0x1_0000, 0x2000] {
            let mut image = vec![0; BYTES];
            image[BYTES - from_end..][..4].copy_from_slice(RAID_MAGIC);
            assert_eq!(told(&image), Some("a member of a RAID array"));
        }
    }

    #[test]
    fn what_is_ours_is_ours_whatever_else_it_holds() {
        for page in [0, PAGE as usize] {
            let mut image = vec![0; BYTES];
            image[0x1_0040..][..8].copy_from_slice(b"_BHRfS_M");
            image[page..][..16].copy_from_slice(b"Tollgate stripe\0");
            assert_eq!(told(&image), None);
        }
    }
}
