//! `cargo xtask dist`: the binary for users, optimised for what a training run showed.
//!
//! Responsible for: an instrumented build, its training, the optimised build and a look at whether it works; see
//! docs/decisions/0010-profile-guided-release.md.
//! Not responsible for: `cargo build --release`, which works without all this; figures ([`crate::bench`]).
//!
//! Invariants: a training run in which a scenario or a response was wrong yields no binary; servers listen on free
//! ports of the loopback address and are ended with the chore.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::client::{Connection, free_address};
use crate::process::{Cpus, Server, shell_word};
use crate::steps::Steps;
use crate::workspace::{self, built, cargo, command, target};

/// Options of `cargo xtask dist`.
#[derive(Args)]
pub struct Options {
    /// Without training: the plain release build
    #[arg(long)]
    no_profile: bool,
    /// Seconds of each load of the training
    #[arg(long, default_value_t = SECS)]
    secs: f64,
}

impl Default for Options {
    fn default() -> Self {
        Options { no_profile: false, secs: SECS }
    }
}

/// Seconds of each load of the training.
const SECS: f64 = 3.0;

/// What the profile shows never to run goes out of the way of what does.
const SPLIT: &str = "-Cllvm-args=-enable-split-machine-functions";

/// Time in which a server must accept connections.
const START_TIME: Duration = Duration::from_secs(20);

/// What a browser sends besides: the profile is to fit long headers as well as short ones.
const BROWSER: [&str; 8] = [
    "Accept-Language: en-GB,en;q=0.8,de;q=0.5",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Referer: https://www.example.com/articles/2024/a-page-with-a-name",
    "Cookie: session=0123456789abcdef0123456789abcdef; consent=all; theme=dark",
    "Sec-Fetch-Dest: empty",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Site: same-origin",
    "Connection: keep-alive",
];

/// One load of the training.
struct Load {
    name: &'static str,
    host: &'static str,
    path: &'static str,
    body: usize,
    is_browser: bool,
    closes: bool,
}

const fn load(name: &'static str, host: &'static str, path: &'static str, body: usize) -> Load {
    Load { name, host, path, body, is_browser: false, closes: false }
}

/// The loads: a share of the time for each way a request commonly goes.
const LOADS: [Load; 9] = [
    load("hit", "plain.test", "/c/1k", 1024),
    load("large hit", "plain.test", "/c/100k", 102_400),
    load("pass", "plain.test", "/u/1k", 1024),
    load("large pass", "plain.test", "/u/100k", 102_400),
    load("hit with edited header", "edited.test", "/c/1k", 1024),
    load("pass with edited header", "edited.test", "/u/1k", 1024),
    Load { is_browser: true, ..load("hit of a browser", "plain.test", "/c/1k", 1024) },
    Load { is_browser: true, ..load("pass of a browser", "plain.test", "/u/1k", 1024) },
    Load { closes: true, ..load("new connections", "plain.test", "/c/1k", 1024) },
];

/// Hits that are read from a disk: those of a server without a cache in memory.
const DISK_LOADS: [Load; 2] = [
    load("hit on the disk", "plain.test", "/c/1k", 1024),
    load("large hit on the disk", "plain.test", "/c/100k", 102_400),
];

/// Where the binary is put.
pub fn binary() -> PathBuf {
    target().join("dist").join("tollgate")
}

/// Runs the chore.
pub fn run(options: &Options) -> Result<ExitCode> {
    let work = target().join("dist");
    fs::create_dir_all(&work).with_context(|| work.display().to_string())?;
    let profile = work.join("tollgate.profdata");
    let mut steps = Steps::default();
    let trained = options.no_profile || train(&mut steps, options, &work, &profile);
    if trained {
        let flags = if options.no_profile {
            String::new()
        } else {
            format!("-Cprofile-use={} {SPLIT}", profile.display())
        };
        steps.run("optimised build", || build(&flags, &work.join("build")));
        steps.run("the binary works", || {
            fs::copy(work.join("build/release/tollgate"), binary())?;
            smoke(&binary())
        });
        steps.run("the binary exports what C plugins import", || crate::exports::check(&binary()));
    }
    println!("\n{}", binary().display());
    Ok(steps.finish())
}

