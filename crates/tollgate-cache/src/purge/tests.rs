use super::*;
use crate::object::{Body, StoredHead, StoredObject};
use crate::policy::{Policy, SetCookiePolicy};
use crate::rules::{FreshState, StoredMeta, request_policy};
use crate::store::{InsertError, Lookup, RamStore, RamStoreSettings, Sweep};
use proptest::prelude::*;
use std::sync::Arc;
use tollgate_http::{Method, Request, Response};

const NOW: i64 = 1_790_000_000;

fn key(url: &str) -> CacheKey {
    CacheKey::for_url(&url.parse().expect("test URL"), -1)
}

fn head(key: &CacheKey, fields: &[(&str, &str)], born: Born) -> StoredHead {
    let request = Request::new(Method::Get, "http://h/".parse().expect("test URL"));
    let mut response = Response::new(200);
    for (name, value) in fields {
        response.headers.append(*name, *value);
    }
    let meta = StoredMeta::new(&response, NOW, NOW);
    StoredHead::new(&request, &response, meta, SetCookiePolicy::Replay).born_as(key, born)
}

fn object(store: &RamStore, key: &CacheKey, fields: &[(&str, &str)]) -> Arc<StoredObject> {
    Arc::new(StoredObject::new(head(key, fields, store.born(key)), Body::default()))
}

/// A store with one object for each URL.
fn store_of(urls: &[&str]) -> RamStore {
    let store = RamStore::new(RamStoreSettings::default());
    for url in urls {
        let key = key(url);
        store.insert(&key, object(&store, &key, &[])).expect("room");
    }
    store
}

fn has(store: &RamStore, url: &str) -> bool {
    let request = Request::new(Method::Get, url.parse().expect("test URL"));
    matches!(store.lookup(&key(url), &request), Lookup::Found(_))
}

fn purge(store: &RamStore, target: Target, effect: Effect) {
    store.purges().add(target, effect, NOW).expect("a right target");
}

/// Sweeps in small steps, and retires what came before `before`.
fn sweep_all(store: &RamStore, before: i64) {
    let mut sweep = Sweep::default();
    loop {
        if let Some(newest) = store.sweep(&mut sweep, 3) {
            return store.purges().retire(newest, before);
        }
    }
}

#[test]
fn a_prefix_purges_the_urls_that_begin_with_it_and_no_others() {
    let urls =
        ["http://a/x/1", "http://a/x/", "http://a/x", "http://a/y/x/1", "http://b/x/1", "https://a/x/1"];
    let store = store_of(&urls);
    purge(&store, Target::prefix(&key("http://A:80/x/")), Effect::Hard);
    assert_eq!(urls.map(|url| has(&store, url)), [false, false, true, true, true, true]);
    assert_eq!((store.stats().objects, store.stats().purged), (4, 2));
}

#[test]
fn an_expression_is_matched_with_the_url_as_requests_have_it() {
    let urls = ["http://a/1.png?v=1", "http://a:8080/1.png", "http://a/1.jpg"];
    let store = store_of(&urls);
    purge(&store, Target::Regex(r"^http://a/[^?]*\.png".into()), Effect::Hard);
    assert_eq!(urls.map(|url| has(&store, url)), [false, true, true]);
}

#[test]
fn an_expression_that_is_wrong_or_too_large_purges_nothing() {
    let store = store_of(&["http://a/"]);
    for wrong in ["(", "(a{1000}){1000}"] {
        let refused = store.purges().add(Target::Regex(wrong.into()), Effect::Hard, NOW);
        assert!(matches!(refused, Err(PurgeError::Regex(_))), "{wrong}");
    }
    assert_eq!(store.purges().newest(), 0);
    assert!(has(&store, "http://a/"));
}

#[test]
fn a_tag_purges_what_has_it_in_one_of_its_fields() {
    let store = RamStore::new(RamStoreSettings::default());
    let fields: [&[(&str, &str)]; 5] = [
        &[("Surrogate-Key", "one two")],
        &[("Surrogate-Key", "x"), ("Surrogate-Key", "\tone")],
        &[("Cache-Tag", "zero, one ,two")],
        &[("Cache-Tag", "one two")],
        &[("Surrogate-Key", "One")],
    ];
    for (number, fields) in fields.iter().enumerate() {
        let key = key(&format!("http://a/{number}"));
        store.insert(&key, object(&store, &key, fields)).expect("room");
    }
    purge(&store, Target::Tag(b"one".as_slice().into()), Effect::Hard);
    let left: Vec<bool> = (0..5).map(|n| has(&store, &format!("http://a/{n}"))).collect();
    assert_eq!(left, [false, false, false, true, true]);
}

