//! `cache.config`: what is cached, and for how long, by where a request goes.
//!
//! Responsible for: the grammar (a destination, further conditions, one directive a line) and what all lines that fit
//! a request say together. Not responsible for: obeying it (the cache's rules do).
//! Invariants: of lines with the same directive the first that fits counts; `ttl-in-cache` beats `never-cache`; a line
//! that cannot be read is an error with its number.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use pcre2::bytes::{Regex, RegexBuilder};

use crate::Problem;
use crate::ip::IpRange;

/// The rules of `cache.config`.
#[derive(Clone, Debug, Default)]
pub struct CacheConfig {
    lines: Vec<Line>,
    first_pin: Option<u32>,
}

/// What is asked of a request.
#[derive(Clone, Copy, Debug)]
pub struct CacheRequest<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The URL's host after remapping.
    pub host: &'a [u8],
    /// Its port.
    pub port: u16,
    /// The path without its leading slash.
    pub path: &'a [u8],
    /// The whole URL.
    pub url: &'a [u8],
    /// The method.
    pub method: &'a [u8],
    /// The client's address.
    pub client: IpAddr,
    /// The port that the client came in by.
    pub incoming_port: u16,
    /// Whether a plugin made the request.
    pub is_internal: bool,
    /// Seconds since midnight, local time.
    pub time_of_day: u32,
}

/// What the rules say of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Treatment {
    /// It is neither looked up nor stored.
    pub never_cache: bool,
    /// A client's `no-cache` has no effect.
    pub ignore_client_no_cache: bool,
    /// An origin's `no-cache` and `no-store` have no effect.
    pub ignore_server_no_cache: bool,
    /// In place of `cache_responses_to_cookies`.
    pub responses_to_cookies: Option<u8>,
    /// The lifetime, seconds.
    pub revalidate_after: Option<u32>,
    /// How long the object is stored and fresh, whatever the origin says, seconds.
    pub ttl_in_cache: Option<u32>,
    /// How long the object is not evicted, seconds.
    pub pin_in_cache: Option<u32>,
}

#[derive(Clone, Debug)]
struct Line {
    destination: Destination,
    conditions: Vec<Condition>,
    directive: Directive,
    responses_to_cookies: Option<u8>,
}

#[derive(Clone, Debug)]
enum Destination {
    Domain(String),
    Host(String),
    Address(IpRange),
    Url(String),
    UrlRegex(Regex),
    HostRegex(Regex),
}

