//! Rules on the text of single source files.
//!
//! Responsible for: where `unsafe` may stand, which names a crate may mention, file sizes, leftovers.
//! Not responsible for: dependencies ([`super::layers`]) and documents ([`super::links`]).
//!
//! Each rule is a function from files to violations and has a test with a planted violation.

use super::Violation;
use super::layers::pure_packages;
use super::source::{SourceFile, lines_with, words};

/// Lines a file may have.
const MAX_LINES: usize = 800;

/// Where `unsafe` may stand: folders (with `/`) and module files.
const UNSAFE_PLACES: [&str; 6] = [
    "crates/tollgate-iobuf/",
    "crates/tollgate-ts/",
    "crates/tollgate-http/src/arena/",
    "crates/tollgate-http/src/arena.rs",
    "crates/tollgate-event/src/sys/",
    "crates/tollgate-event/src/sys.rs",
];

/// Packages that hold one of [`UNSAFE_PLACES`], so that their root cannot forbid `unsafe`.
const PACKAGES_WITH_UNSAFE: [&str; 4] =
    ["crates/tollgate-iobuf", "crates/tollgate-ts", "crates/tollgate-http", "crates/tollgate-event"];

/// The packages that may name the runtime's sockets. The event loop may be changed within `tollgate-event`; the
/// admin listener is no part of it: it is served by a library, on a runtime and a thread of its own, and no
/// transaction passes through it. The test kit plays client and origin.
const PACKAGES_WITH_SOCKETS: [&str; 3] =
    ["crates/tollgate-event", "crates/tollgate-admin", "crates/tollgate-testkit"];

/// Names that mean input, output or a clock, which level 0 gets as arguments.
const IMPURE_NAMES: [&str; 9] = [
    "tokio",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "SystemTime::now",
    "Instant::now",
];

fn at(file: &SourceFile, lines: Vec<usize>, message: &str) -> Vec<Violation> {
    lines.into_iter().map(|line| Violation::new(&file.path, line, message)).collect()
}

fn rust(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files.iter().filter(|file| file.path.ends_with(".rs"))
}

/// `unsafe` outside the few modules that may have it.
pub fn unsafe_outside_its_places(files: &[SourceFile]) -> Vec<Violation> {
    rust(files)
        .filter(|file| !UNSAFE_PLACES.iter().any(|place| file.path.starts_with(place)))
        .flat_map(|file| at(file, lines_with(&file.code, "unsafe"), "`unsafe` may not stand here"))
        .collect()
}

/// Crate roots that do not forbid `unsafe` although nothing in the crate needs it.
pub fn roots_that_allow_unsafe(files: &[SourceFile]) -> Vec<Violation> {
    let is_root = |file: &&SourceFile| {
        file.path.ends_with("src/lib.rs")
            || file.path.ends_with("src/main.rs")
            || file.path.contains("src/bin/")
    };
    rust(files)
        .filter(is_root)
        .filter(|file| !PACKAGES_WITH_UNSAFE.contains(&file.package()))
        .filter(|file| !file.code.contains("#![forbid(unsafe_code)]"))
        .map(|file| Violation::new(&file.path, 1, "a crate root says `#![forbid(unsafe_code)]`"))
        .collect()
}

/// Files longer than the cap.
pub fn long_files(files: &[SourceFile]) -> Vec<Violation> {
    let long = |file: &&SourceFile| file.is_program_text() && file.text.lines().count() > MAX_LINES;
    files
        .iter()
        .filter(long)
        .map(|file| {
            let message = format!("{} lines, the cap is {MAX_LINES}", file.text.lines().count());
            Violation::new(&file.path, MAX_LINES, &message)
        })
        .collect()
}

