//! Prints what a million objects on a disk cost: writing, memory for the index, opening after a stop and after a kill,
//! look-ups. `cargo run --release --example warm_restart [OBJECTS [BYTES]]`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tollgate_cache::disk::{DiskStore, DiskStoreOptions, FileDevice, StripeOptions, StripePlace};
use tollgate_cache::{Body, CacheKey, Policy, StoredHead, StoredMeta, StoredObject};
use tollgate_http::{Method, Request, Response};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let objects = arguments.next().transpose()?.unwrap_or(1_000_000);
    let body_bytes = arguments.next().transpose()?.unwrap_or(1024);
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("cache.db");
    let each = (body_bytes + 600).next_multiple_of(512) as u64;
    let len = objects as u64 * each + (256 << 20);
    let open = || -> Result<(DiskStore, Duration), Box<dyn std::error::Error>> {
        let started = Instant::now();
        let stripe = StripeOptions { average_object_bytes: each, ..StripeOptions::default() };
        let device = Arc::new(FileDevice::open(&path, len)?);
        let place = StripePlace { name: "cache.db".into(), device, base: 0, len, volume: 0 };
        let (store, opened) =
            DiskStore::open(vec![place], DiskStoreOptions { stripe, ..DiskStoreOptions::default() });
        for (name, opened) in opened {
            println!("{name}: {:?}", opened?);
        }
        Ok((store, started.elapsed()))
    };

    let (store, _) = open()?;
    let keys = (0..objects).map(key).collect::<Result<Vec<_>, _>>()?;
    let object = object(body_bytes)?;
    let started = Instant::now();
    for key in &keys {
        store.writer(key).ok_or("no stripe")?.write_object(&object)?;
    }
    let took = started.elapsed();
    let written = store.stats().bytes_written;
    println!(
        "{objects} objects of {body_bytes} bytes written in {took:.2?}: {:.2} µs each, {:.0} MB/s",
        took.as_secs_f64() * 1e6 / objects as f64,
        written as f64 / took.as_secs_f64() / 1e6
    );
    println!("index: {:.1} bytes of memory each", store.stats().index_bytes as f64 / objects as f64);

    let started = Instant::now();
    store.sync();
    println!("sync of log and index: {:.2?}", started.elapsed());
    drop(store);
    let (store, took) = open()?;
    println!("opened after an orderly stop in {took:.2?}");

    // Not synced, as after a kill.
    let tail = keys.len() / 10;
    for key in &keys[..tail] {
        store.writer(key).ok_or("no stripe")?.write_object(&object)?;
    }
    drop(store);
    let (store, took) = open()?;
    println!("opened after a kill, {tail} objects since the last sync, in {took:.2?}");

    let found = keys.iter().filter(|key| store.may_have(key)).count();
    println!("{found} of {objects} objects are found");
    let look_ups = |name: &str, work: &dyn Fn(&CacheKey)| {
        let started = Instant::now();
        keys.iter().step_by(7).for_each(work);
        let count = keys.len().div_ceil(7);
        println!("{name}: {:.2} µs", started.elapsed().as_secs_f64() * 1e6 / count as f64);
    };
    look_ups("look-up in the index", &|key| {
        black_box(store.may_have(key));
    });
    look_ups("object read and decoded", &|key| {
        black_box(store.load(key).is_ok());
    });
    look_ups("object read (from the system's memory, without waiting) and decoded", &|key| {
        black_box(store.seek(key).and_then(|sought| sought.load_now(key)).is_some());
    });
    Ok(())
}

fn key(number: usize) -> Result<CacheKey, Box<dyn std::error::Error>> {
    Ok(CacheKey::for_url(&format!("http://www.example.com/path/to/object/{number}.html").parse()?, -1))
}

fn object(body_bytes: usize) -> Result<StoredObject, Box<dyn std::error::Error>> {
    let request = Request::new(Method::Get, "http://www.example.com/".parse()?);
    let mut response = Response::new(200);
    for (name, value) in [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "public, max-age=86400"),
        ("ETag", "\"5f3c6b2a1d\""),
        ("Last-Modified", "Tue, 01 Sep 2026 10:00:00 GMT"),
        ("Date", "Tue, 15 Sep 2026 10:00:00 GMT"),
    ] {
        response.headers.append(name, value);
    }
    let meta = StoredMeta::new(&response, 1_790_000_000, 1_790_000_000);
    let head = StoredHead::new(&request, &response, meta, Policy::default().set_cookie);
    Ok(StoredObject::new(head, Body::from_bytes(vec![b'x'; body_bytes].into())))
}
