//! `tollgate cache` and `tollgate explain` against a running server with two event threads.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// An origin whose responses are fresh for 100 s and carry their path's first letter as a tag; `/private` is private,
/// `/vary` varies by Foo, `/stale` is stale at once.
struct Origin {
    addr: std::net::SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Origin {
    fn start() -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let origin = Origin { addr: listener.local_addr().expect("address"), requests: Arc::default() };
        let requests = Arc::clone(&origin.requests);
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                requests.fetch_add(1, Ordering::SeqCst);
                answer(stream);
            }
        });
        origin
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().expect("clone")).lines().map_while(Result::ok);
    let first = lines.next().expect("a request line");
    lines.find(String::is_empty).expect("the end of the header");
    let path = first.split(' ').nth(1).expect("a target").trim_start_matches('/').to_owned();
    let control = match path.as_str() {
        "private" => "Cache-Control: private".to_owned(),
        "vary" => "Cache-Control: max-age=100\r\nVary: Foo".to_owned(),
        "stale" => "Cache-Control: max-age=10, stale-if-error=30\r\nAge: 25\r\nETag: \"1\"".to_owned(),
        _ => format!("Cache-Control: max-age=100\r\nSurrogate-Key: {}", &path[..1]),
    };
    let response =
        format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{control}\r\nConnection: close\r\n\r\nhello");
    stream.write_all(response.as_bytes()).expect("write");
}

struct Server {
    dir: tempfile::TempDir,
    addr: String,
    child: Child,
    origin: Origin,
}

impl Server {
    fn start() -> Server {
        Self::start_with(&[])
    }

