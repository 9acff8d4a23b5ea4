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
use tollgate_event::timer::Watch;
use tollgate_http::{Response, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{CacheLookup, LocalResponse, TransactionHook};

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
        self.hook(TransactionHook::CacheLookupComplete).await?;
        let mut order = self.resolve_for_tunnel().await?;
        self.hook(TransactionHook::OsDns).await?;
        if let Some(addr) = self.txn.origin_addr {
            order = smallvec![addr];
        }
        let host = Arc::clone(&self.next_hop.host);
        let conn = match connect::connect(
            &self.thread,
            &order,
            &host,
            &self.txn.records,
            ids::HTTP_CONNECT_ATTEMPTS_TIMEOUT,
        )
        .await
        {
            Ok(conn) => conn,
            Err(ConnectError::Timeout) => {
                return Err(self.error(ErrorKind::ConnectTimeout, "CONNECT", false));
            }
            Err(ConnectError::Failed) => return Err(self.error(ErrorKind::ConnectFailed, "CONNECT", false)),
        };
        self.log.origin_addr = Some(conn.addr);
        let mut response = Response::new(200);
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
        let host = Arc::clone(&self.next_hop.host);
        match self.thread.dns.lookup(&host).await {
            Ok(answer) => Ok(self.thread.addresses.order(&answer.addrs, self.next_hop.port, self.started)),
            Err(error) => Err(self.error(ErrorKind::DnsFailed, &error.to_string(), false)),
        }
    }

    /// The origin switched protocols.
    pub(crate) async fn upgrade_tunnel(
        &mut self,
        mut response: Response,
        conn: OriginConn,
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
        response: Response,
        mut origin: Wire,
        idle: tollgate_config::records::IntRecord,
        active: tollgate_config::records::IntRecord,
    ) -> Result<TransactionEnd, Stop> {
        let opens = response.status;
        self.txn.proxy_response = Some(response);
        self.send_hook_ran = true;
        self.hook(TransactionHook::SendResponseHdr).await?;
        let mut response = self.txn.proxy_response.clone().unwrap_or_else(|| Response::new(500));
        response.headers.remove(names::CONTENT_LENGTH);
        response.headers.remove(names::TRANSFER_ENCODING);
        if response.status != opens {
            // A handler of SEND_RESPONSE_HDR refused: what the client is told holds.
            let page = LocalResponse { response, body: Bytes::new() };
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