/// C symbols of Traffic Server named in code outside the crate that binds them.
pub fn foreign_c_symbols(files: &[SourceFile]) -> Vec<Violation> {
    let is_symbol =
        |word: &str| word.starts_with("TS") && word[2..].starts_with(|c: char| c.is_ascii_uppercase());
    // A constant such as TSC_HZ is all capitals; the C functions and types are in camel case.
    let is_mixed = |word: &str| word.bytes().any(|byte| byte.is_ascii_lowercase());
    rust(files)
        .filter(|file| file.package() != "crates/tollgate-ts")
        .flat_map(|file| {
            let lines = words(&file.code).filter(|(_, word)| is_symbol(word) && is_mixed(word));
            at(file, lines.map(|(line, _)| line).collect(), "only tollgate-ts names C symbols")
        })
        .collect()
}

/// The runtime's sockets named outside [`PACKAGES_WITH_SOCKETS`].
pub fn foreign_sockets(files: &[SourceFile]) -> Vec<Violation> {
    rust(files)
        .filter(|file| file.path.starts_with("crates/") && !PACKAGES_WITH_SOCKETS.contains(&file.package()))
        .flat_map(|file| {
            let mut lines = lines_with(&file.code, "tokio::net");
            lines.extend(grouped_imports(&file.code, "tokio::{", "net"));
            at(file, lines, "on the data path only tollgate-event names the runtime's sockets")
        })
        .collect()
}

/// Lines of `use prefix{…}` groups that name `module`.
fn grouped_imports(code: &str, prefix: &str, module: &str) -> Vec<usize> {
    let names_module = |at: &usize| {
        let group = code[at + prefix.len()..].split(';').next().unwrap_or_default();
        words(group).any(|(_, word)| word == module)
    };
    let starts = code.match_indices(prefix).map(|(at, _)| at).filter(names_module);
    starts.map(|at| 1 + code[..at].matches('\n').count()).collect()
}

/// Input, output and clocks in the crates that must be pure. Tests may use what they need.
pub fn impure_level_zero(files: &[SourceFile]) -> Vec<Violation> {
    let is_pure = |file: &&SourceFile| {
        let name = file.package().trim_start_matches("crates/");
        pure_packages().contains(&name)
            && file.path.contains("/src/")
            && !file.path.ends_with("/tests.rs")
            && !file.path.contains("/tests/")
    };
    rust(files)
        .filter(is_pure)
        .flat_map(|file| {
            let code = file.shipped_code();
            let found = |name: &&'static str| {
                at(file, lines_with(&code, name), &format!("level 0 does no I/O and reads no clock: {name}"))
            };
            IMPURE_NAMES.iter().flat_map(found).collect::<Vec<_>>()
        })
        .collect()
}

/// Macros and comments that mean unfinished work.
pub fn leftovers(files: &[SourceFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_program_text()) {
        for call in ["todo!", "unimplemented!", "dbg!"] {
            found.extend(at(file, lines_with(&file.code, call), &format!("`{call}` is unfinished work")));
        }
        for mark in ["FIXME", "TODO", "XXX"] {
            found.extend(at(file, lines_with(&file.comments, mark), &format!("`{mark}` is unfinished work")));
        }
    }
    found
}

