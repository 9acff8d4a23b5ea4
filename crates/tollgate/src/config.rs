//! From arguments and files to what the engine is built of.

use crate::cli::ConfigOptions;
use anyhow::{Context, bail};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tollgate_config::generation::{ConfigSource, Generation, load_from_disk};
use tollgate_config::hooks_config::{HandlerName, HooksConfig};
use tollgate_config::{Problem, Records, ids};
use tollgate_hook::{OperatorEdge, OperatorOff, OperatorRules};
use tollgate_proxy::{GenerationParts, PluginUse};

/// The sources of a configuration, the same at start and at each reload.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    source: ConfigSource,
    listen: Vec<SocketAddr>,
    is_forward: bool,
    threads: Option<usize>,
}

impl Sources {
    /// The sources that the command line names.
    pub(crate) fn new(options: &ConfigOptions) -> anyhow::Result<Sources> {
        let sets = options.sets.iter().map(|set| match set.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_string(), value.to_string())),
            None => bail!("--set {set}: write RECORD=VALUE"),
        });
        let maps = options.map.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        if options.config.is_none() && options.map.is_empty() && !options.forward {
            bail!("nothing to serve: give --config DIR, --map FROM TO or --forward (or try `tollgate demo`)");
        }
        Ok(Sources {
            source: ConfigSource {
                dir: options.config.clone(),
                sets: sets.collect::<anyhow::Result<_>>()?,
                maps: maps.collect(),
                env: std::env::vars().filter(|(name, _)| name.starts_with("PROXY_CONFIG_")).collect(),
            },
            listen: options.listen.clone(),
            is_forward: options.forward,
            threads: options.threads,
        })
    }

    /// Reads everything. Without an `Err`, problems are only warnings.
    pub(crate) fn load(&self) -> Result<(Generation, Vec<Problem>), Vec<Problem>> {
        let loaded = load_from_disk(&self.source);
        match loaded.generation {
            Some(generation) => Ok((generation, loaded.problems)),
            None => Err(loaded.problems),
        }
    }

    /// Reads everything for a check: what could be read, errors or not, and all problems.
    pub(crate) fn examine(&self) -> (Option<Generation>, Vec<Problem>) {
        let loaded = load_from_disk(&self.source);
        (loaded.generation.or(loaded.rejected), loaded.problems)
    }

    /// These sources with more settings on top.
    pub(crate) fn with_sets(&self, sets: Vec<(String, String)>) -> Sources {
        let mut sources = self.clone();
        sources.source.sets.extend(sets);
        sources
    }

    /// What the engine is built of.
    pub(crate) fn parts(&self, generation: &Generation) -> GenerationParts {
        let has_ip_allow = self.source.dir.as_ref().is_some_and(|dir| {
            let name = generation.records.str(ids::CACHE_IP_ALLOW_FILENAME);
            dir.join(if name.is_empty() { "ip_allow.yaml" } else { name }).exists()
        });
        GenerationParts {
            records: Arc::clone(&generation.records),
            remap: Arc::clone(&generation.remap),
            cache: Arc::clone(&generation.cache),
            ip_allow: has_ip_allow.then(|| Arc::clone(&generation.ip_allow)),
            plugins: generation
                .plugins
                .iter()
                .filter_map(|line| {
                    let (name, args) = line.argv.split_first()?;
                    Some(PluginUse {
                        name: name.clone(),
                        args: args.to_vec(),
                        file: Arc::clone(&line.file),
                        line: line.line,
                    })
                })
                .collect(),
            rules: operator_rules(&generation.hooks),
            dir: self.dir(),
            is_forward: self.is_forward,
        }
    }

    /// The addresses to listen on.
    pub(crate) fn listen(&self, records: &Records) -> anyhow::Result<Vec<SocketAddr>> {
        if !self.listen.is_empty() {
            return Ok(self.listen.clone());
        }
        let ports = records.str(ids::HTTP_SERVER_PORTS);
        let list: anyhow::Result<Vec<_>> =
            ports.split([' ', ',']).filter(|w| !w.is_empty()).map(server_port).collect();
        let list = list.with_context(|| format!("proxy.config.http.server_ports {ports:?}"))?;
        if list.is_empty() {
            bail!("proxy.config.http.server_ports names no port");
        }
        Ok(list)
    }

    /// The number of event threads.
    pub(crate) fn threads(&self, records: &Records) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let configured = match self.threads {
            Some(n) => n,
            None if records.flag(ids::EXEC_THREAD_AUTOCONFIG) => {
                (cores as f64 * records.float(ids::EXEC_THREAD_AUTOCONFIG_SCALE).max(0.0)).round() as usize
            }
            None => usize::try_from(records.int(ids::EXEC_THREAD_LIMIT)).unwrap_or(1),
        };
        configured.clamp(1, 1024)
    }

    /// The configuration directory, for relative paths.
    pub(crate) fn dir(&self) -> PathBuf {
        self.source.dir.clone().unwrap_or_default()
    }
}

/// One descriptor of `http.server_ports`: `8080`, `8080:ipv6`, `8080:ip-in=127.0.0.1`.
fn server_port(text: &str) -> anyhow::Result<SocketAddr> {
    let mut words = split_descriptor(text).into_iter();
    let first = words.next().unwrap_or_default();
    let port = first.parse::<u16>().with_context(|| format!("{first:?} is not a port"))?;
    let mut addr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    for word in words {
        match word.split_once('=') {
            Some(("ip-in", ip)) => {
                let ip = ip.trim_start_matches('[').trim_end_matches(']');
                addr.set_ip(ip.parse().with_context(|| format!("{ip:?} is not an address"))?);
            }
            None if word == "ipv6" => addr = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
            None if word == "ipv4" => {}
            _ => bail!("option {word:?} is not supported"),
        }
    }
    Ok(addr)
}

/// Splits at colons outside brackets.
fn split_descriptor(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            b':' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn operator_rules(config: &HooksConfig) -> OperatorRules {
    let name = |n: &HandlerName| match &n.handler {
        Some(handler) => format!("{}#{handler}", n.module),
        None => n.module.clone(),
    };
    OperatorRules {
        edges: config
            .orders
            .iter()
            .map(|o| OperatorEdge {
                hook: o.hook.clone(),
                first: name(&o.first),
                then: name(&o.then),
                origin: format!("{}:{}", o.file, o.line),
            })
            .collect(),
        off: config
            .offs
            .iter()
            .map(|o| OperatorOff {
                hook: o.hook.clone(),
                target: name(&o.handler),
                origin: format!("{}:{}", o.file, o.line),
            })
            .collect(),
    }
}

/// The lines of problems, errors last.
pub(crate) fn listed(problems: &[Problem]) -> String {
    let mut lines: Vec<(bool, String)> = problems
        .iter()
        .map(|p| (p.is_error(), format!("{}{p}", if p.is_error() { "error: " } else { "warning: " })))
        .collect();
    lines.sort_by_key(|(is_error, _)| *is_error);
    lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_ports_are_ports_with_options() {
        let port = |text: &str| server_port(text).map(|a| a.to_string()).map_err(|e| e.to_string());
        assert_eq!(port("8080").as_deref(), Ok("0.0.0.0:8080"));
        assert_eq!(port("80:ipv6").as_deref(), Ok("[::]:80"));
        assert_eq!(port("80:ip-in=127.0.0.1").as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(port("80:ip-in=[::1]").as_deref(), Ok("[::1]:80"));
        assert!(port("x").is_err() && port("80:ssl").is_err());
    }
}
