//! What would be done for a request, told in place of doing it.
//!
//! Responsible for: key, rule, what is stored, the arithmetic of freshness with its numbers, what was not stored and
//! why. The stages before the look-up have run, with their plugins; nothing is fetched, stored or served.
//! Not responsible for: the decisions: they are those of `cache.rs` and of `tollgate_cache::rules`.

use super::cache::Use;
use super::{Answer, Exchange, Stop};
use crate::client::ClientStream;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tollgate_cache::disk::LocatedObject;
use tollgate_cache::rules::{FreshState, StoredMeta};
use tollgate_cache::{CacheKey, Freshness, Lookup, Standing, StoredObject};
use tollgate_event::task;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{CacheLookup, LocalResponse};

impl<S: ClientStream> Exchange<'_, S> {
    /// Answers with the explanation.
    pub(crate) async fn explain(&mut self) -> Stop {
        self.txn.is_logged = false;
        let mut told = Map::new();
        self.tell_request(&mut told);
        self.prepare_look_up();
        let key = self.key_of(&self.txn.client_request.url);
        let on_disk = self.on_disk(&key).await;
        self.tell_look_up(&mut told, &key, &on_disk);
        let page = LocalResponse::new(200, "application/json", Value::Object(told).to_string());
        Stop::Answer(Box::new(Answer { page, end: TransactionEnd::LocalResponse, close: false }))
    }

    fn tell_request(&self, told: &mut Map<String, Value>) {
        let request = &self.txn.client_request;
        told.insert("method".into(), request.method.as_str().into());
        let pristine = self.txn.pristine_url.as_ref();
        told.insert("url".into(), pristine.map(tollgate_http::Url::to_text).into());
        told.insert(
            "rule".into(),
            self.rule.as_ref().map_or(Value::Null, |rule| {
                json!({
                    "file": *rule.file, "line": rule.line, "from": rule.from_text, "to": rule.to_text,
                    "plugins": rule.plugins.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
                })
            }),
        );
        told.insert("asks_for".into(), request.url.to_text().into());
        told.insert("is_intercepted".into(), self.txn.has_intercept().into());
        told.insert("overridden_records".into(), self.txn.records.has_overrides().into());
    }

    fn tell_look_up(&mut self, told: &mut Map<String, Value>, key: &CacheKey, on_disk: &OnDisk) {
        self.cache.key = Some(key.clone());
        let wanted = self.cache.request;
        let looks_up = self.is_looked_up();
        told.insert("now".into(), self.cache.now.into());
        told.insert("looks_up".into(), looks_up.into());
        let skip = wanted.skip.map(|skip| skip.token());
        told.insert("skips_because".into(), skip.filter(|_| !looks_up).into());
        told.insert("may_be_stored".into(), (wanted.store && !self.txn.no_store).into());
        told.insert(
            "request".into(),
            json!({
                "no_cache": wanted.no_cache, "no_store": wanted.no_store, "only_if_cached": wanted.only_if_cached,
                "max_age": wanted.max_age, "min_fresh": wanted.min_fresh, "max_stale": wanted.max_stale,
            }),
        );
        told.insert("key".into(), key.to_text().into());
        let mut url = Vec::new();
        key.write_url(&mut url);
        told.insert("key_url".into(), String::from_utf8_lossy(&url).into());
        told.insert("key_is_set_by_plugin".into(), self.txn.cache_url.is_some().into());
        told.insert("is_being_fetched".into(), self.thread.engine.collapser.is_filling(key).into());
        told.insert("not_shared".into(), self.not_shared(key));
        let in_memory = if looks_up { self.find(key) } else { None };
        let chosen = in_memory.or_else(|| self.chosen_on_disk(on_disk).filter(|_| looks_up));
        let alternates = self.thread.engine.store.alternates(key);
        let alternates = alternates.iter().map(|object| {
            let is_chosen = chosen.as_ref().is_some_and(|chosen| Arc::ptr_eq(chosen, object));
            self.alternate(object, is_chosen)
        });
        told.insert("alternates".into(), alternates.collect());
        told.insert("disk".into(), self.tell_disk(on_disk, chosen.as_ref()));
        told.insert("decision".into(), self.decision(looks_up, key, chosen.as_deref()).into());
    }

    /// What the disks have under the key, if there are any.
    async fn on_disk(&self, key: &CacheKey) -> OnDisk {
        let Some(store) = self.thread.engine.disk.store().cloned() else { return OnDisk::NoDisks };
        let wanted = key.clone();
        let found = match task::run(move || store.whereabouts(&wanted)).await {
            Some(Ok(Some(found))) => found,
            Some(Ok(None)) | None => return OnDisk::Unreachable("no disk takes it".into()),
            Some(Err(error)) => return OnDisk::Unreachable(error.to_string()),
        };
        let purges = self.thread.engine.store.purges();
        let located = found.objects.into_iter().map(|located| {
            let mark = located.object.head().mark();
            // As `find_on_disk` has it.
            let is_known = mark.judged() <= purges.newest();
            let is_purged = !is_known || purges.judge(key, mark) == Standing::Gone;
            let LocatedObject { object, offset, fragments, is_buffered, overwritten_after } = located;
            DiskAlternate {
                object: Arc::new(object),
                is_purged,
                place: json!({
                    "offset": offset, "fragments": fragments, "is_buffered": is_buffered,
                    "overwritten_after_bytes": overwritten_after,
                }),
            }
        });
        OnDisk::Stripe { name: found.stripe, volume: found.volume, alternates: located.collect() }
    }

    /// The one that would be read from the disk if memory had nothing.
    fn chosen_on_disk(&mut self, on_disk: &OnDisk) -> Option<Arc<StoredObject>> {
        let OnDisk::Stripe { alternates, .. } = on_disk else { return None };
        let left = alternates.iter().filter(|alternate| !alternate.is_purged);
        let left: Vec<_> = left.map(|alternate| Arc::clone(&alternate.object)).collect();
        self.choose(&left)
    }

    fn tell_disk(&self, on_disk: &OnDisk, chosen: Option<&Arc<StoredObject>>) -> Value {
        let (name, volume, alternates) = match on_disk {
            OnDisk::NoDisks => return Value::Null,
            OnDisk::Unreachable(why) => return json!({"error": why}),
            OnDisk::Stripe { name, volume, alternates } => (name, volume, alternates),
        };
        let alternates = alternates.iter().map(|DiskAlternate { object, is_purged, place }| {
            let is_chosen = chosen.is_some_and(|chosen| Arc::ptr_eq(chosen, object));
            let mut told = self.alternate(object, is_chosen);
            told["is_purged"] = (*is_purged).into();
            told["is_complete"] = (!object.head().is_part()).into();
            told["place"] = place.clone();
            told
        });
        json!({"stripe": name, "volume": volume, "alternates": alternates.collect::<Value>()})
    }

    /// What is remembered of responses that were not stored.
    fn not_shared(&self, key: &CacheKey) -> Value {
        let request = &self.txn.client_request.headers;
        let known = self.thread.engine.hit_for_miss.find(key, request, self.cache.now);
        known.map_or(
            Value::Null,
            |known| json!({"reason": known.reason, "remembered_for_s": known.until - self.cache.now}),
        )
    }

    fn decision(&self, looks_up: bool, key: &CacheKey, chosen: Option<&StoredObject>) -> &'static str {
        let Some(object) = chosen else {
            return match self.thread.engine.store.lookup_by(
                key,
                &self.txn.client_request,
                &self.cache.policy.negotiation,
            ) {
                _ if !looks_up => "asks the origin: the cache is not looked up",
                _ if self.cache.request.only_if_cached => {
                    "answers 504: only-if-cached, and nothing usable is stored"
                }
                Lookup::VaryMiss => "asks the origin: no alternate is for these request fields",
                _ => "asks the origin: nothing is stored",
            };
        };
        let freshness = self.freshness(object);
        match self.use_of(status_of(&freshness), &freshness) {
            Use::Serve => "serves it: fresh",
            Use::ServeAccepted => "serves it: stale, which the client's max-stale accepts",
            Use::ServeAndRefresh => "serves it: stale, and refreshes it behind the scenes",
            Use::ServeHeldOff => {
                "serves it: stale, and the origin has failed to validate it a short time ago"
            }
            Use::Replace => "asks the origin: the client wants it anew",
            Use::Validate(_) if self.cache.request.only_if_cached => {
                "answers 504: only-if-cached, and it is stale"
            }
            Use::Validate(_) if object.meta().has_validator() => "asks the origin whether it is still good",
            Use::Validate(_) => "asks the origin: stale, without a validator",
            Use::Ignore => "asks the origin: the object found is not used",
        }
    }

    fn alternate(&self, object: &StoredObject, is_chosen: bool) -> Value {
        let head = object.head();
        let freshness = self.freshness(object);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let selecting = head.selecting();
        let selecting: Map<String, Value> =
            selecting.iter().map(|(name, value)| (text(name), value.map(text).into())).collect();
        json!({
            "is_chosen": is_chosen,
            "matches": head.matches_by(&self.txn.client_request.headers, &self.cache.policy.negotiation),
            "selected_by": selecting,
            "status": head.status(),
            "body_bytes": object.body().len(),
            "memory_bytes": object.memory_bytes(),
            "tags": head.mark().tag_count(),
            "purged_softly_at": head.stale_since(),
            "freshness": verdict(&freshness),
            "age": age(&head.meta(), self.cache.now),
            "lifetime": lifetime(&head.meta(), &freshness),
        })
    }
}

