//! `TSIOBuffer`: bytes with one writer and any number of readers.
//!
//! Responsible for: buffers, readers, blocks, and handles for them.
//! Not responsible for: VIOs and who fills or empties a buffer.
//! Invariants: a block's bytes stay where they are until every reader has passed them and the buffer has a newer block,
//! or the buffer is destroyed; what was produced never changes; positions are counted from the buffer's beginning.

use crate::account::{Held, Item};
use crate::fence::{Misuse, fence};
use crate::slots::{Handle, Kind, Slots, number, pointer};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Arc, Weak};

static BUFFERS: Slots<IoBuffer> = Slots::new(Kind::IoBuffer);
static READERS: Slots<Reader> = Slots::new(Kind::IoReader);
static BLOCKS: Slots<Block> = Slots::new(Kind::IoBlock);

/// `TS_IOBUFFER_SIZE_INDEX_128` and the largest index.
const SMALLEST: usize = 128;
const MAX_INDEX: c_int = 14;
/// Index of buffers made without one: 32 KB.
const DEFAULT_INDEX: c_int = 8;

/// A piece of memory.
#[derive(Debug)]
struct Block {
    number: u64,
    buffer: Weak<IoBuffer>,
    /// Position of its first byte.
    start: i64,
    memory: *mut u8,
    capacity: usize,
}

// SAFETY: the memory belongs to the block alone; bytes are written before they are produced, and produced bytes are only
// read; how many there are is kept under the buffer's lock.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated by `State::grow`, freed here only.
        unsafe { libc::free(self.memory.cast()) };
    }
}

/// A buffer.
#[derive(Debug)]
struct IoBuffer {
    number: u64,
    block_size: usize,
    state: Mutex<State>,
    _held: Held,
}

#[derive(Debug, Default)]
struct State {
    blocks: VecDeque<Arc<Block>>,
    /// Position after the last byte.
    end: i64,
    /// Number and position of each reader.
    readers: Vec<(u64, i64)>,
    water_mark: i64,
}

/// One who reads a buffer.
#[derive(Debug)]
struct Reader {
    number: u64,
    buffer: Weak<IoBuffer>,
}

impl State {
    /// Bytes that were produced in `block`.
    fn filled(&self, block: &Block) -> usize {
        usize::try_from(self.end - block.start).unwrap_or(0).min(block.capacity)
    }

    /// The last block, with room for at least one byte.
    fn writable(&mut self, buffer: &Arc<IoBuffer>) -> Result<Arc<Block>, Misuse> {
        match self.blocks.back() {
            Some(last) if self.filled(last) < last.capacity => Ok(Arc::clone(last)),
            _ => self.grow(buffer),
        }
    }

    fn grow(&mut self, buffer: &Arc<IoBuffer>) -> Result<Arc<Block>, Misuse> {
        let capacity = buffer.block_size;
        // SAFETY: a plain allocation; all zero, so that every byte has a value.
        let memory = unsafe { libc::calloc(1, capacity) }.cast::<u8>();
        if memory.is_null() {
            return Err(Misuse::Text("there is no memory"));
        }
        let (start, buffer) = (self.end, Arc::downgrade(buffer));
        let block = BLOCKS.insert(|number| Arc::new(Block { number, buffer, start, memory, capacity }));
        let block = block.ok_or(Misuse::Text("there are too many blocks"))?;
        self.blocks.push_back(Arc::clone(&block));
        Ok(block)
    }

    /// Gives up blocks that every reader has passed. The last one stays.
    fn trim(&mut self) {
        let Some(first) = self.readers.iter().map(|(_, position)| *position).min() else { return };
        while self.blocks.len() > 1 && self.blocks.get(1).is_some_and(|second| second.start <= first) {
            if let Some(passed) = self.blocks.pop_front() {
                drop(BLOCKS.remove(passed.number));
            }
        }
    }

