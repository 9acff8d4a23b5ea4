//! Names of hooks, events and server states, for plugins that log them.

use std::ffi::{CStr, c_char, c_int};

/// Hook numbers.
const HOOKS: &[(c_int, &CStr)] = &[
    (0, c"TS_HTTP_READ_REQUEST_HDR_HOOK"),
    (1, c"TS_HTTP_OS_DNS_HOOK"),
    (2, c"TS_HTTP_SEND_REQUEST_HDR_HOOK"),
    (3, c"TS_HTTP_READ_CACHE_HDR_HOOK"),
    (4, c"TS_HTTP_READ_RESPONSE_HDR_HOOK"),
    (5, c"TS_HTTP_SEND_RESPONSE_HDR_HOOK"),
    (6, c"TS_HTTP_REQUEST_TRANSFORM_HOOK"),
    (7, c"TS_HTTP_RESPONSE_TRANSFORM_HOOK"),
    (8, c"TS_HTTP_SELECT_ALT_HOOK"),
    (9, c"TS_HTTP_TXN_START_HOOK"),
    (10, c"TS_HTTP_TXN_CLOSE_HOOK"),
    (11, c"TS_HTTP_SSN_START_HOOK"),
    (12, c"TS_HTTP_SSN_CLOSE_HOOK"),
    (13, c"TS_HTTP_CACHE_LOOKUP_COMPLETE_HOOK"),
    (14, c"TS_HTTP_PRE_REMAP_HOOK"),
    (15, c"TS_HTTP_POST_REMAP_HOOK"),
    (16, c"TS_HTTP_RESPONSE_CLIENT_HOOK"),
    (17, c"TS_VCONN_START_HOOK"),
    (18, c"TS_VCONN_CLOSE_HOOK"),
    (19, c"TS_SSL_CLIENT_HELLO_HOOK"),
    (20, c"TS_SSL_CERT_HOOK"),
    (21, c"TS_SSL_SERVERNAME_HOOK"),
    (22, c"TS_SSL_VERIFY_SERVER_HOOK"),
    (23, c"TS_SSL_VERIFY_CLIENT_HOOK"),
    (24, c"TS_SSL_SESSION_HOOK"),
    (25, c"TS_VCONN_OUTBOUND_START_HOOK"),
    (26, c"TS_VCONN_OUTBOUND_CLOSE_HOOK"),
    (27, c"TS_HTTP_REQUEST_BUFFER_READ_COMPLETE_HOOK"),
    (28, c"TS_HTTP_LAST_HOOK"),
];

