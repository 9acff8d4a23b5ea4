//! Which part of which device belongs to which volume.

use super::{Storage, VolumeSize};
use crate::Problem;

/// Parts begin and end at multiples of this.
const UNIT: u64 = 4096;

/// What is known of a device of `storage.config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSize {
    /// Bytes that may be used.
    pub bytes: u64,
}

/// A part of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of the device, in the order of the file.
    pub device: usize,
    /// Where the part begins.
    pub base: u64,
    /// Bytes.
    pub len: u64,
    /// The volume; 0: there are none.
    pub volume: u32,
}

impl Storage {
    /// Divides the devices, whose sizes are given in the order of the file. No part is larger than `largest`.
    pub fn plan(&self, sizes: &[DeviceSize], largest: u64) -> (Vec<Part>, Vec<Problem>) {
        let mut parts = Vec::new();
        let mut problems = Vec::new();
        let devices = || self.devices.iter().zip(sizes).enumerate();
        if self.volumes.is_empty() {
            for (device, (_, size)) in devices() {
                push(&mut parts, Part { device, base: 0, len: size.bytes, volume: 0 }, largest);
            }
            return (parts, problems);
        }
        let shared: u64 = devices().filter(|(_, (d, _))| d.volume.is_none()).map(|(_, (_, s))| s.bytes).sum();
        let mut used = vec![0; self.devices.len()];
        let mut taken = 0u64;
        for volume in &self.volumes {
            for (device, (_, size)) in devices().filter(|(_, (d, _))| d.volume == Some(volume.number)) {
                push(&mut parts, Part { device, base: 0, len: size.bytes, volume: volume.number }, largest);
            }
            if devices().any(|(_, (d, _))| d.volume == Some(volume.number)) {
                // ATS: a volume with devices of its own has these and no others.
                continue;
            }
            let wanted = match volume.size {
                VolumeSize::Bytes(bytes) => bytes,
                VolumeSize::Percent(percent) => (u128::from(shared) * u128::from(percent) / 100) as u64,
            };
            taken = taken.saturating_add(wanted);
            if taken > shared {
                let message = format!("volume {}: the devices are too small for it", volume.number);
                problems.push(Problem::error(&volume.file, volume.line, message));
                continue;
            }
            for (device, (_, size)) in devices().filter(|(_, (d, _))| d.volume.is_none()) {
                // Its share of each device, so that all disks work for all volumes.
                let len = (u128::from(wanted) * u128::from(size.bytes) / u128::from(shared.max(1))) as u64;
                let len = len.min(size.bytes - used[device]) / UNIT * UNIT;
                push(&mut parts, Part { device, base: used[device], len, volume: volume.number }, largest);
                used[device] += len;
            }
        }
        (parts, problems)
    }
}

/// Adds a part, in pieces that are not too large.
fn push(parts: &mut Vec<Part>, part: Part, largest: u64) {
    let pieces = part.len.div_ceil(largest.max(UNIT)).max(1);
    let len = part.len / pieces / UNIT * UNIT;
    if len > 0 {
        parts.extend((0..pieces).map(|piece| Part { base: part.base + piece * len, len, ..part }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse_devices, parse_volumes};
    use super::*;
    use proptest::prelude::*;

    fn storage(devices: &str, volumes: &str) -> Storage {
        Storage {
            devices: parse_devices("storage.config", devices).0,
            volumes: parse_volumes("volume.config", volumes).0,
            hosting: Vec::new(),
        }
    }

    fn parts(storage: &Storage) -> Vec<(usize, u64, u64, u32)> {
        let sizes: Vec<_> =
            storage.devices.iter().map(|d| DeviceSize { bytes: d.bytes.unwrap_or(1 << 30) }).collect();
        let (parts, problems) = storage.plan(&sizes, 1 << 40);
        assert!(problems.is_empty(), "{problems:?}");
        parts.into_iter().map(|p| (p.device, p.base >> 20, p.len >> 20, p.volume)).collect()
    }

    #[test]
    fn without_volumes_each_device_is_one_part() {
        assert_eq!(parts(&storage("/a 64M\n/b 32M\n", "")), [(0, 0, 64, 0), (1, 0, 32, 0)]);
    }

    #[test]
    fn each_volume_has_its_share_of_each_device() {
        let storage = storage(
            "/a 64M\n/b 32M\n/own 10M volume=3\n",
            "volume=1 scheme=http size=50%\nvolume=2 scheme=http size=24\nvolume=3 scheme=http size=1%\n",
        );
        assert_eq!(
            parts(&storage),
            [(0, 0, 32, 1), (1, 0, 16, 1), (0, 32, 16, 2), (1, 16, 8, 2), (2, 0, 10, 3)]
        );
    }

    #[test]
    fn a_volume_larger_than_the_devices_is_an_error() {
        let storage = storage("/a 64M\n", "volume=1 scheme=http size=65\n");
        let (parts, problems) = storage.plan(&[DeviceSize { bytes: 64 << 20 }], 1 << 40);
        assert!(parts.is_empty());
        assert_eq!(problems[0].to_string(), "volume.config:1: volume 1: the devices are too small for it");
    }

    proptest! {
        #[test]
        fn parts_lie_in_their_device_and_do_not_overlap(
            sizes in prop::collection::vec(0..1u64 << 32, 1..4),
            percents in prop::collection::vec(1..40u32, 0..5),
            largest in 1u64 << 20..1 << 33,
        ) {
            let devices: String = (0..sizes.len()).map(|n| format!("/{n} 1M\n")).collect();
            let volumes: String = percents
                .iter()
                .enumerate()
                .map(|(n, percent)| format!("volume={} scheme=http size={percent}%\n", n + 1))
                .collect();
            let sizes: Vec<_> = sizes.into_iter().map(|bytes| DeviceSize { bytes }).collect();
            let (mut parts, _) = storage(&devices, &volumes).plan(&sizes, largest);
            parts.sort_by_key(|part| (part.device, part.base));
            for part in &parts {
                prop_assert!(part.base + part.len <= sizes[part.device].bytes && part.len <= largest);
            }
            for pair in parts.windows(2) {
                prop_assert!(pair[0].device != pair[1].device || pair[0].base + pair[0].len <= pair[1].base);
            }
        }
    }
}
