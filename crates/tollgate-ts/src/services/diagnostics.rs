//! The look of what plugins say, and which of it is wanted.
//!
//! Responsible for: lines of diagnostics in Traffic Server's shape, debug tags.
//! Not responsible for: formatting of arguments, where lines go.

use super::local_time::LocalTime;

/// How grave a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `TSDebug`.
    Debug,
    /// `TSStatus`.
    Status,
    /// `TSNote`.
    Note,
    /// `TSWarning`.
    Warning,
    /// `TSError`.
    Error,
    /// `TSFatal`: the server ends.
    Fatal,
    /// `TSAlert`: the server ends.
    Alert,
    /// `TSEmergency`: the server ends and is not started again.
    Emergency,
}

impl Level {
    /// The word in lines.
    pub const fn word(self) -> &'static str {
        match self {
            Level::Debug => "DIAG",
            Level::Status => "STATUS",
            Level::Note => "NOTE",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
            Level::Alert => "ALERT",
            Level::Emergency => "EMERGENCY",
        }
    }
}

/// One line: `[Jan 02 03:04:05.678] THREAD ERROR: text`, for debugging `DIAG: (tag) text`. `now_ms` is milliseconds
/// since 1970. One end of line that the text has is not doubled.
pub fn line(now_ms: i64, thread: &str, level: Level, tag: &str, text: &str) -> String {
    let time = LocalTime::at(now_ms.div_euclid(1000)).diagnostic();
    let text = text.strip_suffix('\n').unwrap_or(text);
    let tag = if level == Level::Debug { format!("({tag}) ") } else { String::new() };
    format!("[{time}.{:03}] {thread} {}: {tag}{text}\n", now_ms.rem_euclid(1000), level.word())
}

/// Whether a debug tag is wanted.
pub type Wanted = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// What `proxy.config.diags.debug.enabled` and `.tags` ask for: tags that begin with a match of the pattern. `None`:
/// no tags at all.
///
/// # Errors
/// If the pattern is none.
pub fn debug_tags(enabled: i64, pattern: &str) -> Result<Option<Wanted>, pcre2::Error> {
    if enabled == 0 {
        return Ok(None);
    }
    let regex = pcre2::bytes::Regex::new(&format!("^(?:{pattern})"))?;
    Ok(Some(Box::new(move |tag: &str| regex.is_match(tag.as_bytes()).unwrap_or(false))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_match_from_their_beginning() {
        let wanted = debug_tags(1, "svc|abc").expect("a pattern").expect("enabled");
        let tags = ["svc", "svc_x", "xsvc", "svcx", "sv", "", "abc", "abcd", "a", "SVC"];
        let seen: Vec<_> = tags.into_iter().filter(|tag| wanted(tag)).collect();
        assert_eq!(seen, ["svc", "svc_x", "svcx", "abc", "abcd"]);
        assert!(debug_tags(0, "svc").is_ok_and(|wanted| wanted.is_none()));
        assert!(debug_tags(1, "(").is_err());
    }

    #[test]
    fn lines_have_the_oracles_shape() {
        let rest = |level, tag, text| line(1_700_000_000_123, "[ET_NET 0]", level, tag, text).split_off(16);
        assert_eq!(rest(Level::Error, "", "an error"), ".123] [ET_NET 0] ERROR: an error\n");
        assert_eq!(rest(Level::Note, "", "a note\n"), ".123] [ET_NET 0] NOTE: a note\n");
        assert_eq!(rest(Level::Debug, "svc", "text"), ".123] [ET_NET 0] DIAG: (svc) text\n");
        assert_eq!(rest(Level::Warning, "", "two\nlines"), ".123] [ET_NET 0] WARNING: two\nlines\n");
    }
}
