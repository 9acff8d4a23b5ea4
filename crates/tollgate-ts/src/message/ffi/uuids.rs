//! `TSUuid*`, `TSProcessUuidGet`.

use super::{ERROR, Handle, SUCCESS, fence, handle_of, text};
use crate::message::error::MessageError;
use crate::message::uuid::Uuid;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int};
use std::io::Read;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

/// Top bits of a UUID's handle.
const TAG: u64 = 0x9 << 60;

static UUIDS: Mutex<Uuids> = Mutex::new(Uuids { last: 0, live: BTreeMap::new() });
static PROCESS: OnceLock<u64> = OnceLock::new();

type Entry = Option<(Uuid, CString)>;

struct Uuids {
    last: u64,
    live: BTreeMap<u64, Entry>,
}

fn create(entry: Entry) -> u64 {
    let mut uuids = UUIDS.lock();
    uuids.last += 1;
    let key = TAG | uuids.last;
    uuids.live.insert(key, entry);
    key
}

fn with<R>(uuid: Handle, work: impl FnOnce(&mut Entry) -> R) -> Result<R, MessageError> {
    UUIDS.lock().live.get_mut(&(uuid.addr() as u64)).map(work).ok_or(MessageError::Stale)
}

fn named(uuid: Option<Uuid>) -> Entry {
    uuid.and_then(|u| Some((u, CString::new(u.to_string()).ok()?)))
}

fn random() -> Result<[u8; 16], MessageError> {
    let mut bytes = [0; 16];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(|_| MessageError::OutOfRange)
}

fn result(entry: &Entry) -> c_int {
    if entry.is_some() { SUCCESS } else { ERROR }
}

/// A new UUID without content.
#[unsafe(no_mangle)]
pub extern "C" fn TSUuidCreate() -> Handle {
    fence("TSUuidCreate", null_mut(), || Ok(handle_of(create(None))))
}

/// Destroys a UUID and its text. That of the process stays.
#[unsafe(no_mangle)]
pub extern "C" fn TSUuidDestroy(uuid: Handle) {
    fence("TSUuidDestroy", (), || {
        let key = uuid.addr() as u64;
        if PROCESS.get() == Some(&key) {
            return Err(MessageError::ReadOnly);
        }
        UUIDS.lock().live.remove(&key).map(drop).ok_or(MessageError::Stale)
    });
}

/// Copies a UUID that has content.
#[unsafe(no_mangle)]
pub extern "C" fn TSUuidCopy(dest: Handle, src: Handle) -> c_int {
    fence("TSUuidCopy", ERROR, || {
        let Some(taken) = with(src, |e| e.clone())? else { return Ok(ERROR) };
        with(dest, |e| *e = Some(taken)).map(|()| SUCCESS)
    })
}

/// Gives a UUID content of that version.
#[unsafe(no_mangle)]
pub extern "C" fn TSUuidInitialize(uuid: Handle, version: c_int) -> c_int {
    fence("TSUuidInitialize", ERROR, || {
        let version = u8::try_from(version).map_err(|_| MessageError::OutOfRange)?;
        let made = named(Uuid::new(version, random()?));
        let outcome = result(&made);
        with(uuid, |e| *e = made).map(|()| outcome)
    })
}

/// Reads a UUID from text.
///
/// # Safety
/// `value` ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSUuidStringParse(uuid: Handle, value: *const c_char) -> c_int {
    fence("TSUuidStringParse", ERROR, || {
        // SAFETY: as the caller vouches.
        let value = unsafe { text(value, -1) }.ok_or(MessageError::OutOfRange)?;
        let made = named(Uuid::parse(value));
        let outcome = result(&made);
        with(uuid, |e| *e = made).map(|()| outcome)
    })
}

/// The text, which ends with NUL; null without content.
#[unsafe(no_mangle)]
pub extern "C" fn TSUuidStringGet(uuid: Handle) -> *const c_char {
    fence("TSUuidStringGet", null(), || with(uuid, |e| e.as_ref().map_or(null(), |e| e.1.as_ptr())))
}

/// The version; 0 without content.
#[unsafe(no_mangle)]
pub extern "C" fn TSUuidVersionGet(uuid: Handle) -> c_int {
    fence("TSUuidVersionGet", 0, || with(uuid, |e| e.as_ref().map_or(0, |e| e.0.version().into())))
}

/// The UUID of the process.
#[unsafe(no_mangle)]
pub extern "C" fn TSProcessUuidGet() -> Handle {
    fence("TSProcessUuidGet", null_mut(), || {
        let made = named(Uuid::new(4, random()?));
        Ok(handle_of(*PROCESS.get_or_init(|| create(made))))
    })
}
