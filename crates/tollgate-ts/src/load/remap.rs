//! Remap plugins: `TSRemapInit`, `TSRemapNewInstance`, `TSRemapDoRemap` and their kin.
//!
//! Responsible for: a loaded file and its entry points, copies of files, instances, the call for a transaction.
//! Invariants: an instance is deleted before its file is done; the URLs of its rule live as long as the instance;
//! arguments stay for good.

use super::dso::{Dso, Scope};
use super::{Arguments, Purpose, reset_getopt, stem};
use crate::account::Item;
use crate::fence::call_out;
use crate::message::ffi::urls::{TSUrlCreate, TSUrlParse};
use crate::message::{BufferId, messages};
use crate::plugin::{self, Plugin};
use crate::slots::{Handle, number, pointer};
use crate::txn::messages::Which;
use crate::txn::{Lent, Ticket};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::SystemTime;
use tollgate_plugin::{RemapInstance, RemapStatus, Transaction, TransactionHook};

/// Room for a plugin's own error message, and the size it is told.
const ERROR_ROOM: usize = 2048;
const ERROR_SIZE: c_int = 2047;
/// `TSREMAP_VERSION`.
const VERSION: u64 = 3 << 16;

#[repr(C)]
struct RemapInterface {
    size: u64,
    version: u64,
}

/// `TSRemapRequestInfo`.
#[repr(C)]
struct RequestInfo {
    map_from_url: Handle,
    map_to_url: Handle,
    request_url: Handle,
    request_buffer: Handle,
    request_header: Handle,
    redirect: c_int,
}

type InitFn = unsafe extern "C-unwind" fn(*mut RemapInterface, *mut c_char, c_int) -> c_int;
type NewFn =
    unsafe extern "C-unwind" fn(c_int, *mut *mut c_char, *mut *mut c_void, *mut c_char, c_int) -> c_int;
type DeleteFn = unsafe extern "C-unwind" fn(*mut c_void);
type DoFn = unsafe extern "C-unwind" fn(*mut c_void, Handle, *mut RequestInfo) -> c_int;
type DoneFn = unsafe extern "C-unwind" fn();
type PostFn = unsafe extern "C-unwind" fn(c_int);

/// A loaded file with its entry points.
#[derive(Debug)]
pub(super) struct RemapFile {
    plugin: Arc<Plugin>,
    path: PathBuf,
    changed: Option<SystemTime>,
    new: Option<NewFn>,
    delete: Option<DeleteFn>,
    remap: Option<DoFn>,
    done: Option<DoneFn>,
    before_reload: Option<DoneFn>,
    after_reload: Option<PostFn>,
    is_started: bool,
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

/// The entry point of that name, as a function of the type that the interface gives it.
macro_rules! entry {
    ($dso:expr, $name:literal) => {
        // SAFETY: a plugin's function of this name has this type.
        $dso.symbol($name).map(|found| unsafe { std::mem::transmute(found) })
    };
}

impl RemapFile {
    pub(super) fn load(path: &Path, copies: bool, purpose: Purpose) -> Result<Arc<RemapFile>, String> {
        let unable = |error: String| format!("unable to load '{}': {error}", path.display());
        let dso = if copies { open_copy(path) } else { Dso::open(path, Scope::Local) }.map_err(unable)?;
        let missing = |name: &str| format!("missing entry point {name} in '{}'", path.display());
        let init: InitFn = entry!(dso, c"TSRemapInit").ok_or_else(|| missing("TSRemapInit"))?;
        let remap: DoFn = entry!(dso, c"TSRemapDoRemap").ok_or_else(|| missing("TSRemapDoRemap"))?;
        let (new, delete): (Option<NewFn>, Option<DeleteFn>) =
            (entry!(dso, c"TSRemapNewInstance"), entry!(dso, c"TSRemapDeleteInstance"));
        match (new.is_some(), delete.is_some()) {
            (true, false) => return Err(missing("TSRemapDeleteInstance")),
            (false, true) => return Err(missing("TSRemapNewInstance")),
            _ => {}
        }
        let (done, before_reload, after_reload) = (
            entry!(dso, c"TSRemapDone"),
            entry!(dso, c"TSRemapPreConfigReload"),
            entry!(dso, c"TSRemapPostConfigReload"),
        );
        let plugin = Plugin::new(&stem(path), Some(dso));
        if purpose == Purpose::Run {
            start(&plugin, init, path)?;
        }
        Ok(Arc::new(RemapFile {
            plugin,
            path: path.to_path_buf(),
            changed: changed(path),
            new,
            delete,
            remap: Some(remap),
            done,
            before_reload,
            after_reload,
            is_started: purpose == Purpose::Run,
        }))
    }

    /// Whether the file is still the one that was loaded.
    pub(super) fn is_current(&self) -> bool {
        changed(&self.path) == self.changed
    }

