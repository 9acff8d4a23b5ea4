//! Stored alternates: the same library rates them in Traffic Server and here, and the same ones are served.
//!
//! What Traffic Server does is kept in `c/alternates.expected`: the plugin's report, then what each request got, and
//! whether the origin was asked for it.

use crate::oracle::TrafficServer;
use crate::support::{Setup, assert_same, compile, read_head};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const EXPECTED: &str = include_str!("c/alternates.expected");
const LIMIT: Duration = Duration::from_secs(20);

const A: &str = "X-Named: a\nX-Kind: a";
const B: &str = "X-Named: b\nX-Kind: b";

/// Path and fields of each request. `X-Named` is the name of what the origin answers, if it is asked; `X-Answer` a field
/// of that.
const REQUESTS: [(&str, &str); 36] = [
    // Each alternate is rated, whatever Vary says; Vary decides, unless the plugin says otherwise for one.
    ("kind", A),
    ("kind", B),
    ("kind", "X-Kind: a"),
    ("kind", "X-Kind: b"),
    ("kind", "X-Kind: a\nX-Quality: b=max"),
    ("kind", "X-Kind: a\nX-Quality: b=1 a=0.1"),
    // What is refused stays; what comes in its place is stored beside it.
    ("kind", "X-Named: c\nX-Kind: a\nX-Quality: a=0"),
    ("kind", "X-Kind: a\nX-Quality: c=0"),
    ("kind", "X-Kind: a\nX-Quality: c=0.9"),
    ("kind", "X-Kind: a"),
    // The greatest weight, times what each handler says; of equals the newest.
    ("language", "X-Named: en\nX-Answer: Content-Language: en\nAccept-Language: en"),
    ("language", "X-Named: de\nX-Answer: Content-Language: de\nAccept-Language: de"),
    ("language", "Accept-Language: en;q=0.5, de"),
    ("language", "Accept-Language: en, de;q=0.5"),
    ("language", "Accept-Language: en, de"),
    ("language", "Accept-Language: fr, *;q=0.1"),
    ("language", "X-Other: 1"),
    ("language", "Accept-Language: en, de;q=0.9\nX-Quality: en=0.8"),
    ("language", "Accept-Language: en, de;q=0.5\nX-Quality: en=0.8"),
    ("language", "Accept-Language: en, de;q=0.45\nX-Quality: en=0.8\nX-Half: en"),
    ("coding", "X-Named: plain\nX-Other: 1"),
    ("coding", "X-Named: gzip\nX-Answer: Content-Encoding: gzip\nAccept-Encoding: gzip, identity;q=0"),
    ("coding", "X-Other: 1"),
    ("coding", "Accept-Encoding: gzip, identity"),
    ("coding", "Accept-Encoding: gzip;q=0.5, identity"),
    ("coding", "Accept-Encoding: *"),
    ("type", "X-Named: html\nX-Answer: Content-Type: text/html\nAccept: text/html"),
    ("type", "X-Named: json\nX-Answer: Content-Type: application/json\nAccept: application/json"),
    ("type", "Accept: text/html;q=0.3, application/json"),
    ("type", "Accept: text/*;q=0.3, */*;q=0.2"),
    ("type", "Accept: text/*, application/json;q=0.2"),
    ("charset", "X-Named: latin\nX-Answer: Content-Type: a/b;charset=iso-8859-1\nAccept-Charset: iso-8859-1"),
    (
        "charset",
        "X-Named: utf\nX-Answer: Content-Type: a/b;charset=utf-8\nAccept-Charset: iso-8859-1;q=0, utf-8",
    ),
    ("charset", "Accept-Charset: iso-8859-1, utf-8;q=0.5"),
    ("charset", "Accept-Charset: iso-8859-1;q=0.2, utf-8;q=0.5"),
    ("charset", "Accept-Charset: iso-8859-1;q=0.2"),
];

/// An origin that answers with what the request says; counts what it was asked.
fn origin() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    // Ends with the process.
    std::thread::spawn(move || {
        for conn in listener.incoming().map_while(Result::ok) {
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || serve(conn, &counter));
        }
    });
    (addr, asked)
}

fn serve(conn: TcpStream, asked: &AtomicUsize) {
    let mut out = conn.try_clone().expect("a second handle");
    let mut lines = BufReader::new(conn);
    while let Some(head) = read_head(&mut lines) {
        asked.fetch_add(1, Ordering::SeqCst);
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let (name, more) = (field("X-Named: "), field("X-Answer: "));
        let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nX-Name: {name}\r\nVary: X-Kind\r\nCache-Control: max-age=100\r\n{more}\
             Content-Length: 2\r\n\r\nok"
        );
        if out.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Makes all requests: the name of what each got, and whether the origin was asked.
fn outcome(addr: SocketAddr, asked: &AtomicUsize) -> String {
    let mut out = String::from("--\n");
    for (path, fields) in REQUESTS {
        let before = asked.load(Ordering::SeqCst);
        let mut conn = TcpStream::connect(addr).expect("connect");
        conn.set_read_timeout(Some(LIMIT)).expect("a limit");
        let fields = fields.replace('\n', "\r\n");
        let request = format!("GET /{path} HTTP/1.1\r\nHost: site\r\nConnection: close\r\n{fields}\r\n\r\n");
        conn.write_all(request.as_bytes()).expect("send");
        let mut answer = String::new();
        conn.read_to_string(&mut answer).expect("an answer");
        let name = answer.lines().find_map(|line| line.strip_prefix("X-Name: ")).unwrap_or("none");
        let is_asked = asked.load(Ordering::SeqCst) > before;
        let from = if is_asked { "origin" } else { "cache" };
        out.push_str(&format!("{path}: {} -> {name} from the {from}\n", fields.replace("\r\n", "; ")));
    }
    out
}

#[test]
fn alternates_are_rated_as_in_traffic_server() {
    let (origin, asked) = origin();
    let mut setup = Setup::new().set("proxy.config.http.normalize_ae=0");
    // Traffic Server's defaults.
    for field in ["accept", "accept_charset", "accept_language"] {
        setup = setup.set(&format!("proxy.config.http.cache.ignore_{field}_mismatch=2"));
    }
    let plugin = compile(setup.dir.path(), "alternates");
    let report = setup.dir.path().join("report");
    setup
        .file("remap.config", &format!("map / http://{origin}/\n"))
        .file("plugin.config", &format!("{} {}\n", plugin.display(), report.display()));
    let server = setup.start();
    let outcome = outcome(server.addr, &asked);
    let report = server.await_file("report", |text| text.lines().count() > 0);
    assert_same("alternates", &(report + &outcome), EXPECTED);
}

#[test]
#[ignore = "needs Traffic Server; `cargo xtask test` installs it and runs it"]
fn traffic_server_rates_alternates_as_expected() {
    let (origin, asked) = origin();
    let remap =
        format!("map / http://{origin}/ @plugin=conf_remap.so @pparam=proxy.config.http.normalize_ae=0\n");
    let server = TrafficServer::start("alternates", "", &remap);
    let outcome = outcome(server.addr, &asked);
    assert_same("alternates.ts", &(server.report(|text| !text.is_empty()) + &outcome), EXPECTED);
}
