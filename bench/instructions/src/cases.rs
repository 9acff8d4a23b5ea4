//! The operations that are counted, one function and one row of [`CASES`] each.
//!
//! A case prepares its input outside the loop, runs the operation `iterations` times and passes input and result
//! through [`black_box`].

mod cache;
mod hooks;
mod http;
mod server;

use std::hint::black_box;

/// One operation.
pub(crate) struct Case {
    /// Name on the command line, in the report and in `baseline.json`.
    pub(crate) name: &'static str,
    /// Runs the operation this many times.
    pub(crate) run: fn(u64),
}

const fn case(name: &'static str, run: fn(u64)) -> Case {
    Case { name, run }
}

/// Every operation.
pub(crate) const CASES: &[Case] = &[
    case("calibration", calibration),
    case("parse_request", http::parse_request),
    case("parse_response", http::parse_response),
    case("write_response", http::write_response),
    case("edit_headers", http::edit_headers),
    case("decode_chunked", http::decode_chunked),
    case("parse_url", http::parse_url),
    case("cache_hit", cache::hit),
    case("cache_insert", cache::insert),
    case("hooks_0", hooks::none),
    case("hooks_1", hooks::one),
    case("hooks_7", hooks::seven),
    case("remap_20000", server::remap),
    case("log_squid", server::log_line),
    case("metric_inc", server::metric),
];

/// A sum over a kilobyte that no change of the program can touch: if this count moves, the tools changed.
fn calibration(iterations: u64) {
    let bytes = [7_u8; 1024];
    for _ in 0..iterations {
        let sum = black_box(&bytes).iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
        black_box(sum);
    }
}
