//! The look of a line: which fields, in which order, with what between them.
//!
//! Responsible for: the formats `squid`, `cache`, `common` and `combined`, and writing an entry in one.
//! Not responsible for: what a field says.
//! Invariants: a line ends in exactly one line feed; formatting allocates nothing beyond the buffer.

use super::entry::LogEntry;
use super::field::LogField;
use super::time::ClfDate;

#[derive(Clone, Copy, Debug)]
enum Piece {
    Text(&'static str),
    Field(LogField),
}

use LogField as F;
use Piece::{Field, Text};

/// Those of `squid`, then ` %<tgco> %<tgcr>`.
static CACHE: &[Piece] = &[
    Field(F::StartMillis),
    Text(" "),
    Field(F::ElapsedMillis),
    Text(" "),
    Field(F::ClientIp),
    Text(" "),
    Field(F::CacheResultCode),
    Text("/"),
    Field(F::ResponseStatus),
    Text(" "),
    Field(F::ResponseBytes),
    Text(" "),
    Field(F::Method),
    Text(" "),
    Field(F::CanonicalUrl),
    Text(" "),
    Field(F::AuthUser),
    Text(" "),
    Field(F::HierarchyRoute),
    Text("/"),
    Field(F::NextHopName),
    Text(" "),
    Field(F::ContentType),
    Text(" "),
    Field(F::CacheOutcome),
    Text(" "),
    Field(F::CacheReason),
];

/// How many pieces of [`CACHE`] make
/// `%<cqtq> %<ttms> %<chi> %<crc>/%<pssc> %<psql> %<cqhm> %<cquc> %<caun> %<phr>/%<shn> %<psct>`.
const SQUID_PIECES: usize = 23;

/// `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`
static COMBINED: &[Piece] = &[
    Field(F::RemoteHost),
    Text(" "),
    Field(F::RemoteLogname),
    Text(" "),
    Field(F::RemoteUser),
    Text(" "),
    Field(F::StartDate),
    Text(" \""),
    Field(F::RequestLine),
    Text("\" "),
    Field(F::FinalStatus),
    Text(" "),
    Field(F::BodyBytesClf),
    Text(" \""),
    Field(F::Referer),
    Text("\" \""),
    Field(F::UserAgent),
    Text("\""),
];

/// How many pieces of [`COMBINED`] make `%h %l %u %t "%r" %>s %b`.
const COMMON_PIECES: usize = 13;

/// The look of a log's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// Squid's native format, with Traffic Server's fields.
    Squid,
    /// The same, then what the cache did and why.
    Cache,
    /// The common log format.
    Common,
    /// The common log format with referer and user agent.
    Combined,
}

impl LogFormat {
    /// Every format.
    pub const ALL: &'static [LogFormat] =
        &[LogFormat::Squid, LogFormat::Cache, LogFormat::Common, LogFormat::Combined];

    /// The name in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Squid => "squid",
            Self::Cache => "cache",
            Self::Common => "common",
            Self::Combined => "combined",
        }
    }

    /// The format with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }

    fn pieces(self) -> &'static [Piece] {
        match self {
            Self::Squid => &CACHE[..SQUID_PIECES],
            Self::Cache => CACHE,
            Self::Common => &COMBINED[..COMMON_PIECES],
            Self::Combined => COMBINED,
        }
    }
}

/// Writes entries as lines; holds the per-second date, so keep one per thread.
#[derive(Debug)]
pub struct Formatter {
    pieces: &'static [Piece],
    date: ClfDate,
}

impl Formatter {
    /// A formatter for one format.
    pub fn new(format: LogFormat) -> Self {
        Self { pieces: format.pieces(), date: ClfDate::new() }
    }

    /// Appends the entry's line, line feed included.
    pub fn write_line(&mut self, out: &mut Vec<u8>, entry: &LogEntry<'_>) {
        for piece in self.pieces {
            match piece {
                Text(text) => out.extend_from_slice(text.as_bytes()),
                Field(field) => field.write(out, entry, &mut self.date),
            }
        }
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::{Formatter, LogField, LogFormat};
    use crate::log::{Hierarchy, LogEntry};
    use crate::outcome::{CacheOutcome, CacheReason, TransactionEnd};

    fn entry() -> LogEntry<'static> {
        LogEntry {
            client_addr: "192.0.2.7:51000".parse().unwrap(),
            method: b"GET".into(),
            request_target: b"/a%20b?q=1".into(),
            url: b"http://www.example.com/a%20b?q=1".into(),
            version: (1, 1),
            status: 200,
            content_type: Some(b"text/html; charset=utf-8".into()),
            request_bytes: 300,
            response_bytes: 2326,
            response_body_bytes: 2000,
            started_unix: Duration::from_millis(971_186_136_042),
            elapsed: Duration::from_micros(17_900),
            referer: Some(b"http://www.example.com/start".into()),
            user_agent: Some(b"Mozilla/4.08 [en] (Win98; I ;Nav)".into()),
            cache_outcome: CacheOutcome::Miss,
            hierarchy: Hierarchy::Direct,
            next_hop: Some(b"origin.example.com".into()),
            ..LogEntry::default()
        }
    }

    fn line(format: LogFormat, entry: &LogEntry<'_>) -> String {
        let mut out = Vec::new();
        Formatter::new(format).write_line(&mut out, entry);
        String::from_utf8(out).expect("log lines are ASCII")
    }