#[derive(Clone, Debug)]
enum Condition {
    Port(RangeInclusive<u16>),
    IncomingPort(u16),
    Scheme(String),
    Prefix(String),
    Suffix(String),
    Method(String),
    Time(RangeInclusive<u32>),
    Client(IpRange),
    Internal(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directive {
    NeverCache,
    StandardCache,
    IgnoreNoCache,
    IgnoreClientNoCache,
    IgnoreServerNoCache,
    PinInCache(u32),
    Revalidate(u32),
    TtlInCache(u32),
}

impl CacheConfig {
    /// Reads `text`, the content of `file`.
    pub fn parse(file: &str, text: &str) -> (CacheConfig, Vec<Problem>) {
        let file: Arc<str> = Arc::from(file);
        let (mut config, mut problems) = (CacheConfig::default(), Vec::new());
        for (number, line) in (1u32..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Line::parse(line) {
                Ok(line) => {
                    if let (Directive::PinInCache(_), None) = (line.directive, config.first_pin) {
                        config.first_pin = Some(number);
                    }
                    config.lines.push(line);
                }
                Err(message) => problems.push(Problem::error(&file, number, message)),
            }
        }
        (config, problems)
    }

    /// The line of the first `pin-in-cache`.
    pub fn first_pin(&self) -> Option<u32> {
        self.first_pin
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What the rules say of a request.
    pub fn treatment(&self, request: &CacheRequest<'_>) -> Treatment {
        let mut said = Said::default();
        let fitting = self.lines.iter().filter(|line| line.fits(request));
        fitting.for_each(|line| said.add(line));
        said.treatment
    }
}

/// What was said by lines before.
#[derive(Default)]
struct Said {
    treatment: Treatment,
    of_caching: bool,
}

impl Said {
    fn add(&mut self, line: &Line) {
        let treatment = &mut self.treatment;
        match line.directive {
            Directive::NeverCache | Directive::StandardCache if self.of_caching => {}
            Directive::NeverCache | Directive::StandardCache => {
                treatment.never_cache = line.directive == Directive::NeverCache;
                self.of_caching = true;
            }
            Directive::IgnoreNoCache => {
                (treatment.ignore_client_no_cache, treatment.ignore_server_no_cache) = (true, true);
            }
            Directive::IgnoreClientNoCache => treatment.ignore_client_no_cache = true,
            Directive::IgnoreServerNoCache => treatment.ignore_server_no_cache = true,
            Directive::PinInCache(seconds) => {
                treatment.pin_in_cache.get_or_insert(seconds);
            }
            Directive::Revalidate(seconds) => {
                treatment.revalidate_after.get_or_insert(seconds);
            }
            Directive::TtlInCache(seconds) => {
                treatment.ttl_in_cache.get_or_insert(seconds);
                (treatment.never_cache, self.of_caching) = (false, true);
            }
        }
        treatment.responses_to_cookies = treatment.responses_to_cookies.or(line.responses_to_cookies);
    }
}

impl Line {
    fn parse(text: &str) -> Result<Line, String> {
        let (mut destination, mut directive, mut cookies) = (None, None, None);
        let mut conditions = Vec::new();
        for (label, value) in pairs(text)? {
            let label = label.to_ascii_lowercase();
            if let Some(found) = Destination::parse(&label, &value)? {
                set(&mut destination, found, "a second destination")?;
            } else if let Some(found) = Directive::parse(&label, &value)? {
                set(&mut directive, found, "a second directive")?;
            } else if label == "cache-responses-to-cookies" {
                let number = value.parse().ok().filter(|n: &u8| *n <= 4);
                let number = number.ok_or("cache-responses-to-cookies must be 0 to 4")?;
                set(&mut cookies, number, "a second cache-responses-to-cookies")?;
            } else {
                conditions.push(Condition::parse(&label, &value)?);
            }
        }
        Ok(Line {
            destination: destination.ok_or(
                "no destination: dest_domain, dest_host, dest_ip, url_regex, url or host_regex is expected",
            )?,
            directive: directive
                .ok_or("no directive: action, revalidate, ttl-in-cache or pin-in-cache is expected")?,
            conditions,
            responses_to_cookies: cookies,
        })
    }

    fn fits(&self, request: &CacheRequest<'_>) -> bool {
        self.destination.fits(request) && self.conditions.iter().all(|condition| condition.fits(request))
    }
}

fn set<T>(slot: &mut Option<T>, value: T, problem: &str) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(problem.to_owned()),
    }
}

/// The `label=value` words of a line; a value may stand in double quotes.
fn pairs(text: &str) -> Result<Vec<(&str, String)>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ', '\t']).unwrap_or(rest.len());
        let (label, tail) = rest.split_at(end);
        let value = tail.strip_prefix('=').ok_or_else(|| format!("\"{label}\" has no value"))?;
        let (value, tail) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote is not closed")?,
            None => value.split_at(value.find([' ', '\t']).unwrap_or(value.len())),
        };
        if label.is_empty() || value.is_empty() {
            return Err(format!("\"{label}={value}\" is not of the form label=value"));
        }
        found.push((label, value.to_owned()));
        rest = tail.trim_start();
    }
    Ok(found)
}

impl Destination {
    fn parse(label: &str, value: &str) -> Result<Option<Destination>, String> {
        Ok(Some(match label {
            "dest_domain" => Destination::Domain(value.trim_start_matches(['.', '*']).to_ascii_lowercase()),
            "dest_host" => Destination::Host(value.to_ascii_lowercase()),
            "dest_ip" => Destination::Address(value.parse::<IpRange>().map_err(|e| e.to_string())?),
            "url" => Destination::Url(value.to_owned()),
            "url_regex" => Destination::UrlRegex(regex(value)?),
            "host_regex" => Destination::HostRegex(regex(value)?),
            _ => return Ok(None),
        }))
    }

    fn fits(&self, request: &CacheRequest<'_>) -> bool {
        match self {
            Destination::Domain(domain) => {
                let start = request.host.len().checked_sub(domain.len());
                start.is_some_and(|at| {
                    request.host[at..].eq_ignore_ascii_case(domain.as_bytes())
                        && (at == 0 || domain.is_empty() || request.host[at - 1] == b'.')
                })
            }
            Destination::Host(host) => request.host.eq_ignore_ascii_case(host.as_bytes()),
            Destination::Address(range) => {
                // Only what the URL says: names are looked up after the cache.
                let host = std::str::from_utf8(request.host).unwrap_or_default();
                let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
                address.is_ok_and(|address| range.contains(address))
            }
            Destination::Url(url) => request.url == url.as_bytes(),
            Destination::UrlRegex(regex) => regex.is_match(request.url).unwrap_or(false),
            Destination::HostRegex(regex) => regex.is_match(request.host).unwrap_or(false),
        }
    }
}

fn regex(text: &str) -> Result<Regex, String> {
    RegexBuilder::new().jit_if_available(true).build(text).map_err(|error| error.to_string())
}

