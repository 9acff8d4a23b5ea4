//! The servers under test and the origin.
//!
//! Responsible for: the folders `bench/servers/NAME` (a `server.json` and configuration templates), filling in the
//! templates, starting and naming versions. Not responsible for: what is measured.
//!
//! A server runs on CPU 0 with one worker or event thread, listens on 127.0.0.1:8080 and on 8081 with header
//! edits, and has its origin at 127.0.0.1:9000.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::scenario;
use crate::client;
use crate::process::{Cpus, Server, shell_word, wait_until};
use crate::workspace::{self, built, command};

/// CPU of the server under test.
pub const SERVER_CPU: u32 = 0;

/// CPU of the origin and the load generator.
pub const LOAD_CPU: u32 = 1;

/// Port of the origin.
const ORIGIN_PORT: u16 = 9000;

/// Port on which the origin tells how many requests it had.
const COUNT_PORT: u16 = 9001;

const START_TIME: Duration = Duration::from_secs(20);

/// The servers measured when none is named.
pub const USUAL: [&str; 4] = ["tollgate", "nginx", "haproxy", "trafficserver"];

/// Those that `--all` adds.
pub const MORE: [&str; 2] = ["varnish", "apache2"];

/// Tollgate with plugins made for Traffic Server, and with a disk cache; what the kernel's share of passing on is: measured
/// when they are named.
#[cfg(test)]
const VARIANTS: [&str; 4] = ["tollgate-header-rewrite", "tollgate-noop", "tollgate-disk", "floor"];

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// What is in a `server.json`.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Another server whose templates are filled in first.
    #[serde(default)]
    pub base: Option<String>,
    /// Shell command that prints the version.
    pub version: String,
    /// Shell command that runs before each start.
    #[serde(default)]
    pub prepare: Option<String>,
    /// Shell command that becomes the server, in the foreground.
    pub start: String,
}

/// Folders of one benchmark run.
pub struct Places {
    /// Configuration, logs and sockets.
    pub run: PathBuf,
    /// Bodies, in memory.
    pub memory: PathBuf,
    /// Caches, in memory or on the disk.
    pub caches: PathBuf,
    /// Size of each cache, MiB.
    pub cache_mib: u32,
    /// The Tollgate under test.
    pub tollgate: PathBuf,
}

impl Places {
    /// Makes the folders, empty.
    pub fn create(tollgate: PathBuf) -> Result<Self> {
        let run = std::env::temp_dir().join("tollgate-bench");
        let memory = PathBuf::from("/dev/shm/tollgate-bench");
        for folder in [&run, &memory] {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let caches = memory.join("caches");
        Ok(Self { run, memory, caches, cache_mib: 512, tollgate })
    }

    /// The same with room for a large set in caches on the disk.
    pub fn for_set(&self, bytes: u64) -> Self {
        let most = bytes / 1024 / 1024 * 3 / 2 + 256;
        Self {
            run: self.run.clone(),
            memory: self.memory.clone(),
            caches: self.run.join("caches"),
            cache_mib: most.try_into().unwrap_or(u32::MAX),
            tollgate: self.tollgate.clone(),
        }
    }

    /// Fills in a template: `@RUN@`, `@MEMORY@`, `@CACHES@`, `@CACHE_MIB@`, `@BODY1K@`, and `@TOLLGATE@` and `@BRELAY@` as
    /// shell words.
    pub fn fill(&self, template: &str) -> String {
        let path = |path: &Path| path.display().to_string();
        template
            .replace("@RUN@", &path(&self.run))
            .replace("@MEMORY@", &path(&self.memory))
            .replace("@CACHES@", &path(&self.caches))
            .replace("@CACHE_MIB@", &self.cache_mib.to_string())
            .replace("@TOLLGATE@", &shell_word(&path(&self.tollgate)))
            .replace("@BRELAY@", &shell_word(&path(&built("release", "brelay"))))
            .replace("@BODY1K@", &"x".repeat(1024))
    }

    /// Writes the filled-in `*.in` files of a folder into the run folder.
    fn fill_folder(&self, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".in")) else {
                continue;
            };
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            fs::write(self.run.join(name), self.fill(&text))?;
        }
        Ok(())
    }
}

/// A server that can be started again and again.
pub struct Contestant {
    /// Its name in the table.
    pub name: String,
    /// Its folder; none for one given on the command line.
    folder: Option<PathBuf>,
    definition: Definition,
}

impl Contestant {
    /// The server in `bench/servers/NAME`.
    pub fn named(name: &str) -> Result<Self> {
        let folder = workspace::root().join("bench/servers").join(name);
        let path = folder.join("server.json");
        let text =
            fs::read_to_string(&path).with_context(|| format!("no server {name}: {}", path.display()))?;
        let definition = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(Self { name: name.to_owned(), folder: Some(folder), definition })
    }

    /// A server given as `NAME=SHELL COMMAND`.
    pub fn external(given: &str) -> Result<Self> {
        let (name, start) = given.split_once('=').context("--ext is NAME=COMMAND")?;
        let definition =
            Definition { base: None, version: "true".to_owned(), prepare: None, start: start.to_owned() };
        Ok(Self { name: name.to_owned(), folder: None, definition })
    }

