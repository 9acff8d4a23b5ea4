//! A limit on connections to one origin, over all event threads.
//!
//! Only used while `per_server.connection.max` is set: without it no lock is taken.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections per origin address.
#[derive(Default)]
pub(crate) struct OriginLimits(Arc<Mutex<HashMap<SocketAddr, usize>>>);

impl OriginLimits {
    /// A place among the `most` connections to `addr`; `None`: they are taken.
    pub(crate) fn take(&self, addr: SocketAddr, most: usize) -> Option<Permit> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(addr).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Permit { counts: Arc::clone(&self.0), addr })
    }
}

/// A place, given back when dropped.
pub(crate) struct Permit {
    counts: Arc<Mutex<HashMap<SocketAddr, usize>>>,
    addr: SocketAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.addr) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.addr);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_per_address_and_given_back() {
        let limits = OriginLimits::default();
        let (a, b) = (SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([127, 0, 0, 1], 2)));
        let first = limits.take(a, 1);
        assert!(first.is_some() && limits.take(a, 1).is_none() && limits.take(b, 1).is_some());
        drop(first);
        assert!(limits.take(a, 1).is_some());
    }
}
