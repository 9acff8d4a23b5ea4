//! A server with in-test plugins, a small origin and a small client, over loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tollgate_config::Records;
use tollgate_config::records::Source;
use tollgate_config::remap::RemapTable;
use tollgate_event::EventThread;
use tollgate_event::net::bind;
use tollgate_hook::OperatorRules;
use tollgate_obs::metrics::{Metric, Metrics};
use tollgate_plugin::{Plugin, PluginError, Registrar};
use tollgate_proxy::{Engine, GenerationParts, PluginSet, serve};

/// No wait in a test is longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A plugin made of its registration.
struct TestPlugin<F>(F);

impl<F: Fn(&mut Registrar) + Send + Sync> Plugin for TestPlugin<F> {
    fn name(&self) -> &str {
        "test"
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        (self.0)(registrar);
        Ok(())
    }
}

/// A running engine in front of a running origin.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) origin: Origin,
    engine: Arc<Engine>,
    thread: Option<EventThread>,
}

impl Server {
    /// An engine with one plugin, in front of an origin that answers with `answer`.
    pub(crate) fn start(
        records: &[(&str, &str)],
        register: impl Fn(&mut Registrar) + Send + Sync + 'static,
        answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static,
    ) -> Server {
        let origin = Origin::start(answer);
        let mut plugins = PluginSet::default();
        plugins.add_plugin(Box::new(TestPlugin(register)));
        let engine =
            match Engine::new(parts(records, origin.addr), plugins, Default::default(), None, Metrics::new())
            {
                Ok(engine) => engine,
                Err(problems) => panic!("{problems:?}"),
            };
        let listeners = bind((Ipv4Addr::LOCALHOST, 0).into(), 1, 64).expect("a free port");
        let addr = listeners[0].addr();
        let shared = Arc::clone(&engine);
        let thread = EventThread::spawn(0, 1, move || serve(shared, 0, listeners, DEADLINE));
        Server { addr, origin, engine, thread: Some(thread.expect("a thread")) }
    }

    /// A new generation: plugins are registered again.
    pub(crate) fn reload(&self) {
        let reloaded = self.engine.reload(parts(&[], self.origin.addr));
        assert!(reloaded.is_ok(), "{reloaded:?}");
    }

    pub(crate) fn client(&self) -> Client {
        let stream = TcpStream::connect(self.addr).expect("the server accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a limit");
        Client { stream, unread: Vec::new() }
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, request: &str) -> Reply {
        let mut client = self.client();
        client.send(request);
        client.reply()
    }

    pub(crate) fn metric(&self, metric: Metric) -> i64 {
        self.engine.metrics().total(metric)
    }

    /// Waits until the metric has that value.
    pub(crate) fn await_metric(&self, metric: Metric, value: i64) {
        await_that(&format!("{metric:?} is {value}"), || self.metric(metric) == value);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.engine.drain();
        if let Some(thread) = self.thread.take()
            && let Err(error) = thread.join()
            && !std::thread::panicking()
        {
            panic!("event thread: {error}");
        }
    }
}

/// A forward proxy whose rule maps everything to the origin.
fn parts(records: &[(&str, &str)], origin: SocketAddr) -> GenerationParts {
    let mut all = Records::default();
    for (name, value) in records {
        all.set_by_name(name, value, Source::Environment).expect("a record");
    }
    let (remap, problems) = RemapTable::from_maps(&[("/", format!("http://{origin}/").as_str())]);
    assert!(problems.is_empty(), "{problems:?}");
    GenerationParts {
        records: Arc::new(all),
        remap: Arc::new(remap),
        ip_allow: None,
        cache: Arc::default(),
        plugins: Vec::new(),
        rules: OperatorRules::default(),
        dir: std::path::PathBuf::new(),
        is_forward: true,
    }
}