/// Builds with counters, runs the server under load, and merges what it counted. `false`: it failed.
fn train(steps: &mut Steps, options: &Options, work: &Path, profile: &Path) -> bool {
    let raw = work.join("raw");
    let instrumented = work.join("instrumented");
    let program = instrumented.join("release/tollgate");
    let mut merger = PathBuf::new();
    steps.run("profile tools", || {
        merger = profdata()?;
        // What an earlier build counted does not fit this one.
        if raw.exists() {
            fs::remove_dir_all(&raw)?;
        }
        Ok(fs::create_dir_all(&raw)?)
    }) && steps.run("load generator and scenarios", || {
        workspace::run(&mut cargo(["build", "--locked", "--release", "-p", "bench-load", "--bins"]))?;
        workspace::build("fasttest", &["scenario"])
    }) && steps
        .run("instrumented build", || build(&format!("-Cprofile-generate={}", raw.display()), &instrumented))
        && steps.run("training: all scenarios", || {
            let mut scenarios = command(built("fasttest", "scenario"));
            scenarios.arg("--bin").arg(&program).args(["--jobs", "2", "scenarios/"]);
            workspace::run(pooled(&mut scenarios, &raw))
        })
        && steps.run("training: load", || under_load(&program, &raw, options.secs, work))
        && steps.run("profile", || {
            let mut merge = command(&merger);
            merge.arg("merge").arg("-o").arg(profile).arg(&raw);
            workspace::run(&mut merge)
        })
}

/// Processes of the same binary add to the same file.
fn pooled<'c>(command: &'c mut Command, raw: &Path) -> &'c mut Command {
    command.env("LLVM_PROFILE_FILE", raw.join("%4m.profraw"))
}

/// `llvm-profdata` of the toolchain in use: it must be of the compiler's version.
fn profdata() -> Result<PathBuf> {
    let rustc = || command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let sysroot = workspace::read(rustc().args(["--print", "sysroot"]))?;
    let host = host_of(&workspace::read(rustc().arg("-vV"))?)?;
    let path = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/llvm-profdata");
    if !path.is_file() && workspace::find_program("rustup").is_some() {
        workspace::run(command("rustup").args(["component", "add", "llvm-tools"]))?;
    }
    ensure!(
        path.is_file(),
        "no {}: install the toolchain's component llvm-tools, or use --no-profile",
        path.display()
    );
    Ok(path)
}

