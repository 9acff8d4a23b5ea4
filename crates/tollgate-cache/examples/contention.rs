//! Prints how many look-ups a second one thread makes in a store, and each of two threads at once: of one key, of some hot
//! ones, of many; bare, and with as much other work between them as a server has.
//! `cargo run --profile fasttest -p tollgate-cache --example contention`.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use tollgate_cache::{
    Body, CacheKey, Lookup, Policy, RamStore, RamStoreSettings, StoredHead, StoredMeta, StoredObject,
};
use tollgate_event::sys::Allocator;
use tollgate_http::{Method, Request, Response};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const OBJECTS: usize = 100_000;
const BODY_BYTES: usize = 1024;
const NOW: i64 = 1_790_000_000;
const RUN: Duration = Duration::from_millis(700);
const REPETITIONS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = RamStore::new(RamStoreSettings { budget_bytes: 1 << 30, ..RamStoreSettings::default() });
    let mut asked = Vec::with_capacity(OBJECTS);
    for number in 0..OBJECTS {
        let request =
            Request::new(Method::Get, format!("http://www.example.com/img/{number:08}.css").parse()?);
        let key = CacheKey::for_url(&request.url, -1);
        store.insert(&key, object(&key, &request))?;
        asked.push((key, request));
    }
    let turns = turns_of(Duration::from_micros(5));
    println!("look-ups a second of each thread   alone   with another   share");
    for (between, turns) in [("", 0), (", 5 µs of other work between", turns)] {
        for (keys, name) in [(1, "one key"), (16, "16 keys"), (OBJECTS, "100,000 keys")] {
            let mut rates = [Vec::new(), Vec::new()];
            for _ in 0..REPETITIONS {
                for threads in [1, 2] {
                    rates[threads - 1].push(rate(&store, &asked[..keys], threads, turns));
                }
            }
            let [alone, both] = rates.map(median);
            println!("{name}{between}: {alone:.0} {both:.0} {:.1} %", both / alone * 100.0);
        }
    }
    Ok(())
}

fn object(key: &CacheKey, request: &Request) -> Arc<StoredObject> {
    let mut response = Response::new(200);
    response.headers.append("Cache-Control", "max-age=86400");
    response.headers.append("Content-Type", "text/css");
    let meta = StoredMeta::new(&response, NOW, NOW);
    let head = StoredHead::new(request, &response, meta, Policy::default().set_cookie)
        .born_as(key, Default::default());
    Arc::new(StoredObject::new(head, Body::from_bytes(vec![b'x'; BODY_BYTES].into())))
}

/// Look-ups a second of each of `threads` threads, at once.
fn rate(store: &RamStore, asked: &[(CacheKey, Request)], threads: usize, turns: u32) -> f64 {
    let start = Barrier::new(threads);
    let look_up = |thread: usize| {
        let mut state = thread as u64 + 1;
        let mut count = 0u32;
        start.wait();
        let begin = Instant::now();
        while begin.elapsed() < RUN {
            for _ in 0..64 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (key, request) = &asked[(state >> 33) as usize % asked.len()];
                assert!(matches!(black_box(store.lookup(key, request)), Lookup::Found(_)));
                other_work(turns);
                count += 1;
            }
        }
        f64::from(count) / begin.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let look_up = &look_up;
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || look_up(thread))).collect();
        let own = look_up(0);
        let rates = others.into_iter().map(|other| other.join().expect("no panic"));
        (own + rates.sum::<f64>()) / threads as f64
    })
}

/// Touches nothing that is shared.
fn other_work(turns: u32) {
    let mut value = 1u64;
    for _ in 0..turns {
        value = black_box(value.wrapping_mul(3));
    }
}

/// How many turns of other work take so long.
fn turns_of(time: Duration) -> u32 {
    const TRIED: u32 = 10_000_000;
    let begin = Instant::now();
    other_work(TRIED);
    (f64::from(TRIED) * time.as_secs_f64() / begin.elapsed().as_secs_f64()) as u32
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
