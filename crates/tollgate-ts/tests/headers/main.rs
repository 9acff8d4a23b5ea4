//! The headers in `include/ts` are complete, mean what Traffic Server's mean, and suffice to compile a plugin.

mod declarations;
mod probe;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use declarations::Declarations;
use tollgate_ts::message::ffi;

/// Our headers.
fn ours() -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../include");
    Path::new(root).canonicalize().expect("the folder of headers")
}

/// Where Debian's package has its own.
fn debians() -> PathBuf {
    PathBuf::from("/usr/include")
}

fn assert_plenty(names: &Declarations) {
    let counts = [
        names.functions.len(),
        names.variables.len(),
        names.types.len(),
        names.fields.len(),
        names.enumerators.len(),
        names.macros.len(),
    ];
    let least = [564, 271, 102, 56, 533, 66];
    assert!(counts.iter().zip(least).all(|(count, least)| *count >= least), "{counts:?} of {least:?}");
}

#[test]
#[ignore = "needs the headers of Debian's trafficserver-dev; `cargo xtask test` installs them and runs it"]
fn the_headers_mean_what_those_of_traffic_server_mean() {
    let names = declarations::read(&debians());
    assert_plenty(&names);
    let missing = names.differences(&declarations::read(&ours()));
    assert!(missing.is_empty(), "{missing:#?}");
    let work = tempfile::tempdir().expect("a directory");
    let want = probe::run(&names, &debians(), work.path()).expect("Debian's headers compile");
    let got = probe::run(&names, &ours(), work.path()).expect("ours compile");
    let differences = probe::differences(&want, &got);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The headers with `from` replaced by `to` in one file.
fn changed(work: &Path, file: &str, from: &str, to: &str) -> PathBuf {
    let copy = work.join("changed");
    let copied = Command::new("cp").arg("-rT").arg(ours()).arg(&copy).status().expect("cp");
    assert!(copied.success(), "the headers are copied");
    let path = copy.join("ts").join(file);
    let text = std::fs::read_to_string(&path).expect("a header");
    assert_eq!(text.matches(from).count(), 1, "{from} stands once in {file}");
    std::fs::write(&path, text.replace(from, to)).expect("a writable copy");
    copy
}

#[test]
fn a_change_of_a_value_a_type_or_a_size_is_found() {
    let names = declarations::read(&ours());
    assert_plenty(&names);
    let work = tempfile::tempdir().expect("a directory");
    let want = probe::run(&names, &ours(), work.path()).expect("ours compile");
    for (file, from, to, lines) in [
        ("defs/events.h", "TS_EVENT_AIO_DONE = 3900", "TS_EVENT_AIO_DONE = 3901", 1),
        ("defs/records.h", "typedef float TSMgmtFloat", "typedef double TSMgmtFloat", 6),
        ("calls/urls.h", "int TSUrlRawPortGet(TSMBuffer", "int TSUrlRawPortGet(TSIOBuffer", 1),
        ("remap.h", "#define TSREMAP_VMAJOR 3", "#define TSREMAP_VMAJOR 4", 2),
        ("parentselectdefs.h", "in_port_t port", "int port", 9),
    ] {
        let got =
            probe::run(&names, &changed(work.path(), file, from, to), work.path()).expect("it compiles");
        let found = probe::differences(&want, &got);
        assert_eq!(found.len(), lines, "{to}: {found:#?}");
    }
}

#[test]
fn a_missing_and_an_additional_name_are_found() {
    let names = declarations::read(&ours());
    let work = tempfile::tempdir().expect("a directory");
    for (file, from, to, expected) in [
        ("remap.h", "tsapi void TSRemapDone(void);", "", vec!["missing: function TSRemapDone"]),
        ("defs/base.h", "  TS_ERROR = -1,", "  TS_FAULT = -1,", vec!["missing: enumerator TS_ERROR"]),
        ("defs/io.h", "  int timeout_event_id;", "", vec!["missing: field TSFetchEvent.timeout_event_id"]),
        ("ts.h", "#pragma once", "#pragma once\n#define TS_MORE 1", vec!["unknown: macro TS_MORE None"]),
    ] {
        let found = names.differences(&declarations::read(&changed(work.path(), file, from, to)));
        assert!(expected.iter().all(|line| found.iter().any(|one| one == line)), "{to}: {found:?}");
    }
}

#[test]
fn every_function_that_is_given_to_plugins_is_declared() {
    let names = declarations::read(&ours());
    let symbols = ffi::symbols();
    let functions = symbols.iter().map(|symbol| symbol.0).filter(|name| !name.starts_with("TS_"));
    let undeclared: Vec<_> = functions.filter(|name| !names.functions.contains(*name)).collect();
    assert!(undeclared.is_empty(), "{undeclared:?}");
}

const C99: [&str; 4] = ["cc", "-std=c99", "-x", "c"];
const CPP17: [&str; 4] = ["c++", "-std=c++17", "-x", "c++"];

/// Compiles a file with our headers, strictly; `-MD` lists what was read.
fn compile(language: [&str; 4], source: &Path, work: &Path) -> Output {
    let mut compiler = Command::new(language[0]);
    compiler.args(&language[1..]).args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fPIC", "-c"]);
    compiler.arg("-I").arg(ours()).arg("-MD").arg("-MF").arg(work.join("read"));
    compiler.arg("-o").arg(work.join("plugin.o")).arg(source).output().expect("a compiler")
}

fn assert_compiles(source: &Path) {
    let work = tempfile::tempdir().expect("a directory");
    for language in [C99, CPP17] {
        let output = compile(language, source, work.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let read = std::fs::read_to_string(work.path().join("read")).expect("a list");
        let foreign = |path: &&str| path.contains("/ts/") && !Path::new(path).starts_with(ours());
        assert_eq!(read.split_whitespace().find(foreign), None, "only our headers are used");
        assert!(read.contains("ts/apidefs.h"), "our headers are used");
    }
}

#[test]
fn a_plugin_compiles_as_c99_and_as_cpp17_without_a_warning() {
    assert_compiles(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/interface.c"));
}

#[test]
fn the_example_of_the_document_compiles() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins-c.md");
    let text = std::fs::read_to_string(document).expect("the document");
    let example = text.split_once("```c\n").and_then(|(_, rest)| rest.split_once("```"));
    let work = tempfile::tempdir().expect("a directory");
    let source = work.path().join("gate.c");
    std::fs::write(&source, example.expect("an example").0).expect("a writable directory");
    assert_compiles(&source);
}

#[test]
fn each_header_compiles_alone() {
    let work = tempfile::tempdir().expect("a directory");
    let source = work.path().join("alone.c");
    let mut count = 0;
    for folder in ["ts", "ts/defs", "ts/calls"] {
        for entry in std::fs::read_dir(ours().join(folder)).expect("a folder of headers") {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_some_and(|extension| extension == "h") {
                let text = format!("#include \"{}\"\nint unit;\n", path.display());
                std::fs::write(&source, text).expect("a writable directory");
                let output = compile(C99, &source, work.path());
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                count += 1;
            }
        }
    }
    assert!(count >= 34, "{count} headers");
}

#[test]
fn a_format_that_does_not_fit_is_refused() {
    let work = tempfile::tempdir().expect("a directory");
    let source = work.path().join("format.c");
    for (call, fits) in [
        ("TSDebug(\"tag\", \"%d\", 1)", true),
        ("TSDebug(\"tag\", \"%d\", \"text\")", false),
        ("TSError(\"%s\", 1)", false),
        ("TSTextLogObjectWrite(0, \"%s\")", false),
    ] {
        std::fs::write(&source, format!("#include <ts/ts.h>\nvoid unit(void) {{ {call}; }}\n"))
            .expect("a writable directory");
        let output = compile(C99, &source, work.path());
        assert_eq!(output.status.success(), fits, "{call}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
