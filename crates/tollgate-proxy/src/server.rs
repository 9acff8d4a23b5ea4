//! Listening and the life of an event thread.
//!
//! Responsible for: accepting within the connection limit, periodic work of a thread, draining with a deadline.
//! Not responsible for: binding (`tollgate-event`), signals (the binary).

use crate::ask::Askable;
use crate::engine::Engine;
use crate::sweeper::Sweeper;
use crate::thread::EngineThread;
use crate::{disk, session};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tollgate_config::ids;
use tollgate_event::net::{self, BoundListener, Listener};
use tollgate_event::{spawn_local, timer};
use tollgate_obs::metrics::Metric;

/// The listening sockets of one event thread.
pub type ListenerSet = Vec<BoundListener>;

/// Runs one event thread until the engine drains and its sessions have ended or `drain_limit` has passed.
pub async fn serve(engine: Arc<Engine>, index: usize, listeners: ListenerSet, drain_limit: Duration) {
    let thread = EngineThread::new(engine, index);
    thread.engine.askable.enter(&thread);
    for listener in listeners {
        match listener.attach() {
            Ok(listener) => spawn_local(accept(Rc::clone(&thread), listener)),
            Err(error) => tracing::error!("cannot listen on this thread: {error}"),
        }
    }
    let mut drained_for = Duration::ZERO;
    let tick = Duration::from_millis(100);
    let mut ticks = 0u32;
    // One thread sweeps for all.
    let mut sweeper = (index == 0).then(Sweeper::default);
    let is_over = || thread.sessions() == 0 && !net::has_unsent();
    while !(thread.is_draining() && (is_over() || drained_for >= drain_limit)) {
        timer::sleep(tick).await;
        ticks += 1;
        if let Some(sweeper) = &mut sweeper {
            sweeper.tick(&thread.engine);
        }
        if ticks.is_multiple_of(10) {
            every_second(&thread);
            // One thread does it for all.
            if index == 0 {
                disk::maintain(&thread);
            }
        }
        if thread.is_draining() {
            timer::expire_idle(usize::MAX);
            thread.pool.clear(&thread);
            drained_for += tick;
        }
    }
    Askable::leave();
    if thread.sessions() > 0 {
        tracing::warn!("drain deadline reached, {} sessions are cut off", thread.sessions());
    }
    thread.pool.clear(&thread);
    if let Some(log) = &mut *thread.log.borrow_mut() {
        log.flush();
    }
}

fn every_second(thread: &Rc<EngineThread>) {
    thread.pool.sweep(thread);
    if let Some(log) = &mut *thread.log.borrow_mut() {
        log.flush();
    }
    thread.engine.publish_store_stats();
}

async fn accept(thread: Rc<EngineThread>, listener: Listener) {
    let local = listener.addr();
    let watch = timer::Watch::new();
    while !thread.is_draining() {
        watch.set(Duration::from_millis(200));
        let accepted = timer::until(&watch, std::pin::pin!(listener.accept())).await;
        match accepted {
            Ok(Ok((conn, peer))) => {
                if admit(&thread) {
                    spawn_local(session::serve_connection(Rc::clone(&thread), conn, peer, local));
                } else {
                    thread.metrics.inc(Metric::ClientConnectionsRefused);
                    conn.reset_on_close();
                }
            }
            Ok(Err(error)) => {
                // Out of descriptors and the like: the connection waits in the backlog.
                thread.metrics.inc(Metric::AcceptErrors);
                tracing::warn!("accept on {local} failed: {error}");
                timer::sleep(Duration::from_millis(50)).await;
            }
            Err(_) => {}
        }
    }
}

/// Counts a connection against `net.max_connections_in`; the session gives it back.
fn admit(thread: &EngineThread) -> bool {
    let records = &thread.generation().records;
    let limits = [records.int(ids::NET_MAX_CONNECTIONS_IN), records.int(ids::NET_CONNECTIONS_THROTTLE)];
    let most = limits.into_iter().filter(|n| *n > 0).min().unwrap_or(0);
    let before = thread.engine.connections.fetch_add(1, Ordering::Relaxed);
    if most > 0 && before as i64 >= most {
        thread.metrics.inc(Metric::ConnectionsLimited);
        // An idle connection makes room, if this thread has one.
        if timer::expire_idle(1) == 1 {
            return true;
        }
        thread.engine.connections.fetch_sub(1, Ordering::Relaxed);
        return false;
    }
    true
}
