use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tollgate_obs::metrics::{Metric, Metrics};

use super::{AdminError, Exposure, check_address, serve_limited};
use crate::connection::Limits;
use crate::routes::{AdminState, Health};

/// No test waits longer than this for the server.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), AdminError>>>,
}

impl Server {
    fn start(state: AdminState, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve_limited(listener, state, Exposure::LoopbackOnly, shutdown, limits))
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    fn with(state: AdminState) -> Self {
        Self::start(state, Limits::DEFAULT)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends one request on its own connection and returns head and body.
    fn ask(&self, request_line: &str) -> (String, String) {
        let mut stream = self.connect();
        write!(stream, "{request_line} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").expect("a complete response head");
        (head.to_ascii_lowercase(), body.to_owned())
    }

    fn stop(mut self) -> Result<(), AdminError> {
        drop(self.stop.take());
        self.thread.take().expect("stopped once").join().expect("the server does not panic")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[test]
fn metrics_are_shown_in_prometheus_format() {
    let metrics = Metrics::new();
    metrics.add(Metric::IncomingRequests, 42);
    let server = Server::with(AdminState::new(metrics.clone()));
    let (head, body) = server.ask("GET /metrics");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(head.contains("\r\ncache-control: no-store"), "{head}");
    assert!(body.contains("\ntollgate_http_incoming_requests_total 42\n"), "{body}");
    metrics.inc(Metric::IncomingRequests);
    assert!(server.ask("GET /metrics").1.contains("\ntollgate_http_incoming_requests_total 43\n"));
    server.stop().unwrap();
}

#[test]
fn metrics_are_listed_as_json() {
    let metrics = Metrics::new();
    let server = Server::with(AdminState::new(metrics.clone()));
    let (head, body) = server.ask("GET /metrics.json");
    assert!(
        head.starts_with("http/1.1 200 ") && head.contains("\r\ncontent-type: application/json"),
        "{head}"
    );
    assert_eq!(body, metrics.json());
}

#[test]
fn health_tells_serving_from_draining() {
    let (head, body) = Server::with(AdminState::new(Metrics::new())).ask("GET /health");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert_eq!(body, "ok\n");
    let draining = AdminState::new(Metrics::new()).with_health(|| Health::Draining);
    let (head, body) = Server::with(draining).ask("GET /health");
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert_eq!(body, "draining\n");
}

#[test]
fn hooks_are_what_the_closure_says() {
    let state = AdminState::new(Metrics::new()).with_hooks(|| r#"[{"hook":"TXN_START"}]"#.to_owned());
    let (head, body) = Server::with(state).ask("GET /hooks");
    assert!(
        head.starts_with("http/1.1 200 ") && head.contains("\r\ncontent-type: application/json"),
        "{head}"
    );
    assert_eq!(body, r#"[{"hook":"TXN_START"}]"#);
}

#[test]
fn unknown_paths_are_not_found_and_nothing_can_be_changed() {
    let server = Server::with(AdminState::new(Metrics::new()));
    for path in ["/", "/metrics/", "/metrics2", "/../metrics", "/health%2f"] {
        let (head, _) = server.ask(&format!("GET {path}"));
        assert!(head.starts_with("http/1.1 404 "), "{path}: {head}");
    }
    let (head, _) = server.ask("POST /metrics");
    assert!(head.starts_with("http/1.1 405 "), "{head}");
    let (head, body) = server.ask("HEAD /metrics");
    assert!(head.starts_with("http/1.1 200 ") && body.is_empty(), "{head}");
}

#[test]
fn addresses_other_than_loopback_are_refused_unless_asked_for() {
    let refused = ["0.0.0.0:80", "192.0.2.1:80", "[::]:80", "[2001:db8::1]:80", "[::ffff:192.0.2.1]:80"];
    for address in refused.map(|a| a.parse::<SocketAddr>().unwrap()) {
        let outcome = check_address(address, Exposure::LoopbackOnly);
        assert!(matches!(outcome, Err(AdminError::NotLoopback(a)) if a == address), "{address}");
        assert!(check_address(address, Exposure::AnyAddress).is_ok(), "{address}");
    }
    for address in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
        assert!(check_address(address.parse().unwrap(), Exposure::LoopbackOnly).is_ok(), "{address}");
    }
}

#[test]
fn wildcard_listener_is_not_served() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let state = AdminState::new(Metrics::new());
    let served = crate::serve(listener, state, Exposure::LoopbackOnly, std::future::pending());
    assert!(matches!(runtime.block_on(served), Err(AdminError::NotLoopback(_))));
}

#[test]
fn silent_connection_is_closed() {
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::DEFAULT };
    let server = Server::start(AdminState::new(Metrics::new()), limits);
    let mut stream = server.connect();
    stream.write_all(b"GET /metrics HT").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("closed by the server, not by our own timeout");
}

#[test]
fn connection_beyond_the_limit_waits_for_one_to_end() {
    let limits = Limits { connections: 1, ..Limits::DEFAULT };
    let server = Server::start(AdminState::new(Metrics::new()), limits);
    let mut first = server.connect();
    let mut ask_first = || {
        first.write_all(b"GET /health HTTP/1.1\r\nHost: admin\r\n\r\n").unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\nok\n") {
            let mut byte = [0];
            first.read_exact(&mut byte).unwrap();
            response.push(byte[0]);
        }
    };
    ask_first();
    let mut second = server.connect();
    second.write_all(b"GET /health HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").unwrap();
    second.set_nonblocking(true).unwrap();
    // The first is answered again after the second has asked, so the server had its chance to answer the second.
    (0..3).for_each(|_| ask_first());
    let early = second.read(&mut [0; 1]).expect_err("the only place is taken");
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    second.set_nonblocking(false).unwrap();
    let mut response = String::new();
    second.read_to_string(&mut response).unwrap();
    assert!(response.ends_with("ok\n"), "{response}");
}

#[test]
fn shutdown_ends_the_server_though_a_connection_is_stuck() {
    let server = Server::with(AdminState::new(Metrics::new()));
    let mut stuck = server.connect();
    stuck.write_all(b"GET /metrics HT").unwrap();
    let (head, _) = server.ask("GET /health");
    assert!(head.starts_with("http/1.1 200 "), "the stuck connection was accepted before");
    server.stop().unwrap();
}