#[test]
fn a_group_belongs_to_its_origin() {
    let store = RamStore::new(RamStoreSettings::default());
    let urls = ["http://a/1", "http://a/2", "http://a:81/1", "http://b/1"];
    for (url, groups) in urls.iter().zip([r#""g""#, r#""h""#, r#""g""#, r#""g""#]) {
        let key = key(url);
        store.insert(&key, object(&store, &key, &[("Cache-Groups", groups)])).expect("room");
    }
    purge(&store, Target::group(&key("http://a/form"), b"g"), Effect::Hard);
    assert_eq!(urls.map(|url| has(&store, url)), [false, true, true, true]);
    purge(&store, Target::Tag(b"g".as_slice().into()), Effect::Hard);
    assert!(has(&store, "http://b/1"), "a group is no tag");
}

#[test]
fn what_is_fetched_after_a_purge_is_not_hit_by_it_and_what_was_asked_for_before_is() {
    let store = store_of(&[]);
    let (one, two) = (key("http://a/1"), key("http://a/2"));
    let asked_before = object(&store, &one, &[]);
    purge(&store, Target::prefix(&key("http://a/")), Effect::Hard);
    let asked_after = object(&store, &two, &[]);
    assert_eq!(store.insert(&one, asked_before), Err(InsertError::Purged));
    assert_eq!(store.insert(&two, asked_after), Ok(()));
    assert!(has(&store, "http://a/2") && !has(&store, "http://a/1"));
}

#[test]
fn what_is_fetched_while_its_key_is_removed_is_not_stored() {
    let store = store_of(&[]);
    let key = key("http://a/");
    for remove in [|s: &RamStore, k: &CacheKey| s.remove(k), |s: &RamStore, k: &CacheKey| s.soften(k, NOW)] {
        let asked_before = object(&store, &key, &[]);
        assert_eq!(remove(&store, &key), 0);
        assert_eq!(store.insert(&key, asked_before), Err(InsertError::Purged));
        assert_eq!((store.stats().objects, store.stats().bytes), (0, 0));
        let asked_after = object(&store, &key, &[]);
        assert_eq!(store.insert(&key, asked_after), Ok(()));
        store.clear();
    }
}

#[test]
fn a_softly_purged_object_is_stale_from_the_first_purge_on() {
    let store = store_of(&["http://a/"]);
    let key = key("http://a/");
    for (at, target) in [(9, Target::Everything), (5, Target::Regex("a".into())), (7, Target::prefix(&key))] {
        store.purges().add(target, Effect::Soft, NOW + at).expect("a right target");
    }
    let request = Request::new(Method::Get, "http://a/".parse().expect("test URL"));
    let Lookup::Found(object) = store.lookup(&key, &request) else { panic!("still there") };
    assert_eq!(object.head().stale_since(), Some(NOW + 5));
}

#[test]
fn staleness_by_purge_allows_what_the_response_allows_from_then_on() {
    let policy = Policy { guaranteed_min_lifetime: 500, ..Policy::default() };
    let request = Request::new(Method::Get, "http://a/".parse().expect("test URL"));
    let wanted = request_policy(&request, &policy);
    let key = key("http://a/");
    let fields = [("Cache-Control", "max-age=1000, stale-while-revalidate=30, stale-if-error=60")];
    let head = head(&key, &fields, Born::default());
    let at = |now: i64| head.freshness(NOW + now, &wanted, &policy);
    assert!(at(100).is_fresh());
    head.mark().make_stale(NOW + 100);
    let stale = |now: i64| match at(now).state {
        FreshState::Stale(stale) => (stale.by, stale.while_revalidate, stale.if_error),
        FreshState::Fresh => panic!("fresh at {now}"),
    };
    assert_eq!(
        [stale(100), stale(129), stale(130), stale(160)].map(|s| (s.1, s.2)),
        [(true, true), (true, true), (false, true), (false, false)]
    );
    assert_eq!((stale(130).0, at(130).lifetime, at(130).age), (30, 100, 130));
}

#[test]
fn what_must_be_validated_is_not_served_when_softly_purged() {
    let policy = Policy::default();
    let request = Request::new(Method::Get, "http://a/".parse().expect("test URL"));
    let wanted = request_policy(&request, &policy);
    for control in ["s-maxage=1000, stale-while-revalidate=30", "max-age=1000, must-revalidate"] {
        let head = head(&key("http://a/"), &[("Cache-Control", control)], Born::default());
        head.mark().make_stale(NOW + 1);
        assert!(!head.freshness(NOW + 2, &wanted, &policy).may_serve_now(), "{control}");
    }
}

#[test]
fn a_sweep_removes_what_is_gone_and_lets_purges_be_forgotten() {
    let urls: Vec<String> = (0..500).map(|n| format!("http://a/{}/{n}", n % 5)).collect();
    let store = store_of(&urls.iter().map(String::as_str).collect::<Vec<_>>());
    purge(&store, Target::prefix(&key("http://a/0/")), Effect::Hard);
    purge(&store, Target::Tag(b"none".as_slice().into()), Effect::Soft);
    sweep_all(&store, NOW);
    assert_eq!((store.stats().objects, store.stats().purged), (400, 100));
    assert!(store.purges().has_any(), "purges of now are kept for what is being fetched");
    sweep_all(&store, NOW + 1);
    let stats = store.purges().stats();
    assert_eq!((stats.bans, stats.tags, stats.forgotten, stats.newest, stats.overflows), (0, 0, 2, 2, 0));
    assert!(urls.iter().all(|url| has(&store, url) != url.starts_with("http://a/0/")));
}

#[test]
fn purges_beyond_the_limits_purge_more_and_never_less() {
    let limits = PurgeLimits { bans: 3, tags: 4 };
    let store = RamStore::with_purges(RamStoreSettings::default(), Arc::new(Purges::new(limits)));
    let (old, judged) = (key("http://a/old"), key("http://a/judged"));
    for key in [&old, &judged] {
        store.insert(key, object(&store, key, &[])).expect("room");
    }
    for n in 0..3 {
        purge(&store, Target::Regex(format!("x{n}").into()), Effect::Hard);
    }
    assert!(has(&store, "http://a/judged"));
    purge(&store, Target::Regex("x3".into()), Effect::Hard);
    assert!(has(&store, "http://a/judged"), "judged by what was forgotten");
    assert!(!has(&store, "http://a/old"), "not judged by it");
    for n in 0..50u8 {
        purge(&store, Target::Tag([n].as_slice().into()), Effect::Hard);
    }
    let stats = store.purges().stats();
    assert!(stats.tags <= 4 && stats.overflows > 1, "{stats:?}");
}

#[test]
fn the_same_ban_again_stands_for_the_older_one_unless_that_does_more() {
    let purges = Purges::default();
    let bans = |effect| {
        purges.add(Target::Regex("a".into()), effect, NOW).expect("right");
        purges.stats().bans
    };
    assert_eq!(
        [Effect::Soft, Effect::Soft, Effect::Hard, Effect::Soft, Effect::Hard].map(bans),
        [1, 1, 1, 2, 1]
    );
}

#[test]
fn nothing_is_judged_twice_by_the_same_purges() {
    let purges = Purges::default();
    purges.add(Target::Regex("zzz".into()), Effect::Hard, NOW).expect("right");
    let key = key("http://a/");
    let head = head(&key, &[], Born::default());
    assert_eq!(head.mark().judged(), 0);
    assert_eq!(purges.judge(&key, head.mark()), Standing::Untouched);
    assert_eq!(head.mark().judged(), purges.newest());
}

/// What a step of the model does.
#[derive(Clone, Debug)]
enum Step {
    /// An object for this path with these tags.
    Put(u8, u8),
    Purge(Target, Effect),
    /// The path is looked up.
    Get(u8),
    Sweep,
    /// The purges are written down and read by a new process, which has the objects.
    Restart,
}

fn path_url(path: u8) -> String {
    format!("http://h{}/{}/{}", path % 2, path % 3, path)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12u8, 0..8u8).prop_map(|(path, tags)| Step::Put(path, tags)),
        3 => (target(), any::<bool>()).prop_map(|(target, hard)| {
            Step::Purge(target, if hard { Effect::Hard } else { Effect::Soft })
        }),
        4 => (0..12u8).prop_map(Step::Get),
        1 => Just(Step::Sweep),
        1 => Just(Step::Restart),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        (0..12u8).prop_map(|path| Target::prefix(&key(&path_url(path)))),
        (0..2u8, 0..3u8).prop_map(|(host, dir)| Target::prefix(&key(&format!("http://h{host}/{dir}/")))),
        (0..10u8).prop_map(|digit| Target::Regex(format!("{digit}$").into())),
        (0..3u8).prop_map(|tag| Target::Tag(format!("t{tag}").into_bytes().into())),
        (0..2u8, 0..3u8).prop_map(|(host, group)| {
            Target::group(&key(&format!("http://h{host}/")), format!("g{group}").as_bytes())
        }),
        Just(Target::Everything),
    ]
}

