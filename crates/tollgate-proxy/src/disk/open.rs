//! From configuration files to open stripes.

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tollgate_cache::disk::{
    DiskStore, DiskStoreOptions, FileDevice, Found, MAX_STRIPE_BYTES, StripeOptions, StripePlace,
};
use tollgate_config::storage::{Device, DeviceSize, Hosted, Storage};
use tollgate_config::{Problem, Records, ids};

/// The file in a directory that is named as a device.
const FILE_IN_DIRECTORY: &str = "cache.db";
/// LIMIT: bytes of a device, at least: its buffer must be a small part of it.
const SMALLEST_BYTES: u64 = 17 << 20;

/// A device of the configuration, looked at.
struct Examined {
    path: PathBuf,
    bytes: u64,
}

/// What can be said against the devices without touching what is on them.
pub fn check(storage: &Storage, dir: &Path) -> Vec<Problem> {
    let (examined, mut problems) = examine(storage, dir);
    for (device, found) in storage.devices.iter().zip(&examined) {
        if let Ok(Some(what)) = FileDevice::foreign_content(&found.path) {
            problems.push(told(device, format!("it holds {what}, which a cache would destroy")));
        }
    }
    if problems.is_empty() {
        let (parts, plan_problems) = storage.plan(&sizes(&examined), MAX_STRIPE_BYTES);
        problems.extend(plan_problems);
        for part in parts.iter().filter(|part| part.len < SMALLEST_BYTES) {
            let message = format!("{} bytes of it for volume {} are too few", part.len, part.volume);
            problems.push(told(&storage.devices[part.device], message));
        }
    }
    in_dir(problems, dir)
}

/// Opens what can be opened.
pub(super) fn open(records: &Records, storage: &Storage, dir: &Path) -> (Option<DiskStore>, Vec<Problem>) {
    if storage.devices.is_empty() {
        return (None, Vec::new());
    }
    let (examined, mut problems) = examine(storage, dir);
    let (parts, plan_problems) = storage.plan(&sizes(&examined), MAX_STRIPE_BYTES);
    problems.extend(plan_problems);
    let mut places = Vec::new();
    let mut origins = Vec::new();
    for (number, (device, found)) in storage.devices.iter().zip(&examined).enumerate() {
        let mine = || parts.iter().filter(move |part| part.device == number);
        if mine().next().is_none() {
            continue;
        }
        let opened = match FileDevice::open(&found.path, found.bytes) {
            Ok(opened) => Arc::new(opened),
            Err(error) => {
                problems.push(told(device, format!("cannot be opened: {error}")));
                continue;
            }
        };
        for part in mine() {
            let name = format!("{}:{}", device.id.as_deref().unwrap_or(&device.path), part.base);
            places.push(StripePlace {
                name,
                device: Arc::clone(&opened) as Arc<_>,
                base: part.base,
                len: part.len,
                volume: part.volume,
            });
            origins.push(device);
        }
    }
    let (store, results) = DiskStore::open(places, options(records, storage));
    for ((name, result), device) in results.into_iter().zip(origins) {
        match result {
            Ok(opened) => {
                let how = match opened.found {
                    Found::New => "new",
                    Found::Warm => "with its objects",
                    Found::Resized => "empty, because its size, settings or format have changed",
                    Found::Damaged => "empty, because it was damaged",
                };
                tracing::info!(
                    "cache {name} opened, {how}: about {} objects, {} bytes replayed",
                    opened.documents,
                    opened.replayed_bytes
                );
                if opened.found == Found::Damaged {
                    problems.push(told(device, format!("{name} was damaged and begins empty")));
                }
            }
            Err(error) => problems.push(told(device, error.to_string())),
        }
    }
    (Some(store), in_dir(problems, dir))
}

/// Problems with the full paths of their files.
fn in_dir(mut problems: Vec<Problem>, dir: &Path) -> Vec<Problem> {
    for problem in &mut problems {
        problem.file = dir.join(&*problem.file).display().to_string().into();
    }
    problems
}

