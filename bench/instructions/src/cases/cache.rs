//! The cache: what a hit and a store cost.

use std::hint::black_box;
use std::sync::Arc;

use tollgate_cache::object::Body;
use tollgate_cache::rules::{freshness, request_policy};
use tollgate_cache::{
    Born, CacheKey, Lookup, Policy, RamStore, RamStoreSettings, StoredHead, StoredMeta, StoredObject,
};
use tollgate_http::{Method, Request, Url};

use super::http::response;

/// When the response came.
const NOW: i64 = 1_667_724_577;

/// Objects in the store.
const OBJECTS: u64 = 1000;

fn request(number: u64) -> Request {
    let url = format!("http://www.example.com/assets/{number}.js").parse();
    let mut request = Request::new(Method::Get, url.unwrap_or_else(|_| Url::origin("".into(), None)));
    request.headers.append("Host", "www.example.com");
    request.headers.append("Accept-Encoding", "gzip, br");
    request
}

fn object(request: &Request) -> Arc<StoredObject> {
    let response = response();
    let policy = Policy::default();
    let meta = StoredMeta::new(&response, NOW, NOW);
    let key = CacheKey::for_url(&request.url, -1);
    let head = StoredHead::new(request, &response, meta, policy.set_cookie).born_as(&key, Born::default());
    Arc::new(StoredObject::new(head, Body::from_bytes(vec![b'x'; 1024].into())))
}

/// Key, look-up among a thousand objects, and the verdict on its freshness.
pub(super) fn hit(iterations: u64) {
    let store = RamStore::new(RamStoreSettings::default());
    for number in 0..OBJECTS {
        let request = request(number);
        let inserted = store.insert(&CacheKey::for_url(&request.url, -1), object(&request));
        assert!(inserted.is_ok());
    }
    let (request, policy) = (request(OBJECTS / 2), Policy::default());
    for _ in 0..iterations {
        let request = black_box(&request);
        let wanted = request_policy(request, &policy);
        let found = store.lookup(&CacheKey::for_url(&request.url, -1), request);
        let Lookup::Found(object) = found else { panic!("a miss") };
        let verdict = freshness(&object.meta(), NOW + 3, &wanted, &policy);
        assert!(black_box(verdict).is_fresh());
    }
}

/// Stores an object in place of the one under the same key.
pub(super) fn insert(iterations: u64) {
    let store = RamStore::new(RamStoreSettings::default());
    let request = request(1);
    let (key, object) = (CacheKey::for_url(&request.url, -1), object(&request));
    for _ in 0..iterations {
        let inserted = store.insert(black_box(&key), Arc::clone(black_box(&object)));
        assert!(black_box(inserted).is_ok());
    }
}
