//! The same C program, loaded by Traffic Server and here, writes the same report.
//!
//! Traffic Server's report is kept beside the program (`c/services.expected`). Here the records are those of
//! Traffic Server that the program asks for: values, not code, are stood in for.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

#[path = "c_program/here.rs"]
mod here;

use std::ffi::{c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use tollgate_obs::metrics::Metrics;
use tollgate_ts::services::user_args::{ArgKind, ArgStore};
use tollgate_ts::services::{Directories, Host, RecordSource, RecordValue, ffi, install};

const DEADLINE: Duration = Duration::from_secs(30);

/// A server with the records that the program asks for.
struct Server {
    metrics: Metrics,
    root: PathBuf,
    later: std::sync::Mutex<Sender<Box<dyn FnOnce() + Send>>>,
}

impl Host for Server {
    fn record(&self, name: &str) -> Option<(RecordValue, RecordSource)> {
        let text = |text: &str| RecordValue::Text(Some(text.to_owned()));
        Some(match name {
            "proxy.config.http.cache.http" => (RecordValue::Int(1), RecordSource::Default),
            "proxy.config.http.insert_age_in_response" => (RecordValue::Int(0), RecordSource::Explicit),
            "proxy.config.http.cache.heuristic_lm_factor" => (RecordValue::Float(0.1), RecordSource::Default),
            "proxy.config.http.response_server_str" => (text("ATS/9.2.9"), RecordSource::Default),
            "proxy.config.http.global_user_agent_header" => (RecordValue::Text(None), RecordSource::Default),
            "proxy.config.url_remap.filename" => (text("remap.config"), RecordSource::Default),
            _ => return None,
        })
    }

    fn each_record(&self, visit: &mut dyn FnMut(&str, &RecordValue)) {
        visit("proxy.config.http.cache.http", &RecordValue::Int(1));
    }

    fn given(&self, name: &str) -> Option<RecordValue> {
        match name {
            "proxy.config.plugin.services.given" => Some(RecordValue::Int(7)),
            "proxy.config.plugin.services.giventext" => {
                Some(RecordValue::Text(Some("of the file".to_owned())))
            }
            _ => None,
        }
    }

    fn set_record(&self, _: &str, _: i64) -> bool {
        false
    }

    fn watch(&self, _: &str, _: &str) -> bool {
        true
    }

    fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    fn directories(&self) -> Directories {
        Directories {
            install: "/usr".into(),
            config: self.root.join("etc/trafficserver"),
            runtime: self.root.join("run"),
            plugins: "/usr/lib/trafficserver/modules".into(),
            logs: self.root.join("log"),
        }
    }

    fn args_of(&self, _: u64) -> Option<(ArgKind, Arc<ArgStore>)> {
        None
    }

    fn later(&self, _: Duration, work: Box<dyn FnOnce() + Send>) {
        self.later.lock().expect("no panic before").send(work).expect("the test is there");
    }
}

type Handler = unsafe extern "C" fn(*mut c_void, c_int, *mut c_void) -> c_int;

extern "C" fn nothing() -> *mut c_void {
    std::ptr::null_mut()
}

/// A continuation is its handler.
extern "C" fn continuation(handler: *mut c_void, _: *mut c_void) -> *mut c_void {
    handler
}

unsafe extern "C" fn schedule(handler: Handler, _: i64, _: c_int) -> *mut c_void {
    // SAFETY: the program's handler ignores its arguments.
    unsafe { handler(std::ptr::null_mut(), 2, std::ptr::null_mut()) };
    std::ptr::null_mut()
}

/// What comes behind the formatting of the variable arguments.
unsafe extern "C" fn write_text(log: *mut c_void, text: *const u8, length: usize) -> c_int {
    // SAFETY: the program gives a text of that length.
    let text = unsafe { std::slice::from_raw_parts(text, length) };
    c_int::from(ffi::logs::write_text_log(log, text))
}

/// A variable of the interface, as plugins see it.
#[repr(transparent)]
struct Variable(*const c_char);

// SAFETY: it points to a constant text.
unsafe impl Sync for Variable {}

static HTTP_1_1: Variable = Variable(c"http/1.1".as_ptr());

/// What the program imports beside the functions under test.
fn stand_ins() -> Vec<(&'static str, *const ())> {
    vec![
        ("TSPluginRegister", nothing as *const ()),
        ("TSThreadInit", nothing as *const ()),
        ("TSMutexCreate", nothing as *const ()),
        ("TSContCreate", continuation as *const ()),
        ("TSContScheduleOnPool", schedule as *const ()),
        ("services_write", write_text as *const ()),
        ("TS_PROTO_TAG_HTTP_1_1", (&raw const HTTP_1_1).cast()),
    ]
}

/// The report once its last line is there, or what there is in the end.
fn wait_for(report: &Path) -> String {
    let started = Instant::now();
    loop {
        let text = std::fs::read_to_string(report).unwrap_or_default();
        if text.ends_with("\nend\n") || started.elapsed() > DEADLINE {
            return text;
        }
        std::thread::yield_now();
    }
}

#[test]
#[ignore = "needs the headers of Debian's trafficserver-dev; `cargo xtask test` installs them and runs it"]
fn the_report_equals_that_of_traffic_server() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    std::fs::create_dir_all(root.join("log")).expect("a writable directory");
    ffi::set_reporter(|_, _| ());
    // SAFETY: the text is a constant.
    unsafe { ffi::tags::set_constants([HTTP_1_1.0]) };
    let (later, kept) = channel();
    let server = Server { metrics: Metrics::new(), root: root.clone(), later: std::sync::Mutex::new(later) };
    assert!(install(Arc::new(server)), "nothing used the services before");
    let mut symbols = ffi::symbols();
    symbols.extend(stand_ins());
    let report = dir.path().join("report");
    here::run(dir.path(), "services", &symbols, &[&report, &root.join("log")]);
    let differences = here::differences(include_str!("c/services.expected"), &wait_for(&report));
    assert!(differences.is_empty(), "{differences}");
    assert_eq!(kept.try_iter().count(), 1, "the replaced configuration is kept for a while");
}
