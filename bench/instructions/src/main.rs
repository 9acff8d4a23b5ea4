//! Runs one operation a given number of times: `operations CASE N`, or `operations --list`.
//!
//! Responsible for: the table of operations. Not responsible for: counting (`cargo xtask instructions` runs this
//! program under callgrind with N and 2N iterations, so that everything outside the loop cancels out).
//!
//! Invariants: a case does the same work in every iteration and keeps its result with `black_box`; it uses
//! neither the clock nor randomness.

#![forbid(unsafe_code)]

mod cases;

use std::env;
use std::process::ExitCode;

use cases::CASES;

/// The server's allocator, so that counts do not depend on the system's.
#[global_allocator]
static ALLOCATOR: tollgate_event::sys::Allocator = tollgate_event::sys::Allocator;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => {
            CASES.iter().for_each(|case| println!("{}", case.name));
            ExitCode::SUCCESS
        }
        [name, iterations] => match (find(name), iterations.parse()) {
            (Some(case), Ok(iterations)) => {
                (case.run)(iterations);
                ExitCode::SUCCESS
            }
            _ => usage(),
        },
        _ => usage(),
    }
}

fn find(name: &str) -> Option<&'static cases::Case> {
    CASES.iter().find(|case| case.name == name)
}

fn usage() -> ExitCode {
    eprintln!("usage: operations --list | operations CASE ITERATIONS");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_runs_and_has_a_name_of_its_own() {
        for (position, case) in CASES.iter().enumerate() {
            (case.run)(2);
            assert!(CASES[..position].iter().all(|other| other.name != case.name), "{}", case.name);
            assert!(find(case.name).is_some());
        }
    }
}
