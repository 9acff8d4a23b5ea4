//! The same C program, loaded by Traffic Server and here, writes the same report.
//!
//! Traffic Server's report is kept beside the program (`c/messages.expected`).
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

#[path = "c_program/here.rs"]
mod here;

use std::ffi::c_void;
use std::path::Path;
use std::sync::Mutex;
use tollgate_ts::message::ffi;

unsafe extern "C" {
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

fn run(dir: &Path) -> String {
    let mut symbols = ffi::symbols();
    symbols.extend(stand_ins());
    let report = dir.join("report");
    here::run(dir, "messages", &symbols, &[&report]);
    String::from_utf8(std::fs::read(report).expect("a report")).expect("a report in ASCII")
}

#[test]
#[ignore = "needs the headers of Debian's trafficserver-dev; `cargo xtask test` installs them and runs it"]
fn the_report_equals_that_of_traffic_server() {
    ffi::set_reporter(|_, _| ());
    ffi::set_io_writer(|_, bytes| {
        IO.lock().expect("no panic before").extend_from_slice(bytes);
        true
    });
    let dir = tempfile::tempdir().expect("a directory");
    let got = run(dir.path());
    let differences = here::differences(include_str!("c/messages.expected"), &got);
    assert!(differences.is_empty(), "{differences}");
}