impl Condition {
    fn parse(label: &str, value: &str) -> Result<Condition, String> {
        let invalid = || format!("\"{value}\" is no value for {label}");
        Ok(match label {
            "port" => {
                let (first, last) = value.split_once('-').unwrap_or((value, value));
                let number = |text: &str| text.trim().parse::<u16>().map_err(|_| invalid());
                Condition::Port(number(first)?..=number(last)?)
            }
            "iport" => Condition::IncomingPort(value.parse().map_err(|_| invalid())?),
            "scheme" => Condition::Scheme(value.to_ascii_lowercase()),
            "prefix" => Condition::Prefix(value.trim_start_matches('/').to_owned()),
            "suffix" => Condition::Suffix(value.to_owned()),
            "method" => Condition::Method(value.to_owned()),
            "time" => {
                let (first, last) = value.split_once('-').ok_or_else(invalid)?;
                let first = time_of_day(first).ok_or_else(invalid)?;
                let last = time_of_day(last).ok_or_else(invalid)?;
                Condition::Time(first..=last)
            }
            "src_ip" => Condition::Client(value.parse::<IpRange>().map_err(|e| e.to_string())?),
            "internal" => match value.to_ascii_lowercase().as_str() {
                "true" => Condition::Internal(true),
                "false" => Condition::Internal(false),
                _ => return Err(invalid()),
            },
            _ => return Err(format!("unknown label {label}")),
        })
    }

    fn fits(&self, request: &CacheRequest<'_>) -> bool {
        match self {
            Condition::Port(ports) => ports.contains(&request.port),
            Condition::IncomingPort(port) => *port == request.incoming_port,
            Condition::Scheme(scheme) => scheme == request.scheme,
            Condition::Prefix(prefix) => request.path.starts_with(prefix.as_bytes()),
            Condition::Suffix(suffix) => request.path.ends_with(suffix.as_bytes()),
            Condition::Method(method) => request.method.eq_ignore_ascii_case(method.as_bytes()),
            Condition::Time(range) => range.contains(&request.time_of_day),
            Condition::Client(range) => range.contains(request.client),
            Condition::Internal(wanted) => *wanted == request.is_internal,
        }
    }
}

