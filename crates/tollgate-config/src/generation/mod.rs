//! Generations: everything the configuration says, read at one time, never changed.
//!
//! Responsible for: which files are read, the order of precedence of settings, and refusing a configuration with
//! errors as a whole.
//! Not responsible for: when to load, swapping generations, plugins.
//! Entry points: [`load`] with any [`FileSource`], [`load_from_disk`].
//! Invariants: a configuration with an error makes no generation; all problems are reported at once; of settings
//! for the same record the later of `records.yaml`, `records.config`, environment and `--set` wins.

mod disk;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use disk::DiskFiles;

use crate::Problem;
use crate::cache_config::CacheConfig;
use crate::files::FileSource;
use crate::hooks_config::{self, HooksConfig};
use crate::hosts::HostsFile;
use crate::ip_allow::IpAllow;
use crate::plugin_config::{self, PluginLine};
use crate::records::{Records, StrRecord, ids, load as load_records};
use crate::remap::{RemapParser, RemapTable};
use crate::storage::{self, Storage};

/// What a configuration is made from.
#[derive(Clone, Debug, Default)]
pub struct ConfigSource {
    /// Configuration directory; `None`: no files at all.
    pub dir: Option<PathBuf>,
    /// The command line's `--set NAME=VALUE`.
    pub sets: Vec<(String, String)>,
    /// The command line's `--map FROM TO`; they come before the rules of `remap.config`.
    pub maps: Vec<(String, String)>,
    /// Environment variables; only those called `PROXY_CONFIG_…` matter.
    pub env: Vec<(String, String)>,
}

/// One configuration.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Values of all records.
    pub records: Arc<Records>,
    /// Remap rules.
    pub remap: Arc<RemapTable>,
    /// Global plugins, in the order of `plugin.config`.
    pub plugins: Vec<PluginLine>,
    /// The operator's order of handlers.
    pub hooks: HooksConfig,
    /// Addresses that may use the proxy.
    pub ip_allow: Arc<IpAllow>,
    /// What is cached, by destination.
    pub cache: Arc<CacheConfig>,
    /// Names with fixed addresses.
    pub hosts: Arc<HostsFile>,
    /// Where the cache lies; what a reload says of it waits for the next start.
    pub storage: Arc<Storage>,
    /// Configuration directory, for what is read later (error pages).
    pub dir: Option<PathBuf>,
}

/// The outcome of loading.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The generation, unless there was an error.
    pub generation: Option<Generation>,
    /// With errors: what could be read in spite of them. Not to be used, only to look for more errors in it.
    pub rejected: Option<Generation>,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
}

/// Loads a configuration whose files are on the disk.
pub fn load_from_disk(source: &ConfigSource) -> Loaded {
    let dir = source.dir.clone().unwrap_or_default();
    load(source, &DiskFiles::new(dir))
}

/// Loads a configuration. `files` holds the files of `source.dir`; without a directory only files that records
/// name by an absolute path are read.
pub fn load(source: &ConfigSource, files: &dyn FileSource) -> Loaded {
    let mut loader = Loader { source, files, problems: Vec::new() };
    let generation = loader.generation();
    let has_errors = loader.problems.iter().any(Problem::is_error);
    let (generation, rejected) = if has_errors { (None, generation) } else { (generation, None) };
    Loaded { generation, rejected, problems: loader.problems }
}

struct Loader<'a> {
    source: &'a ConfigSource,
    files: &'a dyn FileSource,
    problems: Vec<Problem>,
}

/// What to say of a file that is not there.
#[derive(Clone, Copy)]
enum Missing {
    Fine,
    Doubtful(&'static str),
}

impl Loader<'_> {
    fn generation(&mut self) -> Option<Generation> {
        if let Some(dir) = &self.source.dir
            && let Err(error) = self.files.list(Path::new(""))
        {
            let dir: Arc<str> = dir.display().to_string().into();
            self.problems.push(Problem::error(&dir, 0, format!("the directory cannot be read: {error}")));
            return None;
        }
        let records = self.records();
        let remap = self.remap(&records);
        let plugins = self
            .read("plugin.config", Missing::Fine, |name, text| plugin_config::parse(name, text, &records));
        let hooks = self.read("hooks.config", Missing::Fine, hooks_config::parse);
        let ip_allow = records.str(ids::CACHE_IP_ALLOW_FILENAME);
        let ip_allow = self.read(ip_allow, Missing::Fine, IpAllow::parse);
        let cache = records.str(ids::CACHE_CONTROL_FILENAME);
        let may_pin = records.flag(ids::CACHE_PERMIT_PINNING);
        let cache = self.read(cache, Missing::Fine, |name, text| {
            let (rules, mut problems) = CacheConfig::parse(name, text);
            if let Some(line) = rules.first_pin().filter(|_| !may_pin) {
                let message = "pin-in-cache has no effect: proxy.config.cache.permit.pinning is 0";
                problems.push(Problem::warning(&name.into(), line, message));
            }
            (rules, problems)
        });
        let hosts = self.hosts(&records);
        let storage = self.storage(&records);
        Some(Generation {
            records: Arc::new(records),
            remap: Arc::new(remap),
            plugins,
            hooks,
            ip_allow: Arc::new(ip_allow),
            cache: Arc::new(cache),
            hosts: Arc::new(hosts),
            storage: Arc::new(storage),
            dir: self.source.dir.clone(),
        })
    }

