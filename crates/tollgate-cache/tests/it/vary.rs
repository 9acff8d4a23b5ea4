//! RFC 9111 §4.1: which requests an alternate answers.

use crate::support::{get, object_for};
use proptest::prelude::*;
use tollgate_cache::policy::NormalizeAe;
use tollgate_cache::vary::{Selecting, normalized_accept_encoding, variant_hash};
use tollgate_http::{HeaderBlock, PackedFields};

type Fields<'a> = &'a [(&'a str, &'a str)];

fn matches(vary: &str, first: Fields<'_>, second: Fields<'_>) -> bool {
    let object = object_for(&get(first), &format!("Cache-Control: max-age=60\nVary: {vary}"), b"");
    object.head().matches(&get(second).headers)
}

#[test]
fn named_fields_must_be_equal_and_others_play_no_part() {
    for (vary, first, second, expected) in [
        ("Foo", &[("Foo", "1")][..], &[("Foo", "1")][..], true),
        ("Foo", &[("Foo", "1")], &[("Foo", "2")], false),
        ("Foo", &[], &[("Foo", "1")], false),
        ("Foo", &[("Foo", "1")], &[], false),
        ("Foo", &[], &[("Foo", "")], false),
        ("Foo", &[], &[], true),
        ("Foo", &[("Foo", "1"), ("Other", "2")], &[("foo", "1"), ("Other", "3")], true),
        ("Foo, Bar", &[("Foo", "1"), ("Bar", "a")], &[("Bar", "a"), ("Foo", "1")], true),
        ("Foo, Bar", &[("Foo", "1"), ("Bar", "a")], &[("Foo", "1"), ("Bar", "b")], false),
        ("Foo, Bar", &[("Foo", "1"), ("Bar", "a")], &[], false),
        (
            "Foo, Bar, Baz",
            &[("Foo", "1"), ("Bar", "a"), ("Baz", "x")],
            &[("Baz", "y"), ("Bar", "a"), ("Foo", "1")],
            false,
        ),
        ("Foo", &[("Foo", "1, 2")], &[("Foo", "1"), ("Foo", "2")], true),
        ("Foo", &[("Foo", "1,2")], &[("Foo", "1 ,\t2 ")], true),
        ("Foo", &[("Foo", "1, 2")], &[("Foo", "2, 1")], false),
        ("Foo", &[("Foo", "a")], &[("Foo", "A")], false),
    ] {
        assert_eq!(matches(vary, first, second), expected, "{vary}: {first:?} {second:?}");
    }
}

#[test]
fn a_star_never_matches() {
    for vary in ["*", "*, *", ", *", "*, Foo", "Foo, *"] {
        let response: HeaderBlock = [("Vary", vary)].into_iter().collect();
        let request = get(&[("Foo", "1")]).headers;
        assert!(!Selecting::of(&request, &response).matches(&request, PackedFields::default()), "{vary}");
    }
}

#[test]
fn quoted_strings_that_are_never_closed_go_on_to_the_end_of_the_field() {
    for (first, second, expected) in [
        (&[("Foo", "\"a"), ("Foo", "b")][..], &[("Foo", "\"a"), ("Foo", "b")][..], true),
        (&[("Foo", "\"a"), ("Foo", "b")], &[("Foo", "\"a,b")], true),
        (&[("Foo", "\"a"), ("Foo", "b\"")], &[("Foo", "\"a,b\"")], true),
        (&[("Foo", "\"a"), ("Foo", "b")], &[("Foo", "\"a, b")], false),
        (&[("Foo", "\"a"), ("Foo", "b")], &[("Foo", "\"a\""), ("Foo", "b")], false),
        (&[("Foo", "\"a, b")], &[("Foo", "\"a,  b")], false),
    ] {
        assert_eq!(matches("Foo", first, second), expected, "{first:?} {second:?}");
    }
}

#[test]
fn a_vary_that_is_no_list_of_names_never_matches() {
    for vary in ["\"Foo, Bar", "Foo, \"Bar", "\"Foo\"", "Foo Bar", "Foo;q=1", "Foo, ?/"] {
        let response: HeaderBlock = [("Vary", vary)].into_iter().collect();
        let request = get(&[("Foo", "1")]).headers;
        assert!(!Selecting::of(&request, &response).matches(&request, PackedFields::default()), "{vary}");
    }
}

#[test]
fn languages_and_encodings_are_sets_without_case() {
    for (name, first, second, expected) in [
        ("Accept-Language", "en, de", "de, en", true),
        ("Accept-Language", "en, de", "EN,DE", true),
        ("Accept-Language", "en,de", "en ,  de", true),
        ("Accept-Language", "en;q=0.5, de", "de;q=1.0,en;q=0.50", true),
        ("Accept-Language", "en;q=0.5, de", "en, de;q=0.5", false),
        ("Accept-Language", "en, de", "en", false),
        ("Accept-Encoding", "gzip, br", "br,GZIP", true),
        ("Accept-Encoding", "gzip", "gzip, br", false),
        ("Accept-Encoding", "gzip;q=0", "gzip", false),
        ("Accept-Encoding", "a, a, b", "a, b, b", true),
        ("Accept-Encoding", "a, a, b", "a, b, c", false),
        ("Accept-Encoding", "a, b, c", "a, a, b", false),
    ] {
        assert_eq!(
            matches(name, &[(name, first)], &[(name, second)]),
            expected,
            "{name}: {first} / {second}"
        );
    }
}

