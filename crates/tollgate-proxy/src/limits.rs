//! Named limits and how records become limits.

use std::time::Duration;
use tollgate_config::ids;
use tollgate_config::records::{IntRecord, TxnRecords};
use tollgate_http::h1::Limits;

/// LIMIT: bytes of an unread request body that are taken off a connection to keep it.
pub(crate) const DISCARD_BYTES: usize = 64 * 1024;
/// LIMIT: bytes of following requests that are read while one is being served, to notice a client that leaves.
pub(crate) const READ_AHEAD_BYTES: usize = 32 * 1024;
/// A read with more than this behind a message head is handed over by the event thread without copying.
pub(crate) const LARGE_READ_BYTES: usize = 8 * 1024;
/// LIMIT: internal requests made from internal requests.
pub(crate) const FETCH_DEPTH: u32 = 8;
/// LIMIT: bytes of a request body kept for buffering (request_buffer_enabled).
pub(crate) const BUFFERED_BODY_BYTES: usize = 4 * 1024 * 1024;
/// LIMIT: bytes that a fetch under way may be short of a range for its request to wait for them.
pub(crate) const RANGE_AWAITED_BYTES: u64 = 1024 * 1024;
/// LIMIT: look-ups that handlers of CACHE_LOOKUP_COMPLETE may have done again.
pub(crate) const CACHE_LOOKUPS_REDONE: u8 = 8;
/// LIMIT: redirects of one request, if plugins name the targets.
pub(crate) const PLUGIN_REDIRECTS: i64 = 10;
/// How long a stored object counts as fresh that a plugin has served in place of the origin's answer, if no record says
/// so.
pub(crate) const SERVED_INSTEAD_SECONDS: i64 = 1800;
/// LIMIT: addresses remembered as down, per thread.
pub(crate) const DOWN_ADDRESSES: usize = 4096;

/// A record in seconds as a duration; 0 or less means none.
pub(crate) fn seconds(records: &TxnRecords, record: IntRecord) -> Duration {
    Duration::from_secs(records.int(record).max(0) as u64)
}

fn size(records: &TxnRecords, record: IntRecord) -> usize {
    usize::try_from(records.int(record)).unwrap_or(0)
}

/// Limits on a request header.
pub(crate) fn request_head(records: &TxnRecords) -> Limits {
    Limits {
        start_line_bytes: size(records, ids::HTTP_REQUEST_LINE_MAX_SIZE),
        head_bytes: size(records, ids::HTTP_REQUEST_HEADER_MAX_SIZE),
        fields: size(records, ids::TOLLGATE_HTTP_REQUEST_HEADER_MAX_FIELDS),
        field_bytes: size(records, ids::HTTP_HEADER_FIELD_MAX_SIZE),
    }
}

/// Limits on a response header.
pub(crate) fn response_head(records: &TxnRecords) -> Limits {
    let bytes = size(records, ids::HTTP_RESPONSE_HEADER_MAX_SIZE);
    Limits {
        start_line_bytes: bytes,
        head_bytes: bytes,
        fields: size(records, ids::TOLLGATE_HTTP_RESPONSE_HEADER_MAX_FIELDS),
        field_bytes: size(records, ids::HTTP_HEADER_FIELD_MAX_SIZE),
    }
}

/// LIMIT: how long, and for how many bytes, a closing connection is read on so that the client can read the response.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// See [`LINGER`].
pub(crate) const LINGER_BYTES: usize = 1024 * 1024;
/// Bodies up to this size are sent in one buffer with their header.
pub(crate) const COPIED_BODY_BYTES: usize = 2048;
/// How long an origin that was sent `Expect: 100-continue` may stay silent before the client is told to go on.
pub(crate) const CONTINUE_WAIT: Duration = Duration::from_secs(1);