    #[test]
    fn squid_line_has_the_fields_of_traffic_server() {
        assert_eq!(
            line(LogFormat::Squid, &entry()),
            "971186136.042 17 192.0.2.7 TCP_MISS/200 2326 GET http://www.example.com/a%20b?q=1 - \
             DIRECT/origin.example.com text/html\n"
        );
    }

    #[test]
    fn squid_line_of_a_hit_names_no_origin() {
        let hit = LogEntry {
            client_addr: "[2001:db8::7]:51000".parse().unwrap(),
            user: Some(b"j doe".into()),
            cache_outcome: CacheOutcome::Hit,
            hierarchy: Hierarchy::None,
            next_hop: None,
            ..entry()
        };
        assert_eq!(
            line(LogFormat::Squid, &hit),
            "971186136.042 17 2001:db8::7 TCP_HIT/200 2326 GET http://www.example.com/a%20b?q=1 j%20doe NONE/- \
             text/html\n"
        );
    }

    #[test]
    fn cache_line_adds_what_the_cache_did_and_why() {
        let stored = line(LogFormat::Cache, &entry());
        assert_eq!(stored.strip_prefix(line(LogFormat::Squid, &entry()).trim_end()), Some(" miss -\n"));
        let private = LogEntry { cache_reason: Some(CacheReason::Private), ..entry() };
        assert!(line(LogFormat::Cache, &private).ends_with(" miss private\n"));
    }

    #[test]
    fn common_line_is_httpds() {
        assert_eq!(
            line(LogFormat::Common, &LogEntry { user: Some(b"frank".into()), ..entry() }),
            "192.0.2.7 - frank [10/Oct/2000:13:55:36 +0000] \"GET /a%20b?q=1 HTTP/1.1\" 200 2000\n"
        );
    }

    #[test]
    fn combined_line_adds_referer_and_user_agent() {
        assert_eq!(
            line(LogFormat::Combined, &entry()),
            "192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] \"GET /a%20b?q=1 HTTP/1.1\" 200 2000 \
             \"http://www.example.com/start\" \"Mozilla/4.08 [en] (Win98; I ;Nav)\"\n"
        );
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let refused = LogEntry { end: TransactionEnd::BadRequest, status: 400, ..LogEntry::default() };
        assert_eq!(
            line(LogFormat::Squid, &refused),
            "0.000 0 0.0.0.0 ERR_INVALID_REQ/400 0 - - - NONE/- -\n"
        );
        assert_eq!(
            line(LogFormat::Combined, &refused),
            "0.0.0.0 - - [01/Jan/1970:00:00:00 +0000] \"-\" 400 - \"-\" \"-\"\n"
        );
        let silent = LogEntry { end: TransactionEnd::ClientAborted, ..LogEntry::default() };
        assert!(line(LogFormat::Squid, &silent).contains(" ERR_CLIENT_ABORT/000 "));
        assert!(line(LogFormat::Common, &silent).ends_with("\"-\" - -\n"));
    }

    #[test]
    fn empty_is_told_from_absent_as_in_httpd() {
        let empty = LogEntry { user: Some(b"".into()), referer: Some(b"".into()), ..entry() };
        let line = line(LogFormat::Combined, &empty);
        assert!(line.starts_with("192.0.2.7 - \"\" ["), "{line}");
        assert!(line.contains(" 2000 \"\" \"Mozilla"), "{line}");
    }

    #[test]
    fn request_without_version_has_none_in_its_line() {
        let old = LogEntry { version: (0, 9), ..entry() };
        assert!(line(LogFormat::Common, &old).contains("\"GET /a%20b?q=1\" 200"));
    }

    #[test]
    fn hostile_texts_stay_in_their_fields() {
        let hostile = LogEntry {
            method: b"GET\" 200 1\n".into(),
            request_target: b"/\"\\\r\n".into(),
            url: b"http://h/ x\n\"y".into(),
            user: Some(b"a\nb c".into()),
            user_agent: Some(b"\x1b[31m\" \"forged".into()),
            referer: Some(b"caf\xc3\xa9".into()),
            content_type: Some(b" a b ;x".into()),
            next_hop: Some(b"h /".into()),
            ..entry()
        };
        assert_eq!(
            line(LogFormat::Combined, &hostile),
            "192.0.2.7 - a\\nb c [10/Oct/2000:13:55:36 +0000] \"GET\\\" 200 1\\n /\\\"\\\\\\r\\n HTTP/1.1\" 200 2000 \
             \"caf\\xc3\\xa9\" \"\\x1b[31m\\\" \\\"forged\"\n"
        );
        assert_eq!(
            line(LogFormat::Squid, &hostile),
            "971186136.042 17 192.0.2.7 TCP_MISS/200 2326 GET%22%20200%201%0A http://h/%20x%0A%22y a%0Ab%20c \
             DIRECT/h%20/ a%20b\n"
        );
    }

    #[test]
    fn formats_are_found_by_name() {
        for &format in LogFormat::ALL {
            assert_eq!(LogFormat::by_name(format.name()), Some(format));
        }
        assert_eq!(LogFormat::by_name("custom"), None);
    }

    #[test]
    fn field_names_are_unique_and_explained() {
        let names: HashSet<_> = LogField::ALL.iter().map(|field| field.def().name).collect();
        assert_eq!(names.len(), LogField::ALL.len());
        assert!(LogField::ALL.iter().all(|field| field.def().doc.ends_with('.')));
    }
}
