//! The same C program, loaded by Traffic Server and here, writes the same report.
//!
//! Traffic Server's report is kept beside the program (`c/messages.expected`).
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use tollgate_ts::message::ffi;

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn free(block: *mut c_void);
}

/// All bytes written to IO buffers, which are indices into this: the program uses one at a time.
static IO: Mutex<Vec<u8>> = Mutex::new(Vec::new());

extern "C" fn io_handle() -> *mut c_void {
    IO.lock().expect("no panic before").clear();
    std::ptr::without_provenance_mut(1)
}

extern "C" fn same(handle: *mut c_void) -> *mut c_void {
    handle
}

extern "C" fn nothing() {}

extern "C" fn no_block() -> *mut c_void {
    std::ptr::null_mut()
}

unsafe extern "C" fn block_start(_: *mut c_void, _: *mut c_void, avail: *mut i64) -> *const u8 {
    let io = IO.lock().expect("no panic before");
    // SAFETY: the program gives a pointer to a number.
    unsafe { avail.write(io.len() as i64) };
    io.as_ptr()
}

unsafe extern "C" fn ts_free(block: *mut c_void) {
    // SAFETY: the program gives what it got from a call that allocates.
    unsafe { free(block) };
}

/// What the program imports beside the functions under test.
fn stand_ins() -> Vec<(&'static str, *const ())> {
    vec![
        ("TSIOBufferCreate", io_handle as *const ()),
        ("TSIOBufferReaderAlloc", same as *const ()),
        ("TSIOBufferReaderStart", same as *const ()),
        ("TSIOBufferBlockReadStart", block_start as *const ()),
        ("TSIOBufferBlockNext", no_block as *const ()),
        ("TSIOBufferReaderFree", nothing as *const ()),
        ("TSIOBufferDestroy", nothing as *const ()),
        ("TSPluginRegister", nothing as *const ()),
        ("_TSfree", ts_free as *const ()),
    ]
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

fn build(dir: &Path, symbols: &[(&'static str, *const ())]) -> std::path::PathBuf {
    let functions: Vec<&str> = symbols.iter().map(|s| s.0).filter(|n| !is_variable(n)).collect();
    let variables: Vec<&str> = symbols.iter().map(|s| s.0).filter(|n| is_variable(n)).collect();
    std::fs::write(dir.join("shim.s"), trampolines(&functions, &variables)).expect("a writable directory");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    let mut command = Command::new("cc");
    command.arg("-I").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../include"));
    command.args(["-O1", "-fPIC", "-shared", "-o"]).arg(dir.join("messages.so")).arg(dir.join("shim.s"));
    for entry in std::fs::read_dir(&sources).expect("the program's folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name.starts_with("messages") && name.ends_with(".c") {
            command.arg(&path);
        }
    }
    assert!(command.status().expect("a C compiler").success(), "the C program compiles");
    dir.join("messages.so")
}

fn run(dir: &Path) -> String {
    let mut symbols = ffi::symbols();
    symbols.extend(stand_ins());
    let library = build(dir, &symbols);
    let path = CString::new(library.to_str().expect("a plain path")).expect("no NUL");
    let report = dir.join("report");
    let argument = CString::new(report.to_str().expect("a plain path")).expect("no NUL");
    // SAFETY: the library was just built; its table and variables are filled with functions and values of the
    // declared types before its code runs.
    unsafe {
        let handle = dlopen(path.as_ptr(), 2);
        assert!(!handle.is_null(), "the library loads");
        let mut table = dlsym(handle, c"table".as_ptr()).cast::<*const ()>();
        for (name, address) in &symbols {
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
        init(2, [path.as_ptr(), argument.as_ptr()].as_ptr());
    }
    String::from_utf8(std::fs::read(report).expect("a report")).expect("a report in ASCII")
}

#[test]
fn the_report_equals_that_of_traffic_server() {
    ffi::set_reporter(|_, _| ());
    ffi::set_io_writer(|_, bytes| {
        IO.lock().expect("no panic before").extend_from_slice(bytes);
        true
    });
    let dir = tempfile::tempdir().expect("a directory");
    let got = run(dir.path());
    let expected = include_str!("c/messages.expected");
    let mut differences = String::new();
    let mut subject = "";
    for (line, (want, have)) in expected.lines().zip(got.lines()).enumerate() {
        if !want.starts_with(' ') {
            subject = want;
        }
        if want != have && differences.lines().count() < 60 {
            let _ = writeln!(differences, "{}: [{subject}] want {want} got {have}", line + 1);
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert_eq!(got.lines().count(), expected.lines().count());
}
