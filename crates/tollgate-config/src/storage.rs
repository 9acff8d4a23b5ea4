//! `storage.config`, `volume.config` and `hosting.config`: where the cache lies and how it is divided.
//!
//! Responsible for: the grammar of the three files, and which part of which device belongs to which volume.
//! Not responsible for: opening devices, what is in them.
//! Invariants: parts of a device do not overlap and do not pass its end; every volume that is named exists.

mod plan;

pub use plan::{DeviceSize, Part};

use crate::Problem;
use crate::records::parse_int;
use std::sync::Arc;

/// A line of `storage.config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// A directory, a file or a block device; relative to the configuration directory.
    pub path: String,
    /// Bytes to use; `None`: all of a block device.
    pub bytes: Option<u64>,
    /// `id=`: keys are spread by this name instead of the path, so that a device may move.
    pub id: Option<String>,
    /// `volume=`: the device belongs to this volume alone.
    pub volume: Option<u32>,
    /// File.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
}

/// The size of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeSize {
    /// Of all devices that no volume has for itself.
    Percent(u32),
    /// Bytes.
    Bytes(u64),
}

/// A line of `volume.config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its number, from 1.
    pub number: u32,
    /// Its size.
    pub size: VolumeSize,
    /// File.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
}

/// Whom a line of `hosting.config` is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosted {
    /// `hostname=NAME`.
    Host(String),
    /// `domain=NAME`: the host of that name and all below it.
    Domain(String),
    /// `hostname=*`.
    Others,
}

/// A line of `hosting.config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosting {
    /// Whose objects.
    pub who: Hosted,
    /// Numbers of the volumes where they are stored.
    pub volumes: Vec<u32>,
    /// File.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
}

/// What the three files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// Devices, in the order of the file. None: the cache is in memory only.
    pub devices: Vec<Device>,
    /// Volumes; none: each device is one part.
    pub volumes: Vec<Volume>,
    /// Hosts with volumes of their own.
    pub hosting: Vec<Hosting>,
}

/// Reads `text`, the content of a `storage.config`.
pub fn parse_devices(file: &str, text: &str) -> (Vec<Device>, Vec<Problem>) {
    let file: Arc<str> = Arc::from(file);
    lines(&file, text, |words, line| {
        let (path, options) = words.split_first().ok_or("")?;
        let mut device = Device {
            path: (*path).to_string(),
            bytes: None,
            id: None,
            volume: None,
            file: Arc::clone(&file),
            line,
        };
        for option in options {
            match option.split_once('=') {
                Some(("id", id)) if !id.is_empty() => device.id = Some(id.to_string()),
                Some(("volume", number)) => device.volume = Some(volume_number(number)?),
                Some(_) => return Err(format!("{option}: a size, id=NAME or volume=NUMBER is expected")),
                None if device.bytes.is_some() => return Err(format!("{option}: there is a size already")),
                None => device.bytes = Some(size(option)?),
            }
        }
        Ok(device)
    })
}

/// Reads `text`, the content of a `volume.config`.
pub fn parse_volumes(file: &str, text: &str) -> (Vec<Volume>, Vec<Problem>) {
    let file: Arc<str> = Arc::from(file);
    lines(&file, text, |words, line| {
        let (mut number, mut volume_size) = (None, None);
        for word in words {
            match word.split_once('=') {
                Some(("volume", text)) => number = Some(volume_number(text)?),
                // ATS: nothing but HTTP is stored.
                Some(("scheme", "http")) => {}
                Some(("scheme", other)) => return Err(format!("scheme={other}: only http is stored")),
                Some(("size", text)) => volume_size = Some(volume_size_of(text)?),
                Some(("ramcache", "true")) => {}
                Some(("ramcache", _)) => return Err(format!("{word}: the RAM cache is one for all volumes")),
                _ => return Err(format!("{word}: volume=, scheme= or size= is expected")),
            }
        }
        let number = number.ok_or("there is no volume=NUMBER")?;
        let size = volume_size.ok_or("there is no size=")?;
        Ok(Volume { number, size, file: Arc::clone(&file), line })
    })
}

