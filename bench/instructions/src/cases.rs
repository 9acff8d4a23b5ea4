//! The operations that are counted, one function and one row of [`CASES`] each.
//!
//! A case prepares its input outside the loop, runs the operation `iterations` times and passes input and result
//! through [`black_box`].

use std::hint::black_box;

/// One operation.
pub(crate) struct Case {
    /// Name on the command line, in the report and in `baseline.json`.
    pub(crate) name: &'static str,
    /// Runs the operation this many times.
    pub(crate) run: fn(u64),
}

/// Every operation.
pub(crate) const CASES: &[Case] = &[Case { name: "calibration", run: calibration }];

/// A sum over a kilobyte that no change of the program can touch: if this count moves, the tools changed.
fn calibration(iterations: u64) {
    let bytes = [7_u8; 1024];
    for _ in 0..iterations {
        let sum = black_box(&bytes).iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
        black_box(sum);
    }
}