/// Polls until `condition` holds.
pub(crate) fn await_that(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "never: {what}");
        // A condition with a deadline is polled: nothing tells the test when a gauge changes.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A request as the origin got it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}

/// An origin that understands framing and remembers what it was asked.
pub(crate) struct Origin {
    pub(crate) addr: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Origin {
    fn start(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Origin {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        // Ends with the process: connections end when the proxy closes them.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve_origin(stream, &seen, &*answer));
            }
        });
        Origin { addr, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }
}

fn serve_origin(stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Vec<u8>) {
    let mut client = Client { stream, unread: Vec::new() };
    while let Some(head) = client.head() {
        let chunked = field(&head, "transfer-encoding").is_some();
        let length = field(&head, "content-length").map(|n| n.parse().expect("a length"));
        let (body, complete) = client.body(chunked, Some(length.unwrap_or(0)));
        let request = Request { head, body };
        seen.lock().expect("no panic").push(request.clone());
        let reply = answer(&request);
        if !complete || reply.is_empty() || client.stream.write_all(&reply).is_err() {
            break;
        }
    }
}

/// A connection that reads HTTP messages.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

/// A response as the client got it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The body came to its end as its framing says.
    pub(crate) complete: bool,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .skip(1)
        .filter_map(|l| l.split_once(':'))
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.trim())
}

impl Client {
    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("the server reads");
    }

    /// The response to a request that is not HEAD.
    pub(crate) fn reply(&mut self) -> Reply {
        self.reply_to("GET")
    }

    /// The final response; status 0 if the connection was closed without one.
    pub(crate) fn reply_to(&mut self, method: &str) -> Reply {
        loop {
            let Some(head) = self.head() else {
                return Reply { status: 0, head: String::new(), body: Vec::new(), complete: false };
            };
            let status: u16 = head[9..12].parse().expect("a status");
            if (100..200).contains(&status) {
                continue;
            }
            let chunked = field(&head, "transfer-encoding").is_some();
            let length = field(&head, "content-length").map(|n| n.parse().expect("a length"));
            let none = method == "HEAD" || matches!(status, 204 | 304);
            let (body, complete) = self.body(chunked && !none, if none { Some(0) } else { length });
            return Reply { status, head, body, complete };
        }
    }

    /// Whether the server has closed, in whatever manner, without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && !self.fill()
    }

    /// Whether anything was received behind the last message.
    pub(crate) fn has_bytes(&self) -> bool {
        !self.unread.is_empty()
    }

    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("open");
    }

    fn fill(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(n) => {
                self.unread.extend_from_slice(&buffer[..n]);
                n > 0
            }
            Err(error) => {
                assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "nothing came: {:?}", self.unread);
                false
            }
        }
    }

    fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|w| w == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return Some(String::from_utf8(head).expect("text"));
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn take(&mut self, n: usize) -> Option<Vec<u8>> {
        while self.unread.len() < n {
            if !self.fill() {
                return None;
            }
        }
        Some(self.unread.drain(..n).collect())
    }

    fn body(&mut self, chunked: bool, length: Option<usize>) -> (Vec<u8>, bool) {
        if !chunked {
            let Some(n) = length else {
                while self.fill() {}
                return (std::mem::take(&mut self.unread), true);
            };
            return match self.take(n) {
                Some(body) => (body, true),
                None => (std::mem::take(&mut self.unread), false),
            };
        }
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(end) = self.unread.windows(2).position(|w| w == b"\r\n") {
                    break String::from_utf8(self.unread.drain(..end + 2).collect()).expect("text");
                }
                if !self.fill() {
                    return (body, false);
                }
            };
            let size = usize::from_str_radix(line.trim(), 16).expect("a chunk size");
            let Some(chunk) = self.take(size + 2) else { return (body, false) };
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return (body, true);
            }
        }
    }
}

/// `200 OK` with that body, storable or not.
pub(crate) fn ok(fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{fields}\r\n{body}", body.len()).into_bytes()
}
