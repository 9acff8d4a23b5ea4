//! Diagnostics: what plugins say.
//!
//! Responsible for: the texts that the C functions with variable arguments hand over, debug tags, allocation and
//! assertion functions.
//! Not responsible for: formatting (`shim/variadic.c`), text logs (their writer is given by [`set_text_log_writer`]).
//! Invariant: memory that plugins and the server exchange is libc's.

use crate::fence::{Misuse, fence};
use crate::slots::Handle;
use parking_lot::RwLock;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

/// Appends a line to a text log; whether that worked.
pub type TextLogWriter = fn(Handle, &[u8]) -> bool;

static TEXT_LOG: OnceLock<TextLogWriter> = OnceLock::new();
static DEBUG_TAGS: RwLock<Option<TagPattern>> = RwLock::new(None);

/// Tells which debug tags are wanted.
struct TagPattern(Box<Wanted>);

/// Whether a debug tag is wanted.
pub type Wanted = dyn Fn(&str) -> bool + Send + Sync;

/// Says how lines are written to text logs. Only the first call counts.
pub fn set_text_log_writer(writer: TextLogWriter) {
    let _already_set: Result<(), TextLogWriter> = TEXT_LOG.set(writer);
}

/// Says which debug tags are wanted; `None`: none.
pub fn set_debug_tags(wanted: Option<Box<Wanted>>) {
    *DEBUG_TAGS.write() = wanted.map(TagPattern);
}

/// Text from C that may be no text.
///
/// # Safety
/// `text` is null or ends with NUL.
pub(crate) unsafe fn lossy(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller vouches for the NUL.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn wants(tag: &str) -> bool {
    DEBUG_TAGS.read().as_ref().is_some_and(|pattern| (pattern.0)(tag))
}

/// Whether texts with this debug tag are logged.
///
/// # Safety
/// `tag` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_ts_wants_debug(tag: *const c_char) -> c_int {
    if DEBUG_TAGS.read().is_none() {
        return 0;
    }
    fence("TSIsDebugTagSet", 0, || {
        // SAFETY: as the caller vouches.
        Ok::<_, Misuse>(c_int::from(wants(&unsafe { lossy(tag) })))
    })
}

/// Whether texts with this debug tag are logged.
///
/// # Safety
/// `tag` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSIsDebugTagSet(tag: *const c_char) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { tollgate_ts_wants_debug(tag) }
}

/// Logs a text.
///
/// # Safety
/// `text` has `length` readable bytes; `tag` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_ts_log(
    level: c_int,
    tag: *const c_char,
    text: *const c_char,
    length: usize,
) {
    fence("TSError", (), || {
        // SAFETY: as the caller vouches.
        let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches('\n');
        match level {
            0 | 1 => tracing::info!("{text}"),
            2 => tracing::warn!("{text}"),
            3 => tracing::error!("{text}"),
            // SAFETY: as the caller vouches.
            7 => tracing::info!("({}) {text}", unsafe { lossy(tag) }),
            _ => end(level, text),
        }
        Ok::<_, Misuse>(())
    });
}

/// Logs a text that ends the process, and ends it with Traffic Server's exit status.
fn end(level: c_int, text: &str) {
    const EMERGENCY: c_int = 6;
    tracing::error!("plugin {} ends the server: {text}", crate::plugin::current_name());
    // SAFETY: ends the process without running anything else, as the interface promises.
    unsafe { libc::_exit(if level == EMERGENCY { 33 } else { 70 }) }
}

/// Appends a line to a text log.
///
/// # Safety
/// `text` has `length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_ts_text_log(log: Handle, text: *const c_char, length: usize) -> c_int {
    fence("TSTextLogObjectWrite", -1, || {
        // SAFETY: as the caller vouches.
        let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
        let written = TEXT_LOG.get().is_some_and(|write| write(log, bytes));
        Ok::<_, Misuse>(if written { 0 } else { -1 })
    })
}

/// `TSmalloc`.
#[unsafe(no_mangle)]
pub extern "C" fn _TSmalloc(size: usize, _path: *const c_char) -> *mut c_void {
    // SAFETY: a plain allocation.
    enough(unsafe { libc::malloc(size.max(1)) })
}

/// `TSrealloc`.
///
/// # Safety
/// `block` is null or was allocated by libc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _TSrealloc(block: *mut c_void, size: usize, _path: *const c_char) -> *mut c_void {
    // SAFETY: as the caller vouches.
    enough(unsafe { libc::realloc(block, size.max(1)) })
}

/// `TSfree`.
///
/// # Safety
/// `block` is null or was allocated by libc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _TSfree(block: *mut c_void) {
    // SAFETY: as the caller vouches.
    unsafe { libc::free(block) }
}