/// What the disks have under a key.
enum OnDisk {
    NoDisks,
    Unreachable(String),
    Stripe { name: String, volume: u32, alternates: Vec<DiskAlternate> },
}

struct DiskAlternate {
    object: Arc<StoredObject>,
    /// Hit by a purge of many objects: it is there and not found.
    is_purged: bool,
    place: Value,
}

fn status_of(freshness: &Freshness) -> CacheLookup {
    if freshness.is_fresh() { CacheLookup::HitFresh } else { CacheLookup::HitStale }
}

fn verdict(freshness: &Freshness) -> Value {
    let stale = match freshness.state {
        FreshState::Fresh => Value::Null,
        FreshState::Stale(stale) => json!({
            "by_s": stale.by, "must_be_validated": stale.must_revalidate, "client_accepts": stale.client_accepts,
            "while_revalidate": stale.while_revalidate, "if_error": stale.if_error,
            "if_unreachable": stale.if_unreachable,
        }),
    };
    json!({
        "is_fresh": freshness.is_fresh(), "reason": freshness.reason.token(), "age_s": freshness.age,
        "lifetime_s": freshness.lifetime, "ttl_s": freshness.ttl(), "stale": stale,
    })
}

/// RFC 9111 §4.2.3, with numbers.
fn age(meta: &StoredMeta, now: i64) -> Value {
    let parts = meta.age_parts(now);
    json!({
        "apparent_s": parts.apparent, "age_value_s": meta.age_value, "response_delay_s": parts.delay,
        "resident_s": parts.resident, "date": meta.date, "request_time": meta.request_time,
        "response_time": meta.response_time,
    })
}

/// RFC 9111 §4.2.1, with numbers.
fn lifetime(meta: &StoredMeta, freshness: &Freshness) -> Value {
    json!({
        "source": freshness.source.token(), "s_maxage_s": meta.control.s_maxage, "max_age_s": meta.control.max_age,
        "expires_after_s": meta.expires_after, "last_modified": meta.last_modified,
        "may_be_heuristic": meta.heuristic_allowed, "is_targeted": meta.control.targeted,
        "stale_while_revalidate_s": meta.control.stale_while_revalidate,
        "stale_if_error_s": meta.control.stale_if_error,
    })
}