fn tag_fields(tags: u8) -> (String, String) {
    let of = |prefix: &str, quote: &str, separator: &str| {
        let names = (0..3).filter(|n| tags & (1 << n) != 0).map(|n| format!("{quote}{prefix}{n}{quote}"));
        names.collect::<Vec<_>>().join(separator)
    };
    (of("t", "", " "), of("g", "\"", ", "))
}

/// The naive twin: an object with everything that was purged after it.
struct Naive {
    url: String,
    tags: u8,
    since: Option<i64>,
    is_gone: bool,
}

impl Naive {
    fn meets(&mut self, target: &Target, effect: Effect, at: i64) {
        let (tags, groups) = tag_fields(self.tags);
        let key = key(&self.url);
        let is_hit = match target {
            Target::Everything => true,
            Target::Key(other) => key.as_bytes() == &**other,
            Target::Prefix(prefix) => key.as_bytes().starts_with(prefix),
            Target::Regex(text) => regex::Regex::new(text).expect("right").is_match(&self.url),
            Target::Tag(name) => tags.split(' ').any(|tag| tag.as_bytes() == &**name),
            Target::Group { origin, name } => {
                let has = groups.split(", ").any(|g| g.trim_matches('"').as_bytes() == &**name);
                has && key.origin().as_slice() == &**origin
            }
        };
        if is_hit && effect == Effect::Hard {
            self.is_gone = true;
        } else if is_hit {
            self.since = Some(self.since.map_or(at, |since| since.min(at)));
        }
    }
}

