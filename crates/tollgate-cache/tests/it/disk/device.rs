//! Devices that fail, and one that remembers what was written when.

use parking_lot::Mutex;
use std::io::{self, ErrorKind};
use tollgate_cache::disk::{Device, MemoryDevice};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The operation fails and does nothing.
    Error(ErrorKind),
    /// A write stops in the middle; a read fails.
    Short(ErrorKind),
    /// A write leaves rubbish behind it; a read fails.
    Torn,
    /// One bit turns, in what is read or written, and nobody says so.
    BitFlip,
}

/// Fails once, at the operation with a certain number, or from there on.
pub(super) struct FaultyDevice {
    inner: MemoryDevice,
    state: Mutex<FaultState>,
}

struct FaultState {
    operations: u64,
    from: u64,
    until: u64,
    fault: Fault,
}

impl FaultyDevice {
    pub(super) fn new(bytes: usize, fault: Fault, from: u64, until: u64) -> FaultyDevice {
        let state = Mutex::new(FaultState { operations: 0, from, until, fault });
        FaultyDevice { inner: MemoryDevice::new(vec![0; bytes]), state }
    }

    pub(super) fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    pub(super) fn break_now(&self) {
        let mut state = self.state.lock();
        (state.from, state.until) = (state.operations, u64::MAX);
    }

    pub(super) fn heal(&self) {
        self.state.lock().until = 0;
    }

    fn next(&self) -> Option<Fault> {
        let mut state = self.state.lock();
        let number = state.operations;
        state.operations += 1;
        (number >= state.from && number < state.until).then_some(state.fault)
    }
}

impl Device for FaultyDevice {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match self.next() {
            None => self.inner.read_at(buf, offset),
            Some(Fault::BitFlip) => {
                self.inner.read_at(buf, offset)?;
                let middle = buf.len() / 2;
                buf[middle] ^= 0x10;
                Ok(())
            }
            Some(Fault::Error(kind) | Fault::Short(kind)) => Err(kind.into()),
            Some(Fault::Torn) => Err(io::Error::from_raw_os_error(5)),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.next() {
            None => self.inner.write_at(bytes, offset),
            Some(Fault::BitFlip) => {
                let mut bytes = bytes.to_vec();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x10;
                self.inner.write_at(&bytes, offset)
            }
            Some(Fault::Error(kind)) => Err(kind.into()),
            Some(Fault::Short(kind)) => {
                self.inner.write_at(&bytes[..bytes.len() / 2], offset)?;
                Err(kind.into())
            }
            Some(Fault::Torn) => {
                let mut bytes = bytes.to_vec();
                let half = bytes.len() / 2;
                bytes[half..].fill(0xa5);
                self.inner.write_at(&bytes, offset)?;
                Err(io::Error::from_raw_os_error(5))
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        match self.next() {
            None | Some(Fault::BitFlip) => Ok(()),
            Some(_) => Err(io::Error::from_raw_os_error(5)),
        }
    }
}

/// What happened to a device.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Write { offset: u64, bytes: Vec<u8> },
    Sync,
}

/// Remembers everything that was written to it.
pub(super) struct RecordingDevice {
    inner: MemoryDevice,
    events: Mutex<Vec<Event>>,
}

impl RecordingDevice {
    pub(super) fn new(image: Vec<u8>) -> RecordingDevice {
        RecordingDevice { inner: MemoryDevice::new(image), events: Mutex::default() }
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.events.lock().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.events.lock().len()
    }
}

impl Device for RecordingDevice {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_at(buf, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.events.lock().push(Event::Write { offset, bytes: bytes.to_vec() });
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.events.lock().push(Event::Sync);
        Ok(())
    }
}
