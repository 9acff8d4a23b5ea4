//! Kernel settings that a load test needs.
//!
//! Responsible for: room for many connections, and putting the old values back. Not responsible for: limits of
//! single processes. Without root the settings stay as they are and a note says so.
//!
//! LIMIT: a run that is killed leaves them raised until the machine starts anew.

use std::fs;

/// Ports for the generator's connections, and queues of connections not yet accepted.
const SETTINGS: [(&str, &str); 3] = [
    ("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000"),
    ("/proc/sys/net/core/somaxconn", "8192"),
    ("/proc/sys/net/ipv4/tcp_max_syn_backlog", "8192"),
];

/// The settings as they were, put back on drop.
pub struct Settings {
    before: Vec<(&'static str, String)>,
}

impl Settings {
    /// Changes the settings.
    pub fn raise() -> Self {
        let mut before = Vec::new();
        for (path, value) in SETTINGS {
            match fs::read_to_string(path).and_then(|old| fs::write(path, value).map(|()| old)) {
                Ok(old) => before.push((path, old)),
                Err(error) => println!("note: {path} stays as it is: {error}"),
            }
        }
        Self { before }
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        for (path, value) in &self.before {
            if let Err(error) = fs::write(path, value.trim()) {
                println!("note: {path} could not be put back to {}: {error}", value.trim());
            }
        }
    }
}
