//! Protocol tags.

use super::{c_text, fence};
use std::ffi::{CStr, c_char};
use std::sync::OnceLock;

/// The tags that are known.
const TAGS: [&CStr; 12] = [
    c"http/1.0",
    c"http/1.1",
    c"h2",
    c"h3-29",
    c"hq-29",
    c"tls/1.0",
    c"tls/1.1",
    c"tls/1.2",
    c"tls/1.3",
    c"tcp",
    c"udp",
    c"ipv4",
];
const IPV6: &CStr = c"ipv6";

/// A text that lives as long as the process.
struct Tag(*const c_char);

// SAFETY: the text is never written.
unsafe impl Send for Tag {}
// SAFETY: the text is never written.
unsafe impl Sync for Tag {}

static CONSTANTS: OnceLock<Vec<Tag>> = OnceLock::new();

/// Says where the texts of the `TS_PROTO_TAG_*` variables are, so that tags compare equal to them as pointers. Only
/// the first call counts.
///
/// # Safety
/// Each pointer is null or a text that ends with NUL and lives as long as the process.
pub unsafe fn set_constants(pointers: impl IntoIterator<Item = *const c_char>) {
    let tags = pointers.into_iter().filter(|p| !p.is_null()).map(Tag).collect();
    let _already_set = CONSTANTS.set(tags);
}

/// The text that stands for a tag in the interface, if it is known.
pub fn normalized(tag: &CStr) -> Option<*const c_char> {
    let known = TAGS.into_iter().chain([IPV6]).find(|known| *known == tag)?;
    // SAFETY: whoever set the pointers vouched for the texts.
    let same = |constant: &&Tag| unsafe { CStr::from_ptr(constant.0) } == known;
    Some(CONSTANTS.get().and_then(|all| all.iter().find(same)).map_or(known.as_ptr(), |constant| constant.0))
}

/// `TSNormalizedProtocolTag`.
///
/// # Safety
/// `tag` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSNormalizedProtocolTag(tag: *const c_char) -> *const c_char {
    fence("TSNormalizedProtocolTag", std::ptr::null(), || {
        // SAFETY: as the caller vouches.
        Ok(normalized(unsafe { c_text(tag, "the tag") }?).unwrap_or(std::ptr::null()))
    })
}

/// `TSRegisterProtocolTag`: no tags can be added, as in Traffic Server.
#[unsafe(no_mangle)]
pub extern "C" fn TSRegisterProtocolTag(_tag: *const c_char) -> *const c_char {
    std::ptr::null()
}
