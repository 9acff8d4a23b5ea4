//! A configuration generation: everything a transaction needs to know that a reload can change.
//!
//! Responsible for: putting records, remap rules with their plugins, sealed hooks, error pages together; refusing
//! what does not fit together with file and line.
//! Not responsible for: reading files (`tollgate-config`), swapping generations (`server`).
//! Invariant: immutable; a transaction keeps the one it began with.

use crate::error_page::BodyFactory;
use crate::policy;
use bytes::Bytes;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tollgate_cache::Policy;
use tollgate_config::cache_config::CacheConfig;
use tollgate_config::ids;
use tollgate_config::ip_allow::{IpAllow, Side};
use tollgate_config::records::{Source, list_words};
use tollgate_config::redirect_actions::RedirectActions;
use tollgate_config::remap::{RemapTable, RuleUrl, Scheme as RuleScheme};
use tollgate_config::{Problem, Records};
use tollgate_hook::{AllOutcome, Handlers, HookDescription, HookTable, OperatorRules, Order, Registry, slot};
use tollgate_http::Url;
use tollgate_http::url::Scheme;
use tollgate_plugin::hooks::{
    AccessCheck, Denied, GlobalHooks, LogTransaction, SelectAlt, declare_server_points,
};
use tollgate_plugin::{
    Plugin, PluginError, PluginFactory, Registrar, RemapInstance, Transaction, TransactionHook,
};

/// What a generation is made of.
pub struct GenerationParts {
    /// The records.
    pub records: Arc<Records>,
    /// The remap rules.
    pub remap: Arc<RemapTable>,
    /// Who may use the proxy; checked at ACCESS_CHECK.
    pub ip_allow: Option<Arc<IpAllow>>,
    /// What is cached, by destination.
    pub cache: Arc<CacheConfig>,
    /// Global plugins: name, arguments, where they are configured (file, line).
    pub plugins: Vec<PluginUse>,
    /// Order and switches given by the operator.
    pub rules: OperatorRules,
    /// The configuration directory, for relative paths in records.
    pub dir: std::path::PathBuf,
    /// Whether requests that no rule maps go to the host they name (forward proxy).
    pub is_forward: bool,
}

/// A line that loads a global plugin.
#[derive(Clone, Debug)]
pub struct PluginUse {
    /// The name as configured.
    pub name: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The file.
    pub file: Arc<str>,
    /// The line, from 1; 0 for the command line.
    pub line: u32,
}

/// The native plugins that the server knows by name.
#[derive(Default)]
pub struct PluginSet {
    factories: HashMap<String, Box<dyn PluginFactory>>,
    built_in: Vec<Box<dyn Plugin>>,
    loader: Option<Box<dyn PluginLoader>>,
}

/// Loads plugins that no factory is known for: those in files.
///
/// For each generation, [`Self::begin`] is called, then [`Self::global`] and [`Self::remap`] in the order of the
/// configuration, then [`Self::end`]; all on one thread.
pub trait PluginLoader: Send + Sync {
    /// Whether it loads what is called so.
    fn takes(&self, name: &str) -> bool;

    /// Whether the file of what is called so is there.
    fn finds(&self, name: &str) -> bool;

    /// A generation is being built.
    fn begin(&self, records: &Records);

    /// The plugin of a line of plugin.config.
    fn global(&self, line: &PluginUse) -> Result<Box<dyn Plugin>, PluginError>;

    /// The plugin `name` of the rule from `from` to `to`.
    fn remap(
        &self,
        name: &str,
        from: &str,
        to: &str,
        params: &[String],
    ) -> Result<Box<dyn RemapInstance>, PluginError>;

    /// The generation is built, or not.
    fn end(&self, is_built: bool);
}

