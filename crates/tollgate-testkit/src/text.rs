//! Text of a scenario as bytes, and bytes as text of a transcript.
//!
//! Responsible for: the rule that each character of a scenario string is one byte (Latin-1, so YAML's `"\xff"` is
//! the byte 255 and `"\0"` the byte 0), `${name}` variables, and the escaped form in which bytes are shown.
//! Not responsible for: YAML's own escapes, which the YAML parser has already resolved.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

/// The bytes that `text` stands for; characters beyond U+00FF are sent as UTF-8.
pub fn bytes_of(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c)) {
            Ok(byte) => out.push(byte),
            Err(_) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

/// The inverse of [`bytes_of`] for any bytes: one character per byte.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}

/// Printable form with `\r`, `\n`, `\t`, `\xNN` escapes; at most `limit` bytes are shown.
pub fn escaped(bytes: &[u8], limit: usize) -> String {
    let mut out = String::new();
    for &b in bytes.iter().take(limit) {
        match b {
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7e => out.push(char::from(b)),
            _ => out.push_str(&format!("\\x{b:02x}")),
        }
    }
    if bytes.len() > limit {
        out.push_str(&format!("... ({} bytes)", bytes.len()));
    }
    out
}

/// Variables of a running scenario: `${origin}`, `${origin.port}`, `${proxy}` and so on.
#[derive(Clone, Debug)]
pub struct Vars {
    values: BTreeMap<String, String>,
    /// What dates count from.
    began: SystemTime,
}

impl Default for Vars {
    fn default() -> Self {
        Self { values: BTreeMap::new(), began: SystemTime::now() }
    }
}

impl Vars {
    /// Sets one variable.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), value.into());
    }

    /// Sets `NAME` (a URL), `NAME.addr` (host:port) and `NAME.port` for a server on the loopback.
    pub fn set_server(&mut self, name: &str, port: u16) {
        self.set_address(name, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }

    /// The same for a server with this address.
    pub fn set_address(&mut self, name: &str, addr: SocketAddr) {
        self.set(name, format!("http://{addr}"));
        self.set(format!("{name}.addr"), addr.to_string());
        self.set(format!("{name}.port"), addr.port().to_string());
    }

    /// The inverse of [`Vars::expand`] for addresses and directories: their values become their names.
    pub fn name_values(&self, text: &str) -> String {
        let mut values: Vec<_> = self.values.iter().filter(|(name, _)| !name.ends_with(".port")).collect();
        values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let mut out = text.to_owned();
        for (name, value) in values.into_iter().filter(|(_, value)| !value.is_empty()) {
            out = out.replace(value.as_str(), &format!("${{{name}}}"));
        }
        out
    }

    fn value(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned().or_else(|| self.date(name)).or_else(|| repeated(name))
    }

    /// The value of a `date:SECONDS` or `rfc850:SECONDS` variable.
    fn date(&self, name: &str) -> Option<String> {
        let (form, seconds) = name.split_once(':')?;
        let seconds: i64 = seconds.parse().ok()?;
        let offset = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 { self.began - offset } else { self.began + offset };
        match form {
            "date" => Some(httpdate::fmt_http_date(time)),
            "rfc850" => Some(rfc850(time)),
            _ => None,
        }
    }

    /// Replaces every `${name}` that is known; unknown ones stay as they are. `${repeat:N:text}` repeats a
    /// text; `${date:-3600}` is a date that many seconds after the beginning, `${rfc850:0}` one in the obsolete form.
    pub fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let Some(end) = rest[start..].find('}') else { break };
            let name = &rest[start + 2..start + end];
            out.push_str(&rest[..start]);
            match self.value(name) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[start..=start + end]),
            }
            rest = &rest[start + end + 1..];
        }
        out.push_str(rest);
        out
    }
}

/// An obsolete date: `Sunday, 06-Nov-94 08:49:37 GMT`.
fn rfc850(time: SystemTime) -> String {
    let date = httpdate::fmt_http_date(time);
    let words: Vec<&str> = date.split(' ').collect();
    let [day, number, month, year, clock, zone] = words[..] else { return date };
    let rest = match day {
        "Tue," => "sday",
        "Wed," => "nesday",
        "Thu," => "rsday",
        "Sat," => "urday",
        _ => "day",
    };
    format!("{}{rest}, {number}-{month}-{} {clock} {zone}", &day[..3], &year[2..])
}

/// The value of a `repeat:N:text` variable.
fn repeated(name: &str) -> Option<String> {
    let (count, text) = name.strip_prefix("repeat:")?.split_once(':')?;
    let count: usize = count.parse().ok()?;
    Some(if text.contains("%d") {
        (0..count).map(|i| text.replace("%d", &i.to_string())).collect()
    } else {
        text.repeat(count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_up_to_ff_is_one_byte() {
        assert_eq!(bytes_of("a\u{0}\r\n\u{ff}"), b"a\0\r\n\xff");
        assert_eq!(bytes_of(&latin1(&[0, 128, 255])), [0, 128, 255]);
    }

    #[test]
    fn escaped_form_shows_controls_and_cuts_at_the_limit() {
        assert_eq!(escaped(b"a\r\n\0\\", 100), "a\\r\\n\\x00\\\\");
        assert_eq!(escaped(b"abcdef", 3), "abc... (6 bytes)");
    }

    #[test]
    fn known_variables_are_replaced_and_unknown_ones_stay() {
        let mut vars = Vars::default();
        vars.set_server("origin", 81);
        assert_eq!(
            vars.expand("${origin}/x ${origin.port} ${nope} ${"),
            "http://127.0.0.1:81/x 81 ${nope} ${"
        );
    }

    #[test]
    fn dates_count_from_the_beginning() {
        let vars =
            Vars { began: SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777), ..Vars::default() };
        assert_eq!(vars.expand("${date:0}"), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(vars.expand("${date:-37}"), "Sun, 06 Nov 1994 08:49:00 GMT");
        assert_eq!(vars.expand("${rfc850:86400}"), "Monday, 07-Nov-94 08:49:37 GMT");
        assert_eq!(vars.expand("${rfc850:259200}"), "Wednesday, 09-Nov-94 08:49:37 GMT");
    }

    #[test]
    fn repeat_variable_numbers_its_copies() {
        assert_eq!(Vars::default().expand("${repeat:3:ab}"), "ababab");
        assert_eq!(Vars::default().expand("${repeat:2:X-%d: v\r\n}"), "X-0: v\r\nX-1: v\r\n");
    }
}
