//! What the README promises on its first lines.
//!
//! Responsible for: running its first command as it stands there, and looking at what it says one will see.
//! Not responsible for: its second command, of which this is a part ([`crate::test`]).
//!
//! Invariant: the command is read from the README; only the profile is another, so that nothing is built twice.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::client::{free_address, get};
use crate::process::{Cpus, Server, shell_word};
use crate::test::PROFILE;
use crate::workspace::{root, target};

/// Time in which the demonstration must accept connections; it may have to be linked before.
const START_TIME: Duration = Duration::from_secs(300);

/// Runs the demonstration, asks it twice: a miss, then a hit.
pub fn first_command() -> Result<()> {
    let readme = fs::read_to_string(root().join("README.md")).context("README.md")?;
    let command = first_command_of(&readme).context("README.md: no command that starts with `cargo run`")?;
    ensure!(command.contains(" --release "), "README.md: the first command is {command:?}");
    let address = free_address()?;
    let log = target().join("first-command.log");
    let shell = format!(
        "cd {} && exec {} --listen {address}",
        shell_word(&root().to_string_lossy()),
        command.replacen("--release", &format!("--locked --profile {PROFILE}"), 1)
    );
    let mut server = Server::start("the demonstration", &shell, Cpus::Any, &log)?;
    let seen = server.wait_for(address, START_TIME).and_then(|()| {
        for (outcome, has_age) in [("fwd=uri-miss", false), ("; hit", true)] {
            let response = get(address, "/")?;
            let header = &response.header;
            ensure!(response.status == 200, "status {}", response.status);
            ensure!(header.contains(outcome), "no `{outcome}` in {header:?}");
            ensure!(header.contains("\nage:") == has_age, "Age in {header:?}");
            ensure!(header.contains("x-greeting:"), "the plugin's field is missing in {header:?}");
        }
        Ok(())
    });
    server.stop();
    seen.with_context(|| format!("{command}: {}", fs::read_to_string(&log).unwrap_or_default()))
}

/// The first command that runs the server, without its comment.
fn first_command_of(readme: &str) -> Option<&str> {
    let line = readme.lines().map(str::trim).find(|line| line.starts_with("cargo run "))?;
    Some(line.split('#').next().unwrap_or(line).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_without_its_comment() {
        assert_eq!(
            first_command_of("text\n    cargo run -- demo   # an origin\n"),
            Some("cargo run -- demo")
        );
        assert_eq!(first_command_of("cargo xtask test"), None);
    }
}
