//! SELECT_ALT as native handlers see it.

use crate::support::{Server, ok};
use std::sync::{Arc, Mutex};
use tollgate_plugin::hooks::{Alternate, SelectAlt};
use tollgate_plugin::{Order, Registrar};

type Seen = Arc<Mutex<Vec<String>>>;

/// Notes each alternate; the request's `X-Worth` says what is done: `refuse NAME`, `halve NAME` or `take NAME`.
fn judge(registrar: &mut Registrar, seen: &Seen) {
    let seen = Arc::clone(seen);
    registrar.on_point::<SelectAlt>(Order::default(), move |alternate: &Alternate<'_>| {
        let name = alternate.cached_response.headers.get_str("X-Name").unwrap_or_default();
        let kind = alternate.cached_request.headers.get_str("Kind").unwrap_or("-");
        seen.lock()
            .expect("no panic")
            .push(format!("{name} for {kind} {} {}", alternate.matches_vary, alternate.preference));
        let worth = alternate.client_request.headers.get_str("X-Worth").unwrap_or_default();
        match worth.split_once(' ') {
            Some(("refuse", it)) if it == name => alternate.quality.set(0.0),
            Some(("halve", it)) if it == name => alternate.quality.set(alternate.quality.get() / 2.0),
            Some(("nonsense", it)) if it == name => alternate.quality.set(f32::NAN),
            Some(("take", it)) if it == name => alternate.ignores_vary.set(true),
            Some(("take", _)) => alternate.quality.set(0.9),
            _ => {}
        }
    });
}

fn start(records: &[(&str, &str)]) -> (Server, Seen) {
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let server = Server::start(
        records,
        move |registrar| judge(registrar, &noted),
        |request| {
            let (name, more) = (request.field("X-Named").unwrap_or("?"), request.field("X-Answer"));
            let more = more.map_or_else(String::new, |field| format!("{field}\r\n"));
            ok(&format!("Cache-Control: max-age=100\r\nVary: Kind\r\nX-Name: {name}\r\n{more}"), "hello")
        },
    );
    (server, seen)
}

/// The name of what the request got, and what was seen of alternates.
fn ask(server: &Server, seen: &Seen, fields: &str) -> (String, Vec<String>) {
    let fields: String = fields.split(", ").map(|field| format!("{field}\r\n")).collect();
    let reply = server.ask(&format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
    let seen = seen.lock().expect("no panic").drain(..).collect();
    (reply.field("X-Name").unwrap_or_default().to_owned(), seen)
}

#[test]
fn each_alternate_is_judged_oldest_first_and_vary_decides_unless_a_handler_says_so() {
    let (server, seen) = start(&[]);
    assert_eq!(ask(&server, &seen, "Kind: a, X-Named: one").0, "one");
    assert_eq!(ask(&server, &seen, "Kind: b, X-Named: two").0, "two");
    let (got, saw) = ask(&server, &seen, "Kind: a");
    assert_eq!((got.as_str(), saw), ("one", vec!["one for a true 1".into(), "two for b false 1".into()]));
    assert_eq!(ask(&server, &seen, "Kind: a, X-Worth: halve one").0, "one");
    assert_eq!(ask(&server, &seen, "Kind: a, X-Worth: take two").0, "two");
    assert_eq!(server.origin.requests().len(), 2);
}

#[test]
fn what_handlers_refuse_is_fetched_anew_and_both_are_kept() {
    let (server, seen) = start(&[]);
    assert_eq!(ask(&server, &seen, "Kind: a, X-Named: one").0, "one");
    assert_eq!(ask(&server, &seen, "Kind: a, X-Named: two, X-Worth: refuse one").0, "two");
    assert_eq!(ask(&server, &seen, "Kind: a").0, "two");
    assert_eq!(ask(&server, &seen, "Kind: a, X-Worth: refuse two").0, "one");
    assert_eq!(ask(&server, &seen, "Kind: a, X-Worth: nonsense two").0, "one");
    assert_eq!(ask(&server, &seen, "Kind: a, X-Worth: halve two").0, "one");
    assert_eq!(server.origin.requests().len(), 2);
}

#[test]
fn handlers_weigh_together_with_the_requests_own_weights() {
    let (server, seen) = start(&[("proxy.config.http.cache.ignore_accept_language_mismatch", "0")]);
    let of = |language: &str| {
        format!("Accept-Language: {language}, X-Named: {language}, X-Answer: Content-Language: {language}")
    };
    assert_eq!(ask(&server, &seen, &of("en")).0, "en");
    assert_eq!(ask(&server, &seen, &of("de")).0, "de");
    let (got, saw) = ask(&server, &seen, "Accept-Language: en;q=0.75, Accept-Language: de;q=0.5");
    assert_eq!((got.as_str(), saw), ("en", vec!["en for - true 0.75".into(), "de for - true 0.5".into()]));
    let halved = "Accept-Language: en;q=0.75, Accept-Language: de;q=0.5, X-Worth: halve en";
    assert_eq!(ask(&server, &seen, halved).0, "de");
    let only = "Accept-Language: en, X-Worth: refuse en, X-Named: third";
    let (got, saw) = ask(&server, &seen, only);
    assert_eq!((got.as_str(), saw), ("third", vec!["en for - true 1".into()]), "de is not accepted");
}

#[test]
fn select_alternate_off_asks_no_handler() {
    let (server, seen) = start(&[("proxy.config.cache.select_alternate", "0")]);
    assert_eq!(ask(&server, &seen, "Kind: a, X-Named: one").0, "one");
    let (got, saw) = ask(&server, &seen, "Kind: a, X-Worth: refuse one");
    assert_eq!((got.as_str(), saw), ("one", Vec::new()));
}
