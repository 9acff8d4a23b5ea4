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
    /// Each object of a large set once, on kept connections: the cache is filled.
    Fill,
    /// Closed loop over the set that was filled, in random order.
    Spread,
}

/// How often the origin is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Not at all: the cache answers.
    Never,
    /// Once for each request.
    EachTime,
    /// For 1 of 100 requests at most: a cache may have lost a few objects of a large set.
    Hardly,
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

    /// Whether it is about a set of objects that is larger than memory caches are set to be.
    pub fn is_of_set(&self) -> bool {
        matches!(self.load, Load::Fill | Load::Spread)
    }

    /// A path for a look at the server before the load.
    pub fn probe(&self) -> String {
        match self.load {
            Load::Fill => format!("{}/probe", self.path),
            Load::Spread => format!("{}/0", self.path),
            _ => self.path.to_owned(),
        }
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

/// Bytes of each object of the large set.
pub const SET_OBJECT_BYTES: u64 = 16 * 1024;

const fn of_set(name: &'static str, origin: Origin, load: Load, about: &'static str) -> Scenario {
    Scenario { name, port: PORT, path: "/c/set", body: SET_OBJECT_BYTES as usize, origin, load, about }
}

/// Every scenario, in the order of the report.
pub const SCENARIOS: [Scenario; 11] = [
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
    of_set(
        "store16k",
        Origin::EachTime,
        Load::Fill,
        "the cache is filled with 16 KB objects, 4 GB by default",
    ),
    of_set("spread16k", Origin::Hardly, Load::Spread, "fresh hits on these objects in random order"),
];

/// The scenarios measured when none is named: all but the fixed rates and the large set.
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
            let may_be_stored = scenario.origin != Origin::EachTime || scenario.load == Load::Fill;
            assert_eq!(scenario.path.starts_with("/c/"), may_be_stored, "{}", scenario.name);
        }
        assert!(find("headers").is_some_and(Scenario::edits_headers));
    }
}
