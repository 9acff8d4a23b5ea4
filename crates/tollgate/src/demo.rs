//! `tollgate demo`: a proxy with two plugins in front of an origin of its own.

use crate::cli::{ConfigOptions, DemoOptions};
use crate::config::Sources;
use crate::run::Server;
use anyhow::Context;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tollgate_plugin::{Outcome, Plugin, PluginError, Registrar, Transaction, hooks};
use tollgate_proxy::PluginSet;

/// Starts origin and proxy, says what to try, serves until it is ended.
pub(crate) fn run(options: &DemoOptions, mut plugins: PluginSet) -> anyhow::Result<()> {
    let origin = start_origin().context("cannot start the demonstration's origin")?;
    plugins.add_plugin(Box::new(Greeting));
    plugins.add_plugin(Box::new(Gate));
    let config = ConfigOptions {
        listen: vec![options.listen],
        map: vec!["/".into(), format!("http://{origin}")],
        sets: vec![
            "proxy.config.tollgate.http.cache_status_enabled=1".into(),
            "proxy.config.tollgate.diags.level=warning".into(),
        ],
        ..ConfigOptions::default()
    };
    let server = Server::start(Sources::new(&config)?, plugins)?;
    let addr = server.listeners().first().copied().unwrap_or(options.listen);
    println!("Tollgate listens on http://{addr}, its origin on http://{origin}.\n");
    println!("  curl -i http://{addr}/         a miss; again: a hit (see Cache-Status and Age)");
    println!("  curl -i http://{addr}/time     never cached");
    println!("  curl -i http://{addr}/secret   answered by the plugin `gate`, the origin is not asked");
    println!("  X-Greeting on every response comes from the plugin `greeting`. Ctrl-C ends it.");
    server.announce()?;
    server.wait()
}

/// A plugin that adds a field to every response.
struct Greeting;

impl Plugin for Greeting {
    fn name(&self) -> &str {
        "greeting"
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), PluginError> {
        registrar.on(hooks::SendResponseHdr, |txn: &mut Transaction| {
            txn.proxy_response_mut().headers.set("X-Greeting", "hello from a plugin");
            Outcome::Continue
        });
        Ok(())
    }
}

/// A plugin that answers in the origin's place.
struct Gate;

impl Plugin for Gate {
    fn name(&self) -> &str {
        "gate"
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), PluginError> {
        registrar.on(hooks::ReadRequestHdr, |txn: &mut Transaction| {
            if txn.client_request.url.path.starts_with(b"secret") {
                return Outcome::respond(403, "text/plain", "This gate is closed.\n");
            }
            Outcome::Continue
        });
        Ok(())
    }
}

/// A small origin on a free port, one thread per connection.
fn start_origin() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    std::thread::Builder::new().name("demo-origin".into()).spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // The proxy closing its connection is the usual end.
                let _: std::io::Result<()> = serve(stream);
            });
        }
    })?;
    Ok(addr)
}

fn serve(stream: TcpStream) -> std::io::Result<()> {
    static ANSWERS: AtomicU64 = AtomicU64::new(0);
    stream.set_read_timeout(Some(Duration::from_secs(300)))?;
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(request) = lines.next().transpose()? {
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let number = ANSWERS.fetch_add(1, Ordering::Relaxed) + 1;
        let control = if request.contains(" /time") { "no-store" } else { "max-age=60" };
        let body = format!("This is answer {number} of the origin.\n");
        write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: {control}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}
