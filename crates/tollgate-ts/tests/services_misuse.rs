//! What plugins do wrong with services is refused and named, and harms nothing.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::Mutex;
use tollgate_ts::services::ffi::{args, configs, files, logs, matcher, records, set_reporter, stats};

static REPORTED: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// The functions whose misuse was reported while `work` ran. One at a time, as there is one reporter.
fn reported(work: impl FnOnce()) -> Vec<&'static str> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    set_reporter(|function, _| REPORTED.lock().expect("no panic before").push(function));
    work();
    std::mem::take(&mut *REPORTED.lock().expect("no panic before"))
}

/// A pointer that never was a handle.
fn wild() -> *mut c_void {
    std::ptr::without_provenance_mut(0x7f00_1234_5678)
}

#[test]
fn handles_that_are_none_are_refused() {
    let names = reported(|| {
        for handle in [null_mut(), wild()] {
            assert_eq!(logs::TSTextLogObjectDestroy(handle), -1);
            assert!(!logs::write_text_log(handle, b"text"));
            assert!(configs::TSConfigDataGet(handle).is_null());
            assert!(matcher::TSMatcherLineName(handle, 0).is_null());
            // SAFETY: nothing is read before the handle is refused.
            assert_eq!(unsafe { files::TSfread(handle, null_mut(), 4) }, -1);
        }
    });
    let expected =
        ["TSTextLogObjectDestroy", "TSTextLogObjectWrite", "TSConfigDataGet", "TSMatcherLineName", "TSfread"];
    assert_eq!(names, [expected, expected].concat());
}

#[test]
fn a_closed_file_is_no_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let path =
        std::ffi::CString::new(dir.path().join("file").to_str().expect("a plain path")).expect("no NUL");
    let names = reported(|| {
        // SAFETY: texts end with NUL, the buffer has its length.
        unsafe {
            let file = files::TSfopen(path.as_ptr(), c"w".as_ptr());
            assert_eq!(files::TSfwrite(file, path.as_ptr().cast(), 3), 3);
            files::TSfclose(file);
            assert_eq!(files::TSfwrite(file, path.as_ptr().cast(), 3), -1);
            files::TSfclose(file);
        }
    });
    assert_eq!(names, ["TSfwrite", "TSfclose"]);
}

#[test]
fn null_texts_are_refused() {
    let names = reported(|| {
        // SAFETY: null is allowed.
        unsafe {
            assert_eq!(records::TSMgmtIntGet(null(), null_mut()), -1);
            assert_eq!(records::TSHttpTxnConfigFind(null(), -1, null_mut(), null_mut()), -1);
            assert_eq!(stats::TSStatCreate(null(), 1, 2, 0), -1);
            assert_eq!(args::TSUserArgIndexReserve(0, null(), null(), null_mut()), -1);
            assert!(files::TSfopen(null(), null()).is_null());
        }
    });
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn numbers_that_name_nothing_are_refused() {
    let names = reported(|| {
        assert_eq!(stats::TSStatIntGet(-1), 0);
        stats::TSStatIntIncrement(i32::MAX, 1);
        assert!(args::TSUserArgGet(null_mut(), 1000).is_null());
        assert!(args::TSUserArgGet(wild(), 1000).is_null());
        // SAFETY: null is allowed.
        assert_eq!(unsafe { args::TSUserArgIndexReserve(9, c"x".as_ptr(), null(), null_mut()) }, -1);
    });
    let expected =
        ["TSStatIntGet", "TSStatIntIncrement", "TSUserArgGet", "TSUserArgGet", "TSUserArgIndexReserve"];
    assert_eq!(names, expected);
}

#[test]
fn a_configuration_released_twice_stays() {
    let names = reported(|| {
        // SAFETY: there is no destroy function.
        let id = unsafe { configs::TSConfigSet(0, wild(), None) };
        let held = configs::TSConfigGet(id);
        configs::TSConfigRelease(id, held);
        configs::TSConfigRelease(id, held);
        assert_eq!(configs::TSConfigDataGet(held), wild());
    });
    assert_eq!(names, ["TSConfigRelease"]);
}