proptest! {
    #[test]
    fn the_store_agrees_with_a_model_that_asks_every_purge(steps in proptest::collection::vec(step(), 1..60)) {
        let mut store = RamStore::new(RamStoreSettings::default());
        let mut model: std::collections::BTreeMap<u8, Naive> = Default::default();
        for (time, step) in steps.into_iter().enumerate() {
            let now = NOW + time as i64;
            match step {
                Step::Put(path, tags) => {
                    let url = path_url(path);
                    let (names, groups) = tag_fields(tags);
                    let fields = [("Surrogate-Key", &*names), ("Cache-Groups", &*groups)];
                    let key = key(&url);
                    store.insert(&key, object(&store, &key, &fields)).expect("room");
                    model.insert(path, Naive { url, tags, since: None, is_gone: false });
                }
                Step::Purge(target, effect) => {
                    model.values_mut().for_each(|object| object.meets(&target, effect, now));
                    store.purges().add(target, effect, now).expect("right");
                }
                Step::Get(path) => {
                    let expected = model.get(&path).filter(|o| !o.is_gone).map(|o| o.since);
                    let request = Request::new(Method::Get, path_url(path).parse().expect("test URL"));
                    let found = match store.lookup(&key(&path_url(path)), &request) {
                        Lookup::Found(object) => Some(object.head().stale_since()),
                        _ => None,
                    };
                    prop_assert_eq!(found.map(|since| since.is_some()), expected.map(|since| since.is_some()));
                    // Of two soft purges of one kind that it was not judged between, the later one counts.
                    prop_assert!(found >= expected);
                }
                Step::Sweep => sweep_all(&store, now + 1),
                Step::Restart => store = restarted(&store),
            }
        }
        let alive = model.values().filter(|o| !o.is_gone).count() as u64;
        sweep_all(&store, i64::MAX);
        prop_assert_eq!(store.stats().objects, alive);
        prop_assert!(!store.purges().has_any());
    }
}

/// A new store with the same objects, and with the purges as a journal has them.
fn restarted(store: &RamStore) -> RamStore {
    let mut written = Vec::new();
    store.purges().snapshot().iter().for_each(|entry| journal::append(&mut written, entry));
    let (entries, read) = journal::read(&written);
    assert_eq!(read, written.len());
    let purges = Purges::default();
    purges.restore(entries);
    assert_eq!(purges.stats(), store.purges().stats());
    let new = RamStore::with_purges(*store.settings(), Arc::new(purges));
    for path in 0..12 {
        let key = key(&path_url(path));
        for object in store.alternates(&key) {
            let born = Born { purge: object.head().mark().judged(), removals: None };
            let head = StoredHead::clone(object.head()).born_as(&key, born);
            object.head().stale_since().into_iter().for_each(|since| head.mark().make_stale(since));
            let object = StoredObject::new(head, object.body().clone());
            new.insert(&key, Arc::new(object)).expect("room");
        }
    }
    new
}