/// Who makes a plugin.
enum Kind<'p> {
    Native(&'p dyn PluginFactory),
    File(&'p dyn PluginLoader),
    Unknown,
}

impl PluginSet {
    /// Says who loads plugins that are files.
    pub fn set_loader(&mut self, loader: Box<dyn PluginLoader>) {
        self.loader = Some(loader);
    }

    fn loader_of(&self, name: &str) -> Option<&dyn PluginLoader> {
        self.loader.as_deref().filter(|loader| loader.takes(name))
    }

    fn global(&self, line: &PluginUse) -> Result<Box<dyn Plugin>, PluginError> {
        match self.kind_of(&line.name) {
            Kind::Native(factory) => factory.global(&line.args),
            Kind::File(loader) => loader.global(line),
            Kind::Unknown => Err(self.unknown(&line.name)),
        }
    }

    /// A native plugin has its name without `.so`; with it, the file comes first if there is one.
    fn kind_of(&self, name: &str) -> Kind<'_> {
        let (native, loader) = (self.find(name), self.loader_of(name));
        match (native, loader) {
            (Some(_), Some(loader)) if loader.finds(name) => Kind::File(loader),
            (Some(factory), _) => Kind::Native(factory),
            (None, Some(loader)) => Kind::File(loader),
            (None, None) => Kind::Unknown,
        }
    }

    /// The same for a rule.
    fn remap(
        &self,
        name: &str,
        from: &str,
        to: &str,
        params: &[String],
    ) -> Result<Box<dyn RemapInstance>, PluginError> {
        match self.kind_of(name) {
            Kind::Native(factory) => factory.remap(from, to, params),
            Kind::File(loader) => loader.remap(name, from, to, params),
            Kind::Unknown => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> PluginError {
        let known: Vec<&str> = self.factories().into_iter().map(|(n, _)| n).collect();
        PluginError::new(format!("no native plugin is called {name:?}; known ones: {}", known.join(", ")))
    }

    /// Makes a kind of plugin known. The last one of a name wins.
    pub fn add_factory(&mut self, factory: Box<dyn PluginFactory>) {
        self.factories.insert(factory.name().to_string(), factory);
    }

    /// Adds a plugin that is always loaded.
    pub fn add_plugin(&mut self, plugin: Box<dyn Plugin>) {
        self.built_in.push(plugin);
    }

    /// The factories' names and docs, by name.
    pub fn factories(&self) -> Vec<(&str, &str)> {
        let mut list: Vec<_> = self.factories.values().map(|f| (f.name(), f.doc())).collect();
        list.sort_unstable();
        list
    }

    fn find(&self, name: &str) -> Option<&dyn PluginFactory> {
        self.factories.get(name).or_else(|| self.factories.get(name.strip_suffix(".so")?)).map(|f| &**f)
    }
}

/// One immutable configuration.
pub struct Generation {
    pub(crate) number: u64,
    pub(crate) records: Arc<Records>,
    pub(crate) remap: Arc<RemapTable>,
    pub(crate) hooks: GlobalHooks,
    pub(crate) select_alt: Handlers<SelectAlt>,
    pub(crate) access: Handlers<AccessCheck>,
    pub(crate) log: Handlers<LogTransaction>,
    pub(crate) table: HookTable,
    /// The remap plugins of each rule, by rank.
    pub(crate) rule_plugins: Vec<Vec<RulePlugin>>,
    /// The host of each rule's target, by rank.
    pub(crate) rule_hosts: Vec<RuleHost>,
    /// `proxy.local.outgoing_ip_to_bind`.
    pub(crate) outgoing: Vec<IpAddr>,
    /// There is an `ip_allow.yaml`, which says who may use which method.
    pub(crate) has_ip_allow: bool,
    /// `ip_allow.yaml`, as far as it speaks of origins.
    pub(crate) origin_access: Option<Arc<IpAllow>>,
    pub(crate) body_factory: BodyFactory,
    pub(crate) policy: Policy,
    /// `proxy.config.http.redirect.actions`.
    pub(crate) redirect_actions: RedirectActions,
    /// `cache.config`, if it has rules.
    pub(crate) cache_rules: Option<Arc<CacheConfig>>,
    pub(crate) is_forward: bool,
    pub(crate) server: String,
    pub(crate) connect_ports: Vec<u16>,
    pub(crate) any_connect_port: bool,
}

/// A remap plugin of a rule.
pub(crate) struct RulePlugin {
    pub(crate) name: Arc<str>,
    pub(crate) instance: Box<dyn RemapInstance>,
}

/// The host of a rule's target, worked out once.
pub(crate) struct RuleHost {
    /// As it stands in a URL.
    pub(crate) url: Bytes,
    /// The same in lower case.
    pub(crate) name: Arc<str>,
    /// The address, if it is one and not a name.
    pub(crate) literal: Option<IpAddr>,
    /// The scheme and the port that the target names; 0: none.
    scheme: Scheme,
    port: u16,
    /// What a Host field says for it.
    authority: Vec<u8>,
}

impl RuleHost {
    fn new(target: &RuleUrl) -> RuleHost {
        let host = &*target.host;
        let url = url_host(host);
        let port = target.port.unwrap_or(0);
        let scheme = target.scheme.map_or(Scheme::Http, scheme_of);
        let mut authority = url.to_vec();
        if port != 0 && port != scheme.default_port() {
            authority.extend_from_slice(format!(":{port}").as_bytes());
        }
        let name = String::from_utf8_lossy(&url).to_ascii_lowercase().into();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        RuleHost { url, name, literal, scheme, port, authority }
    }

    /// The Host field for `url`, if it still is what the rule made of it.
    pub(crate) fn authority_for(&self, url: &Url) -> Option<&[u8]> {
        (self.url == url.host && self.port == url.port && url.scheme == Some(self.scheme))
            .then_some(&self.authority)
    }
}

/// Congestion controls that this system has not.
fn check_congestion_controls(records: &Records, problems: &mut Vec<Problem>) {
    for id in [ids::NET_TCP_CONGESTION_CONTROL_IN, ids::NET_TCP_CONGESTION_CONTROL_OUT] {
        let name = records.str(id);
        if let Err(error) = tollgate_event::net::check_congestion_control(name) {
            let (file, line) = match records.source_of(id) {
                Source::File { file, line } => (Arc::clone(file), *line),
                other => (other.to_string().into(), 0),
            };
            let message = format!(
                "TCP congestion control {name:?}: {error}; \
                 /proc/sys/net/ipv4/tcp_allowed_congestion_control lists those that can be used"
            );
            problems.push(Problem::error(&file, line, message));
        }
    }
}

impl Generation {
    /// Builds a generation, or says everything that is wrong with it.
    pub fn build(
        number: u64,
        parts: GenerationParts,
        plugins: &PluginSet,
    ) -> Result<Generation, Vec<Problem>> {
        if let Some(loader) = &plugins.loader {
            loader.begin(&parts.records);
        }
        let built = Generation::assemble(number, parts, plugins);
        if let Some(loader) = &plugins.loader {
            loader.end(built.is_ok());
        }
        built
    }

    fn assemble(
        number: u64,
        parts: GenerationParts,
        plugins: &PluginSet,
    ) -> Result<Generation, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut registry = Registry::new();
        TransactionHook::declare_all(&mut registry);
        declare_server_points(&mut registry);
        if let Some(rules) = &parts.ip_allow {
            register_ip_allow(&mut registry, Arc::clone(rules));
        }
        register_plugins(&mut registry, &parts.plugins, plugins, &mut problems);
        let rule_plugins = rule_plugins(&parts.remap, plugins, &mut problems);
        check_congestion_controls(&parts.records, &mut problems);
        let table = registry.seal(&parts.rules).map_err(|errors| {
            let hooks: Arc<str> = "hooks.config".into();
            problems.extend(errors.iter().map(|e| Problem::error(&hooks, 0, e.to_string())));
        });
        let Ok(table) = table else { return Err(problems) };
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        let records = parts.records;
        let (connect_ports, any_connect_port) = connect_ports(records.str(ids::HTTP_CONNECT_PORTS));
        Ok(Generation {
            number,
            hooks: GlobalHooks::from_table(&table),
            select_alt: table.handlers(),
            access: table.handlers(),
            log: table.handlers(),
            table,
            rule_plugins,
            rule_hosts: parts.remap.rules().iter().map(|rule| RuleHost::new(&rule.to)).collect(),
            outgoing: list_words(records.str(ids::LOCAL_OUTGOING_IP_TO_BIND))
                .filter_map(|address| address.parse().ok())
                .collect(),
            has_ip_allow: parts.ip_allow.is_some(),
            origin_access: parts.ip_allow.filter(|rules| rules.concerns(Side::Out)),
            body_factory: body_factory(&records, &parts.dir),
            policy: policy::base(&records),
            // The record was checked when it was read.
            redirect_actions: RedirectActions::parse(records.str(ids::HTTP_REDIRECT_ACTIONS))
                .unwrap_or_default(),
            cache_rules: Some(parts.cache).filter(|rules| !rules.is_empty()),
            is_forward: parts.is_forward,
            server: records.str(ids::HTTP_RESPONSE_SERVER_STR).to_string(),
            connect_ports,
            any_connect_port,
            remap: parts.remap,
            records,
        })
    }

    /// The generation's number, counting from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The records.
    pub fn records(&self) -> &Arc<Records> {
        &self.records
    }

    /// The hook points with their handlers in running order.
    pub fn hook_descriptions(&self) -> &[HookDescription] {
        self.table.describe()
    }

    /// The sealed hook table, for hook points of other modules.
    pub fn table(&self) -> &HookTable {
        &self.table
    }
}

/// `ip_allow.yaml` as the module `ip_allow`: first of all access checks. Internal requests are not asked.
fn register_ip_allow(registry: &mut Registry, rules: Arc<IpAllow>) {
    registry.register::<AccessCheck>(
        "ip_allow",
        "client",
        Order::slot(slot::REALLY_FIRST),
        move |txn: &Transaction| {
            let method = txn.client_request.method.as_str();
            if txn.is_internal() || rules.allows(Side::In, txn.client_addr().ip(), method) {
                AllOutcome::Ok
            } else {
                AllOutcome::Stop(Denied { status: 403 })
            }
        },
    );
}

pub(crate) fn scheme_of(scheme: RuleScheme) -> Scheme {
    match scheme {
        // No rule maps to a file.
        RuleScheme::Http | RuleScheme::File => Scheme::Http,
        RuleScheme::Https => Scheme::Https,
        RuleScheme::Ws => Scheme::Ws,
        RuleScheme::Wss => Scheme::Wss,
        RuleScheme::Tunnel => Scheme::Tunnel,
    }
}

/// A host as it stands in a URL: IPv6 addresses in brackets.
pub(crate) fn url_host(host: &str) -> Bytes {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]").into()
    } else {
        Bytes::copy_from_slice(host.as_bytes())
    }
}

