//! `hook-trace FILE`: writes which hook points each transaction went through.
//!
//! For learning the order of hook points and for tests of it. Each transaction that ends appends one line to the file:
//! the short names of the hook points that fired, in order, CACHE_LOOKUP_COMPLETE with its result:
//! `TS RQ PR PO CL(MISS) OD SQ RR SR TC`.
//!
//! Shows a handler on every hook point, the global one of stored alternates included, which has no transaction to keep
//! state in: therefore the lines under way are kept by transaction number.
//!
//! ```text
//! plugin.config:  hook-trace /tmp/hooks
//! ```

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tollgate_plugin::hooks::{self, Alternate, SelectAlt, TransactionPoint};
use tollgate_plugin::{
    CacheLookup, Order, Outcome, Plugin, PluginError, PluginFactory, Registrar, Transaction, slot,
};

const NAME: &str = "hook-trace";

/// Makes `hook-trace` plugins.
#[derive(Debug)]
pub struct HookTraceFactory;

impl PluginFactory for HookTraceFactory {
    fn name(&self) -> &str {
        NAME
    }

    fn doc(&self) -> &str {
        "Appends the hook points of each transaction to a file: hook-trace FILE."
    }

    fn global(&self, args: &[String]) -> Result<Box<dyn Plugin>, PluginError> {
        match args {
            [file] if Path::new(file).is_absolute() => {
                Ok(Box::new(HookTrace(Arc::new(Trace { file: file.into(), lines: Mutex::default() }))))
            }
            _ => Err(PluginError::new(format!("{NAME} takes the absolute path of one file"))),
        }
    }
}

struct HookTrace(Arc<Trace>);

/// The lines under way, by transaction number.
struct Trace {
    file: PathBuf,
    lines: Mutex<HashMap<u64, String>>,
}

impl Trace {
    fn note(&self, transaction: u64, word: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(transaction).or_default();
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }

    /// Writes a finished line. A file that cannot be written loses the line: the transaction is worth more.
    fn finish(&self, transaction: u64) {
        let line = self.lines.lock().unwrap_or_else(PoisonError::into_inner).remove(&transaction);
        let Some(mut line) = line else { return };
        line.push('\n');
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file)
            .and_then(|mut f| f.write_all(line.as_bytes()));
        if let Err(error) = written {
            eprintln!("{NAME}: {}: {error}", self.file.display());
        }
    }
}

impl HookTrace {
    fn on<P: TransactionPoint>(
        &self,
        registrar: &mut Registrar,
        point: P,
        word: impl Fn(&Transaction) -> &'static str + Send + Sync + 'static,
    ) {
        let trace = Arc::clone(&self.0);
        registrar.on_ordered(point, Order::slot(slot::REALLY_FIRST), move |txn: &mut Transaction| {
            trace.note(txn.id(), word(txn));
            Outcome::Continue
        });
    }
}

fn lookup(txn: &Transaction) -> &'static str {
    match txn.cache_lookup {
        Some(CacheLookup::Miss) => "CL(MISS)",
        Some(CacheLookup::HitStale) => "CL(STALE)",
        Some(CacheLookup::HitFresh) => "CL(FRESH)",
        Some(CacheLookup::Skipped) => "CL(SKIPPED)",
        None => "CL",
    }
}

impl Plugin for HookTrace {
    fn name(&self) -> &str {
        NAME
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        self.on(registrar, hooks::TxnStart, |_| "TS");
        self.on(registrar, hooks::ReadRequestHdr, |_| "RQ");
        self.on(registrar, hooks::PreRemap, |_| "PR");
        self.on(registrar, hooks::PostRemap, |_| "PO");
        self.on(registrar, hooks::RequestBufferReadComplete, |_| "RB");
        self.on(registrar, hooks::ReadCacheHdr, |_| "RC");
        self.on(registrar, hooks::CacheLookupComplete, lookup);
        self.on(registrar, hooks::OsDns, |_| "OD");
        self.on(registrar, hooks::SendRequestHdr, |_| "SQ");
        self.on(registrar, hooks::ReadResponseHdr, |_| "RR");
        self.on(registrar, hooks::SendResponseHdr, |_| "SR");
        let trace = Arc::clone(&self.0);
        registrar.on_point::<SelectAlt>(Order::default(), move |alternate: &Alternate<'_>| {
            trace.note(alternate.transaction_id, "SA");
        });
        let trace = Arc::clone(&self.0);
        registrar.on_ordered(
            hooks::TxnClose,
            Order::slot(slot::REALLY_LAST),
            move |txn: &mut Transaction| {
                trace.note(txn.id(), "TC");
                trace.finish(txn.id());
                Outcome::Continue
            },
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{refused, server};
    use tollgate_plugin::TransactionHook::{CacheLookupComplete, TxnClose, TxnStart};

    #[test]
    fn a_line_per_transaction_is_appended() {
        let file = std::env::temp_dir().join(format!("tollgate-hook-trace-{}", std::process::id()));
        let server = server(&HookTraceFactory, &[&file.to_string_lossy()]);
        for _ in 0..2 {
            let mut txn = server.transaction("GET", "http://h/");
            server.fire(TxnStart, &mut txn);
            txn.cache_lookup = Some(CacheLookup::Miss);
            server.fire(CacheLookupComplete, &mut txn);
            server.fire(TxnClose, &mut txn);
        }
        let written = std::fs::read_to_string(&file).expect("written");
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(written, "TS CL(MISS) TC\nTS CL(MISS) TC\n");
    }

    #[test]
    fn the_file_must_be_named_by_an_absolute_path() {
        assert!(refused(&HookTraceFactory, &["hooks"]).contains("absolute"));
        assert!(refused(&HookTraceFactory, &[]).contains("absolute"));
    }
}
