//! One HTTP/1 client connection.
//!
//! Responsible for: SSN_START and SSN_CLOSE, one transaction after the other, keep-alive and its limits.
//! Invariant: while it waits for a request it holds no buffer; the transaction's state lives in one allocation that
//! is freed when the transaction ends; SSN_CLOSE runs the handlers of the generation in which the session began.

use crate::client::h1::H1Client;
use crate::host::EngineHost;
use crate::limits;
use crate::thread::EngineThread;
use crate::txn::{self, After, Mode};
use crate::wire::Wire;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tollgate_config::ids;
use tollgate_event::net::Conn;
use tollgate_obs::metrics::{GaugeGuard, Metric};
use tollgate_plugin::{Host, Session, TransactionHook};

/// Serves one connection to its end. What the future holds is what an idle connection costs, so it is made of the
/// parts that stay, not of those that they are made of.
pub(crate) fn serve_connection(
    thread: Rc<EngineThread>,
    conn: Conn,
    peer: SocketAddr,
    local: SocketAddr,
) -> impl Future<Output = ()> {
    let open = OpenConnection::new(&thread);
    let session = Session::new(thread.next_id(), peer, local, false);
    session.set_client_fd(conn.raw_fd());
    let host = EngineHost::shared(&thread);
    let mut client = H1Client::new(Wire::new(conn), open);
    let began_in = thread.generation();
    async move {
        let fire = |hook| Box::pin(txn::run_session_hook(&thread, &began_in, &session, &host, hook));
        let has_hooks = began_in.hooks.mask() & TransactionHook::SsnStart.bit() != 0;
        if !has_hooks || fire(TransactionHook::SsnStart).await {
            serve_requests(&thread, &session, &host, &mut client).await;
        }
        if (began_in.hooks.mask() | session.hook_mask()) & TransactionHook::SsnClose.bit() != 0 {
            fire(TransactionHook::SsnClose).await;
        }
    }
}

/// One transaction after the other until the connection is to be closed.
async fn serve_requests(
    thread: &Rc<EngineThread>,
    session: &Rc<Session>,
    host: &Rc<dyn Host>,
    client: &mut H1Client,
) {
    loop {
        set_idle_limit(thread, session, client);
        match client.wire.fill().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                if error.kind() == io::ErrorKind::TimedOut && !thread.is_draining() {
                    thread.metrics.inc(Metric::KeepAliveTimeouts);
                }
                return;
            }
        }
        let active = thread.take_watch();
        // The place is taken first, so that the transaction's state is made in it instead of being moved there.
        let place = Box::new_uninit();
        let transaction = Box::write(place, txn::run(thread, session, host, client, &active, Mode::Client));
        let after = Box::into_pin(transaction).await;
        thread.keep_watch(active);
        match after {
            After::KeepAlive => {}
            After::Close => {
                linger(client).await;
                return;
            }
            After::Reset => {
                client.wire.conn().reset_on_close();
                return;
            }
        }
    }
}

fn set_idle_limit(thread: &EngineThread, session: &Session, client: &mut H1Client) {
    let record = if session.transaction_count() == 0 {
        ids::HTTP_ACCEPT_NO_ACTIVITY_TIMEOUT
    } else {
        ids::HTTP_KEEP_ALIVE_NO_ACTIVITY_TIMEOUT_IN
    };
    let seconds = thread.with_generation(|generation| generation.records.int(record)).max(0) as u64;
    client.wire.set_idle_limit(Duration::from_secs(seconds));
}

/// Closes so that the client can read the response: ends our direction, then takes what the client still sends for a
/// moment, for a reset caused by unread bytes would destroy the response on its way (RFC 9112 §9.6).
async fn linger(client: &mut H1Client) {
    let is_all_read = client.is_at_message_end() && !client.wire.has_unread();
    if is_all_read || client.wire.shutdown_write().await.is_err() {
        return;
    }
    client.wire.set_deadline(limits::LINGER);
    let mut left = limits::LINGER_BYTES;
    drop(client.wire.take_unread());
    while let Ok(bytes) = std::future::poll_fn(|cx| client.wire.poll_read(cx)).await {
        if bytes.is_empty() || bytes.len() > left {
            return;
        }
        left -= bytes.len();
    }
}

/// Counts a connection as long as it is open.
pub(crate) struct OpenConnection {
    thread: Rc<EngineThread>,
    _gauges: [GaugeGuard; 2],
}

impl OpenConnection {
    fn new(thread: &Rc<EngineThread>) -> Self {
        thread.add_sessions(1);
        thread.metrics.inc(Metric::ClientConnections);
        let gauges = [
            thread.metrics.hold(Metric::ClientConnectionsActive),
            thread.metrics.hold(Metric::SessionsActive),
        ];
        OpenConnection { thread: Rc::clone(thread), _gauges: gauges }
    }
}

impl std::fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenConnection")
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.thread.add_sessions(-1);
        self.thread.engine.connections.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}
