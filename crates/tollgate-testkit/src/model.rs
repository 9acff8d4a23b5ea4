//! The scenario format.
//!
//! Responsible for: the types a scenario file is parsed into; their documentation is the format's reference.
//! Not responsible for: playing them.
//! Invariant: an unknown key is an error, so that a misspelt expectation cannot pass silently.

use crate::matcher::Matcher;
use crate::step::{Demand, Sending, Step, text_or_map};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor, value};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// One scenario file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The rule it shows, as a sentence.
    pub name: String,
    /// Where the rule comes from (RFC section, reference document).
    pub why: String,
    /// How binding the rule is, for the scenarios of `conformance/`.
    pub level: Option<Level>,
    /// The proxy under test.
    #[serde(default)]
    pub proxy: ProxySpec,
    /// Scripted origins; without any, one called `origin` that answers everything with 200.
    #[serde(default)]
    pub origins: BTreeMap<String, OriginSpec>,
    /// Scripted clients, all started at once.
    #[serde(default)]
    pub clients: BTreeMap<String, ClientSpec>,
    /// What must hold at the end.
    #[serde(default)]
    pub expect: Expect,
    /// Peer programs (`nginx`, `haproxy`, `trafficserver`) this scenario judges fairly.
    #[serde(default)]
    pub peers: BTreeMap<String, PeerSpec>,
    /// How it is compared with a peer, if it is.
    #[serde(default)]
    pub compare: CompareSpec,
    /// Seconds until the scenario fails.
    #[serde(default = "default_deadline")]
    pub deadline: u64,
    /// Why not meeting this scenario is acceptable (an optional feature); it is then reported as skipped.
    pub optional: Option<String>,
}

/// How binding a rule of a standard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The standard demands it.
    Must,
    /// What a good cache does.
    Should,
}

fn default_deadline() -> u64 {
    20
}

/// What is compared when a scenario is played before two programs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompareSpec {
    /// Fields whose values are not compared, besides Date, Age, Via and Server; `:pages`: the words of error pages and
    /// redirects that the proxies make themselves.
    pub mask: Vec<String>,
    /// Neither program starts, and each of these regular expressions is found in what either says.
    pub fails: Vec<String>,
    /// Text logs by name and how many lines are waited for; the lines must be the same but for their numbers.
    pub logs: BTreeMap<String, usize>,
    /// Regular expressions and how many matches in the diagnostics are waited for; the first groups must be the same.
    pub diagnostics: BTreeMap<String, usize>,
    /// Statistics and the values they must come to have in both.
    pub metrics: BTreeMap<String, Matcher>,
    /// Why they are known to differ; the differences are then reported, but do not count.
    pub differs: Option<String>,
}

/// How the proxy under test is started.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxySpec {
    /// `--map FROM TO`; without any (and without `remap.config`) everything goes to the first origin.
    pub map: Option<Vec<(String, String)>>,
    /// `--set RECORD=VALUE`.
    pub set: BTreeMap<String, Matcher>,
    /// Further arguments.
    pub args: Vec<String>,
    /// Files of a `--config` directory.
    pub files: BTreeMap<String, String>,
    /// `--forward`.
    pub forward: bool,
    /// `--threads`; 1 unless given, so that pools are predictable.
    pub threads: Option<u32>,
    /// Number of listeners; 1 unless given.
    pub listeners: Option<u32>,
    /// Run this subcommand to its end instead of serving (`check`, `show hooks`).
    pub command: Option<Vec<String>>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
}

/// How a peer is configured for a scenario.
#[derive(Clone, Debug, Default)]
pub struct PeerSpec {
    /// Whether the scenario applies at all.
    pub applies: bool,
    /// Whether its cache is on.
    pub cache: bool,
    /// Lines added to its configuration (server block, backend section, records.config).
    pub extra: String,
    /// Whether `plugin.config` is for it too.
    pub plugins: bool,
    /// Whether its statistics are asked for.
    pub stats: bool,
}

