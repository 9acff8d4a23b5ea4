//! Blind tunnels: CONNECT and accepted Upgrades.
//!
//! Responsible for: which tunnels are allowed, moving bytes both ways with half-close and an inactivity limit.
//! Invariants: nothing is tunnelled before the origin's connection is there (CONNECT) or its 101 has come (Upgrade);
//! at most one read per direction is in memory.

use super::{Answer, Exchange, Stop};
use crate::client::{ClientStream, Duplex, OutFraming};
use crate::error_page::ErrorKind;
use crate::limits;
use crate::origin::OriginConn;
use crate::origin::connect::{self, ConnectError, Route};
use crate::wire::Wire;
use bytes::Bytes;
use smallvec::smallvec;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tollgate_config::ids;
use tollgate_event::clock;
use tollgate_event::timer::Watch;
use tollgate_http::{Response, date, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{CacheLookup, LocalResponse};

impl<S: ClientStream> Exchange<'_, S> {
    /// CONNECT: TS RQ PR PO CL(SKIPPED) OD SR TC.
    pub(crate) async fn connect_tunnel(&mut self) -> Result<TransactionEnd, Stop> {
        self.take_next_hop()?;
        let port = self.next_hop.port;
        let mapped = self.rule.is_some();
        if !mapped && !self.generation.any_connect_port && !self.generation.connect_ports.contains(&port) {
            return Err(self.error(
                ErrorKind::ConnectPort,
                &format!("port {port} is not in connect_ports"),
                false,
            ));
        }
        if self.txn.is_internal() {
            return Err(self.error(ErrorKind::ConnectPort, "CONNECT in an internal request", false));
        }
        self.txn.cache_lookup = Some(CacheLookup::Skipped);
        fire!(self, CacheLookupComplete);
        let mut order = self.resolve_for_tunnel().await?;
        fire!(self, OsDns);
        if let Some(addr) = self.txn.origin_addr {
            order = smallvec![addr];
        }
        let order = self.keep_allowed(order)?;
        let host = Arc::clone(&self.next_hop.host);
        let conn = match connect::connect(
            &self.thread,
            &order,
            &host,
            &self.dial(ids::HTTP_CONNECT_ATTEMPTS_TIMEOUT),
        )
        .await
        {
            Ok(conn) => conn,
            Err(ConnectError::Timeout) => {
                return Err(self.error(ErrorKind::ConnectTimeout, "CONNECT", false));
            }
            Err(ConnectError::Limited) => {
                return Err(self.error(ErrorKind::Overloaded, "per_server.connection.max", false));
            }
            Err(ConnectError::Failed) => return Err(self.error(ErrorKind::ConnectFailed, "CONNECT", false)),
        };
        self.log.origin_addr = Some(conn.addr);
        let mut response = Box::new(Response::new(200));
        response.headers.append(names::DATE, date::format(clock::unix_seconds()));
        response.headers.append(names::SERVER, &self.generation.server);
        self.open_tunnel(
            response,
            conn.wire,
            ids::HTTP_TRANSACTION_NO_ACTIVITY_TIMEOUT_IN,
            ids::HTTP_TRANSACTION_ACTIVE_TIMEOUT_IN,
        )
        .await
    }

    async fn resolve_for_tunnel(&mut self) -> Result<Route, Stop> {
        if let Some(addr) = self.txn.origin_addr {
            // A handler has chosen it: the name need not have an address.
            return Ok(smallvec![addr]);
        }
        let host = Arc::clone(&self.next_hop.host);
        match self.thread.dns.lookup(&host).await {
            Ok(answer) => Ok(self.thread.addresses.order(&answer.addrs, self.next_hop.port, self.started)),
            Err(error) => Err(self.error(ErrorKind::DnsFailed, &error.to_string(), false)),
        }
    }

    /// The origin switched protocols.
    pub(crate) async fn upgrade_tunnel(
        &mut self,
        mut response: Box<Response>,
        conn: Box<OriginConn>,
    ) -> Result<TransactionEnd, Stop> {
        self.log.origin_addr = Some(conn.addr);
        let protocol = response.headers.get(names::UPGRADE).map(<[u8]>::to_vec).unwrap_or_default();
        super::forward::strip_hop_by_hop(&mut response.headers);
        response.headers.append(names::UPGRADE, protocol);
        response.headers.append(names::CONNECTION, "Upgrade");
        self.open_tunnel(
            response,
            conn.wire,
            ids::WEBSOCKET_NO_ACTIVITY_TIMEOUT,
            ids::WEBSOCKET_ACTIVE_TIMEOUT,
        )
        .await
    }

    async fn open_tunnel(
        &mut self,
        response: Box<Response>,
        mut origin: Wire,
        idle: tollgate_config::records::IntRecord,
        active: tollgate_config::records::IntRecord,
    ) -> Result<TransactionEnd, Stop> {
        let opens = response.status;
        self.txn.proxy_response = Some(response);
        self.send_hook_ran = true;
        fire!(self, SendResponseHdr);
        let mut response = self.txn.proxy_response.clone().unwrap_or_else(|| Box::new(Response::new(500)));
        response.headers.remove(names::CONTENT_LENGTH);
        response.headers.remove(names::TRANSFER_ENCODING);
        if response.status != opens {
            // A handler of SEND_RESPONSE_HDR refused: what the client is told holds.
            let page = LocalResponse { response: *response, body: Bytes::new() };
            let end = TransactionEnd::PluginResponded;
            return Err(Stop::Answer(Box::new(Answer { page, end, close: true })));
        }
        self.keep = false;
        self.head_sent = true;
        self.log.status = response.status;
        self.thread.metrics.response_status(response.status);
        if self.client.send_head(&response, OutFraming::None, None).await.is_err() {
            return Ok(TransactionEnd::ClientAborted);
        }
        self.thread.metrics.inc(Metric::Tunnels);
        let _active = self.thread.metrics.hold(Metric::TunnelsActive);
        let limit = limits::seconds(&self.txn.records, idle);
        let whole = Watch::new();
        whole.set(limits::seconds(&self.txn.records, active));
        // From here on the tunnel's own limits hold.
        self.active.clear();
        self.log.body_bytes += tunnel(self.client, &mut origin, limit, &whole).await;
        Ok(TransactionEnd::Tunnelled)
    }
}

