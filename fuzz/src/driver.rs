//! Runs targets on seeds and mutated seeds.
//!
//! Responsible for: the loop, catching panics, and noticing an input that takes too long. Not responsible for:
//! reporting to the user (the program `fuzz-smoke`).
//!
//! LIMIT: what ends the process at once (running out of stack or memory) cannot be caught; the watchdog and the
//! fixed seed allow to find the input.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::mutator::mutate;
use crate::random::Random;
use crate::targets::Target;

/// An input on which a target panicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The input.
    pub input: Vec<u8>,
    /// The panic's message.
    pub message: String,
}

/// Runs a target on every seed as it is, then on `inputs` mutated ones; stops at the first failure.
pub fn run(
    target: &Target,
    seeds: &[Vec<u8>],
    inputs: u64,
    seed: u64,
    watch: &Watchdog,
) -> Result<u64, Failure> {
    let mut tried = 0;
    let mut attempt = |input: &[u8]| {
        watch.begin(target.name, input);
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
        watch.end();
        tried += 1;
        outcome.map_err(|cause| Failure { input: input.to_vec(), message: message(&*cause) })
    };
    for input in seeds {
        attempt(input)?;
    }
    let mut random = Random::new(seed);
    for _ in 0..inputs {
        attempt(&mutate(seeds, target.tokens, &mut random))?;
    }
    Ok(tried)
}

fn message(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Calls a function when one input takes too long.
pub struct Watchdog {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    current: Mutex<Current>,
    changed: Condvar,
}

#[derive(Default)]
struct Current {
    /// Counts inputs, so that two in a row are told apart.
    number: u64,
    /// Target and input under way.
    running: Option<(&'static str, Vec<u8>)>,
    is_over: bool,
}

impl Watchdog {
    /// Watches until it is dropped; `on_timeout` is called once with target and input.
    pub fn start(limit: Duration, on_timeout: impl FnOnce(&str, &[u8]) + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let watched = Arc::clone(&shared);
        thread::spawn(move || watched.watch(limit, on_timeout));
        Self { shared }
    }

    fn begin(&self, target: &'static str, input: &[u8]) {
        self.shared.set(|current| {
            current.number += 1;
            current.running = Some((target, input.to_vec()));
        });
    }

    fn end(&self) {
        self.shared.set(|current| current.running = None);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.set(|current| current.is_over = true);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn set(&self, change: impl FnOnce(&mut Current)) {
        change(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn watch(&self, limit: Duration, on_timeout: impl FnOnce(&str, &[u8])) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = current.number;
        loop {
            let waited = self.changed.wait_timeout(current, limit).unwrap_or_else(PoisonError::into_inner);
            current = waited.0;
            if current.is_over {
                return;
            }
            if waited.1.timed_out()
                && current.number == seen
                && let Some((target, input)) = current.running.take()
            {
                drop(current);
                return on_timeout(target, &input);
            }
            seen = current.number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn never() -> Watchdog {
        Watchdog::start(Duration::from_secs(600), |_, _| {})
    }

    fn target(run: fn(&[u8])) -> Target {
        Target { name: "t", run, tokens: &[b"boom"], cost: 1 }
    }

    #[test]
    fn a_panicking_input_is_found_and_returned() {
        let broken = target(|input| assert!(!input.windows(4).any(|w| w == b"boom"), "it went boom"));
        let failure = run(&broken, &[b"seed".to_vec()], 5000, 1, &never()).expect_err("a token does it");
        assert!(failure.input.windows(4).any(|window| window == b"boom"));
        assert_eq!(failure.message, "it went boom");
    }

    #[test]
    fn seeds_are_tried_as_they_are() {
        let picky = target(|input| assert_ne!(input, b"exact"));
        assert!(run(&picky, &[b"exact".to_vec()], 0, 1, &never()).is_err());
    }

    #[test]
    fn a_sound_target_gets_every_input() {
        assert_eq!(run(&target(|_| {}), &[b"a".to_vec(), b"b".to_vec()], 10, 1, &never()), Ok(12));
    }

    #[test]
    fn an_input_that_takes_too_long_is_reported() {
        let (tell, told) = mpsc::channel();
        let watch = Watchdog::start(Duration::from_millis(1), move |target, input| {
            // The test may be over already.
            let _ = tell.send((target.to_owned(), input.to_vec()));
        });
        watch.begin("slow", b"input");
        let reported = told.recv_timeout(Duration::from_secs(60)).expect("reported");
        assert_eq!(reported, ("slow".to_owned(), b"input".to_vec()));
    }

    #[test]
    fn inputs_are_printed_as_digits() {
        assert_eq!(hex(&[0, 255, 16]), "00ff10");
    }
}
