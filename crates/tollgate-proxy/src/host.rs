//! The engine's services for plugins.

use crate::client::internal;
use crate::limits;
use crate::thread::EngineThread;
use crate::txn::{self, Mode};
use std::any::Any;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tollgate_event::timer::Watch;
use tollgate_http::names;
use tollgate_obs::metrics::Metric;
use tollgate_plugin::{FetchError, FetchRequest, FetchResponse, Host, LocalBoxFuture, Session};

/// Services of one event thread to one session.
pub(crate) struct EngineHost {
    thread: Rc<EngineThread>,
    /// How many internal requests this one is nested in.
    depth: u32,
}

impl EngineHost {
    pub(crate) fn shared(thread: &Rc<EngineThread>) -> Rc<dyn Host> {
        Rc::new(EngineHost { thread: Rc::clone(thread), depth: 0 })
    }
}

/// Starts an internal transaction and gives the plugin's end of it.
pub(crate) fn start_internal(
    thread: &Rc<EngineThread>,
    request: FetchRequest,
    depth: u32,
    mode: Mode,
) -> internal::InternalReader {
    let FetchRequest { mut request, body, client_addr } = request;
    request.headers.remove(names::TRANSFER_ENCODING);
    request.headers.remove(names::CONTENT_LENGTH);
    if !body.is_empty() {
        request.headers.append(names::CONTENT_LENGTH, body.len().to_string());
    }
    if !request.headers.has(names::HOST) {
        let mut host = Vec::new();
        request.url.write_host_port(&mut host);
        request.headers.append(names::HOST, host);
    }
    let (mut client, reader) = internal::pair(request, body);
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let session = Session::new(thread.next_id(), client_addr, local, true);
    let host: Rc<dyn Host> = Rc::new(EngineHost { thread: Rc::clone(thread), depth });
    let thread = Rc::clone(thread);
    thread.metrics.inc(Metric::InternalTransactions);
    tollgate_event::spawn_local(async move {
        txn::run(&thread, &session, &host, &mut client, &Rc::new(Watch::new()), mode).await;
    });
    reader
}

impl Host for EngineHost {
    fn fetch(&self, request: FetchRequest) -> LocalBoxFuture<'static, Result<FetchResponse, FetchError>> {
        let depth = self.depth + 1;
        if depth > limits::FETCH_DEPTH {
            tracing::warn!(
                "an internal request is refused: it is nested deeper than {}; a plugin answers its own requests with more",
                limits::FETCH_DEPTH
            );
            return Box::pin(async { Err(FetchError::TooDeep(limits::FETCH_DEPTH)) });
        }
        let reader = start_internal(&self.thread, request, depth, Mode::Client);
        Box::pin(reader.response())
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        Box::pin(tollgate_event::timer::sleep(duration))
    }

    fn run_blocking_any(
        &self,
        work: Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>,
    ) -> LocalBoxFuture<'static, Option<Box<dyn Any + Send>>> {
        Box::pin(tollgate_event::task::run(work))
    }

    fn spawn(&self, future: LocalBoxFuture<'static, ()>) {
        tollgate_event::spawn_local(future);
    }

    fn unix_time(&self) -> Duration {
        tollgate_event::clock::unix_time()
    }
}