fn host_of(version: &str) -> Result<String> {
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

fn build(flags: &str, folder: &Path) -> Result<()> {
    let mut build = cargo(["build", "--locked", "--release", "-p", "tollgate", "--bin", "tollgate"]);
    let flags = format!("{} {flags}", std::env::var("RUSTFLAGS").unwrap_or_default());
    // Build scripts and macros run with the counters too; what they count is of no use.
    let unused = folder.join("unused.profraw");
    workspace::run(
        build.env("CARGO_TARGET_DIR", folder).env("RUSTFLAGS", flags.trim()).env("LLVM_PROFILE_FILE", unused),
    )
}

fn under_load(program: &Path, raw: &Path, secs: f64, work: &Path) -> Result<()> {
    let (origin_at, count_at) = (free_address()?, free_address()?);
    let config = work.join("config");
    fs::create_dir_all(&config)?;
    fs::write(config.join("remap.config"), remap(origin_at))?;
    let with_disk = work.join("config-with-disk");
    fs::create_dir_all(&with_disk)?;
    fs::write(with_disk.join("remap.config"), remap(origin_at))?;
    let disk = with_disk.join("cache.db");
    fs::write(with_disk.join("storage.config"), format!("{} 64M\n", disk.display()))?;
    let origin =
        format!("exec {} {} {}", quoted(&built("release", "borigin")), origin_at.port(), count_at.port());
    let mut origin = Server::start("origin", &origin, Cpus::Any, &work.join("origin.log"))?;
    origin.wait_for(origin_at, START_TIME)?;
    let run = |config: &Path, more: &str, loads: &[Load]| -> Result<()> {
        let listen = free_address()?;
        let shell = format!(
            "LLVM_PROFILE_FILE={} exec {} run --config {} --threads 1 --listen {listen} {more}",
            quoted(&raw.join("%4m.profraw")),
            quoted(program),
            quoted(config)
        );
        let mut server = Server::start("tollgate", &shell, Cpus::Any, &work.join("tollgate.log"))?;
        server.wait_for(listen, START_TIME)?;
        let loaded = loads.iter().try_for_each(|load| put(load, listen, secs));
        // Ended in good order it writes what it has counted.
        server.stop();
        loaded
    };
    run(&config, "", &LOADS)?;
    run(&with_disk, "--set proxy.config.cache.ram_cache.size=0", &DISK_LOADS)
}

fn quoted(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

fn remap(origin: SocketAddr) -> String {
    format!(
        "map http://plain.test/ http://{origin}/\n\
         map http://edited.test/ http://{origin}/ @plugin=header-edit @pparam=set:X-Add-1=one \
         @pparam=set:X-Add-2=two @pparam=remove:X-Origin-Junk\n"
    )
}

fn put(load: &Load, server: SocketAddr, secs: f64) -> Result<()> {
    let mut generator = command(built("release", "bload"));
    generator.args(arguments(load, server, secs));
    let said = workspace::read(&mut generator).with_context(|| load.name.to_owned())?;
    println!("{}: {}", load.name, said.trim());
    ensure!(said.contains("\"errors\":0,"), "{}: responses were wrong", load.name);
    Ok(())
}

fn arguments(load: &Load, server: SocketAddr, secs: f64) -> Vec<String> {
    let mut words: Vec<String> =
        ["--addr", &server.to_string(), "--host", load.host, "--path", load.path].map(str::to_owned).into();
    words.extend(["--body".into(), load.body.to_string(), "--secs".into(), secs.to_string()]);
    words.extend(["--conns".into(), "32".into()]);
    if load.is_browser {
        words.extend(BROWSER.iter().flat_map(|field| ["--header".to_owned(), (*field).to_owned()]));
    }
    if load.closes {
        words.push("--close".into());
    }
    words
}

/// One request through the finished binary.
fn smoke(program: &Path) -> Result<()> {
    let origin = crate::client::Origin::start()?;
    let listen = free_address()?;
    let shell = format!(
        "exec {} run --threads 1 --listen {listen} --map / http://{}/",
        quoted(program),
        origin.address()
    );
    let log = program.with_extension("log");
    let mut server = Server::start("tollgate", &shell, Cpus::Any, &log)?;
    server.wait_for(listen, START_TIME)?;
    let response = Connection::open(listen)?.get("/c/1k")?;
    if response.status != 200 || response.body.len() != 1024 {
        bail!("status {} with {} bytes, see {}", response.status, response.body.len(), log.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_the_toolchain_is_read() {
        let text = "rustc 1.95.0\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(host_of(text).expect("a host"), "x86_64-unknown-linux-gnu");
        assert!(host_of("rustc 1.95.0").is_err());
    }

    #[test]
    fn every_load_goes_to_a_mapped_host() {
        let rules = remap(([127, 0, 0, 1], 9).into());
        for load in &LOADS {
            assert!(
                rules.contains(&format!("map http://{}/ http://127.0.0.1:9/", load.host)),
                "{}",
                load.name
            );
        }
    }

    #[test]
    fn a_browser_sends_its_fields() {
        let load = Load { is_browser: true, ..load("x", "plain.test", "/c/1k", 1024) };
        let words = arguments(&load, ([127, 0, 0, 1], 9).into(), 1.0);
        assert_eq!(words.iter().filter(|word| *word == "--header").count(), BROWSER.len());
        assert!(!words.contains(&"--close".to_owned()));
    }
}