/// Moves bytes both ways until both directions have ended, one breaks, nothing has moved for `limit`, or `whole`
/// expires. Returns the bytes sent to the client.
async fn tunnel<C: Duplex>(client: &mut C, origin: &mut Wire, limit: Duration, whole: &Watch) -> u64 {
    client.set_limit(Duration::ZERO);
    origin.set_limit(Duration::ZERO);
    origin.set_total_limit(Duration::ZERO);
    let idle = Watch::new();
    idle.set(limit);
    let (mut up, mut down) = (Direction::default(), Direction::default());
    loop {
        let step = poll_fn(|cx| {
            let a = up.poll(cx, |cx| client_read(client, cx), |cx, bytes| origin.poll_write(cx, bytes));
            let b = down.poll(cx, |cx| origin_read(origin, cx), |cx, bytes| client.poll_write(cx, bytes));
            if up.broken || down.broken || (up.is_over() && down.is_over()) {
                return Poll::Ready(Step::Over);
            }
            if up.wants_shutdown() {
                return Poll::Ready(Step::ShutOrigin);
            }
            if down.wants_shutdown() {
                return Poll::Ready(Step::ShutClient);
            }
            if a || b {
                idle.set(limit);
            }
            if idle.poll_expired(cx).is_ready() || whole.poll_expired(cx).is_ready() {
                return Poll::Ready(Step::Over);
            }
            Poll::Pending
        })
        .await;
        let shut = match step {
            Step::Over => return down.moved,
            Step::ShutOrigin => {
                up.shut = true;
                origin.shutdown_write().await
            }
            Step::ShutClient => {
                down.shut = true;
                client.shutdown().await
            }
        };
        if shut.is_err() {
            return down.moved;
        }
    }
}

fn client_read<C: Duplex>(client: &mut C, cx: &mut Context<'_>) -> Poll<std::io::Result<Bytes>> {
    client.poll_read(cx)
}

fn origin_read(origin: &mut Wire, cx: &mut Context<'_>) -> Poll<std::io::Result<Bytes>> {
    if origin.has_unread() {
        return Poll::Ready(Ok(origin.take_unread()));
    }
    origin.poll_read(cx)
}

enum Step {
    Over,
    ShutOrigin,
    ShutClient,
}

/// One direction of a tunnel.
#[derive(Default)]
struct Direction {
    pending: Bytes,
    ended: bool,
    shut: bool,
    broken: bool,
    moved: u64,
}

