//! Prints what it is worth to write objects that are in use ahead of the log's head: hits and bytes written, by
//! `hit_evacuate_percent`, for requests whose popularity falls by Zipf's law.
//! `cargo run --release --example evacuation [REQUESTS [SKEW IN PERCENT]]`.

use std::sync::Arc;
use tollgate_cache::disk::{DiskStore, DiskStoreOptions, MemoryDevice, StripeOptions, StripePlace};
use tollgate_cache::{Body, CacheKey, Policy, StoredHead, StoredMeta, StoredObject};
use tollgate_http::{Method, Request, Response};

const OBJECTS: usize = 100_000;
const BODY_BYTES: usize = 1500;
/// Bytes that a record takes, about.
const RECORD_BYTES: u64 = 2048;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let requests = arguments.next().transpose()?.unwrap_or(1_000_000);
    let skew = arguments.next().transpose()?.unwrap_or(90) as f64 / 100.0;
    let mut sum = 0.0;
    let popularity: Vec<f64> = (1..=OBJECTS)
        .map(|rank| {
            sum += 1.0 / (rank as f64).powf(skew);
            sum
        })
        .collect();
    let keys = (0..OBJECTS).map(key).collect::<Result<Vec<_>, _>>()?;
    let object = object()?;
    println!("{requests} requests for {OBJECTS} objects, skew {skew}");
    for share in [5, 20, 50] {
        for percent in [0, 5, 10, 20, 35, 50] {
            let store = store(OBJECTS as u64 * RECORD_BYTES * share / 100, percent);
            let mut state = 7u64;
            let (mut hits, mut counted) = (0u64, 0u64);
            for request in 0..requests {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let draw = (state >> 11) as f64 / (1u64 << 53) as f64 * sum;
                let key = &keys[popularity.partition_point(|until| *until < draw).min(OBJECTS - 1)];
                // The first half fills the disk.
                let counts = request >= requests / 2;
                counted += u64::from(counts);
                match store.load(key)?.into_iter().next() {
                    Some(found) => {
                        hits += u64::from(counts);
                        if let Some(evacuation) = store.evacuation(key, &Arc::new(found)) {
                            store.evacuate(&evacuation)?;
                        }
                    }
                    None => store.writer(key).ok_or("no stripe")?.write_object(&object)?,
                }
            }
            let stats = store.stats();
            println!(
                "disk for {share:2} % of the objects, {percent:2} %: {:.2} % hits, {:.0} MB written, {:.0} MB of them evacuated",
                hits as f64 * 100.0 / counted as f64,
                stats.bytes_written as f64 / 1e6,
                (stats.evacuated * RECORD_BYTES) as f64 / 1e6,
            );
        }
    }
    Ok(())
}

fn store(bytes: u64, percent: u8) -> DiskStore {
    let stripe = StripeOptions { average_object_bytes: 2048, buffer_bytes: 1 << 20, max_errors: 0 };
    let options = DiskStoreOptions { stripe, evacuate_percent: percent, ..DiskStoreOptions::default() };
    let device = Arc::new(MemoryDevice::new(vec![0; bytes as usize]));
    DiskStore::open(
        vec![StripePlace { name: "disk".into(), device, base: 0, len: bytes, volume: 0 }],
        options,
    )
    .0
}

fn key(number: usize) -> Result<CacheKey, Box<dyn std::error::Error>> {
    Ok(CacheKey::for_url(&format!("http://www.example.com/{number}").parse()?, -1))
}

fn object() -> Result<StoredObject, Box<dyn std::error::Error>> {
    let request = Request::new(Method::Get, "http://www.example.com/".parse()?);
    let mut response = Response::new(200);
    response.headers.append("Cache-Control", "max-age=3600");
    let meta = StoredMeta::new(&response, 1_790_000_000, 1_790_000_000);
    let head = StoredHead::new(&request, &response, meta, Policy::default().set_cookie);
    Ok(StoredObject::new(head, Body::from_bytes(vec![b'x'; BODY_BYTES].into())))
}