/// The journal of purges lies beside the first device that has a place for it, else in the configuration directory.
pub(super) fn journal_path(storage: &Storage, dir: &Path) -> PathBuf {
    let beside = |device: &Device| {
        let path = dir.join(&device.path);
        if path.is_dir() {
            return Some(path.join("cache.purges"));
        }
        let is_file = FileDevice::block_device_bytes(&path).is_ok_and(|bytes| bytes.is_none());
        let mut name = path.file_name()?.to_owned();
        name.push(".purges");
        let has_place = path.parent().is_some_and(|p| p.is_dir() || p.as_os_str().is_empty());
        (is_file && has_place).then(|| path.with_file_name(name))
    };
    storage.devices.iter().find_map(beside).unwrap_or_else(|| dir.join("cache.purges"))
}

fn options(records: &Records, storage: &Storage) -> DiskStoreOptions {
    let positive = |record| u64::try_from(records.int(record)).unwrap_or(0);
    let stripe = StripeOptions {
        average_object_bytes: positive(ids::CACHE_MIN_AVERAGE_OBJECT_SIZE),
        max_errors: u32::try_from(records.int(ids::CACHE_MAX_DISK_ERRORS)).unwrap_or(0),
        ..StripeOptions::default()
    };
    let mut options = DiskStoreOptions {
        stripe,
        fragment_bytes: usize::try_from(records.int(ids::CACHE_TARGET_FRAGMENT_SIZE)).unwrap_or(1 << 20),
        max_alternates: match records.int(ids::CACHE_LIMITS_HTTP_MAX_ALTS) {
            n if n > 0 => n as usize,
            _ => usize::MAX,
        },
        backlog_bytes: positive(ids::CACHE_AGG_WRITE_BACKLOG),
        sync_seconds: records.int(ids::CACHE_DIR_SYNC_FREQUENCY),
        evacuate_percent: u8::try_from(records.int(ids::CACHE_HIT_EVACUATE_PERCENT)).unwrap_or(0),
        evacuate_bytes: positive(ids::CACHE_HIT_EVACUATE_SIZE_LIMIT),
        seed: std::hash::RandomState::new().build_hasher().finish(),
        ..DiskStoreOptions::default()
    };
    for line in &storage.hosting {
        match &line.who {
            Hosted::Others => options.other_hosts.clone_from(&line.volumes),
            Hosted::Host(host) => _ = options.hosts.insert(host.clone(), line.volumes.clone()),
            Hosted::Domain(domain) => {
                options.hosts.entry(domain.clone()).or_insert_with(|| line.volumes.clone());
                options.hosts.insert(format!(".{domain}"), line.volumes.clone());
            }
        }
    }
    options
}

fn sizes(examined: &[Examined]) -> Vec<DeviceSize> {
    examined.iter().map(|found| DeviceSize { bytes: found.bytes }).collect()
}

/// Paths and sizes; a device with a problem has no bytes.
fn examine(storage: &Storage, dir: &Path) -> (Vec<Examined>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut examined = Vec::new();
    for device in &storage.devices {
        let path = dir.join(&device.path);
        let path = if path.is_dir() { path.join(FILE_IN_DIRECTORY) } else { path };
        let bytes = size_of(device, &path).unwrap_or_else(|message| {
            problems.push(told(device, message));
            0
        });
        examined.push(Examined { path, bytes });
    }
    (examined, problems)
}

fn size_of(device: &Device, path: &Path) -> Result<u64, String> {
    let there = FileDevice::block_device_bytes(path).map_err(|error| format!("cannot be read: {error}"))?;
    let bytes = match (device.bytes, there) {
        (Some(wanted), Some(there)) if wanted > there => {
            return Err(format!("the device has {there} bytes, not {wanted}"));
        }
        (Some(wanted), _) => wanted,
        (None, Some(there)) => there,
        (None, None) => return Err("a directory or file needs a size".into()),
    };
    if path.parent().is_some_and(|parent| !parent.is_dir() && !parent.as_os_str().is_empty()) {
        return Err("there is no such directory".into());
    }
    if bytes < SMALLEST_BYTES {
        return Err(format!("{bytes} bytes are too few; at least {SMALLEST_BYTES} are needed"));
    }
    Ok(bytes)
}

fn told(device: &Device, message: String) -> Problem {
    Problem::error(&device.file, device.line, format!("{}: {message}", device.path))
}
