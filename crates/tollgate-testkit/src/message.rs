//! Messages: building those a script sends, judging those it receives.
//!
//! Responsible for: turning a [`Message`] into a header block, comparing a [`Head`] with a [`Demand`].
//! Not responsible for: bodies on the wire (see [`framing`](crate::framing) and [`actor`](crate::actor)).

use crate::framing::Head;
use crate::matcher::{found, unmet_field};
use crate::stage::Stop;
use crate::step::{Demand, Message};
use crate::text::{bytes_of, escaped};

/// Which side a script plays; decides whether messages sent are requests or responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends requests, receives responses.
    Client,
    /// Receives requests, sends responses.
    Origin,
}

/// The header block of `message`. `answered` is the method of the request it answers.
pub fn head_of(message: &Message, role: Role, answered: &str, expand: &dyn Fn(&str) -> String) -> Vec<u8> {
    let version = message.version.as_deref().unwrap_or("HTTP/1.1");
    let has = |name: &str| {
        message
            .headers
            .iter()
            .any(|line| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    };
    let mut lines = match role {
        Role::Client => {
            let method = message.method.as_deref().unwrap_or("GET");
            let mut lines = vec![format!("{method} {} {version}", message.target.as_deref().unwrap_or("/"))];
            match message.host.as_deref() {
                Some("") => {}
                Some(host) => lines.push(format!("Host: {host}")),
                None if has("Host") => {}
                None => lines.push("Host: t.test".to_owned()),
            }
            lines
        }
        Role::Origin => {
            let status = message.status.unwrap_or(200);
            vec![format!(
                "{version} {status} {}",
                message.reason.as_deref().unwrap_or_else(|| reason_of(status))
            )]
        }
    };
    lines.extend(message.headers.iter().cloned());
    if message.chunked && !has("Transfer-Encoding") {
        lines.push("Transfer-Encoding: chunked".to_owned());
    }
    if needs_length(message, role, answered) && !has("Content-Length") && !has("Transfer-Encoding") {
        let size = message.body.as_ref().map_or(0, |b| b.size(expand));
        lines.push(format!("Content-Length: {size}"));
    }
    bytes_of(&expand(&(lines.join("\r\n") + "\r\n\r\n")))
}

fn needs_length(message: &Message, role: Role, answered: &str) -> bool {
    if message.chunked || message.until_close {
        return false;
    }
    let bodyless = matches!(message.status, Some(100..=199 | 204 | 304)) || answered == "CONNECT";
    message.body.is_some() || (role == Role::Origin && !bodyless)
}

fn reason_of(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

/// The status of a response head.
pub fn status_of(head: &Head) -> Result<u16, Stop> {
    let (version, status, _) = head.parts();
    let is_http = version.starts_with("HTTP/1.");
    match status.parse() {
        Ok(n @ 100..=999) if is_http && status.len() == 3 => Ok(n),
        _ => Err(Stop::failed("a status line", escaped(&bytes_of(&head.start), 300))),
    }
}

/// Compares everything of `demand` that concerns the header block.
pub fn judge_head(
    head: &Head,
    demand: &Demand,
    role: Role,
    expand: &dyn Fn(&str) -> String,
) -> Result<(), Stop> {
    let (first, second, third) = head.parts();
    let (version, method, target, status, reason) = match role {
        Role::Client => (first, "", "", second, third),
        Role::Origin => (third, first, second, "", ""),
    };
    let parts = [
        ("version", &demand.version, version),
        ("method", &demand.method, method),
        ("target", &demand.target, target),
        ("status", &demand.status, status),
        ("reason", &demand.reason, reason),
    ];
    for (name, matcher, value) in parts {
        if let Some(matcher) = matcher
            && !matcher.accepts(&bytes_of(value), expand)
        {
            return Err(Stop::failed(
                format!("{name} {}", expand(&matcher.to_string())),
                format!("\"{}\"", escaped(&bytes_of(value), 300)),
            ));
        }
    }
    if let Some((expected, got)) = unmet_field(&head.fields, &demand.headers, &demand.absent, expand) {
        return Err(Stop::failed(expected, got));
    }
    match &demand.raw {
        Some(pattern) if !found(&expand(pattern), &head.raw) => {
            Err(Stop::failed(format!("a header block matching /{pattern}/"), escaped(&head.raw, 1000)))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;

    fn head(message: &Message, role: Role, answered: &str) -> String {
        String::from_utf8(head_of(message, role, answered, &|t| t.to_owned())).unwrap()
    }

    #[test]
    fn request_gets_host_and_length_unless_given() {
        let mut message = Message { body: Some(Body::Text("abc".into())), ..Message::default() };
        assert_eq!(
            head(&message, Role::Client, ""),
            "GET / HTTP/1.1\r\nHost: t.test\r\nContent-Length: 3\r\n\r\n"
        );
        message.host = Some(String::new());
        message.headers = vec!["content-length: 7".into()];
        assert_eq!(head(&message, Role::Client, ""), "GET / HTTP/1.1\r\ncontent-length: 7\r\n\r\n");
    }

    #[test]
    fn response_without_a_body_says_so_except_where_none_is_possible() {
        let mut message = Message::default();
        assert_eq!(head(&message, Role::Origin, "GET"), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        message.status = Some(304);
        assert_eq!(head(&message, Role::Origin, "GET"), "HTTP/1.1 304 Not Modified\r\n\r\n");
    }
}