    /// The configuration is about to be read again.
    pub(super) fn before_reload(&self) {
        if let Some(before) = self.before_reload.filter(|_| self.is_started) {
            let _at_work = plugin::enter(Some(&self.plugin));
            // SAFETY: the entry point has this type.
            call_out(|| unsafe { before() });
        }
    }

    /// The configuration was read, and needs the plugin or not; or there were errors.
    pub(super) fn after_reload(&self, is_built: bool, is_used: bool) {
        if let Some(after) = self.after_reload.filter(|_| self.is_started) {
            let _at_work = plugin::enter(Some(&self.plugin));
            let status = match (is_built, is_used) {
                (false, _) => 0,
                (true, true) => 1,
                (true, false) => 2,
            };
            // SAFETY: the entry point has this type.
            call_out(|| unsafe { after(status) });
        }
    }
}

impl Drop for RemapFile {
    fn drop(&mut self) {
        if !self.is_started {
            return;
        }
        let _at_work = plugin::enter(Some(&self.plugin));
        // SAFETY: the entry point has this type; no instance is left. The file stays loaded: its threads or destructors
        // may still run.
        self.done.iter().for_each(|done| call_out(|| unsafe { done() }));
        report_left(&self.plugin);
    }
}

/// Says what a plugin has not given back although it is done.
fn report_left(plugin: &Plugin) {
    let left = [Item::Continuations, Item::Mutexes, Item::Buffers, Item::IoBuffers, Item::Timers];
    let left =
        left.map(|item| (plugin.account().value(item), item)).into_iter().filter(|(count, _)| *count > 0);
    let left: Vec<String> = left.map(|(count, item)| format!("{count} {}", item.name())).collect();
    if !left.is_empty() {
        tracing::warn!("plugin {} is done and leaves behind: {}", plugin.name(), left.join(", "));
    }
}

/// Loads a copy of a file, so that it has variables of its own and the file may be replaced.
fn open_copy(path: &Path) -> Result<Dso, String> {
    static NUMBERS: AtomicU32 = AtomicU32::new(0);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("tollgate-{}-{number}", std::process::id()));
    let name = path.file_name().ok_or_else(|| "it is no file".to_string())?;
    let copy = folder.join(name);
    let copied = std::fs::create_dir_all(&folder).and_then(|()| std::fs::copy(path, &copy));
    let opened = match copied {
        Ok(_) => Dso::open(&copy, Scope::Local),
        Err(error) if !path.exists() => Err(error.to_string()),
        // A folder that cannot be written to is no reason to do without the plugin.
        Err(_) => Dso::open(path, Scope::Local),
    };
    // What was loaded needs its name no more; what is left of a fault is the system's to clean up.
    let _: std::io::Result<()> = std::fs::remove_dir_all(&folder);
    opened
}

/// Room for a plugin's message, with what is said of one that says nothing.
fn error_room() -> [u8; ERROR_ROOM] {
    const NOTHING_SAID: &[u8] = b"Unknown plugin error";
    let mut room = [0; ERROR_ROOM];
    room[..NOTHING_SAID.len()].copy_from_slice(NOTHING_SAID);
    room
}

fn message(room: &[u8]) -> String {
    CStr::from_bytes_until_nul(room)
        .map_or_else(|_| String::new(), |text| text.to_string_lossy().into_owned())
}

fn start(plugin: &Arc<Plugin>, init: InitFn, path: &Path) -> Result<(), String> {
    let mut room = error_room();
    let mut interface = RemapInterface { size: size_of::<RemapInterface>() as u64, version: VERSION };
    let _at_work = plugin::enter(Some(plugin));
    // SAFETY: the entry point has this type, the message has the room that is told.
    let result = call_out(|| unsafe { init(&raw mut interface, room.as_mut_ptr().cast(), ERROR_SIZE) });
    if result == 0 {
        return Ok(());
    }
    Err(format!("failed to initialize plugin '{}': {}", path.display(), message(&room)))
}

/// One occurrence of a plugin in a rule.
struct Instance {
    file: Arc<RemapFile>,
    data: AtomicPtr<c_void>,
    /// The buffer of the rule's URLs, and those.
    urls: Option<(BufferId, u64, u64)>,
}

/// Makes an instance for a rule.
pub(super) fn instance(
    file: Arc<RemapFile>,
    from: &str,
    to: &str,
    params: &[String],
    purpose: Purpose,
) -> Result<Box<dyn RemapInstance>, String> {
    let mut data = null_mut();
    if let Some(new) = file.new.filter(|_| purpose == Purpose::Run) {
        let mut room = error_room();
        let arguments = Arguments::new([from, to].into_iter().chain(params.iter().map(String::as_str)));
        reset_getopt();
        let _at_work = plugin::enter(Some(&file.plugin));
        let count = arguments.count();
        // SAFETY: the entry point has this type; arguments stay for good, the message has the room that is told.
        let result = call_out(|| unsafe {
            new(count, arguments.leak(), &raw mut data, room.as_mut_ptr().cast(), ERROR_SIZE)
        });
        if result != 0 {
            return Err(format!(
                "failed to create instance for plugin '{}': {}",
                file.path.display(),
                message(&room)
            ));
        }
    }
    Ok(Box::new(Instance { urls: rule_urls(from, to), file, data: AtomicPtr::new(data) }))
}

