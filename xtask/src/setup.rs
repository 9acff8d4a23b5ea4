//! Programs that the chores need from the system.
//!
//! Responsible for: which programs each chore needs, which Debian package brings them, and installing what is
//! missing without leaving a daemon running. Not responsible for: the Rust toolchain.
//!
//! Invariant: nothing that is present is touched; if something is missing and cannot be installed, the message
//! names the packages.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{self, find_program};

/// The script that installs packages, run as root.
const INSTALL: &str = include_str!("setup/install.sh");

/// A program and the Debian package that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Name of the program.
    pub program: &'static str,
    /// Name of the package.
    pub package: &'static str,
}

const fn tool(program: &'static str, package: &'static str) -> Tool {
    Tool { program, package }
}

/// What `cargo xtask test` needs: the peers, compilers and Traffic Server's headers, an instruction counter.
pub const FOR_TESTS: [Tool; 11] = [
    tool("gcc", "gcc"),
    tool("c++", "g++"),
    tool("nginx", "nginx"),
    tool("haproxy", "haproxy"),
    tool("traffic_server", "trafficserver"),
    tool("tsxs", "trafficserver-dev"),
    tool("/usr/lib/trafficserver/modules/hook-trace.so", "trafficserver-experimental-plugins"),
    tool("curl", "curl"),
    tool("valgrind", "valgrind"),
    tool("setsid", "util-linux"),
    tool("taskset", "util-linux"),
];

/// What `cargo xtask bench` needs.
pub const FOR_BENCH: [Tool; 6] = [
    tool("nginx", "nginx"),
    tool("haproxy", "haproxy"),
    tool("traffic_server", "trafficserver"),
    tool("wrk", "wrk"),
    tool("setsid", "util-linux"),
    tool("taskset", "util-linux"),
];

/// What `cargo xtask bench --all` needs besides.
pub const FOR_ALL_PEERS: [Tool; 2] = [tool("varnishd", "varnish"), tool("apache2", "apache2")];

/// What `cargo xtask instructions` needs.
pub const FOR_INSTRUCTIONS: [Tool; 2] = [tool("valgrind", "valgrind"), tool("setsid", "util-linux")];

/// Installs what is missing of `tools`.
pub fn ensure(tools: &[Tool]) -> Result<()> {
    let is_there = |program: &str| find_program(program).is_some();
    let packages = missing_packages(tools, is_there);
    if packages.is_empty() {
        println!("every program is there");
        return Ok(());
    }
    println!("to be installed: {}", packages.join(" "));
    let mut install = privileged_shell().with_context(|| by_hand(&packages))?;
    workspace::run(install.arg(INSTALL).arg("install").args(&packages))
        .with_context(|| by_hand(&packages))?;
    let still = missing_packages(tools, is_there);
    if !still.is_empty() {
        bail!("still missing after the installation: {}", still.join(" "));
    }
    Ok(())
}

fn missing_packages(tools: &[Tool], is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages: Vec<&str> =
        tools.iter().filter(|tool| !is_there(tool.program)).map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn by_hand(packages: &[&str]) -> String {
    format!("please install these packages: {}", packages.join(" "))
}

/// A root shell that takes its script as the next argument.
fn privileged_shell() -> Result<Command> {
    if find_program("apt-get").is_none() {
        bail!("this is not a Debian system");
    }
    let mut shell = if rustix::process::geteuid().is_root() {
        workspace::command("sh")
    } else if find_program("sudo").is_some() {
        let mut sudo = workspace::command("sudo");
        sudo.arg("sh");
        sudo
    } else {
        bail!("installing packages needs root or sudo");
    };
    shell.arg("-c");
    Ok(shell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    #[test]
    fn only_packages_of_missing_programs_are_installed() {
        let missing =
            missing_packages(&FOR_TESTS, |program| !["haproxy", "setsid", "taskset"].contains(&program));
        assert_eq!(missing, ["haproxy", "util-linux"]);
        assert!(missing_packages(&FOR_TESTS, |_| true).is_empty());
    }

    #[test]
    fn the_message_names_the_packages() {
        assert!(by_hand(&["nginx", "wrk"]).ends_with("nginx wrk"));
    }

    /// Runs the script in a folder where `apt-get` is this shell text; returns whether it succeeded.
    fn install_with(folder: &Path, apt_get: &str) -> bool {
        for (program, text) in [("apt-get", apt_get), ("systemctl", "exit 0")] {
            let path = folder.join(program);
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let mut shell = workspace::command("sh");
        shell.current_dir(folder).env("PATH", path).env("POLICY_FILE", folder.join("policy"));
        shell.args(["-c", INSTALL, "install", "some-package"]).status().expect("sh runs").success()
    }

    #[test]
    fn daemons_are_forbidden_while_packages_are_installed_and_only_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let policy = folder.path().join("policy");
        assert!(install_with(folder.path(), "./policy; test $? = 101"));
        assert!(!policy.exists(), "removed again");
        fs::write(&policy, "before").expect("written");
        assert!(install_with(folder.path(), "grep -q 101 policy"));
        assert_eq!(fs::read_to_string(&policy).expect("put back"), "before");
        assert!(!install_with(folder.path(), "exit 1"));
        assert_eq!(fs::read_to_string(&policy).expect("put back after a failure"), "before");
    }

    #[test]
    fn package_lists_are_fetched_if_a_package_is_not_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let needs_lists = "case $1 in update) touch lists;; *) test -e lists;; esac";
        assert!(install_with(folder.path(), needs_lists));
    }
}
