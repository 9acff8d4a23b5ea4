//! Small grammars inside messages: URLs, dates, lists.

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use tollgate_http::url::{Form, split_host_port};
use tollgate_http::{Url, date, list};

/// Words of URLs.
pub const URL_TOKENS: &[&[u8]] = &[
    b"http://",
    b"https://",
    b"ws://",
    b"tunnel://",
    b"[::1]",
    b":80",
    b":443",
    b":0",
    b"@",
    b"?",
    b"#",
    b"/",
    b"//",
    b"%2f",
    b"*",
    b"example.com",
];

/// Words of dates.
pub const DATE_TOKENS: &[&[u8]] = &[
    b"Sun, ",
    b"Sunday, ",
    b" GMT",
    b" Nov ",
    b"-Nov-",
    b" Feb ",
    b"29",
    b"31",
    b"00",
    b"60",
    b"1900",
    b"2000",
    b"9999",
    b":",
    b"  ",
    b"-",
];

/// Words of lists.
pub const LIST_TOKENS: &[&[u8]] =
    &[b",", b", ", b";", b"\"", b"\\", b"\\\"", b" ", b"\t", b"q=0.5", b"a=\"b, c\""];

/// The time at which two-digit years are read.
const NOW: i64 = 1_790_000_000;

/// A URL or request target that is accepted means the same after it was written.
pub fn url(input: &[u8]) {
    let text = Bytes::copy_from_slice(input);
    if let Ok((host, _)) = split_host_port(input) {
        assert!(input.starts_with(host));
    }
    for is_connect in [false, true] {
        if let Ok(url) = Url::parse_target(text.clone(), is_connect) {
            check_written(&url, is_connect);
        }
    }
}

fn check_written(url: &Url, is_connect: bool) {
    let mut written = Vec::new();
    url.write_full(&mut written);
    let again =
        Url::parse_target(Bytes::from(written.clone()), is_connect).expect("what was written is a target");
    assert_eq!((again.form, again.scheme, &again.host), (url.form, url.scheme, &url.host));
    assert_eq!(again.effective_port(), url.effective_port());
    assert_eq!((&again.path, &again.query), (&url.path, &url.query));
    let mut twice = Vec::new();
    again.write_full(&mut twice);
    assert_eq!(twice, written, "writing settles at once");
    assert_eq!(url.form == Form::Authority, is_connect);
}

/// A date that is understood is the same time after it was written, and the same as another reader makes of it.
pub fn date(input: &[u8]) {
    const LAST: i64 = 253_402_300_799;
    let Some(seconds) = date::parse(input, NOW) else { return };
    assert_eq!(date::parse(&date::format(seconds), NOW), Some(seconds.min(LAST)));
    let is_two_digit_year = input.contains(&b'-');
    let other = std::str::from_utf8(input).ok().and_then(|text| httpdate::parse_http_date(text).ok());
    if let Some(since) = other.and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        && !is_two_digit_year
    {
        assert_eq!(seconds, since.as_secs() as i64, "httpdate reads it in another way");
    }
}

/// Members are never empty, lie in the text in order, and stay the same when they are joined again.
pub fn list(input: &[u8]) {
    check_split(input, b", ", |text| list::members(text).map(<[u8]>::to_vec).collect());
    check_split(input, b"; ", |text| list::parameters(text).map(<[u8]>::to_vec).collect());
}

fn check_split(input: &[u8], separator: &[u8], split: fn(&[u8]) -> Vec<Vec<u8>>) {
    let members = split(input);
    let mut rest = input;
    for member in &members {
        assert!(!member.is_empty() && member.trim_ascii() == member, "trimmed");
        let at = rest.windows(member.len()).position(|window| window == member).expect("part of the text");
        rest = &rest[at + member.len()..];
    }
    assert_eq!(split(&members.join(separator)), members);
}