fn register_plugins(
    registry: &mut Registry,
    uses: &[PluginUse],
    plugins: &PluginSet,
    problems: &mut Vec<Problem>,
) {
    for plugin in &plugins.built_in {
        if let Err(error) = plugin.register(&mut Registrar::new(registry, plugin.name())) {
            problems.push(Problem::error(&"built-in".into(), 0, format!("{}: {error}", plugin.name())));
        }
    }
    for line in uses {
        let made = plugins.global(line);
        let registered = made.and_then(|p| p.register(&mut Registrar::new(registry, p.name())));
        if let Err(error) = registered {
            problems.push(Problem::error(&line.file, line.line, format!("plugin {}: {error}", line.name)));
        }
    }
}

fn rule_plugins(
    remap: &RemapTable,
    plugins: &PluginSet,
    problems: &mut Vec<Problem>,
) -> Vec<Vec<RulePlugin>> {
    let mut all = Vec::with_capacity(remap.rules().len());
    for rule in remap.rules() {
        let mut of_rule = Vec::new();
        for plugin in &rule.plugins {
            match plugins.remap(&plugin.name, &rule.from_text, &rule.to_text, &plugin.params) {
                Ok(instance) => of_rule.push(RulePlugin { name: plugin.name.as_str().into(), instance }),
                Err(error) => problems.push(Problem::error(
                    &plugin.file,
                    plugin.line,
                    format!("plugin {}: {error}", plugin.name),
                )),
            }
        }
        all.push(of_rule);
    }
    all
}