    /// Writes bytes at the end.
    fn append(&mut self, buffer: &Arc<IoBuffer>, mut bytes: &[u8]) -> Result<(), Misuse> {
        while !bytes.is_empty() {
            let block = self.writable(buffer)?;
            let used = self.filled(&block);
            let count = bytes.len().min(block.capacity - used);
            // SAFETY: the block has that much room after what is used, and nobody reads there before it is produced.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), block.memory.add(used), count) };
            self.end += count as i64;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// A copy of up to `most` bytes from a position on.
    fn copy(&self, from: i64, most: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for block in &self.blocks {
            let filled = self.filled(block);
            let skip = usize::try_from(from - block.start).unwrap_or(0).min(filled);
            let count = (filled - skip).min(most - out.len());
            // SAFETY: these bytes of the block have been produced.
            out.extend_from_slice(unsafe { std::slice::from_raw_parts(block.memory.add(skip), count) });
        }
        out
    }

    fn position(&self, reader: u64) -> Result<i64, Misuse> {
        let found = self.readers.iter().find(|(number, _)| *number == reader);
        found.map(|(_, position)| *position).ok_or(Misuse::Gone("reader"))
    }
}

fn find(handle: Handle) -> Result<Arc<IoBuffer>, Misuse> {
    if handle.is_null() {
        return Err(Misuse::Null);
    }
    BUFFERS.get(number(handle)).ok_or(Misuse::Gone("buffer"))
}

/// The reader that C means, and its buffer.
fn find_reader(handle: Handle) -> Result<(Arc<Reader>, Arc<IoBuffer>), Misuse> {
    if handle.is_null() {
        return Err(Misuse::Null);
    }
    let reader = READERS.get(number(handle)).ok_or(Misuse::Gone("reader"))?;
    let buffer = reader.buffer.upgrade().ok_or(Misuse::Gone("reader's buffer"))?;
    Ok((reader, buffer))
}

fn find_block(handle: Handle) -> Result<(Arc<Block>, Arc<IoBuffer>), Misuse> {
    if handle.is_null() {
        return Err(Misuse::Null);
    }
    let block = BLOCKS.get(number(handle)).ok_or(Misuse::Gone("block"))?;
    let buffer = block.buffer.upgrade().ok_or(Misuse::Gone("block's buffer"))?;
    Ok((block, buffer))
}

/// Appends bytes to a buffer; whether that worked.
pub(crate) fn append(handle: Handle, bytes: &[u8]) -> bool {
    find(handle).is_ok_and(|buffer| buffer.state.lock().append(&buffer, bytes).is_ok())
}

/// A buffer with these bytes.
pub(crate) fn buffer_of(pieces: &[bytes::Bytes]) -> Result<Handle, Misuse> {
    let handle = create(DEFAULT_INDEX)?;
    let buffer = find(handle)?;
    for piece in pieces {
        buffer.state.lock().append(&buffer, piece)?;
    }
    Ok(handle)
}

/// A reader at the beginning of a buffer that nobody has read yet.
pub(crate) fn reader_at_start(buffer: Handle) -> Result<Handle, Misuse> {
    let buffer = find(buffer)?;
    new_reader(&buffer, 0)
}

fn create(index: c_int) -> Result<Handle, Misuse> {
    if !(0..=MAX_INDEX).contains(&index) {
        return Err(Misuse::Text("there is no such size"));
    }
    let block_size = SMALLEST << index;
    let made = BUFFERS.insert(|number| {
        let held = Held::new(Item::IoBuffers);
        Arc::new(IoBuffer { number, block_size, state: Mutex::default(), _held: held })
    });
    made.map(|buffer| pointer(buffer.number)).ok_or(Misuse::Text("there are too many buffers"))
}

/// An empty buffer.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferCreate() -> Handle {
    fence("TSIOBufferCreate", null_mut(), || create(DEFAULT_INDEX))
}

/// An empty buffer whose blocks have that size.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferSizedCreate(index: c_int) -> Handle {
    fence("TSIOBufferSizedCreate", null_mut(), || create(index))
}

/// Destroys a buffer with its readers and blocks.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferDestroy(buffer: Handle) {
    fence("TSIOBufferDestroy", (), || {
        let buffer = find(buffer)?;
        drop(BUFFERS.remove(buffer.number));
        let state = std::mem::take(&mut *buffer.state.lock());
        state.readers.iter().for_each(|(number, _)| drop(READERS.remove(*number)));
        state.blocks.iter().for_each(|block| drop(BLOCKS.remove(block.number)));
        Ok::<_, Misuse>(())
    });
}