    /// Its version, as it says itself.
    pub fn version(&self, places: &Places) -> Result<String> {
        let text = workspace::read(command("bash").args(["-c", &places.fill(&self.definition.version)]))?;
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Starts it with an empty cache.
    pub fn start(&self, places: &Places) -> Result<Server> {
        let caches = &places.caches;
        let _ = fs::remove_dir_all(caches);
        fs::create_dir_all(caches).with_context(|| caches.display().to_string())?;
        if let Some(folder) = &self.folder {
            if let Some(base) = &self.definition.base {
                places.fill_folder(&folder.with_file_name(base))?;
            }
            places.fill_folder(folder)?;
        }
        if let Some(prepare) = &self.definition.prepare {
            workspace::read(command("bash").args(["-ec", &places.fill(prepare)]))?;
        }
        wait_for_free(scenario::PORT)?;
        let log = places.run.join(format!("{}.log", self.name));
        let start = places.fill(&self.definition.start);
        let mut server = Server::start(&self.name, &start, Cpus::Only(SERVER_CPU), &log)?;
        server
            .wait_for(loopback(scenario::PORT), START_TIME)
            .with_context(|| format!("see {}", log.display()))?;
        Ok(server)
    }
}

fn wait_for_free(port: u16) -> Result<()> {
    let is_free = || TcpListener::bind(loopback(port)).is_ok();
    ensure!(wait_until(Duration::from_secs(10), is_free), "port {port} is in use");
    Ok(())
}

/// Which origin serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OriginKind {
    /// nginx
    Nginx,
    /// `borigin`, for servers that outrun nginx
    Lean,
}

/// The running origin.
pub struct Origin {
    _server: Server,
}

impl Origin {
    /// Starts the origin.
    pub fn start(kind: OriginKind, places: &Places) -> Result<Self> {
        for port in [ORIGIN_PORT, COUNT_PORT] {
            wait_for_free(port)?;
        }
        let command = match kind {
            OriginKind::Lean => {
                format!("exec {} {ORIGIN_PORT} {COUNT_PORT}", built("release", "borigin").display())
            }
            OriginKind::Nginx => {
                for folder in ["c", "u"] {
                    let folder = places.memory.join("bodies").join(folder);
                    fs::create_dir_all(&folder)?;
                    fs::write(folder.join("100k"), "y".repeat(102_400))?;
                    fs::write(folder.join("16k"), "z".repeat(16 * 1024))?;
                }
                places.fill_folder(&workspace::root().join("bench/origin"))?;
                places.fill("exec nginx -p @RUN@ -c @RUN@/origin.conf")
            }
        };
        let log = places.run.join("origin.log");
        let mut server = Server::start("the origin", &command, Cpus::Only(LOAD_CPU), &log)?;
        for port in [ORIGIN_PORT, COUNT_PORT] {
            server.wait_for(loopback(port), START_TIME).with_context(|| format!("see {}", log.display()))?;
        }
        Ok(Self { _server: server })
    }

    /// Requests the origin had so far, each question for this count included.
    pub fn requests(&self) -> Result<u64> {
        let response = client::get(loopback(COUNT_PORT), "/")?;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        parse_count(&text).with_context(|| format!("no request count from the origin: {text}"))
    }
}

/// The third number of the third line of nginx's `stub_status`.
fn parse_count(text: &str) -> Option<u64> {
    text.lines().nth(2)?.split_whitespace().nth(2)?.parse().ok()
}

/// The servers meant by the command line.
pub fn choose(names: &[String], with_all: bool, external: &[String]) -> Result<Vec<Contestant>> {
    let mut chosen: Vec<&str> = names.iter().map(String::as_str).collect();
    if chosen.is_empty() {
        chosen.extend(USUAL);
    }
    if with_all {
        chosen.extend(MORE);
    }
    let mut contestants: Vec<Contestant> = Vec::new();
    for name in chosen {
        if contestants.iter().any(|contestant| contestant.name == name) {
            bail!("{name} is named twice");
        }
        contestants.push(Contestant::named(name)?);
    }
    for given in external {
        contestants.push(Contestant::external(given)?);
    }
    Ok(contestants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_has_a_readable_definition() {
        for name in USUAL.iter().chain(&MORE).chain(&VARIANTS) {
            let contestant = Contestant::named(name).expect("a definition");
            assert!(contestant.definition.start.contains("exec "), "{name} becomes the shell's process");
        }
        assert!(Contestant::named("no-such-server").is_err());
    }

    #[test]
    fn templates_are_filled_in_completely() {
        let (run, memory, tollgate) = ("/r".into(), "/m".into(), "/t/tollgate".into());
        let places = Places { run, memory, caches: "/c".into(), cache_mib: 5, tollgate };
        let filled = places.fill("@RUN@ @MEMORY@ @CACHES@ @CACHE_MIB@ @TOLLGATE@");
        assert_eq!(filled, "/r /m /c 5 '/t/tollgate'");
        let folder = workspace::root().join("bench/servers");
        for file in crate::check::source::read_files(&folder, &[".in", ".json"]).expect("readable") {
            let filled = places.fill(&file.text);
            let left = filled.split_whitespace().find(|word| word.matches('@').count() > 1);
            assert_eq!(left, None, "{}", file.path);
        }
    }

    #[test]
    fn the_origins_count_is_the_third_number() {
        let text = "Active connections: 1 \nserver accepts handled requests\n 5 5 17 \nReading: 0\n";
        assert_eq!(parse_count(text), Some(17));
        assert_eq!(parse_count(""), None);
    }

    #[test]
    fn servers_are_chosen_by_name() {
        let names = |list: &[String], all| -> Vec<String> {
            choose(list, all, &[]).expect("known").into_iter().map(|contestant| contestant.name).collect()
        };
        assert_eq!(names(&[], false), USUAL);
        assert_eq!(names(&["nginx".to_owned()], true), ["nginx", "varnish", "apache2"]);
        assert!(choose(&["nginx".to_owned(), "nginx".to_owned()], false, &[]).is_err());
        let external =
            choose(&["nginx".to_owned()], false, &["mine=exec /bin/x -a=b".to_owned()]).expect("fine");
        assert_eq!(
            (external[1].name.as_str(), external[1].definition.start.as_str()),
            ("mine", "exec /bin/x -a=b")
        );
    }
}