fn body_factory(records: &Records, config: &std::path::Path) -> BodyFactory {
    let dir = records.str(ids::BODY_FACTORY_TEMPLATE_SETS_DIR);
    if dir.is_empty() || records.int(ids::BODY_FACTORY_ENABLE_CUSTOMIZATIONS) == 0 {
        return BodyFactory::default();
    }
    BodyFactory::load(
        &config.join(dir),
        usize::try_from(records.int(ids::BODY_FACTORY_RESPONSE_MAX_SIZE)).unwrap_or(8192),
    )
}

/// `443 563`, or `*` for any.
fn connect_ports(text: &str) -> (Vec<u16>, bool) {
    let mut ports = Vec::new();
    for word in text.split([' ', ',', '\t']).filter(|w| !w.is_empty()) {
        match word.split_once('-') {
            _ if word == "*" => return (ports, true),
            Some((low, high)) => {
                if let (Ok(low), Ok(high)) = (low.parse::<u16>(), high.parse::<u16>()) {
                    ports.extend(low..=high);
                }
            }
            None => ports.extend(word.parse::<u16>()),
        }
    }
    (ports, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_ports_are_numbers_ranges_or_a_star() {
        assert_eq!(connect_ports("443 563,8000-8002"), (vec![443, 563, 8000, 8001, 8002], false));
        assert!(connect_ports("*").1);
    }
}
