//! All message buffers, found by checked handles.
//!
//! Responsible for: what a `TSMBuffer` and a `TSMLoc` look like as numbers, and finding the buffer of either.
//! Not responsible for: what is in a buffer (`buffer`).
//! Invariants: handles have their top bits set so that none is ever a valid address: a plugin that follows one stops
//! at once; a slot is used again as late as possible, with another generation; one lock per buffer, never two at once.

use super::arena::Span;
use super::buffer::{Access, Buffer};
use super::error::MessageError;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::OnceLock;

const CHUNK: usize = 1024;
const CHUNKS: usize = 1024;
/// Free slots kept back before one is used again.
const QUARANTINE: usize = 256;
const BUFFER_TAG: u64 = 0x4;

/// A `TSMBuffer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BufferId(u64);

/// What a location stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A header, with or without a start line.
    Header = 0x5,
    /// A URL.
    Url = 0x6,
    /// A field.
    Field = 0x7,
}

/// A `TSMLoc`: kind (4 bits), buffer's slot (20) and generation (8), own generation (10), index (22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loc(u64);

impl BufferId {
    fn new(slot: u32, generation: u32) -> Self {
        BufferId(BUFFER_TAG << 60 | u64::from(slot) << 32 | u64::from(generation))
    }

    /// The handle that C has given; `None` if it is not the handle of a buffer.
    pub fn from_raw(raw: u64) -> Option<Self> {
        (raw >> 60 == BUFFER_TAG && raw >> 52 & 0xff == 0).then_some(BufferId(raw))
    }

    /// The handle as given to C.
    pub fn raw(self) -> u64 {
        self.0
    }

    fn slot(self) -> u32 {
        (self.0 >> 32) as u32 & 0xf_ffff
    }

    fn generation(self) -> u32 {
        self.0 as u32
    }

    fn stamp(self) -> u64 {
        u64::from(self.slot()) << 8 | u64::from(self.generation() & 0xff)
    }
}

impl Loc {
    /// The largest generation of a handle.
    pub(super) const MAX_GENERATION: u16 = 0x3ff;

    pub(super) fn new(kind: Kind, stamp: u64, generation: u16, index: u32) -> Self {
        Loc((kind as u64) << 60 | stamp << 32 | u64::from(generation) << 22 | u64::from(index))
    }

    /// The handle that C has given, `None` for the null handle.
    pub fn from_raw(raw: u64) -> Option<Self> {
        (raw != 0).then_some(Loc(raw))
    }

    /// The handle as given to C.
    pub fn raw(self) -> u64 {
        self.0
    }

    /// What it stands for, if it is a handle at all.
    pub fn kind(self) -> Option<Kind> {
        [Kind::Header, Kind::Url, Kind::Field].into_iter().find(|k| *k as u64 == self.0 >> 60)
    }

    pub(super) fn stamp(self) -> u64 {
        self.0 >> 32 & 0xfff_ffff
    }

    pub(super) fn generation(self) -> u16 {
        (self.0 >> 22) as u16 & Self::MAX_GENERATION
    }

    pub(super) fn index(self) -> u32 {
        self.0 as u32 & 0x3f_ffff
    }
}

#[derive(Debug, Default)]
struct Entry {
    generation: u32,
    buffer: Option<Box<Buffer>>,
}

/// All buffers of the process.
#[derive(Debug)]
pub struct MessageTable {
    chunks: [OnceLock<Box<[Mutex<Entry>]>>; CHUNKS],
    free: Mutex<Free>,
}

#[derive(Debug)]
struct Free {
    next: u32,
    slots: VecDeque<u32>,
}

static MESSAGES: MessageTable = MessageTable::new();

/// The table that the C functions use.
pub fn messages() -> &'static MessageTable {
    &MESSAGES
}

impl Default for MessageTable {
    fn default() -> Self {
        Self::new()
    }
}

impl MessageTable {
    /// An empty table.
    pub const fn new() -> Self {
        MessageTable {
            chunks: [const { OnceLock::new() }; CHUNKS],
            free: Mutex::new(Free { next: 0, slots: VecDeque::new() }),
        }
    }

    /// A new buffer that a plugin owns.
    pub fn create(&self) -> Result<BufferId, MessageError> {
        self.create_for(true)
    }

    pub(super) fn create_for(&self, plugin: bool) -> Result<BufferId, MessageError> {
        let slot = {
            let mut free = self.free.lock();
            let reused = if free.slots.len() > QUARANTINE { free.slots.pop_front() } else { None };
            match reused {
                Some(slot) => slot,
                None if free.next as usize >= CHUNK * CHUNKS => return Err(MessageError::TooMany),
                None => {
                    free.next += 1;
                    free.next - 1
                }
            }
        };
        let mut entry = self.entry(slot).ok_or(MessageError::TooMany)?.lock();
        entry.generation = entry.generation.wrapping_add(1);
        let id = BufferId::new(slot, entry.generation);
        entry.buffer = Some(Box::new(Buffer::new(id.stamp(), plugin)));
        Ok(id)
    }