/// Writes bytes; how many.
///
/// # Safety
/// `bytes` has `length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSIOBufferWrite(buffer: Handle, bytes: *const c_void, length: i64) -> i64 {
    fence("TSIOBufferWrite", 0, || {
        let count = usize::try_from(length).map_err(|_| Misuse::Text("the length is negative"))?;
        if count == 0 {
            return Ok::<_, Misuse>(0);
        }
        // SAFETY: as the caller vouches.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), count) };
        let buffer = find(buffer)?;
        buffer.state.lock().append(&buffer, bytes)?;
        Ok(length)
    })
}

/// A reader from the newest block on.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferReaderAlloc(buffer: Handle) -> Handle {
    fence("TSIOBufferReaderAlloc", null_mut(), || {
        let buffer = find(buffer)?;
        let position = {
            let state = buffer.state.lock();
            state.blocks.back().map_or(state.end, |block| block.start)
        };
        new_reader(&buffer, position)
    })
}

fn new_reader(buffer: &Arc<IoBuffer>, position: i64) -> Result<Handle, Misuse> {
    let made = READERS.insert(|number| Arc::new(Reader { number, buffer: Arc::downgrade(buffer) }));
    let reader = made.ok_or(Misuse::Text("there are too many readers"))?;
    buffer.state.lock().readers.push((reader.number, position));
    Ok(pointer(reader.number))
}

/// Another reader at the same place.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferReaderClone(reader: Handle) -> Handle {
    fence("TSIOBufferReaderClone", null_mut(), || {
        let (reader, buffer) = find_reader(reader)?;
        let position = buffer.state.lock().position(reader.number)?;
        new_reader(&buffer, position)
    })
}

/// Gives a reader up.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferReaderFree(reader: Handle) {
    fence("TSIOBufferReaderFree", (), || {
        let (reader, buffer) = find_reader(reader)?;
        drop(READERS.remove(reader.number));
        buffer.state.lock().readers.retain(|(number, _)| *number != reader.number);
        Ok::<_, Misuse>(())
    });
}

/// How many bytes a reader has before it.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferReaderAvail(reader: Handle) -> i64 {
    fence("TSIOBufferReaderAvail", 0, || {
        let (reader, buffer) = find_reader(reader)?;
        let state = buffer.state.lock();
        Ok::<_, Misuse>(state.end - state.position(reader.number)?)
    })
}

/// A reader has read so many bytes.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferReaderConsume(reader: Handle, count: i64) {
    fence("TSIOBufferReaderConsume", (), || {
        let (reader, buffer) = find_reader(reader)?;
        let mut state = buffer.state.lock();
        let end = state.end;
        let place = state.readers.iter_mut().find(|(number, _)| *number == reader.number);
        let (_, position) = place.ok_or(Misuse::Gone("reader"))?;
        let is_good = (0..=end - *position).contains(&count);
        *position = (*position + count.max(0)).min(end);
        state.trim();
        if is_good { Ok(()) } else { Err(Misuse::Text("more is consumed than there is")) }
    });
}

/// The block at which a reader is; null: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferReaderStart(reader: Handle) -> Handle {
    fence("TSIOBufferReaderStart", null_mut(), || {
        let (reader, buffer) = find_reader(reader)?;
        let state = buffer.state.lock();
        let position = state.position(reader.number)?;
        let after = |block: &&Arc<Block>| block.start + state.filled(block) as i64 > position;
        let found = state.blocks.iter().find(after).or(state.blocks.back());
        Ok::<_, Misuse>(found.map_or(null_mut(), |block| pointer(block.number)))
    })
}

/// Copies bytes from a reader, which stays where it is; how many.
///
/// # Safety
/// `target` has room for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSIOBufferReaderCopy(reader: Handle, target: *mut c_void, length: i64) -> i64 {
    fence("TSIOBufferReaderCopy", 0, || {
        let (reader, buffer) = find_reader(reader)?;
        let state = buffer.state.lock();
        let bytes = state.copy(state.position(reader.number)?, usize::try_from(length).unwrap_or(0));
        // SAFETY: as the caller vouches.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target.cast::<u8>(), bytes.len()) };
        Ok::<_, Misuse>(bytes.len() as i64)
    })
}