    /// Starts with these further files in the configuration's folder.
    fn start_with(files: &[(&str, &str)]) -> Server {
        let dir = tempfile::tempdir().expect("dir");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("write");
        }
        let origin = Origin::start();
        let map = format!("map http://www.test/ http://{}/\n", origin.addr);
        std::fs::write(dir.path().join("remap.config"), map).expect("write");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["run", "--listen", "127.0.0.1:0", "--threads", "2", "--config"])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start");
        let out = BufReader::new(child.stdout.take().expect("stdout"));
        let mut lines = out.lines().map_while(Result::ok);
        let listening = lines.next().expect("the server did not get ready");
        let addr = listening.rsplit(' ').next().expect("an address").to_owned();
        assert!(lines.any(|line| line == "ready"));
        Server { dir, addr, child, origin }
    }

    /// Each request comes on a connection of its own, so on either event thread.
    fn get(&self, path: &str, fields: &str) -> String {
        let mut stream = TcpStream::connect(&self.addr).expect("connect");
        let request = format!("GET /{path} HTTP/1.1\r\nHost: www.test\r\n{fields}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("write");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("read");
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        response
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .arg(args[0])
            .arg("--config")
            .arg(self.dir.path())
            .args(&args[1..])
            .output()
            .expect("run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().expect("an exit status"), text(&output.stdout), text(&output.stderr))
    }

    fn done(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert!(code == 0 && err.is_empty(), "{args:?}: {code} {err}");
        out
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.done(args)).expect("JSON")
    }

    /// How many requests the origin gets for these.
    fn fetched(&self, paths: &[&str]) -> usize {
        let before = self.origin.requests();
        for path in paths {
            self.get(path, "");
        }
        self.origin.requests() - before
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn urls_prefixes_tags_and_expressions_are_purged_on_all_threads() {
    let server = Server::start();
    let paths = ["a/1", "a/2", "b/1", "c/1"];
    assert_eq!(server.fetched(&paths), 4);
    assert_eq!(server.fetched(&[paths, paths, paths, paths].concat()), 0);
    assert_eq!(
        server.done(&["cache", "purge", "http://www.test/a/1", "http://www.test/none"]),
        "purged http://www.test/a/1\nnot stored http://www.test/none\n"
    );
    assert_eq!(server.fetched(&paths), 1);
    assert_eq!(
        server.done(&["cache", "purge", "--prefix", "http://www.test/a/", "--tag", "c"]),
        "purged all that begins with http://www.test/a/\npurged all that has the tag c\n"
    );
    assert_eq!(server.fetched(&paths), 3);
    let regex = format!("^http://{}/[ab]/1$", server.origin.addr);
    assert_eq!(server.done(&["cache", "ban", &regex]), format!("purged all that matches {regex}\n"));
    assert_eq!(server.fetched(&[paths, paths].concat()), 2);
    let purged = server.json(&["cache", "purge", "--json", "http://www.test/b/1"]);
    assert_eq!(purged, serde_json::json!([{"url": "http://www.test/b/1", "was_stored": true}]));
}

#[test]
fn what_cannot_be_purged_says_why() {
    let server = Server::start();
    for (args, why) in [
        (&["cache", "purge", "/a"][..], "http://"),
        (&["cache", "purge", "http://other.test/a"], "no remap rule"),
        (&["cache", "ban", "("], "regular expression"),
        (&["cache", "purge", "--tag", ""], "empty"),
        (&["explain", "http://www.test/", "-H", "nonsense"], "Name: value"),
        (&["explain", "http://www.test/", "-X", "a b"], "not a method"),
    ] {
        let (code, out, err) = server.run(args);
        assert!(code == 2 && out.is_empty() && err.contains(why), "{args:?}: {code} {out} {err}");
    }
    assert_eq!(server.run(&["cache", "purge"]).0, 2);
}

#[test]
fn stat_tells_what_is_stored_and_what_was_purged() {
    let server = Server::start();
    server.fetched(&["a/1", "b/1"]);
    server.done(&["cache", "ban", "--soft", "x"]);
    server.done(&["cache", "purge", "--tag", "y"]);
    let stat = server.json(&["cache", "stat", "--json"]);
    assert_eq!(
        (&stat["objects"], &stat["bans"], &stat["tags"], &stat["purges"]),
        (&2.into(), &1.into(), &1.into(), &2.into())
    );
    assert!(stat["bytes"].as_u64() > Some(0) && stat["bytes"].as_u64() < stat["budget_bytes"].as_u64());
    let text = server.done(&["cache", "stat"]);
    for line in ["objects 2", "purge 2 hard tag y", "purge 1 soft regex x"] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
}

#[test]
fn stat_tells_of_disks_where_there_are_some() {
    let server = Server::start_with(&[("storage.config", "cache 64M\n")]);
    server.fetched(&["a/1"]);
    // It is written behind the delivery.
    let deadline = Instant::now() + Duration::from_secs(20);
    let stat = loop {
        let stat = server.json(&["cache", "stat", "--json"]);
        if stat["disk_written"] == 1 {
            break stat;
        }
        assert!(Instant::now() < deadline, "{stat}");
    };
    assert_eq!(stat["disk_stripes"], 1, "{stat}");
    assert!(stat["disk_bytes"].as_u64() > Some(1 << 20), "{stat}");
    let without = Server::start();
    assert!(without.json(&["cache", "stat", "--json"]).get("disk_stripes").is_none());
}

#[test]
fn explain_tells_key_rule_alternates_and_the_arithmetic() {
    let server = Server::start();
    let explain = |args: &[&str]| server.json(&[&["explain", "--json"], args].concat());
    let text = |args: &[&str]| server.done(&[&["explain"], args].concat());
    let before = explain(&["http://www.test/a/1"]);
    assert_eq!(before["decision"], "asks the origin: nothing is stored");
    assert_eq!(before["key"], format!("http://{}/a/1", server.origin.addr));
    assert_eq!(before["key_url"], before["key"], "a port that is not the usual one");
    assert_eq!(before["rule"]["line"], 1);
    server.get("a/1", "");
    let after = explain(&["http://www.test/a/1"]);
    assert_eq!(after["decision"], "serves it: fresh");
    let object = &after["alternates"][0];
    assert_eq!(
        (&object["is_chosen"], &object["body_bytes"], &object["tags"]),
        (&true.into(), &5.into(), &1.into())
    );
    assert_eq!(
        (&object["freshness"]["lifetime_s"], &object["lifetime"]["source"]),
        (&100.into(), &"max_age".into())
    );
    assert_eq!(server.origin.requests(), 1, "nothing is fetched for an explanation");
    let demanding = text(&["http://www.test/a/1", "-H", "Cache-Control: only-if-cached, min-fresh=500"]);
    assert!(demanding.contains("only_if_cached"), "{demanding}");
}

#[test]
fn explain_tells_why_something_is_stale_another_variant_or_not_stored() {
    let server = Server::start();
    let text = |args: &[&str]| server.done(&[&["explain"], args].concat());
    server.get("stale", "");
    let stale = text(&["http://www.test/stale"]);
    for part in [
        "Age 25",
        "10 s by max_age",
        "stale by ",
        "if the origin fails",
        "asks the origin whether it is still good",
    ] {
        assert!(stale.contains(part), "{part} in {stale}");
    }
    server.get("vary", "Foo: 1\r\n");
    let vary = text(&["http://www.test/vary", "-H", "Foo: 2"]);
    for part in ["does not match", "for requests with foo \"1\"", "no alternate is for these request fields"]
    {
        assert!(vary.contains(part), "{part} in {vary}");
    }
    assert!(text(&["http://www.test/vary", "-H", "Foo: 1"]).contains("serves it: fresh"));
    server.get("private", "");
    let private = text(&["http://www.test/private"]);
    assert!(private.contains("the last response: private"), "{private}");
    let other = text(&["http://other.test/"]);
    assert!(other.contains("answers 404 before the cache is looked up"), "{other}");
    let post = text(&["http://www.test/a", "-X", "POST"]);
    assert!(post.contains("no: method"), "{post}");
}

#[test]
fn explain_tells_what_lies_on_the_disk_beside_what_is_in_memory() {
    let server = Server::start_with(&[("storage.config", "cache.db 32M\n")]);
    let url = "http://www.test/a/1";
    let explain = || server.json(&["explain", "--json", url]);
    assert_eq!(explain()["disk"]["alternates"], serde_json::json!([]));
    server.get("a/1", "");
    // It is written behind the delivery.
    let deadline = Instant::now() + Duration::from_secs(20);
    let told = loop {
        let told = explain();
        if told["disk"]["alternates"][0].is_object() {
            break told;
        }
        assert!(Instant::now() < deadline, "{told}");
    };
    assert_eq!(told["alternates"][0]["is_chosen"], true, "memory comes first");
    let disk = &told["disk"];
    assert_eq!((&disk["stripe"], &disk["volume"]), (&"cache.db:0".into(), &0.into()));
    let object = &disk["alternates"][0];
    assert_eq!((&object["is_chosen"], &object["is_complete"]), (&false.into(), &true.into()));
    assert_eq!((&object["body_bytes"], &object["is_purged"]), (&5.into(), &false.into()));
    assert!(object["place"]["offset"].as_u64().is_some_and(|at| at > 8192 && at < 32 << 20), "{object}");
    let text = server.done(&["explain", url]);
    for part in ["1 alternate in memory", "1 alternate in stripe cache.db:0", "with its body"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    server.done(&["cache", "purge", "--tag", "a"]);
    assert_eq!(explain()["disk"]["alternates"][0]["is_purged"], true);
    assert!(server.done(&["explain", url]).contains("purged: not found any more"));
}
