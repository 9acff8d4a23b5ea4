//! Loaded files.
//!
//! Responsible for: `dlopen`, `dlsym`, `dlclose`, and messages that say what to do about a file that cannot be loaded.

use std::ffi::{CStr, CString, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How a file's symbols are seen by files that are loaded later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Not at all.
    Local,
    /// By all.
    Global,
}

/// Which file code belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(usize);

/// The files whose code led to this call, innermost first, as the stack says.
pub(crate) fn callers() -> impl Iterator<Item = Code> {
    /// LIMIT: stack frames that are looked at.
    const FRAMES: usize = 64;
    let mut frames = [std::ptr::null_mut(); FRAMES];
    // SAFETY: there is room for that many addresses.
    let count = unsafe { libc::backtrace(frames.as_mut_ptr(), FRAMES as c_int) };
    frames.into_iter().take(usize::try_from(count).unwrap_or(0)).filter_map(code_of)
}

/// The loaded file that an address belongs to, code or data.
pub(crate) fn code_of(address: *mut c_void) -> Option<Code> {
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: a place for the result; the address is only compared.
    let is_found = unsafe { libc::dladdr(address, found.as_mut_ptr()) } != 0;
    // SAFETY: zeroes are a valid value, as is what `dladdr` writes.
    let info = unsafe { found.assume_init() };
    is_found.then(|| Code(info.dli_fname.addr()))
}

/// What the dynamic linker's handle points to.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const libc::c_char,
}

/// A loaded file. Stays loaded unless [`Dso::close`] is called.
#[derive(Debug)]
pub struct Dso {
    handle: *mut c_void,
    path: PathBuf,
}

// SAFETY: the handle is only passed to functions of the dynamic linker, which lock for themselves.
unsafe impl Send for Dso {}
// SAFETY: as above.
unsafe impl Sync for Dso {}

impl Dso {
    /// Loads a file with everything it needs, or says in the dynamic linker's words and ours why not.
    pub fn open(path: &Path, scope: Scope) -> Result<Dso, String> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| "the name has a NUL".to_string())?;
        let scope = if scope == Scope::Global { libc::RTLD_GLOBAL } else { libc::RTLD_LOCAL };
        // SAFETY: a name that ends with NUL. Constructors of the file run: that is what loading a plugin means.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | scope) };
        if handle.is_null() {
            return Err(explained(&last_error()));
        }
        Ok(Dso { handle, path: path.to_path_buf() })
    }

    /// The path that the file was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its code.
    pub(crate) fn code(&self) -> Code {
        let mut map: *const LinkMap = std::ptr::null();
        // SAFETY: a live handle and a place for the pointer that this request gives; glibc's names stay for good.
        unsafe {
            let failed = libc::dlinfo(self.handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) != 0;
            Code(if failed || map.is_null() { 0 } else { (*map).name.addr() })
        }
    }

    /// The address of a symbol of the file or of what it needs.
    pub fn symbol(&self, name: &CStr) -> Option<*mut c_void> {
        // SAFETY: a live handle and a name that ends with NUL.
        let found = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        (!found.is_null()).then_some(found)
    }

    /// Unloads the file.
    ///
    /// # Safety
    /// Nothing may run or point into it any more.
    pub unsafe fn close(&self) -> c_int {
        // SAFETY: as the caller vouches; the handle is live because only this closes it.
        unsafe { libc::dlclose(self.handle) }
    }
}

fn last_error() -> String {
    // SAFETY: gives null or a text of this thread.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "unknown error".to_string();
    }
    // SAFETY: the text ends with NUL and is read before the next call.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// What a symbol or a library begins with, and Debian's package that has it.
const PACKAGES: [(&str, &str); 18] = [
    ("pcre2_", "libpcre2-8-0"),
    ("pcre_", "libpcre3"),
    ("libpcre", "libpcre3"),
    ("SSL_", "libssl3"),
    ("TLS_", "libssl3"),
    ("libssl", "libssl3"),
    ("libcrypto", "libssl3"),
    ("EVP_", "libssl3 (libcrypto)"),
    ("HMAC", "libssl3 (libcrypto)"),
    ("X509", "libssl3 (libcrypto)"),
    ("inflate", "zlib1g"),
    ("deflate", "zlib1g"),
    ("libyaml-cpp", "libyaml-cpp0.7"),
    ("_ZN4YAML", "libyaml-cpp0.7"),
    ("_ZNK4YAML", "libyaml-cpp0.7"),
    ("libts", "trafficserver"),
    ("ats_", "trafficserver (libtscore)"),
    ("ink_", "trafficserver (libtscore)"),
];

/// The dynamic linker's message with what to do about it.
fn explained(message: &str) -> String {
    let missing = message.split_once("undefined symbol: ").map(|(_, rest)| rest.trim());
    let library = message.split_once(": cannot open shared object file").map(|(name, _)| name.trim());
    let package = |name: &str| PACKAGES.iter().find(|(start, _)| name.starts_with(start)).map(|(_, p)| *p);
    match (missing, library) {
        (Some(symbol), _) => {
            let from = match package(symbol) {
                Some(package) => format!("it is in the package {package}"),
                None if symbol.starts_with("_Z") => {
                    "it is C++: in libtscore, libtscpputil or libtscppapi of the package trafficserver, or inside \
                     Traffic Server's own program, which no other can offer"
                        .to_string()
                }
                None => "no known package has it".to_string(),
            };
            format!("{message} (missing symbol {symbol}: {from}; see proxy.config.tollgate.ts.preload)")
        }
        (None, Some(name)) if !name.ends_with(".so") => match package(name) {
            Some(package) => format!("{message} (install the package {package})"),
            None => format!("{message} (install the package that has {name})"),
        },
        _ => message.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_symbol_is_named_with_its_package() {
        let text = explained("/x/a.so: undefined symbol: pcre_compile");
        assert!(text.contains("missing symbol pcre_compile: it is in the package libpcre3"), "{text}");
        let text = explained("libmaxminddb.so.0: cannot open shared object file: No such file or directory");
        assert!(text.ends_with("(install the package that has libmaxminddb.so.0)"), "{text}");
        let text = explained("/x/a.so: cannot open shared object file: No such file or directory");
        assert_eq!(text, "/x/a.so: cannot open shared object file: No such file or directory");
    }

    #[test]
    fn a_file_that_is_no_library_is_refused() {
        assert!(Dso::open(Path::new("/etc/passwd"), Scope::Local).is_err());
        let own = Dso::open(Path::new("libc.so.6"), Scope::Local).expect("libc");
        assert!(own.symbol(c"malloc").is_some() && own.symbol(c"no_such_symbol").is_none());
        assert_eq!(code_of(own.symbol(c"malloc").expect("malloc")), Some(own.code()));
        assert_ne!(callers().next(), Some(own.code()));
        assert!(code_of(Box::into_raw(Box::new(0_u64)).cast()).is_none());
    }
}
