//! What each plugin holds of the server, and what it has done wrong.
//!
//! Responsible for: counting, by plugin and kind of object; the metrics `proxy.process.plugin.NAME.ITEM`.
//! Not responsible for: what is done about a mistake (`fence`), who is at work (`plugin`).
//! Invariants: an account is opened when a plugin is loaded and never closed, as its objects may outlive it; metrics and
//! lists have the sums of all plugins of a name; an object is counted with the plugin that made it until it is gone.

use crate::services::services;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tollgate_obs::metrics::{Reading, Stat};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Continuations that live.
    Continuations,
    /// Mutexes that live.
    Mutexes,
    /// Message buffers of the plugin's own that live.
    Buffers,
    /// IO buffers that live.
    IoBuffers,
    /// Timers that will fire.
    Timers,
    /// Field handles that were not released when their message ended.
    LeakedFields,
    /// Calls that were refused.
    Misuses,
}

impl Item {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Item; 7] = [
        Item::Continuations,
        Item::Mutexes,
        Item::Buffers,
        Item::IoBuffers,
        Item::Timers,
        Item::LeakedFields,
        Item::Misuses,
    ];

    /// The last part of the metric's name.
    pub fn name(self) -> &'static str {
        match self {
            Item::Continuations => "continuations",
            Item::Mutexes => "mutexes",
            Item::Buffers => "buffers",
            Item::IoBuffers => "io_buffers",
            Item::Timers => "timers",
            Item::LeakedFields => "leaked_fields",
            Item::Misuses => "misuses",
        }
    }
}

/// The account of one loaded plugin.
#[derive(Debug)]
pub struct Account {
    number: u32,
    plugin: Box<str>,
    counts: [AtomicI64; Item::ALL.len()],
    /// Those of all plugins of that name. `None`: there are too many metrics.
    stats: [Option<Arc<Stat>>; Item::ALL.len()],
}

/// A name with the sums of its plugins' accounts, in the order of [`Item::ALL`].
pub type Holdings = (&'static str, [i64; Item::ALL.len()]);

static ACCOUNTS: Mutex<Vec<&'static Account>> = Mutex::new(Vec::new());

impl Account {
    /// An account for a plugin of that name.
    pub fn open(plugin: &str) -> &'static Account {
        let metrics = services().host().metrics();
        let stat = |item: Item| {
            metrics.create_stat(&format!("proxy.process.plugin.{plugin}.{}", item.name()), Reading::Sum)
        };
        let stats = Item::ALL.map(stat);
        let mut accounts = ACCOUNTS.lock();
        let account: &Account = Box::leak(Box::new(Account {
            number: accounts.len() as u32 + 1,
            plugin: plugin.into(),
            counts: Default::default(),
            stats,
        }));
        accounts.push(account);
        account
    }

    /// The account of that number.
    pub(crate) fn of(number: u32) -> Option<&'static Account> {
        ACCOUNTS.lock().get((number as usize).checked_sub(1)?).copied()
    }

    /// A number of its own, from 1.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// The plugin's name.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Counts.
    pub fn add(&self, item: Item, by: i64) {
        self.counts[item as usize].fetch_add(by, Ordering::Relaxed);
        if let Some(stat) = &self.stats[item as usize] {
            stat.add(by);
        }
    }

    /// The count.
    pub fn value(&self, item: Item) -> i64 {
        self.counts[item as usize].load(Ordering::Relaxed)
    }
}

/// What the plugins of each name hold, in the order in which they were loaded.
pub fn holdings() -> Vec<Holdings> {
    let mut all: Vec<Holdings> = Vec::new();
    for account in ACCOUNTS.lock().iter() {
        let counts = Item::ALL.map(|item| account.value(item));
        match all.iter_mut().find(|(name, _)| *name == account.plugin()) {
            Some((_, sums)) => sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count),
            None => all.push((account.plugin(), counts)),
        }
    }
    all
}

/// One object on a plugin's account, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Held(Option<&'static Account>, Item);

impl Held {
    /// One more object of the plugin at work.
    pub(crate) fn new(item: Item) -> Held {
        let account = crate::plugin::account();
        if let Some(account) = account {
            account.add(item, 1);
        }
        Held(account, item)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(account) = self.0 {
            account.add(self.1, -1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::{Plugin, enter};

    #[test]
    fn objects_are_counted_with_the_plugin_that_made_them_while_they_live() {
        let (plugin, again) = (Plugin::new("counted", None), Plugin::new("counted", None));
        let held = {
            let _at_work = enter(Some(&plugin));
            [Held::new(Item::Mutexes), Held::new(Item::Mutexes)]
        };
        drop(Held::new(Item::Mutexes));
        again.account().add(Item::Mutexes, 1);
        assert_eq!(plugin.account().value(Item::Mutexes), 2);
        let sum = |item: Item| {
            let all = holdings().into_iter().find(|(name, _)| *name == "counted");
            all.map(|(_, counts)| counts[item as usize])
        };
        assert_eq!(sum(Item::Mutexes), Some(3));
        assert_eq!(services().host().metrics().by_name("proxy.process.plugin.counted.mutexes"), Some(3));
        drop(held);
        assert_eq!(sum(Item::Mutexes), Some(1));
        for (index, item) in Item::ALL.into_iter().enumerate() {
            assert_eq!(item as usize, index);
        }
    }
}
