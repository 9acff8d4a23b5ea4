//! Runs the scripted origins of a scenario.
//!
//! Responsible for: listening sockets, handing accepted connections to their scripts in order, counting.
//! Not responsible for: what a step means (see [`actor`](crate::actor)).
//! Invariant: a connection nobody scripted is a failure, and so is a script whose connection never came.

use crate::actor::Actor;
use crate::conn::Conn;
use crate::model::OriginSpec;
use crate::stage::{Stage, Stop};
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often an idle listener looks whether the scenario is over.
const SLICE: Duration = Duration::from_millis(20);

/// A bound origin.
#[derive(Debug)]
pub struct Origin {
    name: String,
    spec: OriginSpec,
    socket: Socket,
    /// Where it listens (or refuses).
    pub addr: SocketAddr,
    unplayed: AtomicUsize,
}

/// Binds all origins to ports chosen by the kernel.
pub fn bind_all(specs: &BTreeMap<String, OriginSpec>) -> Result<Vec<Origin>, Stop> {
    let mut bound: Vec<Origin> = Vec::new();
    let (first, later): (Vec<_>, Vec<_>) = specs.iter().partition(|(_, spec)| spec.same_port_as.is_none());
    for (name, spec) in first.into_iter().chain(later) {
        let port = match &spec.same_port_as {
            Some(other) => bound.iter().find(|o| &o.name == other).map_or(0, |o| o.addr.port()),
            None => 0,
        };
        bound.push(
            bind(name, spec, port)
                .map_err(|e| Stop::failed(format!("to bind origin {name}"), e.to_string()))?,
        );
    }
    Ok(bound)
}

fn bind(name: &str, spec: &OriginSpec, port: u16) -> io::Result<Origin> {
    let ip = match spec.address.as_deref().map(str::parse) {
        Some(Ok(ip)) => ip,
        Some(Err(_)) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "bad address")),
        None => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let addr = SocketAddr::new(ip, port);
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    if !spec.refuse {
        socket.listen(1024)?;
        socket.set_read_timeout(Some(SLICE))?;
    }
    let addr = socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an internet address"))?;
    let unplayed = AtomicUsize::new(spec.connections.len());
    Ok(Origin { name: name.to_owned(), spec: spec.clone(), socket, addr, unplayed })
}

impl Origin {
    /// The origin's name in the scenario.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Scripted connections that have not ended yet.
    pub fn unplayed(&self) -> usize {
        self.unplayed.load(Ordering::SeqCst)
    }

    /// Accepts and serves until the stage is finished or a script fails.
    pub fn run(&self, stage: &Stage) {
        if self.spec.refuse {
            return;
        }
        std::thread::scope(|scope| {
            let mut number = 0;
            while !stage.is_finished() && !stage.is_cancelled() {
                match self.socket.accept() {
                    Ok((socket, _)) => {
                        number += 1;
                        let counts = stage.counts(&self.name);
                        if let Some(counts) = counts {
                            counts.connections.fetch_add(1, Ordering::SeqCst);
                        }
                        let is_last = self.spec.then_refuse && number >= self.spec.connections.len();
                        if is_last && let Err(e) = self.socket.shutdown(Shutdown::Both) {
                            let at = format!("origin {}", self.name);
                            return stage.fail(&at, Stop::failed("to stop listening", e.to_string()));
                        }
                        scope.spawn(move || self.serve(socket, number, stage));
                        if is_last {
                            return;
                        }
                    }
                    Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => {
                        stage
                            .fail(&format!("origin {}", self.name), Stop::failed("to accept", e.to_string()));
                        return;
                    }
                }
            }
        });
    }

    fn serve(&self, socket: Socket, number: usize, stage: &Stage) {
        let label = format!("origin {}, connection {number}", self.name);
        stage.transcript.note(&label, "accepted");
        let script = self.spec.connections.get(number - 1);
        let counts = stage.counts(&self.name);
        let mut actor = match Conn::new(socket.into(), &label, stage, counts) {
            Ok(conn) => Actor::origin(label.clone(), conn, counts),
            Err(stop) => return stage.fail(&label, stop),
        };
        if script.is_none() && self.spec.always.is_empty() {
            return stage.fail(&label, Stop::failed("no further connection", "one was made"));
        }
        let played = script.map_or(Ok(()), |steps| actor.play(steps));
        if script.is_some() {
            self.unplayed.fetch_sub(1, Ordering::SeqCst);
        }
        if let Err(stop) = played.and_then(|()| actor.serve(&self.spec.always)) {
            if stage.is_finished() && !matches!(stop, Stop::Failed { .. }) {
                return;
            }
            stage.fail(&actor.at, stop);
        }
    }
}