    fn entry(&self, slot: u32) -> Option<&Mutex<Entry>> {
        let chunk = self.chunks.get(slot as usize / CHUNK)?;
        let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| Mutex::new(Entry::default())).collect());
        chunk.get(slot as usize % CHUNK)
    }

    fn free_slot(&self, slot: u32) {
        self.free.lock().slots.push_back(slot);
    }

    /// Destroys a buffer that a plugin made. One of a transaction is refused.
    pub fn destroy(&self, id: BufferId) -> Result<(), MessageError> {
        self.take(id, true)
    }

    /// Destroys a buffer of a transaction, with all strings that were handed out.
    pub fn close(&self, id: BufferId) -> Result<(), MessageError> {
        self.take(id, false)
    }

    fn take(&self, id: BufferId, only_plugins: bool) -> Result<(), MessageError> {
        let buffer = {
            let mut entry = self.entry(id.slot()).ok_or(MessageError::NoBuffer)?.lock();
            if entry.generation != id.generation() {
                return Err(MessageError::NoBuffer);
            }
            match &entry.buffer {
                None => return Err(MessageError::NoBuffer),
                Some(b) if only_plugins && (!b.is_plugins || b.access == Access::ReadOnly) => {
                    return Err(MessageError::ReadOnly);
                }
                Some(_) => entry.buffer.take(),
            }
        };
        drop(buffer);
        self.free_slot(id.slot());
        Ok(())
    }

    /// Calls `work` with a buffer. `work` must not use the table.
    pub fn with<R>(
        &self,
        id: BufferId,
        work: impl FnOnce(&mut Buffer) -> Result<R, MessageError>,
    ) -> Result<R, MessageError> {
        let mut entry = self.entry(id.slot()).ok_or(MessageError::NoBuffer)?.lock();
        if entry.generation != id.generation() {
            return Err(MessageError::NoBuffer);
        }
        entry.buffer.as_deref_mut().ok_or(MessageError::NoBuffer).and_then(work)
    }

    /// Calls `work` with the buffer that holds `loc`.
    ///
    /// ATS: locations find their objects by themselves, and plugins do give another buffer with them (a remap rule's
    /// URL with the request's buffer). `id` must only be a live buffer.
    pub fn with_loc<R>(
        &self,
        id: BufferId,
        loc: Loc,
        work: impl FnOnce(&mut Buffer) -> Result<R, MessageError>,
    ) -> Result<R, MessageError> {
        if loc.kind().is_none() {
            return Err(MessageError::WrongKind);
        }
        if loc.stamp() == id.stamp() {
            return self.with(id, work);
        }
        self.with(id, |_| Ok(()))?;
        self.with_owner(loc, work)
    }

    /// Calls `work` with the buffer that holds `loc`, whatever buffer the plugin named.
    pub fn with_owner<R>(
        &self,
        loc: Loc,
        work: impl FnOnce(&mut Buffer) -> Result<R, MessageError>,
    ) -> Result<R, MessageError> {
        loc.kind().ok_or(MessageError::WrongKind)?;
        let slot = (loc.stamp() >> 8) as u32;
        let mut entry = self.entry(slot).ok_or(MessageError::Stale)?.lock();
        if u64::from(entry.generation & 0xff) != loc.stamp() & 0xff {
            return Err(MessageError::Stale);
        }
        entry.buffer.as_deref_mut().ok_or(MessageError::Stale).and_then(work)
    }

    /// As [`Self::with_loc`], for a change: both the buffer named and the one that holds `loc` must be writable.
    pub fn change<R>(
        &self,
        id: BufferId,
        loc: Loc,
        work: impl FnOnce(&mut Buffer) -> Result<R, MessageError>,
    ) -> Result<R, MessageError> {
        if loc.stamp() != id.stamp() {
            self.with(id, writable)?;
        }
        self.with_loc(id, loc, |buffer| {
            writable(buffer)?;
            work(buffer)
        })
    }

    /// A copy of a string, for tests and diagnostics.
    pub fn copy_text(&self, id: BufferId, span: Span) -> Result<Vec<u8>, MessageError> {
        self.with(id, |b| Ok(b.text(span).to_vec()))
    }
}

pub(super) fn writable(buffer: &mut Buffer) -> Result<(), MessageError> {
    if buffer.access == Access::Writable { Ok(()) } else { Err(MessageError::ReadOnly) }
}