/// Copies bytes that a reader has before it, from an offset on, to a buffer; how many.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferCopy(target: Handle, reader: Handle, length: i64, offset: i64) -> i64 {
    fence("TSIOBufferCopy", 0, || {
        let (reader, source) = find_reader(reader)?;
        let target = find(target)?;
        let bytes = {
            let state = source.state.lock();
            let from = state.position(reader.number)? + offset.max(0);
            state.copy(from, usize::try_from(length).unwrap_or(0))
        };
        target.state.lock().append(&target, &bytes)?;
        Ok::<_, Misuse>(bytes.len() as i64)
    })
}

/// The block that is written to.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferStart(buffer: Handle) -> Handle {
    fence("TSIOBufferStart", null_mut(), || {
        let buffer = find(buffer)?;
        let block = buffer.state.lock().writable(&buffer)?;
        Ok::<_, Misuse>(pointer(block.number))
    })
}

/// So many bytes were written to the block of [`TSIOBufferStart`].
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferProduce(buffer: Handle, count: i64) {
    fence("TSIOBufferProduce", (), || {
        let buffer = find(buffer)?;
        let mut state = buffer.state.lock();
        let room = state.blocks.back().map_or(0, |block| block.capacity - state.filled(block)) as i64;
        state.end += count.clamp(0, room);
        if (0..=room).contains(&count) {
            Ok(())
        } else {
            Err(Misuse::Text("more is produced than there is room for"))
        }
    });
}

/// How much is buffered before the writer waits.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferWaterMarkGet(buffer: Handle) -> i64 {
    fence("TSIOBufferWaterMarkGet", 0, || Ok::<_, Misuse>(find(buffer)?.state.lock().water_mark))
}

/// Says how much is buffered before the writer waits.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferWaterMarkSet(buffer: Handle, water_mark: i64) {
    fence("TSIOBufferWaterMarkSet", (), || {
        find(buffer)?.state.lock().water_mark = water_mark;
        Ok::<_, Misuse>(())
    });
}

/// The block after a block; null: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferBlockNext(block: Handle) -> Handle {
    fence("TSIOBufferBlockNext", null_mut(), || {
        let (block, buffer) = find_block(block)?;
        let state = buffer.state.lock();
        let next = state.blocks.iter().find(|other| other.start > block.start);
        Ok::<_, Misuse>(next.map_or(null_mut(), |block| pointer(block.number)))
    })
}

/// Where a reader's bytes in a block begin, and how many there are. Without a reader: all of the block's.
fn readable(block: Handle, reader: Handle) -> Result<(*const c_char, i64), Misuse> {
    let (block, buffer) = find_block(block)?;
    let position = if reader.is_null() {
        block.start
    } else {
        let (reader, own) = find_reader(reader)?;
        if !Arc::ptr_eq(&own, &buffer) {
            return Err(Misuse::Text("the block is of another buffer than the reader"));
        }
        buffer.state.lock().position(reader.number)?
    };
    let filled = buffer.state.lock().filled(&block);
    let skip = usize::try_from(position - block.start).unwrap_or(0).min(filled);
    // SAFETY: within the block's memory.
    Ok((unsafe { block.memory.add(skip) }.cast_const().cast(), (filled - skip) as i64))
}

/// A reader's bytes in a block.
///
/// # Safety
/// `avail` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSIOBufferBlockReadStart(
    block: Handle,
    reader: Handle,
    avail: *mut i64,
) -> *const c_char {
    fence("TSIOBufferBlockReadStart", std::ptr::null(), || {
        let (start, count) = readable(block, reader)?;
        if !avail.is_null() {
            // SAFETY: as the caller vouches.
            unsafe { avail.write(count) };
        }
        Ok::<_, Misuse>(start)
    })
}

/// How many bytes of a block a reader has before it.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferBlockReadAvail(block: Handle, reader: Handle) -> i64 {
    fence("TSIOBufferBlockReadAvail", 0, || readable(block, reader).map(|(_, count)| count))
}

/// The room that is left in a block.
///
/// # Safety
/// `avail` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSIOBufferBlockWriteStart(block: Handle, avail: *mut i64) -> *mut c_char {
    fence("TSIOBufferBlockWriteStart", null_mut(), || {
        let (block, buffer) = find_block(block)?;
        let filled = buffer.state.lock().filled(&block);
        if !avail.is_null() {
            // SAFETY: as the caller vouches.
            unsafe { avail.write((block.capacity - filled) as i64) };
        }
        // SAFETY: within the block's memory, or just after it if there is no room.
        Ok::<_, Misuse>(unsafe { block.memory.add(filled) }.cast())
    })
}