/// Frees what a plugin has given away. A constant or a variable on the stack, which were never allocated, is reported
/// instead: `free` would end the process.
///
/// # Safety
/// `block` is null, allocated by libc, or not allocated at all.
pub(crate) unsafe fn free_given(function: &'static str, block: *mut c_void) {
    if crate::load::dso::code_of(block).is_some() || is_on_stack(block) {
        crate::fence::report(function, &"a text that is given away was never allocated; it is copied");
        return;
    }
    // SAFETY: as the caller vouches, and it is none of the kinds that were not allocated.
    unsafe { libc::free(block) }
}

/// Whether an address lies in this thread's stack.
fn is_on_stack(address: *mut c_void) -> bool {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::zeroed();
    let (mut start, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: places for the results; the attributes are destroyed only if they were made.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return false;
        }
        libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut start, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
    }
    (start.addr()..start.addr().saturating_add(size)).contains(&address.addr())
}

/// `TSstrdup` (length below 0) and `TSstrndup`.
///
/// # Safety
/// `text` is null, or has `length` readable bytes or a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _TSstrdup(text: *const c_char, length: i64, _path: *const c_char) -> *mut c_char {
    if text.is_null() {
        return std::ptr::null_mut();
    }
    let length = match usize::try_from(length) {
        // SAFETY: as the caller vouches.
        Ok(length) => unsafe { libc::strnlen(text, length) },
        // SAFETY: as the caller vouches.
        Err(_) => unsafe { libc::strlen(text) },
    };
    // SAFETY: there are that many readable bytes.
    copy_for_c(unsafe { std::slice::from_raw_parts(text.cast(), length) })
}

/// A copy that ends with NUL and is freed with libc's `free`.
pub(crate) fn copy_for_c(bytes: &[u8]) -> *mut c_char {
    // SAFETY: a plain allocation with room for the bytes and a NUL.
    unsafe {
        let block = enough(libc::malloc(bytes.len() + 1)).cast::<u8>();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), block, bytes.len());
        block.add(bytes.len()).write(0);
        block.cast()
    }
}

/// Plugins do not expect an allocation to fail.
fn enough(block: *mut c_void) -> *mut c_void {
    if block.is_null() {
        std::alloc::handle_alloc_error(std::alloc::Layout::new::<u64>());
    }
    block
}

/// Appends as `strlcpy` does.
///
/// # Safety
/// `target` has `size` writable bytes, `source` ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _TSstrlcpy(target: *mut c_char, source: *const c_char, size: usize) -> usize {
    // SAFETY: as the caller vouches: at most `size` bytes are written, one of them the NUL.
    unsafe {
        let length = libc::strlen(source);
        if size > 0 {
            let copied = length.min(size - 1);
            std::ptr::copy_nonoverlapping(source, target, copied);
            target.add(copied).write(0);
        }
        length
    }
}

/// Appends as `strlcat` does.
///
/// # Safety
/// `target` has `size` writable bytes, `source` ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _TSstrlcat(target: *mut c_char, source: *const c_char, size: usize) -> usize {
    // SAFETY: as the caller vouches; the rest of the target begins within it.
    unsafe {
        let used = libc::strnlen(target, size);
        if used == size {
            size + libc::strlen(source)
        } else {
            used + _TSstrlcpy(target.add(used), source, size - used)
        }
    }
}

/// `TSAssert`: nothing in a release build.
#[unsafe(no_mangle)]
pub extern "C" fn _TSAssert(_text: *const c_char, _file: *const c_char, _line: c_int) -> c_int {
    0
}

/// `TSReleaseAssert`: logs and ends the process.
///
/// # Safety
/// `text` and `file` are null or end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _TSReleaseAssert(text: *const c_char, file: *const c_char, line: c_int) -> c_int {
    // SAFETY: as the caller vouches.
    let (text, file) = unsafe { (lossy(text), lossy(file)) };
    tracing::error!("plugin {}: {file}:{line}: assertion failed: {text}", crate::plugin::current_name());
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_allocated_is_freed() {
        let faults = crate::fence::misuses();
        let local = [0_u8; 8];
        // SAFETY: null, and what was never allocated.
        unsafe {
            free_given("TSTest", std::ptr::null_mut());
            free_given("TSTest", c"constant".as_ptr().cast_mut().cast());
            free_given("TSTest", local.as_ptr().cast_mut().cast());
        }
        assert!(crate::fence::misuses() >= faults + 2);
        let block = copy_for_c(b"text").cast();
        assert!(!is_on_stack(block) && crate::load::dso::code_of(block).is_none());
        // SAFETY: allocated above.
        unsafe { free_given("TSTest", block) };
    }
}
