//! Prints what a hit costs in this crate: key, look-up, freshness. `cargo run --release --example hit_cost`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use tollgate_cache::rules::{freshness, request_policy, store_decision};
use tollgate_cache::{
    Body, CacheKey, Lookup, Policy, RamStore, RamStoreSettings, StoreDecision, StoredHead, StoredObject,
};
use tollgate_http::{HeaderBlock, Method, Request, Response};

const LOOKUPS: usize = 4_000_000;
const NOW: i64 = 1_790_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for objects in [100, 10_000] {
        measure(objects)?;
    }
    Ok(())
}

fn measure(objects: usize) -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy::default();
    let store = RamStore::new(RamStoreSettings::default());
    let requests = (0..objects).map(request).collect::<Result<Vec<_>, _>>()?;
    for request in &requests {
        store.insert(&CacheKey::for_url(&request.url, -1), Arc::new(object(request, &policy)?))?;
    }
    let stats = store.stats();
    println!("{} objects of 1 KB take {} bytes each", stats.objects, stats.bytes / stats.objects);
    for threads in [1, 2] {
        let look_up = run(threads, &requests, |request, key| {
            black_box(store.lookup(key, request));
        });
        let key = run(threads, &requests, |request, _| {
            black_box(CacheKey::for_url(&request.url, -1));
        });
        let demands = run(threads, &requests, |request, _| {
            black_box(request_policy(request, &policy));
        });
        let whole = run(threads, &requests, |request, _| {
            let key = CacheKey::for_url(&request.url, -1);
            let wanted = request_policy(request, &policy);
            if let Lookup::Found(object) = store.lookup(&key, request) {
                black_box(freshness(object.meta(), NOW + 1, &wanted, &policy));
            }
        });
        let one = CacheKey::for_url(&requests[0].url, -1);
        let same = run(threads, &requests, |request, _| {
            black_box(store.lookup(&one, request));
        });
        println!(
            "{threads} thread(s): look-up {look_up:.0} ns, key {key:.0}, request policy {demands:.0}, all with freshness {whole:.0}, look-up of one key by all {same:.0}"
        );
    }
    Ok(())
}

/// Nanoseconds per call and thread; each thread has keys of its own.
fn run(threads: usize, requests: &[Request], call: impl Fn(&Request, &CacheKey) + Sync) -> f64 {
    let share = requests.len() / threads;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for own in requests.chunks(share) {
            let call = &call;
            scope.spawn(move || {
                let keys: Vec<_> = own.iter().map(|r| CacheKey::for_url(&r.url, -1)).collect();
                for n in 0..LOOKUPS {
                    let at = n.wrapping_mul(7919) % own.len();
                    call(&own[at], &keys[at]);
                }
            });
        }
    });
    start.elapsed().as_nanos() as f64 / LOOKUPS as f64
}

fn request(n: usize) -> Result<Request, tollgate_http::url::UrlError> {
    let mut request =
        Request::new(Method::Get, format!("http://www.example.com/static/file-{n}.html").parse()?);
    request.headers = fields(&[("Host", "www.example.com"), ("User-Agent", "bench"), ("Accept", "*/*")]);
    Ok(request)
}

fn object(request: &Request, policy: &Policy) -> Result<StoredObject, String> {
    let mut response = Response::new(200);
    response.headers = fields(&[
        ("Server", "bench"),
        ("Content-Type", "text/html"),
        ("Content-Length", "1024"),
        ("Cache-Control", "max-age=3600"),
        ("ETag", "\"abc\""),
    ]);
    match store_decision(request, &response, NOW, policy) {
        StoreDecision::Store { meta } => {
            let head = StoredHead::new(request, &response, meta, policy.set_cookie);
            Ok(StoredObject::new(Arc::new(head), Body::from_bytes(vec![0; 1024].into())))
        }
        StoreDecision::Dont(reason) => Err(format!("not stored: {reason}")),
    }
}

fn fields(fields: &[(&str, &str)]) -> HeaderBlock {
    fields.iter().copied().collect()
}
