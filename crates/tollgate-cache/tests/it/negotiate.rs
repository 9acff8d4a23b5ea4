//! RFC 9110 §12: stored responses that a request does not accept, with the records that have the cache look.

use crate::support::{get, key, object_for, response_of};
use tollgate_cache::negotiate::{Mismatch, Negotiation};
use tollgate_cache::{Body, Lookup, Policy, RamStore, RamStoreSettings, StoredObject};

type Fields<'a> = &'a [(&'a str, &'a str)];

fn stored(fields: &str) -> std::sync::Arc<StoredObject> {
    let request = get(&[("Accept-Encoding", "*")]);
    object_for(&request, &format!("Cache-Control: max-age=60\n{fields}"), b"")
}

fn all(mismatch: Mismatch) -> Negotiation {
    Negotiation { accept: mismatch, charset: mismatch, encoding: mismatch, language: mismatch }
}

fn is_accepted(fields: &str, request: Fields<'_>) -> bool {
    stored(fields).head().matches_by(&get(request).headers, &all(Mismatch::Heed))
}

#[test]
fn a_response_is_accepted_by_what_the_request_says_of_it() {
    for (stored, name, value, expected) in [
        ("Content-Type: text/html; charset=utf-8", "Accept", "text/html", true),
        ("Content-Type: text/html", "Accept", "TEXT/HTML;q=0.1", true),
        ("Content-Type: text/html", "Accept", "text/*", true),
        ("Content-Type: text/html", "Accept", "*/*", true),
        ("Content-Type: text/html", "Accept", "image/png, */*;q=0.1", true),
        ("Content-Type: text/html", "Accept", "image/png", false),
        ("Content-Type: text/html", "Accept", "text/plain, image/*", false),
        ("Content-Type: text/html", "Accept", "te/*", false),
        ("Content-Type: text/html", "Accept", "text/html;q=0, */*", false),
        ("Content-Type: text/html", "Accept", "text/*;q=0, */*", false),
        ("", "Accept", "image/png", true),
        ("Content-Type: text/html; charset=\"ISO-8859-1\"", "Accept-Charset", "iso-8859-1", true),
        ("Content-Type: text/html; charset=iso-8859-1", "Accept-Charset", "utf-8", false),
        ("Content-Type: text/html; charset=iso-8859-1", "Accept-Charset", "utf-8, *", true),
        ("Content-Type: text/html; charset=iso-8859-1", "Accept-Charset", "iso-8859-1;q=0, *", false),
        ("Content-Type: text/html", "Accept-Charset", "iso-8859-1", true),
        ("Content-Type: text/html", "Accept-Charset", "utf-8;q=0", false),
        ("", "Accept-Charset", "iso-8859-1", true),
        ("Content-Encoding: gzip", "Accept-Encoding", "br, gzip", true),
        ("Content-Encoding: x-gzip", "Accept-Encoding", "GZIP", true),
        ("Content-Encoding: gzip", "Accept-Encoding", "*", true),
        ("Content-Encoding: gzip", "Accept-Encoding", "br", false),
        ("Content-Encoding: gzip", "Accept-Encoding", "gzip;q=0, *", false),
        ("Content-Encoding: gzip, br", "Accept-Encoding", "gzip", false),
        ("Content-Encoding: gzip, br", "Accept-Encoding", "br, gzip", true),
        ("Content-Encoding: gzip", "Other", "no coding is known", false),
        ("Content-Encoding: identity", "Accept-Encoding", "gzip", true),
        ("", "Accept-Encoding", "gzip", true),
        ("", "Accept-Encoding", "gzip, identity;q=0", false),
        ("", "Accept-Encoding", "gzip, *;q=0", false),
        ("Content-Language: de-CH", "Accept-Language", "de", true),
        ("Content-Language: de", "Accept-Language", "de-CH", false),
        ("Content-Language: den", "Accept-Language", "de", false),
        ("Content-Language: de", "Accept-Language", "fr, *;q=0.1", true),
        ("Content-Language: de", "Accept-Language", "de;q=0, *", false),
        ("Content-Language: de-CH", "Accept-Language", "de-CH;q=0, de", false),
        ("Content-Language: de, fr", "Accept-Language", "fr", true),
        ("Content-Language: de, fr", "Accept-Language", "fr, de;q=0", false),
        ("", "Accept-Language", "fr", true),
    ] {
        assert_eq!(is_accepted(stored, &[(name, value)]), expected, "{stored} / {name}: {value}");
    }
}

#[test]
fn each_field_has_a_record_of_its_own() {
    let object = stored("Content-Type: text/html; charset=a\nContent-Encoding: gzip\nContent-Language: de");
    let refusing: Fields<'_> = &[
        ("Accept", "image/*"),
        ("Accept-Charset", "b"),
        ("Accept-Encoding", "br"),
        ("Accept-Language", "fr"),
    ];
    let ignored = all(Mismatch::Ignore);
    let heed = Mismatch::Heed;
    for (negotiation, field) in [
        (Negotiation { accept: heed, ..ignored }, 0),
        (Negotiation { charset: heed, ..ignored }, 1),
        (Negotiation { encoding: heed, ..ignored }, 2),
        (Negotiation { language: heed, ..ignored }, 3),
    ] {
        let headers = get(&refusing[field..=field]).headers;
        assert!(!object.head().matches_by(&headers, &negotiation), "{field}");
        assert!(object.head().matches_by(&headers, &ignored), "{field}");
        assert!(object.head().matches_by(&headers, &Negotiation::default()), "{field}: there is no Vary");
    }
}

