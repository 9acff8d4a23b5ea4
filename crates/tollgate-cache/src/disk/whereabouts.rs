//! Where the objects of a key lie, for people who ask.
//!
//! Responsible for: the stripe of a key, positions and sizes of what is stored there.
//! Not responsible for: what is served (`store`), the words in which it is told.

use super::DiskError;
use super::read::Patience;
use super::sought::located;
use super::store::DiskStore;
use super::stripe::Stripe;
use crate::key::CacheKey;
use crate::object::StoredObject;

/// What the disks have under a key.
#[derive(Debug)]
pub struct Whereabouts {
    /// The stripe that the key belongs to.
    pub stripe: String,
    /// Its volume; 0: none.
    pub volume: u32,
    /// The alternates, newest first.
    pub objects: Vec<LocatedObject>,
}

/// A stored alternate and where it lies.
#[derive(Debug)]
pub struct LocatedObject {
    /// The object; of a large one without its body.
    pub object: StoredObject,
    /// Where its document begins on the device, bytes.
    pub offset: u64,
    /// Where the fragments of its body begin on the device; none: the body stands in the document.
    pub fragments: Vec<u64>,
    /// It waits in memory to be written.
    pub is_buffered: bool,
    /// Bytes that may be written to the stripe until part of it is overwritten.
    pub overwritten_after: u64,
}

impl DiskStore {
    /// Where the alternates of the key lie; `None` if no stripe takes it. Blocks.
    ///
    /// # Errors
    /// Those of [`DiskStore::load`].
    pub fn whereabouts(&self, key: &CacheKey) -> Result<Option<Whereabouts>, DiskError> {
        let Some(member) = self.member_of(key) else { return Ok(None) };
        let stripe = &member.stripe;
        let objects = located(stripe, key, Patience::Waits)?;
        let objects = objects.into_iter().map(|(lsn, object)| stripe.whereabouts(lsn, object)).collect();
        Ok(Some(Whereabouts { stripe: member.name.clone(), volume: member.volume, objects }))
    }
}

impl Stripe {
    fn whereabouts(&self, lsn: u64, object: StoredObject) -> LocatedObject {
        let offset = |lsn: u64| self.base + self.geometry.log_start + lsn % self.geometry.log_len;
        let body = object.body().on_disk();
        let fragments: Vec<u64> = body.map_or_else(Vec::new, |body| body.positions().collect());
        let first = fragments.iter().copied().min().unwrap_or(lsn).min(lsn);
        LocatedObject {
            offset: offset(lsn),
            fragments: fragments.iter().map(|lsn| offset(*lsn)).collect(),
            is_buffered: lsn >= self.tail.read().start,
            overwritten_after: self.window().left(first),
            object,
        }
    }
}
