//! What the two sides of a proxy received, in a form in which two proxies can be compared.
//!
//! Responsible for: recording received messages, masking what cannot agree (times, products, ports), comparing.
//! Not responsible for: playing scripts. Invariant: a message is recorded once, when its body is complete or broken off.

use crate::body::Received;
use crate::framing::Head;
use crate::outcome::Failure;
use crate::text::{Vars, escaped, latin1};

/// Fields whose presence is compared, but not their values: they name the product or the time.
const MASKED: [&str; 3] = ["Date", "Via", "Server"];
/// In a list of masks: the words of pages that the proxies make.
const PAGES: &str = ":pages";
/// Whether a field says nothing that could be compared: Traffic Server gives fetched responses an age of zero too, and
/// says of each HTTP/1.1 connection that it stays.
fn is_idle(name: &str, value: &str) -> bool {
    name == "age" || name == "connection" && value.eq_ignore_ascii_case("keep-alive")
}
/// Bytes of a body that are shown when it differs.
const SHOWN: usize = 600;

/// One received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The script that received it, without the number of its connection.
    by: String,
    start: String,
    /// Names in lower case with their values, sorted by name; the order within a name is kept.
    fields: Vec<(String, String)>,
    size: u64,
    body: String,
    is_complete: bool,
}

impl Seen {
    /// Of a message whose body has ended.
    pub fn new(label: &str, head: &Head, body: &Received, is_complete: bool) -> Self {
        let by = label.split(',').next().unwrap_or_default().to_owned();
        let mut fields: Vec<_> =
            head.fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), latin1(value))).collect();
        fields.retain(|(name, value)| !is_idle(name, value));
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self {
            by,
            start: head.start.clone(),
            fields,
            size: body.size,
            body: latin1(body.bytes()),
            is_complete,
        }
    }

    /// Of a line that a program has written.
    pub fn of_line(by: &str, line: &str) -> Self {
        Self {
            by: by.to_owned(),
            start: line.to_owned(),
            fields: Vec::new(),
            size: 0,
            body: String::new(),
            is_complete: true,
        }
    }

    /// The same without what cannot agree between two programs.
    pub fn masked(mut self, vars: &Vars, masks: &[String]) -> Self {
        let is_masked = |name: &str| {
            MASKED.iter().any(|m| m.eq_ignore_ascii_case(name))
                || masks.iter().any(|m| m.eq_ignore_ascii_case(name))
        };
        for (name, value) in &mut self.fields {
            *value = if is_masked(name) { "*".to_owned() } else { vars.name_values(value) };
        }
        self.start = vars.name_values(&self.start);
        if masks.iter().any(|m| m == PAGES) {
            self.mask_page();
        }
        let body = vars.name_values(&self.body);
        if body != self.body {
            // Ports have different numbers of digits.
            self.size = body.len() as u64;
            self.mask_length();
        }
        self.body = body;
        self
    }

    /// Of a page that the proxy itself made only version, status and fields are compared, not its words.
    fn mask_page(&mut self) {
        let has =
            |name: &str, value: &str| self.fields.iter().any(|(n, v)| n == name && v.starts_with(value));
        if !has("content-type", "text/html") || !has("cache-control", "no-store") {
            return;
        }
        self.start = self.start.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
        (self.size, self.body) = (0, String::new());
        self.fields.retain(|(name, _)| name != "content-language");
        self.mask_length();
    }

    fn mask_length(&mut self) {
        for (name, value) in &mut self.fields {
            if name == "content-length" {
                "*".clone_into(value);
            }
        }
    }

    fn shown(&self) -> String {
        let fields: String = self.fields.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let end = if self.is_complete { "" } else { "\n(broken off)" };
        format!("{}\n{fields}({} bytes) {}{end}", self.start, self.size, escaped(self.body.as_bytes(), SHOWN))
    }
}

/// Where two recordings differ, message by message of each script.
pub fn differences(oracle: &[Seen], ours: &[Seen]) -> Vec<Failure> {
    let mut scripts: Vec<&str> = oracle.iter().chain(ours).map(|seen| seen.by.as_str()).collect();
    scripts.sort_unstable();
    scripts.dedup();
    scripts.into_iter().flat_map(|script| differences_of(script, oracle, ours)).collect()
}

fn differences_of(script: &str, oracle: &[Seen], ours: &[Seen]) -> Vec<Failure> {
    let mut oracle = oracle.iter().filter(|seen| seen.by == script);
    let mut ours = ours.iter().filter(|seen| seen.by == script);
    let mut failures = Vec::new();
    for number in 1.. {
        let (expected, got) = (oracle.next(), ours.next());
        if expected.is_none() && got.is_none() {
            break;
        }
        if expected != got {
            let text = |seen: Option<&Seen>| seen.map_or_else(|| "no such message".to_owned(), Seen::shown);
            failures.push(Failure::new(
                format!("{script}, message {number}: {}", unlike(expected, got)),
                text(expected),
                text(got),
            ));
        }
    }
    failures
}

/// What differs, in few words.
fn unlike(expected: Option<&Seen>, got: Option<&Seen>) -> String {
    let (Some(expected), Some(got)) = (expected, got) else { return "number of messages".to_owned() };
    let mut parts = Vec::new();
    if expected.start != got.start {
        parts.push("start line".to_owned());
    }
    let lacks = |all: &[(String, String)], field| !all.contains(field);
    parts.extend(
        expected.fields.iter().filter(|f| lacks(&got.fields, f)).map(|(n, v)| format!("not sent `{n}: {v}`")),
    );
    parts.extend(
        got.fields.iter().filter(|f| lacks(&expected.fields, f)).map(|(n, v)| format!("sent `{n}: {v}`")),
    );
    if (expected.size, &expected.body, expected.is_complete) != (got.size, &got.body, got.is_complete) {
        parts.push("body".to_owned());
    }
    if parts.is_empty() { "order or number of fields".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(by: &str, start: &str, fields: &[(&str, &str)], body: &str) -> Seen {
        let fields = fields.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        let mut received = Received::default();
        received.push(body.as_bytes());
        Seen::new(by, &Head { start: start.to_owned(), fields, raw: Vec::new() }, &received, true)
    }

    #[test]
    fn messages_agree_without_regard_to_times_products_ports_and_order_of_names() {
        let ends = |port: u16, server, fields: [(&str, &str); 2]| {
            let mut vars = Vars::default();
            vars.set_server("origin", port);
            let location = format!("http://127.0.0.1:{port}/x");
            let all = [&[("Server", server), ("Location", location.as_str())][..], &fields].concat();
            seen("client c, connection 1", "HTTP/1.1 302 Found", &all, &format!("to {location}"))
                .masked(&vars, &[])
        };
        let oracle = ends(1234, "ATS", [("A", "1"), ("B", "2")]);
        let ours = ends(23456, "Tollgate", [("b", "2"), ("a", "1")]);
        assert_eq!(differences(std::slice::from_ref(&oracle), &[ours]), []);
        let other = ends(23456, "Tollgate", [("b", "2"), ("a", "3")]);
        let found = differences(&[oracle], &[other]);
        assert_eq!(found.len(), 1);
        assert!(found[0].at.contains("not sent `a: 1`, sent `a: 3`"), "{}", found[0].at);
    }

    #[test]
    fn a_message_more_or_less_is_a_difference() {
        let one = seen("origin o, connection 1", "GET / HTTP/1.1", &[], "");
        assert_eq!(differences(std::slice::from_ref(&one), &[]).len(), 1);
        assert_eq!(differences(&[], &[one.clone(), one]).len(), 2);
    }
}