    fn records(&mut self) -> Records {
        let mut records = Records::default();
        type Reader = fn(&mut Records, &str, &str, &mut Vec<Problem>);
        let readers: [(&str, Reader); 2] =
            [("records.yaml", load_records::records_yaml), ("records.config", load_records::records_config)];
        for (name, read) in readers {
            self.read(name, Missing::Fine, |name, text| {
                let mut problems = Vec::new();
                read(&mut records, name, text, &mut problems);
                ((), problems)
            });
        }
        load_records::environment(&mut records, pairs(&self.source.env), &mut self.problems);
        load_records::command_line(&mut records, pairs(&self.source.sets), &mut self.problems);
        records
    }

    fn remap(&mut self, records: &Records) -> RemapTable {
        let mut parser = RemapParser::new(self.files);
        for (from, to) in &self.source.maps {
            parser.add_map(from, to);
        }
        let name = records.str(ids::URL_REMAP_FILENAME);
        let missing = if self.source.maps.is_empty() {
            Missing::Doubtful("there is no such file: no request is remapped")
        } else {
            Missing::Fine
        };
        let parser = &mut parser;
        self.read(name, missing, |name, text| {
            parser.add_text(name, text);
            ((), Vec::new())
        });
        let (table, problems) = std::mem::replace(parser, RemapParser::new(self.files)).finish();
        self.report(problems);
        table
    }

    fn hosts(&mut self, records: &Records) -> HostsFile {
        let path: StrRecord = ids::HOSTDB_HOST_FILE_PATH;
        let missing = Missing::Doubtful("the hosts file is not there");
        self.read(records.str(path), missing, HostsFile::parse)
    }

    fn storage(&mut self, records: &Records) -> Storage {
        let name = |record| records.str(record);
        let devices = self.read(name(ids::CACHE_STORAGE_FILENAME), Missing::Fine, storage::parse_devices);
        let volumes = self.read(name(ids::CACHE_VOLUME_FILENAME), Missing::Fine, storage::parse_volumes);
        let hosting = self.read(name(ids::CACHE_HOSTING_FILENAME), Missing::Fine, storage::parse_hosting);
        let storage = Storage { devices, volumes, hosting };
        self.report(storage.contradictions());
        storage
    }

    /// Reads file `name` and gives its text to `parse`; the default if it is not there.
    fn read<T: Default>(
        &mut self,
        name: &str,
        missing: Missing,
        parse: impl FnOnce(&str, &str) -> (T, Vec<Problem>),
    ) -> T {
        if name.is_empty() || (self.source.dir.is_none() && Path::new(name).is_relative()) {
            return T::default();
        }
        let file: Arc<str> = Arc::from(name);
        let text = self.files.read(Path::new(name)).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        });
        match (text, missing) {
            (Ok(text), _) => {
                let (value, problems) = parse(name, &text);
                self.report(problems);
                return value;
            }
            (Err(error), Missing::Fine) if error.kind() == io::ErrorKind::NotFound => {}
            (Err(error), Missing::Doubtful(message)) if error.kind() == io::ErrorKind::NotFound => {
                self.report(vec![Problem::warning(&file, 0, message)]);
            }
            (Err(error), _) => {
                self.report(vec![Problem::error(&file, 0, format!("the file cannot be read: {error}"))]);
            }
        }
        T::default()
    }

    /// Keeps problems of files, with the files' full paths.
    fn report(&mut self, problems: Vec<Problem>) {
        for mut problem in problems {
            if let Some(dir) = &self.source.dir
                && !problem.file.starts_with("--")
            {
                problem.file = dir.join(&*problem.file).display().to_string().into();
            }
            self.problems.push(problem);
        }
    }
}

fn pairs(list: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    list.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

#[cfg(test)]
mod tests;
