//! The table of load scenarios.
//!
//! Responsible for: what each scenario asks, of which port, and what must be true of a valid run. Not responsible
//! for: making the load ([`super::load`]).

use std::net::{Ipv4Addr, SocketAddr};

/// How the load is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Closed loop on kept connections.
    Kept,
    /// Closed loop, a new connection for each request.
    NewConnections,
    /// Open loop at a fixed rate; latency counts from the time a request was due.
    Rate,
    /// Connections that do nothing after one request.
    Idle,
}

/// How often the origin is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Not at all: the cache answers.
    Never,
    /// Once for each request.
    EachTime,
}

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Name on the command line and in the table.
    pub name: &'static str,
    /// Port of the server.
    pub port: u16,
    /// Path asked for.
    pub path: &'static str,
    /// Bytes of the body.
    pub body: usize,
    /// What must reach the origin.
    pub origin: Origin,
    /// How the load is made.
    pub load: Load,
    /// What is measured, for the reader of the table.
    pub about: &'static str,
}

impl Scenario {
    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Whether the response must show the header edits.
    pub fn edits_headers(&self) -> bool {
        self.port == HEADERS_PORT
    }
}

/// Port of the server under test.
pub const PORT: u16 = 8080;

/// Port on which the server edits headers.
pub const HEADERS_PORT: u16 = 8081;

const fn hit(name: &'static str, body: usize, load: Load, about: &'static str) -> Scenario {
    let path = if body == 1024 { "/c/1k" } else { "/c/100k" };
    Scenario { name, port: PORT, path, body, origin: Origin::Never, load, about }
}

const fn proxy(name: &'static str, body: usize, load: Load, about: &'static str) -> Scenario {
    let path = if body == 1024 { "/u/1k" } else { "/u/100k" };
    Scenario { name, port: PORT, path, body, origin: Origin::EachTime, load, about }
}

/// Every scenario, in the order of the report.
pub const SCENARIOS: [Scenario; 9] = [
    hit("hit1k", 1024, Load::Kept, "1 KB fresh hit on kept connections"),
    hit("hit100k", 102_400, Load::Kept, "100 KB fresh hit on kept connections"),
    proxy("proxy1k", 1024, Load::Kept, "1 KB through to a kept origin connection"),
    proxy("proxy100k", 102_400, Load::Kept, "100 KB through to a kept origin connection"),
    Scenario {
        port: HEADERS_PORT,
        ..hit("headers", 1024, Load::Kept, "hit1k with two header fields set and one removed")
    },
    hit("newconn", 1024, Load::NewConnections, "1 KB fresh hit on a connection of its own"),
    hit("rate_hit1k", 1024, Load::Rate, "hit1k at a fixed rate"),
    proxy("rate_proxy1k", 1024, Load::Rate, "proxy1k at a fixed rate"),
    hit("idle", 1024, Load::Idle, "memory of a connection that does nothing"),
];

/// The scenarios measured when none is named: all but the fixed rates.
pub const USUAL: [&str; 7] = ["hit1k", "hit100k", "proxy1k", "proxy100k", "headers", "newconn", "idle"];

/// The scenario of this name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_scenarios_exist_and_paths_fit_bodies() {
        assert!(USUAL.iter().all(|name| find(name).is_some()));
        for scenario in SCENARIOS {
            assert_eq!(scenario.path.ends_with("/1k"), scenario.body == 1024, "{}", scenario.name);
            assert_eq!(
                scenario.path.starts_with("/c/"),
                scenario.origin == Origin::Never,
                "{}",
                scenario.name
            );
        }
        assert!(find("headers").is_some_and(Scenario::edits_headers));
    }
}
