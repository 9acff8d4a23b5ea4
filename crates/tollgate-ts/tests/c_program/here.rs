//! Loads a C program of `tests/c` into this process and runs it on the functions of this crate.

use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// A library whose functions jump through a table, and whose variables are copies: what an executable that exports
/// the symbols would be to the program.
fn trampolines(functions: &[&str], variables: &[&str]) -> String {
    let mut text = String::from(".data\n.globl table\ntable:\n");
    let _ = writeln!(text, ".skip {}", functions.len() * 8);
    for name in variables {
        let _ = writeln!(text, ".globl {name}\n.type {name},@object\n.size {name},8\n{name}: .quad 0");
    }
    text.push_str(".text\n");
    for (i, name) in functions.iter().enumerate() {
        let _ = writeln!(
            text,
            ".globl {name}\n.type {name},@function\n{name}: jmp *table_hidden+{}(%rip)",
            i * 8
        );
    }
    text + ".set table_hidden, table\n.hidden table_hidden\n.section .note.GNU-stack,\"\",@progbits\n"
}

fn is_variable(name: &str) -> bool {
    name.starts_with("TS_")
}

fn build(dir: &Path, program: &str, symbols: &[(&'static str, *const ())]) -> std::path::PathBuf {
    let functions: Vec<&str> = symbols.iter().map(|s| s.0).filter(|n| !is_variable(n)).collect();
    let variables: Vec<&str> = symbols.iter().map(|s| s.0).filter(|n| is_variable(n)).collect();
    std::fs::write(dir.join("shim.s"), trampolines(&functions, &variables)).expect("a writable directory");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    let mut command = Command::new("cc");
    command.arg("-I").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../include"));
    command.args(["-O1", "-fPIC", "-shared", "-o"]).arg(dir.join("program.so")).arg(dir.join("shim.s"));
    for entry in std::fs::read_dir(&sources).expect("the program's folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        // Files whose names begin with `here_` are not part of what Traffic Server loads.
        let is_part = name.trim_start_matches("here_").starts_with(program) || name == "report.c";
        if is_part && name.ends_with(".c") {
            command.arg(&path);
        }
    }
    assert!(command.status().expect("a C compiler").success(), "the C program compiles");
    dir.join("program.so")
}

fn c_path(path: &Path) -> CString {
    CString::new(path.to_str().expect("a plain path")).expect("no NUL")
}

/// Builds the program whose files begin with that word, gives it these symbols, and calls its `TSPluginInit` with
/// these arguments.
pub(crate) fn run(dir: &Path, program: &str, symbols: &[(&'static str, *const ())], arguments: &[&Path]) {
    let library = c_path(&build(dir, program, symbols));
    let arguments: Vec<CString> = arguments.iter().map(|path| c_path(path)).collect();
    let argv: Vec<*const c_char> =
        std::iter::once(library.as_ptr()).chain(arguments.iter().map(|a| a.as_ptr())).collect();
    // SAFETY: the library was just built; its table and variables are filled with functions and values of the
    // declared types before its code runs.
    unsafe {
        let handle = dlopen(library.as_ptr(), 2);
        assert!(!handle.is_null(), "the library loads");
        let mut table = dlsym(handle, c"table".as_ptr()).cast::<*const ()>();
        for (name, address) in symbols {
            let symbol = CString::new(*name).expect("no NUL");
            if is_variable(name) {
                let size = if name.contains("_LEN_") { 4 } else { 8 };
                let variable = dlsym(handle, symbol.as_ptr()).cast::<u8>();
                std::ptr::copy_nonoverlapping(address.cast::<u8>(), variable, size);
            } else {
                table.write(*address);
                table = table.add(1);
            }
        }
        let init = dlsym(handle, c"TSPluginInit".as_ptr());
        let init: extern "C" fn(c_int, *const *const c_char) = std::mem::transmute(init);
        init(argv.len() as c_int, argv.as_ptr());
    }
}

/// The lines in which a report differs from what Traffic Server writes, with the subject they belong to.
pub(crate) fn differences(expected: &str, got: &str) -> String {
    let mut out = String::new();
    let mut subject = "";
    for (line, (want, have)) in expected.lines().zip(got.lines()).enumerate() {
        if !want.starts_with(' ') {
            subject = want;
        }
        if want != have && out.lines().count() < 60 {
            let _ = writeln!(out, "{}: [{subject}] want {want} got {have}", line + 1);
        }
    }
    let (wanted, had) = (expected.lines().count(), got.lines().count());
    if wanted != had {
        let _ = writeln!(out, "{wanted} lines are expected, there are {had}");
    }
    out
}