impl<'de> Deserialize<'de> for PeerSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            #[serde(default)]
            cache: bool,
            #[serde(default)]
            extra: String,
        }
        struct PeerVisitor;
        impl<'de> Visitor<'de> for PeerVisitor {
            type Value = PeerSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or {cache: bool, extra: text}")
            }
            fn visit_bool<E: de::Error>(self, applies: bool) -> Result<PeerSpec, E> {
                Ok(PeerSpec { applies, ..PeerSpec::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PeerSpec, A::Error> {
                let Fields { cache, extra } = Fields::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(PeerSpec { applies: true, cache, extra, ..PeerSpec::default() })
            }
        }
        deserializer.deserialize_any(PeerVisitor)
    }
}

/// One scripted origin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OriginSpec {
    /// Nothing listens: connections are refused.
    pub refuse: bool,
    /// From when the last scripted connection is accepted, before its script begins, further ones are refused.
    pub then_refuse: bool,
    /// Scripts of the connections, in the order in which they are accepted. All must be played.
    pub connections: Vec<Vec<Step>>,
    /// Answers to every request on further connections (and after a script's end); the first that fits is taken.
    #[serde(deserialize_with = "one_or_many")]
    pub always: Vec<Reply>,
    /// Loopback address, 127.0.0.1 unless given.
    pub address: Option<String>,
    /// Listen on the port of this other origin (with another address).
    pub same_port_as: Option<String>,
}

/// An answer of an origin to any number of requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reply {
    /// Demands on the request for this answer to be taken; the first reply whose demands are met answers.
    pub on: Option<Demand>,
    /// The answer; `{}` is an empty 200.
    #[serde(deserialize_with = "text_or_map")]
    pub send: Sending,
}

/// One kind of scripted client.
#[derive(Clone, Debug)]
pub struct ClientSpec {
    /// How many run the same script.
    pub count: usize,
    /// The script.
    pub steps: Vec<Step>,
}

impl<'de> Deserialize<'de> for ClientSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            count: usize,
            steps: Vec<Step>,
        }
        struct ClientVisitor;
        impl<'de> Visitor<'de> for ClientVisitor {
            type Value = ClientSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of steps or {count: N, steps: [...]}")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<ClientSpec, A::Error> {
                let steps = Deserialize::deserialize(value::SeqAccessDeserializer::new(seq))?;
                Ok(ClientSpec { count: 1, steps })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ClientSpec, A::Error> {
                let Fields { count, steps } = Fields::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(ClientSpec { count, steps })
            }
        }
        deserializer.deserialize_any(ClientVisitor)
    }
}

/// What must hold when all scripts are done.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Requests received by the origin called `origin`.
    pub requests: Option<u64>,
    /// Requests of which it received the whole body.
    pub complete_requests: Option<u64>,
    /// Connections accepted by the origin called `origin`.
    pub connections: Option<u64>,
    /// The same for origins by name.
    pub origins: BTreeMap<String, Counts>,
    /// Metrics and their values; polled, as counters settle after the last byte.
    pub metrics: BTreeMap<String, Matcher>,
    /// Regular expressions, each of which must be found in a line of the access log.
    pub log: Vec<String>,
    /// Regular expressions that must be found in the diagnostics.
    pub diagnostics: Vec<String>,
    /// Regular expressions that must not be found in the diagnostics.
    pub no_diagnostics: Vec<String>,
    /// Hook sequence of each transaction in order of their ends.
    pub hooks: Vec<String>,
    /// Peak resident memory of the proxy.
    pub rss_max_mb: Option<u64>,
    /// Exit status of the proxy, which must end by itself.
    pub exit: Option<i32>,
    /// Regular expressions that must be found in a subcommand's output.
    pub output: Vec<String>,
}

/// Counters of one origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Counts {
    /// Requests received.
    pub requests: Option<u64>,
    /// Requests received with their whole bodies.
    pub complete_requests: Option<u64>,
    /// Connections accepted.
    pub connections: Option<u64>,
}

/// One value, or a list of them.
fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct OneOrMany<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one entry or a list of them")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<T>, A::Error> {
            Deserialize::deserialize(value::SeqAccessDeserializer::new(seq))
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
            T::deserialize(value::MapAccessDeserializer::new(map)).map(|one| vec![one])
        }
    }
    deserializer.deserialize_any(OneOrMany(PhantomData))
}