/// The rule's URLs as objects.
fn rule_urls(from: &str, to: &str) -> Option<(BufferId, u64, u64)> {
    let id = messages().create().ok()?;
    let parse = |text: &str| {
        let buffer = pointer(id.raw());
        let mut url = null_mut();
        let start: *const c_char = text.as_ptr().cast();
        let mut at = start;
        // SAFETY: places for the results, and a text that is readable from start to end.
        unsafe {
            TSUrlCreate(buffer, &raw mut url);
            TSUrlParse(buffer, url, &raw mut at, start.add(text.len()));
        }
        number(url)
    };
    Some((id, parse(from), parse(to)))
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(delete) = self.file.delete.filter(|_| self.file.is_started) {
            let _at_work = plugin::enter(Some(&self.file.plugin));
            // SAFETY: the entry point has this type; the instance was made by the same plugin and is used no more.
            call_out(|| unsafe { delete(self.data.load(Ordering::Acquire)) });
        }
        if let Some((id, ..)) = self.urls {
            // It was made here; a plugin may have destroyed it.
            let _gone: Result<(), crate::message::MessageError> = messages().close(id);
        }
    }
}

impl RemapInstance for Instance {
    fn remap(&self, txn: &mut Transaction) -> RemapStatus {
        let Some(remap) = self.file.remap else { return RemapStatus::Error };
        let (result, redirect) = {
            let urls = self.urls.map_or((0, 0), |(_, from, to)| (from, to));
            let Some(lent) = Lent::new(txn, TransactionHook::PreRemap, Ticket::None) else {
                return RemapStatus::Error;
            };
            let Some(mut info) = request_info(&lent, urls) else { return RemapStatus::Error };
            let _at_work = plugin::enter(Some(&self.file.plugin));
            let _watched = crate::watch::call(Some(&self.file.plugin));
            let data = self.data.load(Ordering::Acquire);
            // SAFETY: the entry point has this type; handles are checked when the plugin uses them.
            let result = call_out(|| unsafe { remap(data, lent.handle(), &raw mut info) });
            (result, info.redirect != 0)
        };
        status(result, redirect, txn.status_override)
    }
}

fn request_info(lent: &Lent<'_>, urls: (u64, u64)) -> Option<RequestInfo> {
    let (buffer, header, url) = lent.remap_handles(urls)?;
    Some(RequestInfo {
        map_from_url: pointer(urls.0),
        map_to_url: pointer(urls.1),
        request_url: url,
        request_buffer: buffer,
        request_header: header,
        redirect: 0,
    })
}

/// What the plugin's answer means.
fn status(result: c_int, redirect: bool, status: u16) -> RemapStatus {
    match result {
        1 | 3 if redirect => {
            RemapStatus::Redirect(if matches!(status, 301..=303 | 307 | 308) { status } else { 302 })
        }
        1 => RemapStatus::DidRemap,
        2 => RemapStatus::NoRemapStop,
        3 => RemapStatus::DidRemapStop,
        _ if result < 0 => RemapStatus::Error,
        _ => RemapStatus::NoRemap,
    }
}

impl Lent<'_> {
    /// The client request's buffer, header and URL for a rule's plugin.
    fn remap_handles(&self, urls: (u64, u64)) -> Option<(Handle, Handle, Handle)> {
        let (id, header) = self.open_for_remap(Which::ClientRequest, urls)?;
        let (buffer, header) = (pointer(id.raw()), pointer(header.raw()));
        let mut url = null_mut();
        // SAFETY: a place for the result.
        unsafe { crate::message::ffi::headers::TSHttpHdrUrlGet(buffer, header, &raw mut url) };
        Some((buffer, header, url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_plugins_mean_what_the_interface_says() {
        assert_eq!(status(0, true, 0), RemapStatus::NoRemap);
        assert_eq!(status(1, false, 0), RemapStatus::DidRemap);
        assert_eq!(status(1, true, 0), RemapStatus::Redirect(302));
        assert_eq!(status(3, true, 301), RemapStatus::Redirect(301));
        assert_eq!(status(2, true, 0), RemapStatus::NoRemapStop);
        assert_eq!(status(-1, false, 0), RemapStatus::Error);
        assert_eq!(status(17, false, 0), RemapStatus::NoRemap);
    }
}