#[test]
fn the_language_that_the_request_likes_best_is_chosen() {
    let fields = "Cache-Control: max-age=60\nVary: Accept-Language\nContent-Language: de";
    let object = object_for(&get(&[("Accept-Language", "de")]), fields, b"");
    let answers = |languages| object.head().matches(&get(&[("Accept-Language", languages)]).headers);
    assert!(answers("fr;q=0.5, de;q=1.0"));
    assert!(!answers("fr, de;q=0.5") && !answers("fr, de") && !answers("fr"));
}

#[test]
fn accept_encoding_is_normalised_by_policy() {
    let normal = |value, mode| normalized_accept_encoding(&get(&[("Accept-Encoding", value)]).headers, mode);
    for (value, gzip, br, both) in [
        ("gzip, deflate, br", Some("gzip"), Some("br"), Some("br, gzip")),
        ("GZIP", Some("gzip"), Some("gzip"), Some("gzip")),
        ("br;q=0.1", None, Some("br"), Some("br")),
        ("gzip;q=0, br;q=0.000", None, None, None),
        ("identity", None, None, None),
    ] {
        assert_eq!(normal(value, NormalizeAe::Gzip), gzip, "{value}");
        assert_eq!(normal(value, NormalizeAe::Br), br, "{value}");
        assert_eq!(normal(value, NormalizeAe::BrGzip), both, "{value}");
    }
}

fn member() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{1}", "[a-c]{1};q=0\\.[1-3]", "[A-C]{1}"]
}

proptest! {
    #[test]
    fn same_variant_hash_exactly_when_the_requests_match(
        first in proptest::collection::vec(member(), 0..4), second in proptest::collection::vec(member(), 0..4),
        name in prop_oneof![Just("Accept-Encoding"), Just("Foo")],
    ) {
        let vary: HeaderBlock = [("Vary", name)].into_iter().collect();
        let unique = |mut members: Vec<String>| { members.sort(); members.dedup_by(|a, b| a.eq_ignore_ascii_case(b)); members.join(", ") };
        let (first, second) = (unique(first), unique(second));
        let one: HeaderBlock = [(name, first.as_str())].into_iter().collect();
        let two: HeaderBlock = [(name, second.as_str())].into_iter().collect();
        let equal = Selecting::of(&one, &vary).matches(&two, PackedFields::default());
        prop_assert_eq!(equal, Selecting::of(&two, &vary).matches(&one, PackedFields::default()), "symmetric");
        prop_assert_eq!(equal, variant_hash(&vary, &one) == variant_hash(&vary, &two));
        prop_assert_eq!(equal, Selecting::of(&one, &vary).same_variant(&Selecting::of(&two, &vary)));
    }

    #[test]
    fn splitting_lines_and_spacing_do_not_matter(values in proptest::collection::vec("[a-z]{1,3}", 1..5)) {
        let vary: HeaderBlock = [("Vary", "Foo")].into_iter().collect();
        let joined: HeaderBlock = [("Foo", values.join(" , "))].into_iter().collect();
        let split: HeaderBlock = values.iter().map(|v| ("Foo", v)).collect();
        prop_assert!(Selecting::of(&joined, &vary).matches(&split, PackedFields::default()));
        prop_assert!(Selecting::of(&split, &vary).matches(&joined, PackedFields::default()));
    }

    #[test]
    fn any_header_bytes_are_matched_without_panic(vary in "[ -~]{0,30}", value in "[ -~]{0,30}") {
        let response: HeaderBlock = [("Vary", &vary)].into_iter().collect();
        let request: HeaderBlock = [("a", &value), ("Accept-Language", &value)].into_iter().collect();
        let selecting = Selecting::of(&request, &response);
        let is_name = |m: &[u8]| m != b"*" && tollgate_http::names::is_token(m);
        let names_fields = tollgate_http::list::members(vary.as_bytes()).all(is_name);
        prop_assert_eq!(selecting.matches(&request, PackedFields::default()), names_fields);
    }

    #[test]
    fn a_request_matches_itself_and_its_lines_joined(
        lines in proptest::collection::vec(r#"[a-c",;\\ ]{0,8}"#, 1..4), name in prop_oneof![Just("Accept-Language"), Just("Foo")],
    ) {
        let vary: HeaderBlock = [("Vary", name)].into_iter().collect();
        let split: HeaderBlock = lines.iter().map(|line| (name, line)).collect();
        let joined: HeaderBlock = [(name, lines.join(","))].into_iter().collect();
        for (one, two) in [(&split, &split), (&split, &joined), (&joined, &split)] {
            prop_assert!(Selecting::of(one, &vary).matches(two, PackedFields::default()));
            prop_assert_eq!(variant_hash(&vary, one), variant_hash(&vary, two));
        }
    }
}
