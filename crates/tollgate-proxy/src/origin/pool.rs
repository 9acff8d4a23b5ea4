//! Idle origin connections of one event thread.
//!
//! Responsible for: keeping connections for the next request to the same address and host, and the checks before one
//! is used again (httpd's ap_proxy_check_connection): open, no unread bytes, not over its time.
//! Invariants: bounded per address; an idle connection with bytes on it is closed, never used.

use super::OriginConn;
use crate::thread::EngineThread;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tollgate_config::ids;
use tollgate_event::net::IdleState;
use tollgate_event::timer;
use tollgate_obs::metrics::Metric;

/// Which connections may serve a request (`server_session_sharing.match`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// Never kept.
    None,
    /// Same address.
    Ip,
    /// Same address and host.
    Both,
}

impl Match {
    pub(crate) fn parse(text: &str) -> Match {
        match text {
            "none" | "0" => Match::None,
            "ip" | "2" => Match::Ip,
            _ => Match::Both,
        }
    }
}

struct Idle {
    conn: Box<OriginConn>,
    /// Milliseconds of the thread's timers at which it is closed.
    until: u64,
}

/// The pool.
#[derive(Default)]
pub(crate) struct Pool {
    idle: RefCell<HashMap<SocketAddr, Vec<Idle>, foldhash::fast::RandomState>>,
}

impl Pool {
    /// A kept connection to `addr`, checked. The most recently used first.
    pub(crate) fn take(
        &self,
        addr: SocketAddr,
        host: &str,
        by: Match,
        thread: &EngineThread,
    ) -> Option<Box<OriginConn>> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(&addr)?;
        let mut at = list.len();
        while at > 0 {
            at -= 1;
            if by == Match::Both && *list[at].conn.host != *host {
                continue;
            }
            let Idle { mut conn, .. } = list.remove(at);
            thread.metrics.dec(Metric::OriginConnectionsPooled);
            if is_usable(&conn) {
                thread.metrics.inc(Metric::OriginConnectionsReused);
                conn.used += 1;
                return Some(conn);
            }
        }
        None
    }

    /// Keeps a connection, unless there are enough for its address or keeping is off.
    pub(crate) fn put(&self, conn: Box<OriginConn>, thread: &EngineThread) {
        let (seconds, most) = thread.with_generation(|generation| {
            let records = &generation.records;
            let seconds = records.int(ids::HTTP_KEEP_ALIVE_NO_ACTIVITY_TIMEOUT_OUT);
            (seconds.max(0) as u64, records.int(ids::TOLLGATE_HTTP_MAX_IDLE_PER_ORIGIN))
        });
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if thread.is_draining() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let list = idle.entry(conn.addr).or_default();
        if list.len() >= most {
            return;
        }
        conn.wire.conn().set_timeout(Duration::ZERO);
        list.push(Idle { conn, until: timer::coarse_millis().saturating_add(seconds.saturating_mul(1000)) });
        thread.metrics.inc(Metric::OriginConnectionsPooled);
    }

    /// Closes the connection to `addr` that has been idle longest, if there is one.
    pub(crate) fn close_one(&self, addr: SocketAddr, thread: &EngineThread) {
        let mut idle = self.idle.borrow_mut();
        if let Some(list) = idle.get_mut(&addr).filter(|list| !list.is_empty()) {
            list.remove(0);
            thread.metrics.dec(Metric::OriginConnectionsPooled);
        }
    }

    /// Closes what is over its time or was closed by the origin. Called every second.
    pub(crate) fn sweep(&self, thread: &EngineThread) {
        let now = timer::coarse_millis();
        let mut dropped = Vec::new();
        self.idle.borrow_mut().retain(|_, list| {
            let (keep, gone) =
                std::mem::take(list).into_iter().partition(|idle| idle.until > now && is_usable(&idle.conn));
            *list = keep;
            let gone: Vec<Idle> = gone;
            dropped.extend(gone);
            !list.is_empty()
        });
        thread.metrics.sub(Metric::OriginConnectionsPooled, dropped.len() as u64);
    }

    /// Closes all.
    pub(crate) fn clear(&self, thread: &EngineThread) {
        let all = std::mem::take(&mut *self.idle.borrow_mut());
        thread.metrics.sub(Metric::OriginConnectionsPooled, all.values().map(|l| l.len() as u64).sum());
    }
}

/// Open and silent. Asks the kernel only when the event loop has reported something on the connection.
fn is_usable(conn: &OriginConn) -> bool {
    !conn.wire.has_unread()
        && (!conn.wire.conn().has_news() || conn.wire.conn().idle_state() == IdleState::Open)
}
