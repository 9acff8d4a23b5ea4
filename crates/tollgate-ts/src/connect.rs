//! Options of connections that plugins make to the server itself.

use std::ffi::{c_char, c_int};
use std::ptr::null;

/// `TS_CONNECT_PLUGIN`.
const PLUGIN: c_int = 1;
/// `TS_IOBUFFER_SIZE_INDEX_32K`.
const INDEX_32K: c_int = 8;

/// `TSHttpConnectOptions`.
#[derive(Debug)]
#[repr(C)]
pub struct ConnectOptions {
    /// Who connects.
    pub connect_type: c_int,
    /// The client's address that rules and logs see.
    pub addr: *const libc::sockaddr,
    /// A name for the log.
    pub tag: *const c_char,
    /// A number for the log.
    pub id: i64,
    /// The size of buffer blocks.
    pub buffer_index: c_int,
    /// How much is buffered; 0: as much as the blocks hold.
    pub buffer_water_mark: c_int,
}

/// Options with their defaults, to be changed and used.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpConnectOptionsGet(connect_type: c_int) -> ConnectOptions {
    let is_plugin = connect_type == PLUGIN;
    ConnectOptions {
        connect_type: if is_plugin { PLUGIN } else { 0 },
        addr: null(),
        tag: if is_plugin { c"plugin".as_ptr() } else { null() },
        id: 0,
        buffer_index: INDEX_32K,
        buffer_water_mark: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_laid_out_as_in_c() {
        assert_eq!(size_of::<ConnectOptions>(), 40);
        assert_eq!(std::mem::offset_of!(ConnectOptions, buffer_index), 32);
        assert_eq!(TSHttpConnectOptionsGet(PLUGIN).connect_type, 1);
    }
}