impl Direction {
    /// Moves what can be moved; whether anything was.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&mut Context<'_>) -> Poll<std::io::Result<Bytes>>,
        mut write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<std::io::Result<usize>>,
    ) -> bool {
        let mut progress = false;
        while !self.broken && !self.shut {
            if !self.pending.is_empty() {
                match write(cx, &self.pending) {
                    Poll::Ready(Ok(n)) => {
                        self.moved += n as u64;
                        self.pending = self.pending.slice(n..);
                        progress = true;
                    }
                    Poll::Ready(Err(_)) => self.broken = true,
                    Poll::Pending => break,
                }
                continue;
            }
            if self.ended {
                break;
            }
            match read(cx) {
                Poll::Ready(Ok(bytes)) => {
                    self.ended = bytes.is_empty();
                    self.pending = bytes;
                    progress = true;
                }
                Poll::Ready(Err(_)) => self.broken = true,
                Poll::Pending => break,
            }
        }
        progress
    }

    fn wants_shutdown(&self) -> bool {
        self.ended && self.pending.is_empty() && !self.shut
    }

    fn is_over(&self) -> bool {
        self.shut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests::{pair, with_pair};
    use std::cell::Cell;
    use std::io::{self, ErrorKind};
    use std::rc::Rc;
    use tollgate_event::spawn_local;
    use tollgate_event::yield_now;

    impl Duplex for Wire {
        fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
            Wire::poll_read(self, cx)
        }

        fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Wire::poll_write(self, cx, bytes)
        }

        async fn shutdown(&mut self) -> io::Result<()> {
            self.shutdown_write().await
        }

        fn set_limit(&mut self, limit: Duration) {
            Wire::set_limit(self, limit);
        }
    }

    fn step(
        direction: &mut Direction,
        mut reads: Vec<Poll<io::Result<Bytes>>>,
        write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> (bool, usize) {
        reads.reverse();
        let mut asked = 0;
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let read = |_: &mut Context<'_>| {
            asked += 1;
            reads.pop().unwrap_or(Poll::Pending)
        };
        (direction.poll(&mut cx, read, write), asked)
    }

    fn bytes(text: &'static str) -> Poll<io::Result<Bytes>> {
        Poll::Ready(Ok(Bytes::from_static(text.as_bytes())))
    }

    #[test]
    fn a_direction_ends_once_all_of_it_is_written() {
        let (mut direction, mut out) = (Direction::default(), Vec::new());
        let slowly = |_: &mut Context<'_>, bytes: &[u8]| {
            out.push(bytes[0]);
            Poll::Ready(Ok(1))
        };
        let (moved, _) = step(&mut direction, vec![bytes("abc"), bytes("de"), bytes("")], slowly);
        assert!(moved && direction.wants_shutdown() && !direction.is_over());
        assert_eq!((out.as_slice(), direction.moved), (&b"abcde"[..], 5));
        direction.shut = true;
        let (_, asked) = step(&mut direction, vec![bytes("more")], |_, _| Poll::Pending);
        assert!(direction.is_over() && asked == 0);
    }

    #[test]
    fn nothing_more_is_read_while_the_peer_takes_nothing() {
        let mut direction = Direction::default();
        let (_, asked) = step(&mut direction, vec![bytes("abc"), bytes("def")], |_, _| Poll::Pending);
        assert_eq!((asked, direction.pending.as_ref()), (1, &b"abc"[..]));
        let (moved, asked) = step(&mut direction, vec![bytes("def")], |_, _| Poll::Pending);
        assert!(!moved && asked == 0 && !direction.wants_shutdown());
    }

    #[test]
    fn an_error_on_either_side_breaks_the_direction() {
        let mut direction = Direction::default();
        step(&mut direction, vec![Poll::Ready(Err(ErrorKind::ConnectionReset.into()))], |_, _| Poll::Pending);
        assert!(direction.broken);
        let mut direction = Direction::default();
        let broken = |_: &mut Context<'_>, _: &[u8]| Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        step(&mut direction, vec![bytes("abc")], broken);
        assert!(direction.broken && direction.moved == 0);
    }

    /// A tunnel that runs between the two wires; what it returns.
    fn start(mut client: Wire, mut origin: Wire) -> Rc<Cell<Option<u64>>> {
        let result = Rc::new(Cell::new(None));
        let told = Rc::clone(&result);
        spawn_local(async move {
            let moved = tunnel(&mut client, &mut origin, Duration::ZERO, &Watch::new()).await;
            told.set(Some(moved));
        });
        result
    }

    async fn rest(wire: &mut Wire) -> io::Result<String> {
        let mut all = Vec::new();
        while wire.fill().await? {
            all.extend_from_slice(&wire.take_unread());
        }
        Ok(String::from_utf8(all).expect("text"))
    }

    async fn ended(result: &Cell<Option<u64>>) -> u64 {
        loop {
            match result.get() {
                Some(moved) => return moved,
                None => yield_now().await,
            }
        }
    }

    #[test]
    fn each_direction_is_closed_by_itself_and_the_other_goes_on() {
        for client_first in [true, false] {
            with_pair(move |mut client, near| async move {
                let (far, mut origin) = pair().await;
                let result = start(near, far);
                let (first, second) =
                    if client_first { (&mut client, &mut origin) } else { (&mut origin, &mut client) };
                first.write_all([b"ask", b"", b""]).await.expect("room");
                first.shutdown_write().await.expect("open");
                assert_eq!(rest(second).await.expect("in order"), "ask");
                second.write_all([b"answer", b"", b""]).await.expect("room");
                second.shutdown_write().await.expect("open");
                assert_eq!(rest(first).await.expect("in order"), "answer");
                let to_client = if client_first { "answer" } else { "ask" };
                assert_eq!(ended(&result).await, to_client.len() as u64);
            });
        }
    }

    #[test]
    fn a_reset_on_one_side_ends_both() {
        with_pair(|mut client, near| async move {
            let (far, origin) = pair().await;
            let result = start(near, far);
            client.write_all([b"ask", b"", b""]).await.expect("room");
            origin.conn().reset_on_close();
            drop(origin);
            // Closed in order or by a reset: nothing comes.
            assert_eq!(rest(&mut client).await.unwrap_or_default(), "");
            assert_eq!(ended(&result).await, 0);
        });
    }
}
