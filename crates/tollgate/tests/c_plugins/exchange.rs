//! The exchange with the origin: the same library sees and does the same in Traffic Server and here.
//!
//! What Traffic Server does is kept in `c/exchange.expected`: the plugin's report, then each request's status and what
//! the origins were asked.

use crate::oracle::TrafficServer;
use crate::support::{Server, Setup, assert_same, compile, read_head};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const EXPECTED: &str = include_str!("c/exchange.expected");
const LIMIT: Duration = Duration::from_secs(20);

/// Method, path and further fields of each request.
const REQUESTS: [(&str, &str, &str); 25] = [
    ("GET", "source", ""),
    ("GET", "facts/get", ""),
    ("GET", "facts/get", ""),
    ("POST", "facts/post", ""),
    ("GET", "update", ""),
    ("GET", "update", ""),
    ("GET", "update", ""),
    ("GET", "ignore", ""),
    ("GET", "ignore", "X-Second: 1\r\n"),
    ("GET", "ignore/until", ""),
    ("GET", "ignore/until", "X-Second: 1\r\n"),
    ("GET", "keep", ""),
    ("GET", "late-close", ""),
    ("GET", "shutdown", ""),
    ("GET", "private", ""),
    ("GET", "shared", ""),
    ("GET", "shared2", ""),
    ("GET", "body", ""),
    ("POST", "buffered", ""),
    ("GET", "redirect", ""),
    ("GET", "records", ""),
    ("GET", "parent", ""),
    ("GET", "active", ""),
    ("GET", "silent", ""),
    ("GET", "hostdown", ""),
];

/// An origin: it remembers what it was asked, and does not answer some requests.
struct Peer {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    fn start(name: &'static str, asked: &Arc<Mutex<Vec<String>>>) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let kept = Arc::clone(asked);
        // Ends with the process.
        std::thread::spawn(move || {
            for conn in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(conn, name, &kept));
            }
        });
        Peer { addr, asked: Arc::clone(asked) }
    }
}

fn serve(conn: TcpStream, name: &str, asked: &Mutex<Vec<String>>) {
    let mut out = conn.try_clone().expect("a second handle");
    let mut lines = BufReader::new(conn);
    while let Some(head) = read_head(&mut lines) {
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.and_then(|n| n.parse().ok()).unwrap_or(0)];
        if lines.read_exact(&mut body).is_err() {
            return;
        }
        let line = head.lines().next().unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        asked.lock().expect("what was asked").push(format!("{name}: {line} {body}"));
        if line.contains("/active") || line.contains("/silent") {
            // The connection stays open until the other side closes it.
            continue;
        }
        let status = if head.contains("X-Second") { "500 No" } else { "200 OK" };
        let age = if line.contains("/ignore") { "ETag: \"a\"\r\nAge: 100\r\n" } else { "" };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: 2\r\n{age}Cache-Control: max-age={}\r\n\r\nok",
            if age.is_empty() { 60 } else { 10 }
        );
        if out.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Makes a request on a connection of its own; the whole answer.
fn ask(addr: SocketAddr, method: &str, path: &str, fields: &str) -> String {
    let mut conn = TcpStream::connect(addr).expect("connect");
    conn.set_read_timeout(Some(LIMIT)).expect("a limit");
    let host = if path == "parent" { "parent.test" } else { "site" };
    let (length, body) = if method == "POST" { ("Content-Length: 4\r\n", "data") } else { ("", "") };
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}{fields}\r\n{body}"
    );
    conn.write_all(request.as_bytes()).expect("send");
    let mut answer = String::new();
    conn.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Makes all requests: status and updated fields of each answer, what the origins were asked.
fn outcome(addr: SocketAddr, peer: &Peer, parent: &Peer) -> String {
    let mut out = String::from("--\n");
    for (method, path, fields) in REQUESTS {
        let answer = ask(addr, method, path, fields);
        let status = answer.split(' ').nth(1).unwrap_or("none");
        let updated = answer.matches("X-Updated: yes\r\n").count();
        // Traffic Server takes the plugin's time and does not use it.
        let expires = match answer.split_once("Expires: ") {
            Some((_, date)) if date.contains(" 2033 ") => "as the plugin says",
            Some(_) => "soon",
            None => "never",
        };
        out.push_str(&format!("{method} {path} {status} updated {updated} expires {expires}\n"));
    }
    for line in peer.asked.lock().expect("what was asked").iter() {
        let line = line.replace(&peer.addr.port().to_string(), "PORT");
        out.push_str(&line.replace(&parent.addr.port().to_string(), "PARENT"));
        out.push('\n');
    }
    out
}

