//! Serving the admin listener.
//!
//! Responsible for: the loopback rule, an orderly end within a bounded time.
//! Not responsible for: resources; single connections' limits.
//! Invariants: nothing is accepted on an address that is not allowed; [`serve`] ends at most [`SHUTDOWN_GRACE`]
//! after it was asked to, whatever clients do.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::connection::{LimitedListener, Limits};
use crate::routes::{AdminState, router};

/// LIMIT: how long open connections may go on after shutdown was asked for.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// Which addresses the listener may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Loopback addresses only.
    LoopbackOnly,
    /// Any address: whoever can reach it reads everything the listener shows.
    AnyAddress,
}

/// Why the admin listener is not served.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address is not a loopback address and [`Exposure::LoopbackOnly`] was asked for.
    #[error("refusing to serve admin resources on {0}, which is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The listening socket cannot be used.
    #[error("admin listener: {0}")]
    Listener(#[from] io::Error),
}

/// Serves the admin resources on a bound listener until `shutdown` is done.
///
/// Must run inside a tokio runtime with I/O and time. Connections still open [`SHUTDOWN_GRACE`] after `shutdown` are
/// left to end with the runtime.
///
/// # Errors
/// If the address is not allowed or the socket cannot be used.
pub async fn serve(
    listener: TcpListener,
    state: AdminState,
    exposure: Exposure,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), AdminError> {
    serve_limited(listener, state, exposure, shutdown, Limits::DEFAULT).await
}

async fn serve_limited(
    listener: TcpListener,
    state: AdminState,
    exposure: Exposure,
    shutdown: impl Future<Output = ()> + Send + 'static,
    limits: Limits,
) -> Result<(), AdminError> {
    check_address(listener.local_addr()?, exposure)?;
    listener.set_nonblocking(true)?;
    let listener = LimitedListener::new(tokio::net::TcpListener::from_std(listener)?, limits);
    let (shutting_down, shut_down) = oneshot::channel::<()>();
    let signal = async move {
        shutdown.await;
        drop(shutting_down);
    };
    let server = axum::serve(listener, router(state)).with_graceful_shutdown(signal).into_future();
    let grace = async move {
        // The sender is only ever dropped: that is the signal.
        let _ = shut_down.await;
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    };
    tokio::select! {
        outcome = server => outcome.map_err(AdminError::Listener),
        () = grace => Ok(()),
    }
}

fn check_address(address: SocketAddr, exposure: Exposure) -> Result<(), AdminError> {
    match exposure {
        Exposure::LoopbackOnly if !address.ip().to_canonical().is_loopback() => {
            Err(AdminError::NotLoopback(address))
        }
        Exposure::LoopbackOnly | Exposure::AnyAddress => Ok(()),
    }
}

#[cfg(test)]
mod tests;
