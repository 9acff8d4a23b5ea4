//! Versions of plugins' configurations, which live as long as somebody holds them.
//!
//! Responsible for: numbers of configurations, holding and releasing versions, their destroy functions.
//! Invariants: a version that was replaced is destroyed once, when it is held by nobody and the time for getting it
//! is over; no lock is held while a destroy function runs.

use super::error::ServiceError;
use super::host::Host;
use super::slots::{Slots, kind};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// LIMIT: configurations of all plugins.
const MOST_CONFIGS: usize = 100;
/// How long a replaced version stays, for who keeps its data without holding it.
const GRACE: Duration = Duration::from_secs(60);

/// What is done with the data at its end.
pub type Destroy = Box<dyn FnOnce() + Send>;

/// One version.
struct Version {
    data: usize,
    state: Mutex<State>,
}

struct State {
    /// Whether it is the current version, or was not long ago.
    kept: bool,
    held: u32,
    destroy: Option<Destroy>,
}

type Versions = Arc<Slots<Version>>;

/// The configurations of all plugins.
pub struct Configs {
    host: Arc<dyn Host>,
    versions: Versions,
    current: Mutex<Vec<u64>>,
}

impl Configs {
    pub(super) fn new(host: Arc<dyn Host>) -> Configs {
        Configs { host, versions: Arc::new(Slots::new(kind::CONFIG)), current: Mutex::new(Vec::new()) }
    }

    /// Makes `data` the current version of a configuration; 0 makes a new one. The number of the configuration.
    ///
    /// # Errors
    /// If there is none of that number, or there are too many.
    pub fn set(&self, id: u32, data: usize, destroy: Option<Destroy>) -> Result<u32, ServiceError> {
        let state = Mutex::new(State { kept: true, held: 0, destroy });
        let version = Arc::new(Version { data, state });
        let mut current = self.current.lock();
        let id = if id == 0 { current.len() + 1 } else { id as usize };
        if id > MOST_CONFIGS {
            return Err(ServiceError::TooMany("configurations"));
        }
        let handle =
            self.versions.insert(version).ok_or(ServiceError::TooMany("versions of configurations"))?;
        if current.len() < id {
            current.resize(id, 0);
        }
        let old = std::mem::replace(&mut current[id - 1], handle);
        drop(current);
        if old != 0 {
            let versions = Arc::clone(&self.versions);
            self.host.later(GRACE, Box::new(move || drop_kept(&versions, old)));
        }
        Ok(id as u32)
    }

    /// Holds the current version of a configuration; its handle.
    pub fn get(&self, id: u32) -> Option<u64> {
        let current = self.current.lock();
        let handle = *current.get((id as usize).checked_sub(1)?)?;
        // The lock on the table keeps the version from being replaced meanwhile.
        self.versions.get(handle)?.state.lock().held += 1;
        Some(handle)
    }

    /// Ends holding a version.
    ///
    /// # Errors
    /// If there is no such version, or nobody holds it.
    pub fn release(&self, handle: u64) -> Result<(), ServiceError> {
        let version = self.versions.get(handle).ok_or(ServiceError::Gone("configuration"))?;
        let mut state = version.state.lock();
        state.held = state.held.checked_sub(1).ok_or(ServiceError::NotHeld)?;
        end_if_free(&self.versions, handle, state);
        Ok(())
    }

    /// The data of a version.
    ///
    /// # Errors
    /// If there is no such version.
    pub fn data(&self, handle: u64) -> Result<usize, ServiceError> {
        Ok(self.versions.get(handle).ok_or(ServiceError::Gone("configuration"))?.data)
    }
}

fn drop_kept(versions: &Versions, handle: u64) {
    if let Some(version) = versions.get(handle) {
        let mut state = version.state.lock();
        state.kept = false;
        end_if_free(versions, handle, state);
    }
}

fn end_if_free(versions: &Versions, handle: u64, mut state: parking_lot::MutexGuard<'_, State>) {
    if state.kept || state.held > 0 {
        return;
    }
    let destroy = state.destroy.take();
    drop(state);
    versions.remove(handle);
    if let Some(destroy) = destroy {
        destroy();
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::Nobody;
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn counting(count: &Arc<AtomicUsize>) -> Option<Destroy> {
        let count = Arc::clone(count);
        Some(Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }))
    }

    #[test]
    fn a_replaced_version_lives_while_it_is_held() {
        let configs = Configs::new(Arc::new(Nobody::default()));
        let destroyed = Arc::new(AtomicUsize::new(0));
        let id = configs.set(0, 11, counting(&destroyed)).expect("room");
        let held = configs.get(id).expect("a version");
        assert_eq!(configs.set(id, 22, None), Ok(id));
        assert_eq!(configs.data(held), Ok(11));
        assert_eq!(destroyed.load(Ordering::Relaxed), 0);
        assert_eq!(configs.release(held), Ok(()));
        assert_eq!(destroyed.load(Ordering::Relaxed), 1);
        assert_eq!(configs.data(held), Err(ServiceError::Gone("configuration")));
    }

    #[test]
    fn the_current_version_survives_too_many_releases() {
        let configs = Configs::new(Arc::new(Nobody::default()));
        let destroyed = Arc::new(AtomicUsize::new(0));
        let id = configs.set(0, 11, counting(&destroyed)).expect("room");
        let held = configs.get(id).expect("a version");
        assert_eq!(configs.release(held), Ok(()));
        assert_eq!(configs.release(held), Err(ServiceError::NotHeld));
        assert_eq!(configs.data(held), Ok(11));
        configs.set(id, 22, None).expect("the configuration is there");
        assert_eq!(destroyed.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn numbers_begin_at_1_and_end_at_100() {
        let configs = Configs::new(Arc::new(Nobody::default()));
        assert!(configs.get(0).is_none() && configs.get(1).is_none());
        for id in 1..=100 {
            assert_eq!(configs.set(0, 0, None), Ok(id));
        }
        assert!(configs.set(0, 0, None).is_err() && configs.set(101, 0, None).is_err());
        assert_eq!(configs.set(100, 0, None), Ok(100));
    }
}