fn peers() -> (Peer, Peer) {
    let asked = Arc::default();
    (Peer::start("origin", &asked), Peer::start("parent", &asked))
}

fn remap(peer: &Peer) -> String {
    format!("map http://parent.test/ http://nowhere.test:1/\nmap / http://{}\n", peer.addr)
}

fn start(peer: &Peer, parent: &Peer) -> Server {
    start_with(Setup::new(), peer, parent)
}

fn start_with(setup: Setup, peer: &Peer, parent: &Peer) -> Server {
    let plugin = compile(setup.dir.path(), "exchange");
    let report = setup.dir.path().join("report");
    let line = format!("{} {} {}\n", plugin.display(), report.display(), parent.addr.port());
    setup.file("remap.config", &remap(peer)).file("plugin.config", &line);
    setup.start()
}

fn is_complete(report: &str) -> bool {
    report.ends_with("hostdown TXN_CLOSE\n")
}

#[test]
fn the_exchange_is_as_in_traffic_server() {
    let (peer, parent) = peers();
    let server = start(&peer, &parent);
    let outcome = outcome(server.addr, &peer, &parent);
    let report = server.await_file("report", is_complete);
    assert_same("exchange", &(report + &outcome), EXPECTED);
}

#[test]
#[ignore = "needs Traffic Server; `cargo xtask test` installs it and runs it"]
fn traffic_server_does_the_exchange_as_expected() {
    let (peer, parent) = peers();
    let server = TrafficServer::start("exchange", &parent.addr.port().to_string(), &remap(&peer));
    let outcome = outcome(server.addr, &peer, &parent);
    assert_same("exchange.ts", &(server.report(is_complete) + &outcome), EXPECTED);
}

#[test]
fn packets_to_origins_have_the_type_of_service_that_a_plugin_sets() {
    let (peer, parent) = peers();
    let server = start(&peer, &parent);
    for path in ["dscp", "tos"] {
        assert!(ask(server.addr, "GET", path, "").starts_with("HTTP/1.1 200 "));
    }
    // The second asks on the kept connection of the first, and its own type of service is for later ones.
    let said = server.await_file("report.aside", |text| text.lines().count() == 2);
    assert_eq!(said, "tos 40\ntos 40\n");
}

#[test]
fn a_connection_that_a_plugin_wants_closed_is_closed_after_its_response() {
    let (peer, parent) = peers();
    let server = start(&peer, &parent);
    let mut conn = TcpStream::connect(server.addr).expect("connect");
    conn.set_read_timeout(Some(LIMIT)).expect("a limit");
    conn.write_all(b"GET /late-close HTTP/1.1\r\nHost: site\r\n\r\n").expect("send");
    let mut answer = String::new();
    conn.read_to_string(&mut answer).expect("the end of the connection");
    assert!(answer.ends_with("\r\n\r\nok") && answer.contains("Connection: close\r\n"), "{answer}");
}

#[test]
fn a_plugin_limits_how_long_a_name_is_looked_up() {
    // Nobody answers there; without the plugin's limit it would be waited for longer than this test does.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let server = silent.local_addr().expect("an address");
    let (peer, parent) = peers();
    let setup = Setup::new()
        .set(&format!("proxy.config.dns.nameservers={server}"))
        .set("proxy.config.hostdb.lookup_timeout=600");
    let server = start_with(setup, &peer, &parent);
    let mut conn = TcpStream::connect(server.addr).expect("connect");
    conn.set_read_timeout(Some(LIMIT)).expect("a limit");
    conn.write_all(b"GET /dns HTTP/1.1\r\nHost: parent.test\r\nConnection: close\r\n\r\n").expect("send");
    let mut answer = String::new();
    conn.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
}
