//! PURGE: what is stored for a URL, or for many, is removed or made stale.
//!
//! Responsible for: what a request asks to be purged, the key, what handlers and the client are told; without an
//! `ip_allow.yaml`, who may send the method. Not responsible for: what that file and the filters of rules refuse,
//! which is decided before; what unsafe requests invalidate.
//!
//! | request | purges |
//! |---|---|
//! | `PURGE /a` | the URL: 200 if something was stored, else 404 |
//! | `PURGE /a/*` | all URLs that begin with what precedes the `*`: 200 |
//! | `Surrogate-Key: one two` or `Cache-Tag: one, two` in it | in place of the URL, all responses with one of these tags: 200 |
//! | `Purge-Match: REGEX` in it | in place of the URL, all URLs that match, as the cache has them: 200 |
//! | `Soft-Purge: 1` or `Fastly-Soft-Purge: 1` in it | as above; they become stale |

use super::{Answer, Exchange, Stop};
use crate::client::ClientStream;
use crate::disk::{self, Survives};
use crate::error_page::ErrorKind;
use bytes::Bytes;
use std::net::IpAddr;
use tollgate_cache::purge::tags_in;
use tollgate_cache::{Effect, Target};
use tollgate_http::{HeaderBlock, Method, Url};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{CacheLookup, LocalResponse};

/// A regular expression for URLs, in a PURGE request.
const FIELD_MATCH: &str = "Purge-Match";
/// Fields whose value `1` makes a PURGE soft.
const FIELDS_SOFT: [&str; 2] = ["Soft-Purge", "Fastly-Soft-Purge"];

impl<S: ClientStream> Exchange<'_, S> {
    /// Whether the request is for the cache alone.
    pub(crate) fn is_purge(&self) -> bool {
        self.txn.client_request.method == Method::Purge
    }

    /// Without an `ip_allow.yaml` only this machine may change what is stored.
    pub(super) fn refuse_from_afar(&self, reason: &str) -> Result<(), Stop> {
        let session = self.txn.session();
        if self.generation.has_ip_allow || is_near(session.client_addr().ip(), session.is_internal()) {
            return Ok(());
        }
        Err(self.error(ErrorKind::Denied, reason, false))
    }

    /// Purges what the request asks for.
    pub(crate) async fn purge(&mut self) -> Result<TransactionEnd, Stop> {
        self.refuse_from_afar("PURGE from afar, without an ip_allow.yaml")?;
        let effect = effect(&self.txn.client_request.headers);
        let targets = self.purge_targets();
        let (found, status) = if targets.is_empty() {
            let was_stored = self.purge_url(effect).await;
            let found = if was_stored { CacheLookup::HitFresh } else { CacheLookup::Miss };
            (found, if was_stored { 200 } else { 404 })
        } else {
            for target in targets {
                match self.thread.engine.purge_now(target, effect) {
                    Ok(purge) => disk::make_purge_last(&self.thread.engine, purge).await,
                    Err(error) => return Err(self.error(ErrorKind::BadRequest, &error.to_string(), false)),
                }
            }
            (CacheLookup::Skipped, 200)
        };
        self.txn.cache_lookup = Some(found);
        fire!(self, CacheLookupComplete);
        let page = LocalResponse::new(status, "", Bytes::new());
        Err(Stop::Answer(Box::new(Answer { page, end: TransactionEnd::Completed, close: false })))
    }

    /// Purges the request's URL; tells whether anything was stored.
    async fn purge_url(&self, effect: Effect) -> bool {
        let key = self.key_of(&self.txn.client_request.url);
        let engine = &self.thread.engine;
        let found = match effect {
            Effect::Hard => {
                let found = engine.remove(&key);
                disk::make_removal_last(engine, &key, Survives::PowerFailure).await;
                found
            }
            // First on the disk: what is read from there meanwhile is then seen to be stale.
            Effect::Soft => disk::soften(engine, &key).await + engine.soften(&key),
        };
        let was_stored = found > 0;
        if was_stored {
            self.thread.metrics.inc(Metric::CacheInvalidations);
        }
        was_stored
    }

    /// What is to be purged in place of the URL.
    fn purge_targets(&self) -> Vec<Target> {
        let request = &self.txn.client_request;
        let tags = tags_in(&request.headers).map(|tag| Target::Tag(tag.into()));
        let regexes = request.headers.get_all(FIELD_MATCH);
        let regexes = regexes.map(|text| Target::Regex(String::from_utf8_lossy(text).into()));
        let targets: Vec<Target> = tags.chain(regexes).collect();
        match prefix(&request.url) {
            Some(prefix) if targets.is_empty() => vec![Target::prefix(&self.key_of(&prefix))],
            _ => targets,
        }
    }
}

fn effect(headers: &HeaderBlock) -> Effect {
    let is_soft = FIELDS_SOFT.iter().any(|name| headers.get(*name) == Some(b"1"));
    if is_soft { Effect::Soft } else { Effect::Hard }
}

/// What precedes a `*` at the end of a URL.
fn prefix(url: &Url) -> Option<Url> {
    let cut = |text: &Bytes| text.strip_suffix(b"*").map(|start| text.slice(..start.len()));
    match &url.query {
        Some(query) => cut(query).map(|query| Url { query: Some(query), ..url.clone() }),
        None => cut(&url.path).map(|path| Url { path, ..url.clone() }),
    }
}

/// Whether a client is this machine. The `ip_allow.yaml` that Traffic Server comes with lets PURGE in from there alone.
fn is_near(client: IpAddr, is_internal: bool) -> bool {
    is_internal || client.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unless_a_file_says_otherwise_only_this_machine_may_purge() {
        for (client, allowed) in
            [("127.0.0.1", true), ("::ffff:127.0.0.9", true), ("::1", true), ("10.0.0.1", false)]
        {
            let client: IpAddr = client.parse().expect("an address");
            assert_eq!((is_near(client, false), is_near(client, true)), (allowed, true), "{client}");
        }
    }

    #[test]
    fn a_star_at_the_end_makes_a_prefix() {
        for (url, start) in [
            ("http://h/a/*", Some("http://h/a/")),
            ("http://h/*", Some("http://h/")),
            ("http://h/a?b=*", Some("http://h/a?b=")),
            ("http://h/a*?b", None),
            ("http://h/a", None),
        ] {
            let prefix = prefix(&url.parse().expect("a URL")).map(|url| url.to_text());
            assert_eq!(prefix.as_deref(), start, "{url}");
        }
    }

    #[test]
    fn a_purge_is_soft_if_a_field_says_1() {
        for (fields, expected) in [
            (&[("Soft-Purge", "1")][..], Effect::Soft),
            (&[("fastly-soft-purge", "1")], Effect::Soft),
            (&[("Soft-Purge", "0")], Effect::Hard),
            (&[], Effect::Hard),
        ] {
            assert_eq!(effect(&fields.iter().copied().collect()), expected);
        }
    }
}
