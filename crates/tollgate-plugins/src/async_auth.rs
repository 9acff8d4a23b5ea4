//! `async-auth PATH_PREFIX AUTH_URL`: asks another server whether a request may pass.
//!
//! Shows an async handler: it awaits a request of its own (`fetch`) while the transaction waits at READ_REQUEST_HDR
//! and the event thread serves others. The handler runs before the cache is looked at, so hits are guarded too.
//!
//! | the auth server answers | the client gets |
//! |---|---|
//! | 2xx | what it asked for |
//! | 401 or 403 | that status, with the auth server's WWW-Authenticate |
//! | anything else, or nothing | 503: nobody has decided |
//!
//! The question carries the client's Authorization and Cookie fields and the request target as X-Original-URI. A
//! fetch goes through the whole engine like a client's request: AUTH_URL needs a remap rule unless the proxy is a
//! forward proxy, and the question passes this plugin as well. Such internal transactions are let through, or the
//! question would ask a question. The answers are decisions about one client, so the cache is switched off for them.
//!
//! A path is guarded if it starts with PATH_PREFIX as it stands, or after what an origin may do to it: decoding,
//! leaving out empty and dot segments. (LIMIT: what an origin does beyond that, such as ignoring case, is not known
//! here; choose the prefix `/` to guard everything.)
//!
//! ```text
//! plugin.config:  async-auth /private http://auth.internal/check
//! ```

use bytes::Bytes;
use std::rc::Rc;
use std::sync::Arc;
use tollgate_http::{Method, Request, Url, names};
use tollgate_plugin::{
    FetchRequest, FetchResponse, Host, LocalResponse, Outcome, Plugin, PluginError, PluginFactory, Registrar,
    Transaction, body, hooks,
};

const NAME: &str = "async-auth";

/// Marks the plugin's own questions. Fields whose names start with `@` never leave the process nor come in.
const QUESTION: &str = "@Async-Auth";

/// How much of an answer's body is read so that the auth server's connection can be used again.
const DRAIN_BYTES: usize = 64 * 1024;

/// Makes `async-auth` plugins.
#[derive(Debug)]
pub struct AsyncAuthFactory;

impl PluginFactory for AsyncAuthFactory {
    fn name(&self) -> &str {
        NAME
    }

    fn doc(&self) -> &str {
        "Lets requests for PATH_PREFIX pass only if AUTH_URL answers 2xx for them: async-auth PATH_PREFIX AUTH_URL."
    }

    fn global(&self, args: &[String]) -> Result<Box<dyn Plugin>, PluginError> {
        let [prefix, auth_url] = args else {
            return Err(PluginError::new(format!(
                "{NAME} takes PATH_PREFIX and AUTH_URL (arguments given: {})",
                args.len()
            )));
        };
        if !prefix.starts_with('/') {
            return Err(PluginError::new(format!("{NAME}: path prefix {prefix:?} must start with a slash")));
        }
        let url: Url = auth_url.parse().map_err(|error| {
            PluginError::new(format!(
                "{NAME}: {auth_url:?} is no URL to ask: {error}; write it as in http://auth.internal/check"
            ))
        })?;
        Ok(Box::new(AsyncAuth(Arc::new(Guard {
            prefix: prefix.clone().into_bytes(),
            plain_prefix: plain_path(prefix.as_bytes()),
            auth_url: url,
        }))))
    }
}

struct AsyncAuth(Arc<Guard>);

impl Plugin for AsyncAuth {
    fn name(&self) -> &str {
        NAME
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        let guard = Arc::clone(&self.0);
        registrar.on_async(hooks::ReadRequestHdr, async move |txn: &mut Transaction| guard.check(txn).await);
        Ok(())
    }
}

/// What is guarded, and who decides.
struct Guard {
    prefix: Vec<u8>,
    plain_prefix: Vec<u8>,
    auth_url: Url,
}

impl Guard {
    async fn check(&self, txn: &mut Transaction) -> Outcome {
        if txn.is_internal() {
            let is_question = txn.client_request.headers.remove(QUESTION) > 0;
            return if is_question { keep_out_of_the_cache(txn) } else { Outcome::Continue };
        }
        if !self.covers(&txn.client_request.url) {
            return Outcome::Continue;
        }
        let host = txn.host();
        match host.fetch(self.question(txn)).await {
            Ok(answer) => decide(&host, answer),
            Err(error) => undecided(&error.to_string()),
        }
    }

    fn covers(&self, url: &Url) -> bool {
        let path = [b"/", &url.path[..]].concat();
        path.starts_with(&self.prefix) || plain_path(&path).starts_with(&self.plain_prefix)
    }

    fn question(&self, txn: &Transaction) -> FetchRequest {
        let asked = &txn.client_request;
        let mut request = Request::new(Method::Get, self.auth_url.clone());
        for name in [names::AUTHORIZATION, names::COOKIE] {
            asked.headers.get_all(name).for_each(|value| request.headers.append(name, value));
        }
        let mut target = Vec::new();
        asked.url.write_origin_form(&mut target);
        request.headers.append("X-Original-URI", target);
        request.headers.append(QUESTION, "1");
        FetchRequest { request, body: Bytes::new(), client_addr: txn.client_addr() }
    }
}

/// An answer given to one client must not be given to the next.
fn keep_out_of_the_cache(txn: &mut Transaction) -> Outcome {
    txn.no_store = true;
    match txn.set_record("proxy.config.http.cache.http", "0") {
        Ok(()) => Outcome::Continue,
        Err(_) => Outcome::Fail,
    }
}

fn decide(host: &Rc<dyn Host>, answer: FetchResponse) -> Outcome {
    let FetchResponse { response, body } = answer;
    drain(host, body);
    match response.status {
        200..=299 => Outcome::Continue,
        status @ (401 | 403) => {
            let mut refusal = plain_response(status, "The request was not authorised.\n");
            for challenge in response.headers.get_all(names::WWW_AUTHENTICATE) {
                refusal.response.headers.append(names::WWW_AUTHENTICATE, challenge);
            }
            Outcome::Respond(Box::new(refusal))
        }
        status => undecided(&format!("the auth server answered {status}")),
    }
}

/// Reads the rest of an answer beside the transaction. Its content and its faults decide nothing.
fn drain(host: &Rc<dyn Host>, mut rest: Box<dyn tollgate_plugin::Body>) {
    host.spawn(Box::pin(async move {
        drop(body::collect(&mut *rest, DRAIN_BYTES).await);
    }));
}

fn undecided(why: &str) -> Outcome {
    Outcome::Respond(Box::new(plain_response(503, &format!("Authorisation is not available: {why}.\n"))))
}

fn plain_response(status: u16, text: &str) -> LocalResponse {
    let mut response = LocalResponse::new(status, "text/plain", text.to_string());
    response.response.headers.append(names::CACHE_CONTROL, "no-store");
    response
}

/// A path as an origin may understand it: percent-decoded, backslashes as slashes, without empty and dot segments.
fn plain_path(path: &[u8]) -> Vec<u8> {
    let decoded = percent_decoded(path);
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut ends_open = false;
    for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
        ends_open = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let mut plain = Vec::with_capacity(decoded.len() + 1);
    for segment in &segments {
        plain.push(b'/');
        plain.extend_from_slice(segment);
    }
    if ends_open {
        plain.push(b'/');
    }
    plain
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
#[path = "async_auth_tests.rs"]
mod tests;
