//! A C++ program that says what the compiler makes of declared names: types, values, sizes, offsets.
//!
//! Responsible for: writing it for a list of names, and compiling and running it with a set of headers. Two sets of
//! headers mean the same if the program says the same. Not responsible for: the names ([`crate::declarations`]).

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::declarations::{ALL, Declarations};

/// Prints types as the compiler spells them.
const PRELUDE: &str = r#"
#include <cstdio>
#include <cstddef>
#include <type_traits>

template <class T> void type(const char *name) { std::printf("%s: %s\n", name, __PRETTY_FUNCTION__); }
template <class T> void value(const char *name, T value)
{
  type<T>(name);
  if constexpr (std::is_same_v<T, const char *>) {
    std::printf("%s = \"%s\"\n", name, value);
  } else if constexpr (std::is_pointer_v<T>) {
    std::printf("%s = %p\n", name, (void *)value);
  } else {
    std::printf("%s = %lld\n", name, (long long)value);
  }
}
"#;

/// Macros without parentheses that are no values, or differ by file and line; and one whose text names what
/// Traffic Server's headers do not define.
const NO_VALUES: [&str; 4] = ["TS_NORETURN", "TS_DEPRECATED", "TS_RES_MEM_PATH", "TS_HRTIME_APPROX_FACTOR"];

/// Arguments for the macros that calculate.
const ARGUMENTS: [&str; 2] = ["0x123456789", "0x7654321"];

/// The program for these names.
fn program(names: &Declarations) -> String {
    let mut out = format!("{ALL}{PRELUDE}int main() {{\nvalue(\"NO_FD\", ts::NO_FD);\n");
    for name in &names.functions {
        let _ = writeln!(out, "type<decltype(&{name})>(\"function {name}\");");
    }
    for name in &names.variables {
        let _ = writeln!(out, "type<decltype({name})>(\"variable {name}\");");
    }
    for name in &names.types {
        let _ = writeln!(out, "type<{name}>(\"type {name}\"); value(\"size of {name}\", sizeof({name}));");
        let _ = writeln!(out, "value(\"alignment of {name}\", alignof({name}));");
    }
    for (owner, name) in &names.fields {
        let _ = writeln!(out, "type<decltype({owner}::{name})>(\"field {owner}.{name}\");");
        let _ = writeln!(out, "value(\"offset of {owner}.{name}\", offsetof({owner}, {name}));");
        let _ = writeln!(out, "value(\"size of {owner}.{name}\", sizeof({owner}::{name}));");
    }
    for name in &names.enumerators {
        let _ = writeln!(out, "value(\"{name}\", {name});");
    }
    for (name, parameters) in &names.macros {
        let call = match parameters {
            None if NO_VALUES.contains(&name.as_str()) => continue,
            None if name.starts_with("TS_") || name.starts_with("TSREMAP_") => name.clone(),
            Some(count) if name.starts_with("TS_H") => format!("{name}({})", ARGUMENTS[..*count].join(", ")),
            _ => continue,
        };
        let _ = writeln!(out, "value(\"macro {name}\", {call});");
    }
    out + "}\n"
}

/// What the program for `names` says with the headers below `include`; `work` is a folder for it.
pub(crate) fn run(names: &Declarations, include: &Path, work: &Path) -> Result<String, String> {
    let (source, binary) = (work.join("probe.cc"), work.join("probe"));
    std::fs::write(&source, program(names)).expect("a writable directory");
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++17", "-O0", "-w", "-I"]).arg(include).arg("-o").arg(&binary).arg(&source);
    let output = compiler.output().expect("a C++ compiler");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let output = Command::new(&binary).output().expect("the program was just built");
    assert!(output.status.success(), "the program ends well");
    Ok(String::from_utf8(output.stdout).expect("ASCII"))
}

/// Lines that differ, as pairs.
pub(crate) fn differences(want: &str, got: &str) -> Vec<String> {
    let mut out: Vec<String> = want
        .lines()
        .zip(got.lines())
        .filter(|(want, got)| want != got)
        .map(|(want, got)| format!("want {want}\n got {got}"))
        .collect();
    if want.lines().count() != got.lines().count() {
        out.push("the numbers of lines differ".to_owned());
    }
    out
}
