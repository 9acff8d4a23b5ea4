//! The resources of the admin listener.
//!
//! Responsible for: paths, content types, answers. Not responsible for: connections.
//! Invariants: what is not listed here is 404; answers are made anew for each request and not to be stored.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tollgate_obs::metrics::Metrics;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What `/health` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Takes new work: 200 `ok`.
    Serving,
    /// Finishes what it has and takes nothing new: 503 `draining`, so that balancers look elsewhere.
    Draining,
}

/// What the resources show. Cheap to clone.
#[derive(Clone)]
pub struct AdminState {
    metrics: Metrics,
    health: Arc<dyn Fn() -> Health + Send + Sync>,
    hooks_json: Arc<dyn Fn() -> String + Send + Sync>,
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").finish_non_exhaustive()
    }
}

impl AdminState {
    /// Shows these metrics, is always serving and has no hooks.
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, health: Arc::new(|| Health::Serving), hooks_json: Arc::new(|| "[]".to_owned()) }
    }

    /// Asks `health` for each `/health` request, on an admin thread; it must not block.
    #[must_use]
    pub fn with_health(mut self, health: impl Fn() -> Health + Send + Sync + 'static) -> Self {
        self.health = Arc::new(health);
        self
    }

    /// Asks `hooks_json` for each `/hooks` request, on an admin thread; it returns a JSON text and must not block.
    #[must_use]
    pub fn with_hooks(mut self, hooks_json: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.hooks_json = Arc::new(hooks_json);
        self
    }
}

pub(crate) fn router(state: AdminState) -> Router {
    Router::new()
        .route("/metrics", get(prometheus))
        .route("/metrics.json", get(metrics_json))
        .route("/health", get(health))
        .route("/hooks", get(hooks))
        .with_state(state)
}

async fn prometheus(State(state): State<AdminState>) -> Response {
    answer(StatusCode::OK, Metrics::PROMETHEUS_CONTENT_TYPE, state.metrics.prometheus())
}

async fn metrics_json(State(state): State<AdminState>) -> Response {
    answer(StatusCode::OK, JSON, state.metrics.json())
}

async fn health(State(state): State<AdminState>) -> Response {
    match (state.health)() {
        Health::Serving => answer(StatusCode::OK, TEXT, "ok\n".to_owned()),
        Health::Draining => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "draining\n".to_owned()),
    }
}

async fn hooks(State(state): State<AdminState>) -> Response {
    answer(StatusCode::OK, JSON, (state.hooks_json)())
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body).into_response()
}
