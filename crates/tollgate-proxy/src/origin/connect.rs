//! Choosing an address and connecting.
//!
//! Responsible for: rotating over a name's addresses, attempts and their limits, remembering addresses that are down.
//! Not responsible for: names (`tollgate-event::dns`), kept connections (`pool`).

use super::OriginConn;
use super::limit::Permit;
use crate::limits;
use crate::thread::EngineThread;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tollgate_config::ids;
use tollgate_config::records::TxnRecords;
use tollgate_event::net::{self, ConnectOptions};
use tollgate_obs::metrics::Metric;

/// The addresses of a next hop in the order in which to try them.
pub(crate) type Route = SmallVec<[SocketAddr; 1]>;

/// Addresses that refused connections lately, and where rotation stands.
#[derive(Default)]
pub(crate) struct Addresses {
    down: RefCell<HashMap<SocketAddr, Instant>>,
    turn: Cell<usize>,
}

impl Addresses {
    /// The addresses in the order in which to try them: rotated, those that are down last.
    pub(crate) fn order(&self, addrs: &[IpAddr], port: u16, now: Instant) -> Route {
        let turn = if addrs.len() > 1 { self.turn.replace(self.turn.get().wrapping_add(1)) } else { 0 };
        let mut order: Route = (0..addrs.len())
            .map(|i| SocketAddr::new(addrs[(turn.wrapping_add(i)) % addrs.len()], port))
            .collect();
        if !self.down.borrow().is_empty() {
            order.sort_by_key(|addr| self.is_down(addr, now));
        }
        order
    }

    fn is_down(&self, addr: &SocketAddr, now: Instant) -> bool {
        self.down.borrow().get(addr).is_some_and(|until| *until > now)
    }

    fn mark_down(&self, addr: SocketAddr, now: Instant, time: Duration) {
        let mut down = self.down.borrow_mut();
        if down.len() >= limits::DOWN_ADDRESSES {
            down.retain(|_, until| *until > now);
        }
        if !time.is_zero() && down.len() < limits::DOWN_ADDRESSES {
            down.insert(addr, now + time);
        }
    }

    fn mark_up(&self, addr: &SocketAddr) {
        if !self.down.borrow().is_empty() {
            self.down.borrow_mut().remove(addr);
        }
    }
}

/// Why no connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectError {
    /// Refused, unreachable and the like.
    Failed,
    /// The last attempt took too long.
    Timeout,
    /// There are as many connections to every address as `per_server.connection.max` allows.
    Limited,
}

/// How a connection is opened.
pub(crate) struct Dial<'a> {
    pub(crate) records: &'a TxnRecords,
    /// Limit of one attempt; zero: none.
    pub(crate) timeout: Duration,
    /// Our own addresses, one for each family.
    pub(crate) outgoing: &'a [IpAddr],
    /// Our own address and port, before all others.
    pub(crate) source: Option<SocketAddr>,
}

impl Dial<'_> {
    fn source_for(&self, addr: &SocketAddr) -> Option<SocketAddr> {
        let outgoing = self.outgoing.iter().map(|ip| SocketAddr::new(*ip, 0));
        self.source.into_iter().chain(outgoing).find(|source| source.is_ipv4() == addr.is_ipv4())
    }
}

