//! PRE_REMAP, the remap rules with their plugins, POST_REMAP.

use super::forward::NextHop;
use super::{Answer, Exchange, Stop};
use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use crate::generation::scheme_of;
use bytes::Bytes;
use std::sync::Arc;
use tollgate_config::ids;
use tollgate_config::remap::{
    AclOutcome, AclRequest, RefererMarks, RefererOutcome, RemapRequest, Rule, RuleUrl, Scheme as RuleScheme,
};
use tollgate_http::url::{Form, Scheme};
use tollgate_http::{HeaderBlock, Method, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{LocalResponse, RemapStatus};

/// What the rules say.
enum Mapped {
    /// The URL was rewritten, or needs no rewriting.
    Yes,
    /// A redirect to this URL.
    Redirect(u16, String),
    /// No rule matches.
    No,
}

impl<S: ClientStream> Exchange<'_, S> {
    /// Applies the rules. Afterwards the client request's URL is the next hop's.
    pub(crate) async fn remap(&mut self) -> Result<(), Stop> {
        if self.txn.skip_remapping {
            return Ok(());
        }
        fire!(self, PreRemap);
        let mapped = self.apply_rules()?;
        let intercepted = self.txn.has_intercept();
        match mapped {
            Mapped::Yes => {}
            Mapped::Redirect(status, to) if !intercepted => return Err(redirect(status, &to)),
            Mapped::No if !intercepted && !self.may_go_unmapped() => {
                return Err(self.error(ErrorKind::NotMapped, "no remap rule matches", false));
            }
            Mapped::No | Mapped::Redirect(..) => {}
        }
        if self.txn.status_override != 0 && !intercepted {
            return Err(self.status_answer());
        }
        fire!(self, PostRemap);
        Ok(())
    }

    /// Forward proxy: requests that name their host in the target need no rule.
    fn may_go_unmapped(&self) -> bool {
        let form = self.txn.client_request.url.form;
        let named = matches!(form, Form::Absolute | Form::Authority);
        (self.generation.is_forward && named) || !self.txn.records.flag(ids::URL_REMAP_REMAP_REQUIRED)
    }

    fn apply_rules(&mut self) -> Result<Mapped, Stop> {
        let url = &self.txn.client_request.url;
        let is_connect = self.txn.client_request.method == Method::Connect;
        let scheme = if is_connect { "tunnel" } else { url.scheme.unwrap_or(Scheme::Http).as_str() };
        let request = RemapRequest {
            scheme,
            host: &url.host,
            port: url.effective_port(),
            path: &url.path,
            recv_port: self.txn.session().local_addr().port(),
        };
        let Some(found) = self.generation.remap.find(&request) else { return Ok(Mapped::No) };
        let rule = Arc::clone(found.rule);
        if is_connect && rule.from.scheme != Some(RuleScheme::Tunnel) {
            // Only a rule written for tunnels opens one: `map / ...` does not.
            return Ok(Mapped::No);
        }
        let target = found.target(&request);
        let (scheme, port) = (scheme_of(target.scheme), target.port.unwrap_or(0));
        let host = if rule.is_regex() {
            crate::generation::url_host(&target.host)
        } else {
            self.generation.rule_hosts[rule.rank as usize].url.clone()
        };
        let path = match target.path {
            std::borrow::Cow::Borrowed(p) if p.len() == url.path.len() => None,
            path => Some(Bytes::from(path.into_owned())),
        };
        let mapped = &mut self.txn.client_request.url;
        mapped.scheme = Some(scheme);
        (mapped.host, mapped.port) = (host, port);
        if let Some(path) = path {
            mapped.path = path;
        }
        let of_rule = rule.kind.redirect_status();
        let has_plugins = !self.generation.rule_plugins[rule.rank as usize].is_empty();
        let of_plugin = if has_plugins {
            self.rule = Some(Arc::clone(&rule));
            self.run_rule_plugins(&rule)
        } else {
            None
        };
        let checked = self.check_rule(&rule);
        self.rule = Some(rule);
        checked?;
        if let Some(status) = of_plugin.or(of_rule) {
            let to = self.txn.client_request.url.to_text();
            return Ok(Mapped::Redirect(status, to));
        }
        self.host_due = !self.txn.records.flag(ids::URL_REMAP_PRISTINE_HOST_HDR)
            && self.txn.client_request.url.form != Form::Authority;
        Ok(Mapped::Yes)
    }

    /// Runs the rule's plugins; a redirect's status if one asks for a redirect.
    fn run_rule_plugins(&mut self, rule: &Rule) -> Option<u16> {
        let generation = Arc::clone(&self.generation);
        for plugin in &generation.rule_plugins[rule.rank as usize] {
            let txn = &mut self.txn;
            let call = std::panic::AssertUnwindSafe(|| plugin.instance.remap(txn));
            let status = std::panic::catch_unwind(call).unwrap_or_else(|panic| {
                self.thread.metrics.inc(Metric::HandlerFaults);
                tracing::error!(
                    "remap plugin {} panicked: {}",
                    plugin.name,
                    tollgate_plugin::hooks::panic_text(&*panic)
                );
                RemapStatus::Error
            });
            match status {
                RemapStatus::Redirect(status) => {
                    return Some(if matches!(status, 301..=303 | 307 | 308) { status } else { 302 });
                }
                RemapStatus::Error => {
                    tracing::warn!("remap plugin {} of {}:{} failed", plugin.name, rule.file, rule.line)
                }
                _ => {}
            }
            if status.stops() {
                break;
            }
        }
        None
    }

    /// The rule's filters and referer check.
    fn check_rule(&self, rule: &Rule) -> Result<(), Stop> {
        let session = self.txn.session();
        let acl = AclRequest {
            method: self.txn.client_request.method.as_str(),
            src_ip: session.client_addr().ip(),
            in_ip: session.local_addr().ip(),
            is_internal: session.is_internal(),
        };
        if rule.acl(&acl) == AclOutcome::Deny {
            let reason = format!("rule {}:{}", rule.file, rule.line);
            return Err(self.error(ErrorKind::Denied, &reason, false));
        }
        if !self.txn.records.flag(ids::HTTP_REFERER_FILTER) {
            return Ok(());
        }
        match rule.referer(self.txn.client_request.headers.get_str(names::REFERER)) {
            RefererOutcome::Allow => Ok(()),
            RefererOutcome::Redirect(to) if self.txn.records.flag(ids::HTTP_REFERER_FORMAT_REDIRECT) => {
                Err(redirect(302, &self.fill_marks(rule, &to)))
            }
            RefererOutcome::Redirect(to) => Err(redirect(302, &to)),
            RefererOutcome::RedirectToDefault => {
                Err(redirect(302, self.txn.records.str(ids::HTTP_REFERER_DEFAULT_REDIRECT)))
            }
        }
    }

    /// A refused request's redirect with its marks filled in.
    fn fill_marks(&self, rule: &Rule, template: &str) -> String {
        let to = if rule.is_regex() {
            let host = String::from_utf8_lossy(&self.txn.client_request.url.host).into_owned();
            RuleUrl { host, ..rule.to.clone() }.to_string()
        } else {
            rule.to_text.clone()
        };
        let original = self.txn.pristine_url.as_ref().map(tollgate_http::Url::to_text).unwrap_or_default();
        RefererMarks {
            referer: self.txn.client_request.headers.get_str(names::REFERER).unwrap_or_default(),
            from: &rule.from_text,
            to: &to,
            original: &original,
        }
        .fill(template)
    }

    /// A status set by a plugin before the end of remapping answers the request (ts-abi 2.6).
    fn status_answer(&mut self) -> Stop {
        let status = self.txn.status_override;
        let page = match self.txn.take_error_body() {
            Some((content_type, body)) => {
                let mut page = LocalResponse::new(status, &content_type, body);
                page.response.headers.append(names::CACHE_CONTROL, "no-store");
                page.response.headers.append(names::CONTENT_LANGUAGE, "en");
                page
            }
            None => {
                let mut page = self.generation.body_factory.page(
                    ErrorKind::Denied,
                    Some(&self.txn.client_request),
                    "plugin",
                );
                page.response.status = status;
                page.body = format!("{status} {}\n", tollgate_http::status::reason(status)).into();
                page
            }
        };
        let page = with_status(page);
        // ATS: what came from a client whose request is called bad is not read on.
        Stop::Answer(Box::new(Answer { page, end: TransactionEnd::PluginResponded, close: status == 400 }))
    }

    /// Works out where the request goes, once it is to go anywhere.
    pub(crate) fn take_next_hop(&mut self) -> Result<(), Stop> {
        if self.next_hop.port != 0 {
            return Ok(());
        }
        let url = &self.txn.client_request.url;
        if url.host.is_empty() && !self.txn.has_intercept() {
            return Err(self.error(ErrorKind::NoHost, "the request names no host to go to", false));
        }
        if !matches!(url.scheme, None | Some(Scheme::Http | Scheme::Ws))
            && url.form != Form::Authority
            && !self.txn.has_intercept()
        {
            let scheme = url.scheme.map_or("", Scheme::as_str);
            return Err(self.error(
                ErrorKind::ConnectFailed,
                &format!("no provider for scheme {scheme}"),
                false,
            ));
        }
        let of_rule = self.rule.as_ref().and_then(|rule| self.generation.rule_hosts.get(rule.rank as usize));
        let port = url.effective_port();
        let parent = self.parent().filter(|_| url.form != Form::Authority);
        self.next_hop = match of_rule.filter(|of_rule| of_rule.url == url.host) {
            Some(of_rule) => NextHop { host: Arc::clone(&of_rule.name), port, literal: of_rule.literal },
            None => NextHop::new(&url.host, port),
        };
        if let Some(parent) = parent {
            self.next_hop = parent;
        }
        self.refuse_host_that_is_down()
    }

    /// Gives the client request the Host that the rule made, as handlers expect it. Done only where somebody looks: a
    /// hit without handlers needs no new Host.
    pub(crate) fn settle_due_host(&mut self) {
        if std::mem::take(&mut self.host_due) {
            let mut headers = std::mem::take(&mut self.txn.client_request.headers);
            self.set_host(&mut headers);
            self.txn.client_request.headers = headers;
        }
    }

    /// Sets the Host that the client request's URL demands.
    pub(crate) fn set_host(&self, headers: &mut HeaderBlock) {
        let url = &self.txn.client_request.url;
        let of_rule = self.rule.as_ref().and_then(|rule| self.generation.rule_hosts.get(rule.rank as usize));
        match of_rule.and_then(|of_rule| of_rule.authority_for(url)) {
            Some(authority) => headers.set(names::HOST, authority),
            None => {
                let mut host = Vec::new();
                url.write_host_port(&mut host);
                headers.set(names::HOST, host);
            }
        }
    }

    /// The Location of an origin's response as `reverse_map` rules want it.
    pub(crate) fn reverse_location(&self, location: &[u8]) -> Option<String> {
        self.generation.remap.reverse(std::str::from_utf8(location).ok()?)
    }
}

/// What a status that a plugin chose means for the page: its name, and whether there may be a body.
fn with_status(mut page: LocalResponse) -> LocalResponse {
    super::hooks::name_status(&mut page.response, "Unknown HTTP Status");
    if matches!(page.response.status, 204 | 304) {
        page.response.headers.remove(names::CONTENT_TYPE);
        page.response.headers.remove(names::CONTENT_LANGUAGE);
    }
    page
}

fn redirect(status: u16, to: &str) -> Stop {
    let title = tollgate_http::status::reason(status);
    let mut page = LocalResponse::new(
        status,
        "text/html",
        format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"),
    );
    page.response.headers.append(names::LOCATION, to);
    page.response.headers.append(names::CACHE_CONTROL, "no-store");
    Stop::Answer(Box::new(Answer { page, end: TransactionEnd::Redirected, close: false }))
}