/// Tests switched off without saying why.
pub fn silent_ignores(files: &[SourceFile]) -> Vec<Violation> {
    rust(files)
        .flat_map(|file| at(file, lines_with(&file.code, "#[ignore]"), "say why: `#[ignore = \"…\"]`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> [SourceFile; 1] {
        [SourceFile::new(path, text)]
    }

    #[test]
    fn unsafe_is_caught_outside_its_places() {
        let text = "//! unsafe in prose\nfn f() { unsafe { g() } }\n";
        let found = unsafe_outside_its_places(&file("crates/tollgate-proxy/src/a.rs", text));
        assert_eq!(
            found,
            [Violation::new("crates/tollgate-proxy/src/a.rs", 2, "`unsafe` may not stand here")]
        );
        assert_eq!(unsafe_outside_its_places(&file("crates/tollgate-http/src/parse.rs", text)).len(), 1);
        for place in ["crates/tollgate-http/src/arena.rs", "crates/tollgate-event/src/sys/epoll.rs"] {
            assert!(unsafe_outside_its_places(&file(place, text)).is_empty());
        }
    }

    #[test]
    fn roots_must_forbid_unsafe_code() {
        assert_eq!(roots_that_allow_unsafe(&file("crates/tollgate-hook/src/lib.rs", "//! x\n")).len(), 1);
        let good = "//! x\n#![forbid(unsafe_code)]\n";
        assert!(roots_that_allow_unsafe(&file("crates/tollgate-hook/src/lib.rs", good)).is_empty());
        let commented = "// #![forbid(unsafe_code)]\n";
        assert_eq!(roots_that_allow_unsafe(&file("xtask/src/main.rs", commented)).len(), 1);
        assert!(roots_that_allow_unsafe(&file("crates/tollgate-iobuf/src/lib.rs", "")).is_empty());
        assert!(roots_that_allow_unsafe(&file("crates/tollgate-hook/src/order.rs", "")).is_empty());
    }

    #[test]
    fn files_past_the_cap_are_caught() {
        assert!(long_files(&file("a/b.rs", &"x\n".repeat(800))).is_empty());
        assert_eq!(long_files(&file("a/b.rs", &"x\n".repeat(801))).len(), 1);
        assert_eq!(long_files(&file("a/b.h", &"x\n".repeat(801))).len(), 1);
        assert!(long_files(&file("a/b.md", &"x\n".repeat(801))).is_empty());
    }

    #[test]
    fn c_symbols_are_caught_outside_their_crate() {
        let text =
            "/// The C symbol is TSHttpTxnReenable.\nfn f() { TSHttpTxnReenable(); const TSC_HZ: u8 = 1; }\n";
        let found = foreign_c_symbols(&file("crates/tollgate-plugin/src/a.rs", text));
        assert_eq!(found.iter().map(|v| v.line).collect::<Vec<_>>(), [2]);
        assert!(foreign_c_symbols(&file("crates/tollgate-ts/src/a.rs", text)).is_empty());
    }

    #[test]
    fn sockets_are_caught_outside_their_crate() {
        for text in ["use tokio::net::TcpStream;", "use tokio::{\n  io, net::{TcpStream},\n};"] {
            assert_eq!(foreign_sockets(&file("crates/tollgate-proxy/src/a.rs", text)).len(), 1, "{text}");
            for package in PACKAGES_WITH_SOCKETS {
                assert!(foreign_sockets(&file(&format!("{package}/src/a.rs"), text)).is_empty());
            }
        }
        let harmless = "use tokio::{io, sync};\nlet net = 1;";
        assert!(foreign_sockets(&file("crates/tollgate-proxy/src/a.rs", harmless)).is_empty());
    }

    #[test]
    fn clocks_and_sockets_are_caught_in_level_zero() {
        for text in ["let now = SystemTime::now();", "use std::net::TcpStream;", "tokio::spawn(x)"] {
            assert_eq!(impure_level_zero(&file("crates/tollgate-http/src/a.rs", text)).len(), 1, "{text}");
            assert!(impure_level_zero(&file("crates/tollgate-event/src/a.rs", text)).is_empty());
        }
        let tested = "#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }";
        assert!(impure_level_zero(&file("crates/tollgate-http/src/a.rs", tested)).is_empty());
    }

    #[test]
    fn unfinished_work_is_caught() {
        for text in ["fn f() { todo!() }", "unimplemented!(\"x\")", "dbg!(x)", "// FIXME: x", "/* TODO */"] {
            assert_eq!(leftovers(&file("a/b.rs", text)).len(), 1, "{text}");
        }
        assert!(leftovers(&file("a/b.rs", "let x = \"TODO\"; // todos are fine")).is_empty());
    }

    #[test]
    fn a_test_is_ignored_only_with_a_reason() {
        assert_eq!(silent_ignores(&file("a/b.rs", "#[test]\n#[ignore]\nfn f() {}")).len(), 1);
        assert!(silent_ignores(&file("a/b.rs", "#[ignore = \"needs a disk\"]")).is_empty());
    }
}