/// How much room is left in a block.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferBlockWriteAvail(block: Handle) -> i64 {
    fence("TSIOBufferBlockWriteAvail", 0, || {
        let (block, buffer) = find_block(block)?;
        let filled = buffer.state.lock().filled(&block);
        Ok::<_, Misuse>((block.capacity - filled) as i64)
    })
}

/// How many bytes a block can hold.
#[unsafe(no_mangle)]
pub extern "C" fn TSIOBufferBlockDataSizeGet(block: Handle) -> i64 {
    fence("TSIOBufferBlockDataSizeGet", 0, || find_block(block).map(|(block, _)| block.capacity as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(buffer: Handle, bytes: &[u8]) {
        // SAFETY: a slice is readable.
        let written = unsafe { TSIOBufferWrite(buffer, bytes.as_ptr().cast(), bytes.len() as i64) };
        assert_eq!(written, bytes.len() as i64);
    }

    /// What a reader has before it, read block by block as plugins do.
    fn read_all(reader: Handle) -> Vec<u8> {
        let mut out = Vec::new();
        let mut block = TSIOBufferReaderStart(reader);
        while !block.is_null() {
            let mut count = 0;
            // SAFETY: the bytes told of are readable while the buffer is not changed.
            unsafe {
                let start = TSIOBufferBlockReadStart(block, reader, &raw mut count);
                out.extend_from_slice(std::slice::from_raw_parts(start.cast::<u8>(), count as usize));
            }
            block = TSIOBufferBlockNext(block);
        }
        out
    }

    proptest! {
        #[test]
        fn readers_see_what_was_written_after_what_they_consumed(
            steps in prop::collection::vec((0..400_usize, 0..300_i64), 1..20)
        ) {
            let buffer = TSIOBufferSizedCreate(0);
            let reader = TSIOBufferReaderAlloc(buffer);
            let (mut twin, mut byte) = (Vec::<u8>::new(), 0_u8);
            for (length, consumed) in steps {
                let bytes: Vec<u8> = (0..length).map(|_| { byte = byte.wrapping_add(1); byte }).collect();
                write(buffer, &bytes);
                twin.extend(bytes);
                prop_assert_eq!(TSIOBufferReaderAvail(reader), twin.len() as i64);
                prop_assert_eq!(&read_all(reader), &twin);
                let consumed = consumed.min(twin.len() as i64);
                TSIOBufferReaderConsume(reader, consumed);
                twin.drain(..consumed as usize);
            }
            let copy = TSIOBufferCreate();
            let other = TSIOBufferReaderAlloc(copy);
            prop_assert_eq!(TSIOBufferCopy(copy, reader, i64::MAX, 3), (twin.len() as i64 - 3).max(0));
            prop_assert_eq!(read_all(other), twin.get(3..).unwrap_or_default());
            TSIOBufferDestroy(buffer);
            prop_assert_eq!(TSIOBufferReaderAvail(reader), 0);
            TSIOBufferDestroy(copy);
        }
    }

    #[test]
    fn bytes_are_written_in_place_and_produced() {
        let buffer = TSIOBufferSizedCreate(0);
        let reader = TSIOBufferReaderAlloc(buffer);
        let mut room = 0;
        // SAFETY: there is the room that is told.
        unsafe {
            let place = TSIOBufferBlockWriteStart(TSIOBufferStart(buffer), &raw mut room);
            assert_eq!(room, 128);
            std::ptr::copy_nonoverlapping(c"abc".as_ptr(), place, 3);
        }
        assert_eq!(TSIOBufferReaderAvail(reader), 0);
        TSIOBufferProduce(buffer, 3);
        assert_eq!(read_all(reader), b"abc");
        let faults = crate::fence::misuses();
        TSIOBufferProduce(buffer, 126);
        assert!(crate::fence::misuses() > faults && TSIOBufferReaderAvail(reader) == 128);
        TSIOBufferDestroy(buffer);
        TSIOBufferDestroy(buffer);
    }
}
