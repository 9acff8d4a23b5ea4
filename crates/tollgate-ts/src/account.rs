//! What each plugin holds of the server, and what it has done wrong.
//!
//! Responsible for: counting, by plugin and kind of object; the metrics `proxy.process.plugin.NAME.ITEM`.
//! Not responsible for: what is done about a mistake (`fence`), who is at work (`plugin`).
//! Invariants: an account is opened when a plugin of that name is first loaded and never closed, so a file that is
//! loaded again goes on with it; an object is counted with the plugin that made it until it is gone.

use crate::services::services;
use parking_lot::Mutex;
use std::sync::Arc;
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

/// One plugin's account.
#[derive(Debug)]
pub struct Account {
    plugin: Box<str>,
    /// `None`: there are too many metrics.
    stats: [Option<Arc<Stat>>; Item::ALL.len()],
}

static ACCOUNTS: Mutex<Vec<&'static Account>> = Mutex::new(Vec::new());

impl Account {
    /// The account of the plugin of that name.
    pub fn of(plugin: &str) -> &'static Account {
        let mut accounts = ACCOUNTS.lock();
        if let Some(known) = accounts.iter().find(|account| &*account.plugin == plugin) {
            return known;
        }
        let metrics = services().host().metrics();
        let stat = |item: Item| {
            metrics.create_stat(&format!("proxy.process.plugin.{plugin}.{}", item.name()), Reading::Sum)
        };
        let account: &Account = Box::leak(Box::new(Account { plugin: plugin.into(), stats: Item::ALL.map(stat) }));
        accounts.push(account);
        account
    }

    /// The plugin's name.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Counts.
    pub fn add(&self, item: Item, by: i64) {
        if let Some(stat) = &self.stats[item as usize] {
            stat.add(by);
        }
    }

    /// The count.
    pub fn value(&self, item: Item) -> i64 {
        self.stats[item as usize].as_ref().map_or(0, |stat| stat.value())
    }
}

/// All accounts, in the order in which the plugins were loaded.
pub fn all() -> Vec<&'static Account> {
    ACCOUNTS.lock().clone()
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
        let plugin = Plugin::new("counted", None);
        let account = Account::of("counted");
        let held = {
            let _at_work = enter(Some(&plugin));
            [Held::new(Item::Mutexes), Held::new(Item::Mutexes)]
        };
        drop(Held::new(Item::Mutexes));
        assert_eq!(account.value(Item::Mutexes), 2);
        assert_eq!(services().host().metrics().by_name("proxy.process.plugin.counted.mutexes"), Some(2));
        drop(held);
        assert_eq!(account.value(Item::Mutexes), 0);
        assert!(std::ptr::eq(account, Account::of("counted")));
        for (index, item) in Item::ALL.into_iter().enumerate() {
            assert_eq!(item as usize, index);
        }
    }
}