/// Reads `text`, the content of a `hosting.config`.
pub fn parse_hosting(file: &str, text: &str) -> (Vec<Hosting>, Vec<Problem>) {
    let file: Arc<str> = Arc::from(file);
    lines(&file, text, |words, line| {
        let (mut who, mut volumes) = (None, Vec::new());
        for word in words {
            match word.split_once('=') {
                Some(("hostname", "*")) => who = Some(Hosted::Others),
                Some(("hostname", name)) => who = Some(Hosted::Host(name.to_ascii_lowercase())),
                Some(("domain", name)) => {
                    who = Some(Hosted::Domain(name.trim_start_matches('.').to_ascii_lowercase()));
                }
                Some(("volume", list)) => {
                    volumes = list.split(',').map(volume_number).collect::<Result<_, _>>()?;
                }
                _ => return Err(format!("{word}: hostname=, domain= or volume= is expected")),
            }
        }
        let who = who.ok_or("there is no hostname= or domain=")?;
        if volumes.is_empty() {
            return Err("there is no volume=".into());
        }
        Ok(Hosting { who, volumes, file: Arc::clone(&file), line })
    })
}

impl Storage {
    /// What the files say that cannot be together.
    pub fn contradictions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (at, device) in self.devices.iter().enumerate() {
            if self.devices[..at].iter().any(|other| other.path == device.path) {
                let message = format!("{} is there twice", device.path);
                problems.push(Problem::error(&device.file, device.line, message));
            }
            if let Some(volume) = device.volume.filter(|number| !self.has_volume(*number)) {
                problems.push(unknown_volume(&device.file, device.line, volume));
            }
        }
        let mut percent = 0u32;
        for (at, volume) in self.volumes.iter().enumerate() {
            if self.volumes[..at].iter().any(|other| other.number == volume.number) {
                let message = format!("volume {} is there twice", volume.number);
                problems.push(Problem::error(&volume.file, volume.line, message));
            }
            if let VolumeSize::Percent(n) = volume.size {
                percent = percent.saturating_add(n);
                if percent > 100 {
                    let message = "the volumes have more than 100% together";
                    problems.push(Problem::error(&volume.file, volume.line, message));
                }
            }
        }
        for line in &self.hosting {
            for volume in line.volumes.iter().filter(|number| !self.has_volume(**number)) {
                problems.push(unknown_volume(&line.file, line.line, *volume));
            }
        }
        problems
    }

    fn has_volume(&self, number: u32) -> bool {
        self.volumes.iter().any(|volume| volume.number == number)
    }
}

fn unknown_volume(file: &Arc<str>, line: u32, number: u32) -> Problem {
    Problem::error(file, line, format!("there is no volume {number} in volume.config"))
}

/// Gives the words of each line that has some to `parse`; lines with an error are left out.
fn lines<T>(
    file: &Arc<str>,
    text: &str,
    mut parse: impl FnMut(&[&str], u32) -> Result<T, String>,
) -> (Vec<T>, Vec<Problem>) {
    let (mut parsed, mut problems) = (Vec::new(), Vec::new());
    for (line, text) in (1u32..).zip(text.lines()) {
        let text = text.split('#').next().unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        match parse(&words, line) {
            Ok(value) => parsed.push(value),
            Err(message) => problems.push(Problem::error(file, line, message)),
        }
    }
    (parsed, problems)
}

fn size(text: &str) -> Result<u64, String> {
    let bytes = parse_int(text).and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| format!("{text}: not a size (a number of bytes, with K, M, G or T if you like)"))
}

fn volume_number(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=255).contains(number));
    number.ok_or_else(|| format!("{text}: not the number of a volume (1 to 255)"))
}

