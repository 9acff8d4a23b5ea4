//! The table of log fields: each is declared here and nowhere else.
//!
//! Responsible for: names, meaning and writing of every field. Not responsible for: which fields a line has.
//! Invariants: a field writes printable ASCII without a line end; one whose name is Traffic Server's also without a
//! space; what is not known is `-`.

use super::entry::LogEntry;
use super::escape::{push_decimal, push_escaped, push_ip, push_padded, push_percent_encoded};
use super::time::ClfDate;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct FieldDef {
    /// Traffic Server's symbol (`cqtq`), or httpd's item (`%r`) for a field only httpd has.
    pub name: &'static str,
    /// One sentence for listings.
    pub doc: &'static str,
}

macro_rules! fields {
    ($($id:ident $name:literal $doc:literal $writer:expr;)+) => {
        /// Every field a log line can have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum LogField { $(#[doc = $doc] $id,)+ }

        impl LogField {
            /// Every field, in table order.
            pub const ALL: &'static [LogField] = &[$(LogField::$id,)+];

            /// The field's row.
            pub const fn def(self) -> &'static FieldDef {
                match self { $(LogField::$id => &FieldDef { name: $name, doc: $doc },)+ }
            }

            /// Appends the field of this entry.
            pub(super) fn write(self, out: &mut Vec<u8>, entry: &LogEntry<'_>, date: &mut ClfDate) {
                match self {
                    $(LogField::$id => {
                        let write: fn(&mut Vec<u8>, &LogEntry<'_>, &mut ClfDate) = $writer;
                        write(out, entry, date);
                    })+
                }
            }
        }
    };
}

fields! {
    // Traffic Server's.
    StartMillis "cqtq" "When the request came, in seconds since 1970 with milliseconds."
        |out, entry, _| push_unix_millis(out, entry);
    ElapsedMillis "ttms" "Milliseconds from the request to the last byte of the response."
        |out, entry, _| push_decimal(out, as_u64(entry.elapsed.as_millis()));
    ClientIp "chi" "The client's address."
        |out, entry, _| push_ip(out, entry.client_addr.ip());
    ClientPort "chp" "The client's port."
        |out, entry, _| push_decimal(out, u64::from(entry.client_addr.port()));
    CacheResultCode "crc" "The cache result code."
        |out, entry, _| out.extend_from_slice(entry.cache_result().token().as_bytes());
    ResponseStatus "pssc" "The status sent to the client, three digits; 000 if none was sent."
        |out, entry, _| push_padded(out, u64::from(entry.status), 3);
    ResponseBytes "psql" "Bytes sent to the client, header included."
        |out, entry, _| push_decimal(out, entry.response_bytes);
    ResponseBodyBytes "pscl" "Bytes of content sent to the client."
        |out, entry, _| push_decimal(out, entry.response_body_bytes);
    RequestBytes "cqtl" "Bytes received from the client, header included."
        |out, entry, _| push_decimal(out, entry.request_bytes);
    Method "cqhm" "The request method."
        |out, entry, _| push_word(out, Some(&entry.method));
    CanonicalUrl "cquc" "The absolute URL of the request, percent-encoded."
        |out, entry, _| push_word(out, Some(&entry.url));
    AuthUser "caun" "The authenticated user, percent-encoded."
        |out, entry, _| push_word(out, entry.user.as_deref());
    HierarchyRoute "phr" "The kind of next hop that was asked."
        |out, entry, _| out.extend_from_slice(entry.hierarchy.token().as_bytes());
    NextHopName "shn" "The name of the next hop that was asked."
        |out, entry, _| push_word(out, entry.next_hop.as_deref());
    ContentType "psct" "The response's content type without parameters."
        |out, entry, _| push_content_type(out, entry.content_type.as_deref());

    // Ours.
    CacheOutcome "tgco" "What the cache did."
        |out, entry, _| out.extend_from_slice(entry.cache_outcome.token().as_bytes());
    CacheReason "tgcr" "Why it did that."
        |out, entry, _| push_word(out, entry.cache_reason.map(|reason| reason.token().as_bytes()));

    // httpd's.
    RemoteHost "%h" "The client's address."
        |out, entry, _| push_ip(out, entry.client_addr.ip());
    RemoteLogname "%l" "The client's identd name, which is never asked for."
        |out, _, _| out.push(b'-');
    RemoteUser "%u" "The authenticated user; \"\" if it is empty."
        |out, entry, _| push_user(out, entry.user.as_deref());
    StartDate "%t" "When the request came, in the common log format, UTC."
        |out, entry, date| out.extend_from_slice(date.text(entry.started_unix.as_secs()));
    RequestLine "%r" "The request line."
        |out, entry, _| push_request_line(out, entry);
    FinalStatus "%>s" "The status sent to the client."
        |out, entry, _| push_count_or_dash(out, u64::from(entry.status));
    BodyBytesClf "%b" "Bytes of content sent to the client; - if none."
        |out, entry, _| push_count_or_dash(out, entry.response_body_bytes);
    ElapsedMicros "%D" "Microseconds from the request to the last byte of the response."
        |out, entry, _| push_decimal(out, as_u64(entry.elapsed.as_micros()));
    Referer "%{Referer}i" "The request's Referer."
        |out, entry, _| push_header(out, entry.referer.as_deref());
    UserAgent "%{User-Agent}i" "The request's User-Agent."
        |out, entry, _| push_header(out, entry.user_agent.as_deref());
}

fn as_u64(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn push_unix_millis(out: &mut Vec<u8>, entry: &LogEntry<'_>) {
    push_decimal(out, entry.started_unix.as_secs());
    out.push(b'.');
    push_padded(out, u64::from(entry.started_unix.subsec_millis()), 3);
}

/// A text in a space-separated format: never empty, never with a space.
fn push_word(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        None | Some(b"") => out.push(b'-'),
        Some(text) => push_percent_encoded(out, text),
    }
}

fn push_content_type(out: &mut Vec<u8>, content_type: Option<&[u8]>) {
    let essence = content_type.map(|value| value.split(|&byte| byte == b';').next().unwrap_or(value));
    push_word(out, essence.map(<[u8]>::trim_ascii));
}

fn push_user(out: &mut Vec<u8>, user: Option<&[u8]>) {
    match user {
        None => out.push(b'-'),
        Some(b"") => out.extend_from_slice(b"\"\""),
        Some(user) => push_escaped(out, user),
    }
}

fn push_request_line(out: &mut Vec<u8>, entry: &LogEntry<'_>) {
    if entry.method.is_empty() {
        out.push(b'-');
        return;
    }
    push_escaped(out, &entry.method);
    out.push(b' ');
    push_escaped(out, &entry.request_target);
    let (major, minor) = entry.version;
    if major > 0 {
        out.extend_from_slice(b" HTTP/");
        push_decimal(out, u64::from(major));
        out.push(b'.');
        push_decimal(out, u64::from(minor));
    }
}

fn push_count_or_dash(out: &mut Vec<u8>, count: u64) {
    match count {
        0 => out.push(b'-'),
        count => push_decimal(out, count),
    }
}

/// A request header inside quotes: absent is `-`, empty is empty.
fn push_header(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => out.push(b'-'),
        Some(value) => push_escaped(out, value),
    }
}