/// `08:00` or `08:00:30`, in seconds.
fn time_of_day(text: &str) -> Option<u32> {
    let mut parts = text.trim().split(':').map(|part| part.parse::<u32>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let is_time = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
    is_time.then_some(hour * 3600 + minute * 60 + second)
}

impl Directive {
    fn parse(label: &str, value: &str) -> Result<Option<Directive>, String> {
        let time = || {
            duration(value).ok_or_else(|| format!("\"{value}\" is no duration: 90, 30s, 5m, 1h30m, 2d, 1w"))
        };
        Ok(Some(match label {
            "action" => match value.to_ascii_lowercase().as_str() {
                "never-cache" => Directive::NeverCache,
                "standard-cache" => Directive::StandardCache,
                "ignore-no-cache" => Directive::IgnoreNoCache,
                "ignore-client-no-cache" => Directive::IgnoreClientNoCache,
                "ignore-server-no-cache" => Directive::IgnoreServerNoCache,
                _ => return Err(format!("unknown action {value}")),
            },
            "revalidate" => Directive::Revalidate(time()?),
            "ttl-in-cache" => Directive::TtlInCache(time()?),
            "pin-in-cache" => Directive::PinInCache(time()?),
            _ => return Ok(None),
        }))
    }
}

/// Seconds of `1h15m20s`: numbers with the units w, d, h, m and s; a number alone is in seconds.
fn duration(text: &str) -> Option<u32> {
    let mut total = 0_u32;
    let mut number = None;
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0_u32).checked_mul(10)?.checked_add(digit)?);
            continue;
        }
        let unit = match c {
            'w' => 604_800,
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    total.checked_add(number.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(text: &str) -> CacheConfig {
        let (config, problems) = CacheConfig::parse("cache.config", text);
        assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:?}");
        config
    }

    fn of(text: &str, request: &CacheRequest<'_>) -> Treatment {
        config(text).treatment(request)
    }

    fn request() -> CacheRequest<'static> {
        CacheRequest {
            scheme: "http",
            host: b"www.Example.com",
            port: 80,
            path: b"a/b.gif",
            url: b"http://www.Example.com/a/b.gif?c",
            method: b"GET",
            client: IpAddr::from([10, 1, 2, 3]),
            incoming_port: 8080,
            is_internal: false,
            time_of_day: 9 * 3600,
        }
    }

    fn fits(text: &str) -> bool {
        of(&format!("{text} action=never-cache"), &request()).never_cache
    }

    #[test]
    fn destinations_are_domains_hosts_addresses_urls_and_expressions() {
        for (text, expected) in [
            ("dest_domain=example.com", true),
            ("dest_domain=.example.com", true),
            ("dest_domain=ample.com", false),
            ("dest_domain=www.example.com", true),
            ("dest_domain=.", true),
            ("dest_host=www.example.com", true),
            ("dest_host=example.com", false),
            ("url=http://www.Example.com/a/b.gif?c", true),
            ("url_regex=\\.gif", true),
            ("url_regex=^https", false),
            ("host_regex=\"^www\\.\"", true),
            ("dest_ip=10.0.0.0-10.255.255.255", false),
        ] {
            assert_eq!(fits(text), expected, "{text}");
        }
        let literal = CacheRequest { host: b"10.2.3.4", ..request() };
        assert!(of("dest_ip=10.0.0.0-10.255.255.255 action=never-cache", &literal).never_cache);
    }

    #[test]
    fn all_conditions_must_fit() {
        for (text, expected) in [
            ("port=80", true),
            ("port=81-90", false),
            ("iport=8080", true),
            ("scheme=http", true),
            ("scheme=https", false),
            ("prefix=a/", true),
            ("prefix=/a/", true),
            ("prefix=b", false),
            ("suffix=gif", true),
            ("suffix=jpg", false),
            ("method=get", true),
            ("method=put", false),
            ("time=08:00-14:00", true),
            ("time=10:00-14:00", false),
            ("src_ip=10.0.0.0/8", true),
            ("src_ip=11.0.0.0/8", false),
            ("internal=false", true),
            ("internal=true", false),
            ("port=80 suffix=gif method=put", false),
        ] {
            assert_eq!(fits(&format!("dest_domain=. {text}")), expected, "{text}");
        }
    }

    #[test]
    fn of_one_directive_the_first_line_counts() {
        let said = of("dest_domain=. revalidate=1h\ndest_domain=. revalidate=2h", &request());
        assert_eq!(said.revalidate_after, Some(3600));
        let said = of("dest_domain=. action=standard-cache\ndest_domain=. action=never-cache", &request());
        assert!(!said.never_cache);
        for order in [
            "dest_domain=. action=never-cache\ndest_domain=. ttl-in-cache=1d\n",
            "dest_domain=. ttl-in-cache=1d\ndest_domain=. action=never-cache\n",
        ] {
            let said = of(order, &request());
            assert_eq!((said.never_cache, said.ttl_in_cache), (false, Some(86_400)), "{order}");
        }
        let said = of("dest_domain=. action=ignore-no-cache cache-responses-to-cookies=3", &request());
        assert!(said.ignore_client_no_cache && said.ignore_server_no_cache);
        assert_eq!(said.responses_to_cookies, Some(3));
        assert_eq!(
            of("# nothing\n\ndest_host=other.com action=never-cache", &request()),
            Treatment::default()
        );
    }

    #[test]
    fn durations_have_units() {
        for (text, expected) in [
            ("90", Some(90)),
            ("30s", Some(30)),
            ("1h15m20s", Some(4520)),
            ("2d", Some(172_800)),
            ("1w", Some(604_800)),
            ("h", None),
            ("1x", None),
            ("99999999999", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, message) in [
            ("action=never-cache", "no destination"),
            ("dest_domain=.", "no directive"),
            ("dest_domain=. dest_host=a action=never-cache", "a second destination"),
            ("dest_domain=. action=never-cache revalidate=1h", "a second directive"),
            ("dest_domain=. action=sometimes", "unknown action"),
            ("dest_domain=. revalidate=soon", "no duration"),
            ("dest_domain=. colour=red action=never-cache", "unknown label colour"),
            ("dest_domain=. port=many action=never-cache", "no value for port"),
            ("dest_domain=. time=8-9 action=never-cache", "no value for time"),
            ("dest_domain action=never-cache", "has no value"),
            ("url_regex=( action=never-cache", ""),
            ("dest_domain=\". action=never-cache", "not closed"),
            ("dest_domain=. action=never-cache cache-responses-to-cookies=5", "0 to 4"),
        ] {
            let (config, problems) = CacheConfig::parse("cache.config", &format!("\n{text}\n"));
            assert!(config.is_empty() && problems.len() == 1, "{text}: {problems:?}");
            let problem = &problems[0];
            assert!(
                problem.is_error() && problem.line == 2 && problem.message.contains(message),
                "{problem}"
            );
        }
    }

    #[test]
    fn the_first_line_that_fits_says_how_long_an_object_is_pinned() {
        let text = "# pins\ndest_domain=. scheme=https pin-in-cache=5h\ndest_domain=. pin-in-cache=1h\n\
                    dest_domain=. pin-in-cache=2h";
        assert_eq!(config(text).first_pin(), Some(2));
        assert_eq!(of(text, &request()).pin_in_cache, Some(3600));
        assert_eq!(config("dest_domain=. revalidate=1h").first_pin(), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(dest_domain=|url_regex=|time=|revalidate=|[ -~\\n]){0,12}") {
            let (config, _) = CacheConfig::parse("cache.config", &text);
            let _ = config.treatment(&request());
        }
    }
}
