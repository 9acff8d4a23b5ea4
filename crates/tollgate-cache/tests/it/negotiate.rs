//! RFC 9110 §12: stored responses that a request does not accept, with the records that have the cache look.

use crate::support::{get, key, object_for};
use tollgate_cache::negotiate::{Mismatch, Negotiation};
use tollgate_cache::{Lookup, RamStore, RamStoreSettings, StoredObject};

type Fields<'a> = &'a [(&'a str, &'a str)];

fn stored(fields: &str) -> std::sync::Arc<StoredObject> {
    object_for(&get(&[]), &format!("Cache-Control: max-age=60\n{fields}"), b"")
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