#[test]
fn by_default_only_responses_with_vary_are_judged_and_not_by_what_vary_names() {
    let gzip = "Content-Type: text/html\nContent-Encoding: gzip";
    for (vary, mismatch, first, second, expected) in [
        ("Foo", Mismatch::IgnoreWithoutVary, &[][..], &[("Accept", "image/png")][..], false),
        ("Foo", Mismatch::Ignore, &[], &[("Accept", "image/png")], true),
        ("Foo", Mismatch::IgnoreWithoutVary, &[], &[("Accept", "*/*"), ("Accept-Encoding", "gzip")], true),
        ("Accept-Encoding", Mismatch::IgnoreWithoutVary, &[], &[], true),
        ("Accept-Encoding", Mismatch::Heed, &[("Accept-Encoding", "br")], &[("Accept-Encoding", "br")], true),
        // Vary itself holds, unless the mismatch of codings is ignored throughout.
        (
            "Accept-Encoding",
            Mismatch::Heed,
            &[("Accept-Encoding", "gzip")],
            &[("Accept-Encoding", "*")],
            false,
        ),
        (
            "Accept-Encoding",
            Mismatch::IgnoreWithoutVary,
            &[("Accept-Encoding", "gzip")],
            &[("Accept-Encoding", "gzip, br")],
            false,
        ),
        ("Accept-Encoding", Mismatch::Ignore, &[("Accept-Encoding", "gzip")], &[], true),
        ("Accept-Encoding, Foo", Mismatch::Ignore, &[("Foo", "1")], &[("Foo", "2")], false),
        (
            "Accept-Language",
            Mismatch::Ignore,
            &[("Accept-Language", "de")],
            &[("Accept-Language", "fr")],
            false,
        ),
    ] {
        let fields = format!("Cache-Control: max-age=60\n{gzip}\nVary: {vary}");
        let object = object_for(&get(first), &fields, b"");
        let found = object.head().matches_by(&get(second).headers, &all(mismatch));
        assert_eq!(found, expected, "Vary: {vary}, {mismatch:?}, {first:?}, {second:?}");
    }
}

#[test]
fn a_look_up_passes_over_what_the_request_does_not_accept() {
    let store = RamStore::new(RamStoreSettings::default());
    store.insert(&key("/"), stored("Content-Type: text/html")).expect("stored");
    let request = get(&[("Accept", "image/png")]);
    assert!(matches!(store.lookup(&key("/"), &request), Lookup::Found(_)));
    assert!(matches!(store.lookup_by(&key("/"), &request, &all(Mismatch::Heed)), Lookup::VaryMiss));
    assert!(matches!(store.lookup_by(&key("/"), &get(&[]), &all(Mismatch::Heed)), Lookup::Found(_)));
}

#[test]
fn the_records_numbers_mean_what_they_mean_in_traffic_server() {
    use Mismatch::{Heed, Ignore, IgnoreWithoutVary};
    assert_eq!([0, 1, 2].map(Mismatch::of), [Heed, Ignore, IgnoreWithoutVary]);
    let default = Negotiation { encoding: IgnoreWithoutVary, ..all(Ignore) };
    assert_eq!(Negotiation::default(), default);
}