/// Event numbers.
const EVENTS: &[(c_int, &CStr)] = &[
    (0, c"TS_EVENT_NONE"),
    (1, c"TS_EVENT_IMMEDIATE"),
    (2, c"TS_EVENT_TIMEOUT"),
    (3, c"TS_EVENT_ERROR"),
    (4, c"TS_EVENT_CONTINUE"),
    (100, c"TS_EVENT_VCONN_READ_READY"),
    (101, c"TS_EVENT_VCONN_WRITE_READY"),
    (102, c"TS_EVENT_VCONN_READ_COMPLETE"),
    (103, c"TS_EVENT_VCONN_WRITE_COMPLETE"),
    (104, c"TS_EVENT_VCONN_EOS"),
    (105, c"TS_EVENT_VCONN_INACTIVITY_TIMEOUT"),
    (106, c"TS_EVENT_VCONN_ACTIVE_TIMEOUT"),
    (107, c"TS_EVENT_VCONN_START"),
    (108, c"TS_EVENT_VCONN_CLOSE"),
    (109, c"TS_EVENT_VCONN_OUTBOUND_START"),
    (110, c"TS_EVENT_VCONN_OUTBOUND_CLOSE"),
    (200, c"TS_EVENT_NET_CONNECT"),
    (201, c"TS_EVENT_NET_CONNECT_FAILED"),
    (202, c"TS_EVENT_NET_ACCEPT"),
    (204, c"TS_EVENT_NET_ACCEPT_FAILED"),
    (500, c"TS_EVENT_HOST_LOOKUP"),
    (1102, c"TS_EVENT_CACHE_OPEN_READ"),
    (1103, c"TS_EVENT_CACHE_OPEN_READ_FAILED"),
    (1108, c"TS_EVENT_CACHE_OPEN_WRITE"),
    (1109, c"TS_EVENT_CACHE_OPEN_WRITE_FAILED"),
    (1112, c"TS_EVENT_CACHE_REMOVE"),
    (1113, c"TS_EVENT_CACHE_REMOVE_FAILED"),
    (1120, c"TS_EVENT_CACHE_SCAN"),
    (1121, c"TS_EVENT_CACHE_SCAN_FAILED"),
    (1122, c"TS_EVENT_CACHE_SCAN_OBJECT"),
    (1123, c"TS_EVENT_CACHE_SCAN_OPERATION_BLOCKED"),
    (1124, c"TS_EVENT_CACHE_SCAN_OPERATION_FAILED"),
    (1125, c"TS_EVENT_CACHE_SCAN_DONE"),
    (1126, c"TS_EVENT_CACHE_LOOKUP"),
    (1127, c"TS_EVENT_CACHE_READ"),
    (1128, c"TS_EVENT_CACHE_DELETE"),
    (1129, c"TS_EVENT_CACHE_WRITE"),
    (1130, c"TS_EVENT_CACHE_WRITE_HEADER"),
    (1131, c"TS_EVENT_CACHE_CLOSE"),
    (1132, c"TS_EVENT_CACHE_LOOKUP_READY"),
    (1133, c"TS_EVENT_CACHE_LOOKUP_COMPLETE"),
    (1134, c"TS_EVENT_CACHE_READ_READY"),
    (1135, c"TS_EVENT_CACHE_READ_COMPLETE"),
    (2000, c"TS_EVENT_SSL_SESSION_GET"),
    (2001, c"TS_EVENT_SSL_SESSION_NEW"),
    (2002, c"TS_EVENT_SSL_SESSION_REMOVE"),
    (3900, c"TS_EVENT_AIO_DONE"),
    (60000, c"TS_EVENT_HTTP_CONTINUE"),
    (60001, c"TS_EVENT_HTTP_ERROR"),
    (60002, c"TS_EVENT_HTTP_READ_REQUEST_HDR"),
    (60003, c"TS_EVENT_HTTP_OS_DNS"),
    (60004, c"TS_EVENT_HTTP_SEND_REQUEST_HDR"),
    (60005, c"TS_EVENT_HTTP_READ_CACHE_HDR"),
    (60006, c"TS_EVENT_HTTP_READ_RESPONSE_HDR"),
    (60007, c"TS_EVENT_HTTP_SEND_RESPONSE_HDR"),
    (60008, c"TS_EVENT_HTTP_REQUEST_TRANSFORM"),
    (60009, c"TS_EVENT_HTTP_RESPONSE_TRANSFORM"),
    (60010, c"TS_EVENT_HTTP_SELECT_ALT"),
    (60011, c"TS_EVENT_HTTP_TXN_START"),
    (60012, c"TS_EVENT_HTTP_TXN_CLOSE"),
    (60013, c"TS_EVENT_HTTP_SSN_START"),
    (60014, c"TS_EVENT_HTTP_SSN_CLOSE"),
    (60015, c"TS_EVENT_HTTP_CACHE_LOOKUP_COMPLETE"),
    (60016, c"TS_EVENT_HTTP_PRE_REMAP"),
    (60017, c"TS_EVENT_HTTP_POST_REMAP"),
    (60018, c"TS_EVENT_HTTP_REQUEST_BUFFER_COMPLETE"),
    (60100, c"TS_EVENT_LIFECYCLE_PORTS_INITIALIZED"),
    (60101, c"TS_EVENT_LIFECYCLE_PORTS_READY"),
    (60102, c"TS_EVENT_LIFECYCLE_CACHE_READY"),
    (60103, c"TS_EVENT_LIFECYCLE_SERVER_SSL_CTX_INITIALIZED"),
    (60104, c"TS_EVENT_LIFECYCLE_CLIENT_SSL_CTX_INITIALIZED"),
    (60105, c"TS_EVENT_LIFECYCLE_MSG"),
    (60106, c"TS_EVENT_LIFECYCLE_TASK_THREADS_READY"),
    (60107, c"TS_EVENT_LIFECYCLE_SHUTDOWN"),
    (60203, c"TS_EVENT_SSL_CERT"),
    (60204, c"TS_EVENT_SSL_SERVERNAME"),
    (60205, c"TS_EVENT_SSL_VERIFY_SERVER"),
    (60206, c"TS_EVENT_SSL_VERIFY_CLIENT"),
    (60207, c"TS_EVENT_SSL_CLIENT_HELLO"),
    (60208, c"TS_EVENT_SSL_SECRET"),
    (60300, c"TS_EVENT_MGMT_UPDATE"),
];

/// Server states.
const STATES: &[(c_int, &CStr)] = &[
    (0, c"TS_SRVSTATE_STATE_UNDEFINED"),
    (1, c"TS_SRVSTATE_ACTIVE_TIMEOUT"),
    (2, c"TS_SRVSTATE_BAD_INCOMING_RESPONSE"),
    (3, c"TS_SRVSTATE_CONNECTION_ALIVE"),
    (4, c"TS_SRVSTATE_CONNECTION_CLOSED"),
    (5, c"TS_SRVSTATE_CONNECTION_ERROR"),
    (6, c"TS_SRVSTATE_INACTIVE_TIMEOUT"),
    (7, c"TS_SRVSTATE_OPEN_RAW_ERROR"),
    (8, c"TS_SRVSTATE_PARSE_ERROR"),
    (9, c"TS_SRVSTATE_TRANSACTION_COMPLETE"),
    (10, c"TS_SRVSTATE_PARENT_RETRY"),
    (11, c"TS_SRVSTATE_OUTBOUND_CONGESTION"),
];

fn find(table: &'static [(c_int, &'static CStr)], number: c_int) -> Option<&'static CStr> {
    table.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

fn pointer(table: &'static [(c_int, &'static CStr)], number: c_int) -> *const c_char {
    find(table, number).map_or(std::ptr::null(), CStr::as_ptr)
}

/// The name of a hook number.
pub fn hook(id: c_int) -> Option<&'static str> {
    find(HOOKS, id).and_then(|name| name.to_str().ok())
}

/// The name of a hook number; null: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHookNameLookup(id: c_int) -> *const c_char {
    pointer(HOOKS, id)
}

/// The name of an event; null: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpEventNameLookup(event: c_int) -> *const c_char {
    pointer(EVENTS, event)
}

/// The name of a server state; null: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpServerStateNameLookup(state: c_int) -> *const c_char {
    pointer(STATES, state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_header() {
        assert_eq!(hook(10), Some("TS_HTTP_TXN_CLOSE_HOOK"));
        assert_eq!(find(EVENTS, 60012), Some(c"TS_EVENT_HTTP_TXN_CLOSE"));
        assert_eq!(find(STATES, 3), Some(c"TS_SRVSTATE_CONNECTION_ALIVE"));
        assert!(TSHttpHookNameLookup(99).is_null());
    }
}
