//! The disk tier: objects in log-structured stripes on files and devices.
//!
//! Responsible for: writing objects as they stream, finding them, surviving crashes and faults of the disk; what is
//! purged stays purged.
//! Not responsible for: the RAM tier above it, freshness, when calls are made and on which thread: everything but
//! look-ups in memory may block.
//! Entry points: [`DiskStore`] for objects of the cache, [`Stripe`] for the log beneath it, [`Journal`] for records
//! that must outlive the objects.
//! Invariants: memory holds at most 16 bytes for each object the disk was sized for; nothing is served whose checksum
//! does not hold or whose key is another one; after a crash the store has what its log had up to some moment.
//!
//! An object is a *document* (whole key, alternates' header, small body) with, if it is large, *fragments* written
//! before it; one that is not there whole has the header of a part, and extents with holes. The way in: `append`; the
//! way out: `read`; the way back after a stop: `recover`.

mod append;
mod behind;
mod body;
mod codec;
mod device;
mod evacuate;
mod extent;
mod index;
mod journal;
mod layout;
mod pins;
mod read;
mod record;
mod recover;
mod scan;
mod signature;
mod soften;
mod sought;
mod spill;
mod store;
mod stripe;
mod whereabouts;
mod writer;

pub use append::{NewBody, NewDocument};
pub use behind::{Errand, Next};
pub use body::DiskBody;
pub use codec::{decode_head, encode_head};
pub use device::{Device, FileDevice, MemoryDevice};
pub use evacuate::Evacuation;
pub use extent::Extent;
pub use journal::{Journal, JournalRecord};
pub use layout::MAX_STRIPE_BYTES;
pub use read::Document;
pub use record::FragmentRef;
pub use recover::{Found, Opened};
pub use scan::DiskScan;
pub use sought::Sought;
pub use spill::{Spill, SpilledPiece};
pub use store::{DiskStats, DiskStore, DiskStoreOptions, Reservation, StripeOpened, StripePlace};
pub use stripe::{Stripe, StripeKey, Ticket};
pub use whereabouts::{LocatedObject, Whereabouts};
pub use writer::{DiskWriter, WrittenPart};

/// Settings of a stripe. All but `max_errors` shape what is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripeOptions {
    /// `proxy.config.cache.min_average_object_size`: the index has room for so many objects of this size.
    pub average_object_bytes: u64,
    /// Bytes that are gathered before they are written; the limit of a record, too.
    pub buffer_bytes: usize,
    /// `proxy.config.cache.max_disk_errors`: so many in a row and the stripe is given up; 0: never.
    pub max_errors: u32,
}

impl Default for StripeOptions {
    fn default() -> Self {
        StripeOptions { average_object_bytes: 8000, buffer_bytes: 4 << 20, max_errors: 5 }
    }
}

/// What can go wrong on a disk.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The device could not be read.
    #[error("read error: {0}")]
    Read(std::io::Error),
    /// The device could not be written, or is full.
    #[error("write error: {0}")]
    Write(std::io::Error),
    /// What was read is not what was written.
    #[error("damaged record")]
    Corrupt,
    /// It could not be had without waiting.
    #[error("not at once")]
    WouldWait,
    /// It has been overwritten by newer objects.
    #[error("overwritten")]
    Gone,
    /// More than fits into one record.
    #[error("too large for this cache")]
    TooLarge,
    /// The object was purged, or part of it lost, while it was being written.
    #[error("purged or lost while being written")]
    Superseded,
    /// The stripe was given up after too many errors.
    #[error("given up after too many errors")]
    Offline,
    /// The device or file holds something that is not a cache.
    #[error("holds something else than a cache; remove it, or overwrite its first 8 KiB with zeros")]
    Foreign,
    /// Not enough room for a stripe.
    #[error("{bytes} bytes are too few for a cache; at least {least} are needed")]
    TooSmall {
        /// What there is.
        bytes: u64,
        /// What would do.
        least: u64,
    },
}