/// `50%`, or megabytes.
fn volume_size_of(text: &str) -> Result<VolumeSize, String> {
    let size = match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|n| (1..=100).contains(n)).map(VolumeSize::Percent),
        None => {
            text.parse::<u64>().ok().filter(|n| (1..=1 << 30).contains(n)).map(|n| VolumeSize::Bytes(n << 20))
        }
    };
    size.ok_or_else(|| format!("size={text}: percent (10%) or megabytes (512) are expected"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn devices_have_a_path_and_perhaps_size_id_and_volume() {
        let text = "# comment\n/var/cache 256M\n/dev/sdb volume=2 id=cache.disk.1\n/data/x 150994944 # end\n";
        let (devices, problems) = parse_devices("storage.config", text);
        assert!(problems.is_empty(), "{problems:?}");
        let short: Vec<_> =
            devices.iter().map(|d| (d.path.as_str(), d.bytes, d.id.as_deref(), d.volume, d.line)).collect();
        assert_eq!(
            short,
            [
                ("/var/cache", Some(256 << 20), None, None, 2),
                ("/dev/sdb", None, Some("cache.disk.1"), Some(2), 3),
                ("/data/x", Some(150_994_944), None, None, 4)
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_file_and_line() {
        let (_, problems) = parse_devices("storage.config", "/a 1Q\n/b volume=0\n/c 1M 2M\n/d colour=red\n");
        assert_eq!(
            messages(&problems),
            [
                "storage.config:1: 1Q: not a size (a number of bytes, with K, M, G or T if you like)",
                "storage.config:2: 0: not the number of a volume (1 to 255)",
                "storage.config:3: 2M: there is a size already",
                "storage.config:4: colour=red: a size, id=NAME or volume=NUMBER is expected",
            ]
        );
        let (_, problems) =
            parse_volumes("volume.config", "volume=1 scheme=rtsp size=1%\nvolume=1\nsize=5\n");
        assert_eq!(
            messages(&problems),
            [
                "volume.config:1: scheme=rtsp: only http is stored",
                "volume.config:2: there is no size=",
                "volume.config:3: there is no volume=NUMBER",
            ]
        );
        let (_, problems) = parse_hosting("hosting.config", "hostname=a\nvolume=1\nhostname=b volume=1,x\n");
        assert_eq!(problems.len(), 3);
    }

    #[test]
    fn volumes_that_are_named_must_exist_once_and_fit() {
        let (devices, _) = parse_devices("storage.config", "/a 1G volume=3\n/b 1G\n/b 1G\n");
        let (volumes, _) =
            parse_volumes("volume.config", "volume=1 scheme=http size=60%\nvolume=1 scheme=http size=60%\n");
        let (hosting, _) =
            parse_hosting("hosting.config", "hostname=* volume=1\ndomain=.Example.com volume=1,9\n");
        assert_eq!(hosting[1].who, Hosted::Domain("example.com".into()));
        let storage = Storage { devices, volumes, hosting };
        assert_eq!(
            messages(&storage.contradictions()),
            [
                "storage.config:1: there is no volume 3 in volume.config",
                "storage.config:3: /b is there twice",
                "volume.config:2: volume 1 is there twice",
                "volume.config:2: the volumes have more than 100% together",
                "hosting.config:2: there is no volume 9 in volume.config",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic(text in "(?s).{0,80}", words in "((volume|size|scheme|hostname)=.{0,4} ?){0,5}") {
            for text in [&text, &words] {
                let (devices, _) = parse_devices("s", text);
                let (volumes, _) = parse_volumes("v", text);
                let (hosting, _) = parse_hosting("h", text);
                let storage = Storage { devices, volumes, hosting };
                storage.contradictions();
                storage.plan(&vec![DeviceSize { bytes: 1 << 30 }; storage.devices.len()], 1 << 24);
            }
        }
    }
}