/// Connects to the first of `order` that accepts. Each address once, then again up to the configured attempts.
pub(crate) async fn connect(
    thread: &Rc<EngineThread>,
    order: &[SocketAddr],
    host: &Arc<str>,
    dial: &Dial<'_>,
) -> Result<Box<OriginConn>, ConnectError> {
    let records = dial.records;
    let attempts = 1 + usize::try_from(records.int(ids::HTTP_CONNECT_ATTEMPTS_MAX_RETRIES)).unwrap_or(0);
    let mut options = ConnectOptions {
        source: None,
        receive_buffer_bytes: usize::try_from(records.int(ids::NET_SOCK_RECV_BUFFER_SIZE_OUT)).unwrap_or(0),
        send_buffer_bytes: usize::try_from(records.int(ids::NET_SOCK_SEND_BUFFER_SIZE_OUT)).unwrap_or(0),
        no_delay: records.int(ids::NET_SOCK_OPTION_FLAG_OUT) & 1 != 0,
        keep_alive: records.int(ids::NET_SOCK_OPTION_FLAG_OUT) & 2 != 0,
        congestion_control: records.str(ids::NET_TCP_CONGESTION_CONTROL_OUT).into(),
        type_of_service: u8::try_from(records.int(ids::NET_SOCK_PACKET_TOS_OUT)).unwrap_or(0),
        packet_mark: u32::try_from(records.int(ids::NET_SOCK_PACKET_MARK_OUT)).unwrap_or(0),
        timeout: dial.timeout,
    };
    let most = usize::try_from(records.int(ids::HTTP_PER_SERVER_CONNECTION_MAX)).unwrap_or(0);
    let mut last = None;
    for attempt in 0..attempts.max(order.len().min(attempts)) {
        let Some(addr) = order.get(attempt % order.len().max(1)).copied() else { break };
        if attempt > 0 {
            thread.metrics.inc(Metric::OriginRetries);
        }
        let Ok(permit) = place(thread, addr, most) else {
            // Another address may have room; if one failed, that is what the client is told.
            last = last.or(Some(ConnectError::Limited));
            continue;
        };
        options.source = dial.source_for(&addr);
        match net::connect(addr, &options).await {
            Ok(conn) => {
                thread.addresses.mark_up(&addr);
                let mut conn = Box::new(OriginConn::new(conn, addr, Arc::clone(host), thread));
                conn.permit = permit;
                return Ok(conn);
            }
            Err(error) => {
                thread.metrics.inc(Metric::OriginConnectFailures);
                let timed_out = error.kind() == io::ErrorKind::TimedOut;
                if timed_out {
                    thread.metrics.inc(Metric::ConnectTimeouts);
                }
                tracing::debug!("connect to {addr} for {host} failed: {error}");
                last = Some(if timed_out { ConnectError::Timeout } else { ConnectError::Failed });
                thread.addresses.mark_down(
                    addr,
                    thread.now(),
                    limits::seconds(records, ids::HTTP_DOWN_SERVER_CACHE_TIME),
                );
            }
        }
    }
    Err(last.unwrap_or(ConnectError::Failed))
}

/// A place among the `most` connections to `addr` (0: no limit). An idle connection of this thread makes room for one
/// that is needed.
fn place(thread: &EngineThread, addr: SocketAddr, most: usize) -> Result<Option<Permit>, ConnectError> {
    if most == 0 {
        return Ok(None);
    }
    let limits = &thread.engine.origin_limits;
    let permit = limits.take(addr, most).or_else(|| {
        thread.pool.close_one(addr, thread);
        limits.take(addr, most)
    });
    if permit.is_none() {
        thread.metrics.inc(Metric::OriginConnectionsRefused);
    }
    permit.map(Some).ok_or(ConnectError::Limited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_rotate_and_those_down_come_last() {
        let addresses = Addresses::default();
        let list: Vec<IpAddr> = (1..=3).map(|n| IpAddr::from([192, 0, 2, n])).collect();
        let now = Instant::now();
        let first = |a: &Addresses| a.order(&list, 80, now)[0].ip();
        assert_eq!(
            [first(&addresses), first(&addresses), first(&addresses), first(&addresses)],
            [list[0], list[1], list[2], list[0]]
        );
        addresses.mark_down(SocketAddr::new(list[1], 80), now, Duration::from_secs(60));
        assert_eq!(addresses.order(&list, 80, now).last().map(SocketAddr::ip), Some(list[1]));
        assert_ne!(
            addresses.order(&list, 80, now + Duration::from_secs(61))[1].ip(),
            addresses.order(&list, 80, now)[2].ip()
        );
    }
}