/// Stores a response for each of `stored` (request fields, response fields), with the body's number; tells the number of
/// the one that the request gets.
fn chosen(stored: &[(Fields<'_>, &str)], negotiation: &Negotiation, request: Fields<'_>) -> Option<usize> {
    let store = RamStore::new(RamStoreSettings::default());
    for (number, (fields, response)) in stored.iter().enumerate() {
        let (asked, response) =
            (get(fields), response_of(200, &format!("Cache-Control: max-age=60\n{response}")));
        let head = crate::support::stored(&asked, &response, &Policy::default()).expect("storable");
        let head = head.chosen_by(negotiation, false);
        let body = Body::from_bytes(number.to_string().into());
        store.insert(&key("/"), StoredObject::new(head, body).into()).expect("room");
    }
    match store.lookup_by(&key("/"), &get(request), negotiation) {
        Lookup::Found(object) => {
            let body = object.body().chunks().concat();
            Some(String::from_utf8(body).expect("a number").parse().expect("a number"))
        }
        _ => None,
    }
}

#[test]
fn of_several_that_match_the_request_gets_what_it_likes_best() {
    let en = (&[("Accept-Language", "en")][..], "Vary: Foo\nContent-Language: en");
    let de = (&[("Accept-Language", "de")][..], "Vary: Foo\nContent-Language: de");
    let heed = all(Mismatch::Heed);
    let got = |wish: &str| chosen(&[en, de], &heed, &[("Accept-Language", wish)]);
    assert_eq!(got("en, de;q=0.5"), Some(0));
    assert_eq!(got("en;q=0.5, de"), Some(1));
    assert_eq!(got("en, de"), Some(1), "of equals the newest");
    assert_eq!(got("fr"), None);
    let gzip = (&[][..], "Vary: Foo\nContent-Encoding: gzip");
    let plain = (&[][..], "Vary: Foo");
    let got = |wish: &str| chosen(&[gzip, plain], &heed, &[("Accept-Encoding", wish)]);
    assert_eq!(got("gzip"), Some(0), "what is not named is accepted, and liked least");
    assert_eq!(got("gzip, identity"), Some(1));
    assert_eq!(got("gzip;q=0.2, identity;q=0.1"), Some(0));
    assert_eq!(got("br"), Some(1));
}

#[test]
fn of_equals_the_latest_date_counts_not_the_order_of_arrival() {
    let newer = (&[("Foo", "1")][..], "Vary: Foo\nDate: {-1}");
    let older = (&[("Foo", "1")][..], "Vary: Foo, Bar\nDate: {-9}");
    let request: Fields<'_> = &[("Foo", "1")];
    assert_eq!(chosen(&[newer, older], &Negotiation::default(), request), Some(0));
    assert_eq!(chosen(&[older, newer], &Negotiation::default(), request), Some(1));
}

#[test]
fn weights_never_serve_what_vary_does_not_match_nor_refuse_what_it_does() {
    let en = (&[("Foo", "1")][..], "Vary: Foo\nContent-Language: en");
    let de = (&[("Foo", "2")][..], "Vary: Foo\nContent-Language: de");
    let request: Fields<'_> = &[("Foo", "1"), ("Accept-Language", "de")];
    assert_eq!(chosen(&[en, de], &Negotiation::default(), request), Some(0));
}

#[test]
fn alternates_that_only_a_heeded_field_tells_apart_are_kept_beside_each_other() {
    let en = (&[][..], "Vary: Foo\nContent-Language: en");
    let de = (&[][..], "Vary: Foo\nContent-Language: de");
    let wish: Fields<'_> = &[("Accept-Language", "en")];
    assert_eq!(chosen(&[en, de], &all(Mismatch::Heed), wish), Some(0));
    assert_eq!(chosen(&[en, de, en], &all(Mismatch::Heed), wish), Some(2), "the same one is replaced");
    assert_eq!(chosen(&[en, de], &all(Mismatch::IgnoreWithoutVary), wish), Some(0));
    assert_eq!(chosen(&[en, de], &Negotiation::default(), wish), Some(1), "Vary alone tells them apart");
    let plain = |fields| (&[][..], fields);
    let (en, de) = (plain("Content-Language: en"), plain("Content-Language: de"));
    assert_eq!(chosen(&[en, de], &all(Mismatch::Heed), wish), Some(0));
    assert_eq!(chosen(&[en, de], &all(Mismatch::IgnoreWithoutVary), wish), Some(1));
}

/// What is different, and why.
fn differs_from_traffic_server(row: &[&str]) -> bool {
    match row {
        // No coding at all need not be named to be accepted (RFC 9110 §12.5.3).
        [_, "accept_encoding", "-" | "Foo", "-", _, "br" | "gzip", "served", "fetched"] => true,
        // Vary: Accept-Encoding holds (RFC 9111 §4.1).
        ["2", "accept_encoding", "Accept-Encoding", _, _, _, "served", "served"] => row[4] != row[5],
        _ => false,
    }
}

#[test]
fn mismatches_count_as_in_traffic_server_but_for_what_is_told() {
    let mut differ = 0;
    let rows = include_str!("mismatches.txt").lines().filter(|line| !line.starts_with('#'));
    for line in rows.clone() {
        let row: Vec<&str> = line.split(" | ").collect();
        let [number, field, vary, stored, first, second, again, then] = row[..] else { panic!("{line}") };
        let negotiation = all(Mismatch::of(number.parse().expect("a number")));
        let (accept, content) = match field {
            "accept" => ("Accept", "Content-Type"),
            "accept_language" => ("Accept-Language", "Content-Language"),
            "accept_charset" => ("Accept-Charset", "Content-Type"),
            _ => ("Accept-Encoding", "Content-Encoding"),
        };
        let with = |value| if value == "-" { get(&[]) } else { get(&[(accept, value)]) };
        let field_of = |name, value| if value == "-" { String::new() } else { format!("{name}: {value}\n") };
        let fields = field_of("Vary", vary) + &field_of(content, stored);
        let object = object_for(&with(first), &format!("Cache-Control: max-age=60\n{fields}"), b"");
        let got = |request| {
            let matches = object.head().matches_by(&with(request).headers, &negotiation);
            if matches { "served" } else { "fetched" }
        };
        let is_same = (got(first), got(second)) == (again, then);
        assert_eq!(is_same, !differs_from_traffic_server(&row), "{line}: {} {}", got(first), got(second));
        differ += usize::from(!is_same);
    }
    assert_eq!((rows.count(), differ), (270, 10));
}
