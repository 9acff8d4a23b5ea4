//! RFC 9111 §3: what is stored, and as what.

use crate::support::{T0, get, head, is_reused, request_to, response_of, stored};
use proptest::prelude::*;
use tollgate_cache::CacheReason as No;
use tollgate_cache::policy::{CookieCaching, Policy, RequiredHeaders, SetCookiePolicy, SeveralRanges};
use tollgate_cache::range::{RangeAnswer, evaluate};
use tollgate_cache::rules::{
    evaluate_preconditions, invalidates, invalidation_targets, request_policy, store_decision,
};
use tollgate_http::{Method, Response, names};

#[track_caller]
fn refused(status: u16, fields: &str, request: &[(&str, &str)], policy: &Policy) -> Option<No> {
    store_decision(&get(request), &response_of(status, fields), T0, policy).reason()
}

#[test]
fn each_reason_against_storing_is_given() {
    let fresh = "Cache-Control: max-age=60\n";
    for (status, fields, request, expected) in [
        (200, fresh.to_string(), &[][..], None),
        (200, "Cache-Control: private, max-age=60".into(), &[], Some(No::Private)),
        (200, "Cache-Control: no-store".into(), &[], Some(No::NoStore)),
        (200, "Cache-Control: No-StOrE".into(), &[], Some(No::NoStore)),
        (200, "Cache-Control: no-store, max-age=60\nExpires: {+60}".into(), &[], Some(No::NoStore)),
        (200, fresh.into(), &[("Cache-Control", "no-store")], Some(No::RequestNoStore)),
        (200, fresh.into(), &[("Content-Length", "3")], Some(No::RequestBody)),
        (200, fresh.into(), &[("Content-Length", "0")], None),
        (200, fresh.into(), &[("Authorization", "x")], Some(No::Authorization)),
        (200, format!("{fresh}Vary: *"), &[], Some(No::VaryStar)),
        (200, format!("{fresh}Vary: , *"), &[], Some(No::VaryStar)),
        (200, format!("{fresh}Vary: Foo, *"), &[], Some(No::VaryStar)),
        (200, format!("{fresh}Vary:\nVary: *"), &[], Some(No::VaryStar)),
        (100, fresh.into(), &[], Some(No::Interim)),
        (206, fresh.into(), &[], Some(No::Partial)),
        (304, fresh.into(), &[], Some(No::NotModified)),
        (200, String::new(), &[], Some(No::NothingToReuse)),
        (201, "Last-Modified: {-86400}".into(), &[], Some(No::NoLifetime)),
        (
            599,
            "Cache-Control: no-store, must-understand, max-age=60".into(),
            &[],
            Some(No::StatusNotUnderstood),
        ),
        (200, "Cache-Control: no-store, must-understand, max-age=60".into(), &[], None),
        (200, "ETag: \"a\"".into(), &[], None),
        (200, "Cache-Control: no-cache\nETag: \"a\"".into(), &[], None),
        (200, "Cache-Control: no-cache, max-age=60".into(), &[], Some(No::NothingToReuse)),
        (200, "Expires: {-60}".into(), &[], Some(No::NothingToReuse)),
    ] {
        assert_eq!(
            refused(status, &fields, request, &Policy::default()),
            expected,
            "{status} {fields} {request:?}"
        );
    }
}

#[test]
fn any_final_status_with_an_explicit_lifetime_is_reused_while_fresh() {
    for status in [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599] {
        assert!(is_reused(status, "Cache-Control: max-age=60", 3, &Policy::default()), "{status}");
        assert!(!is_reused(status, "Expires: {-60}", 3, &Policy::default()), "{status}");
    }
}

#[test]
fn authorization_needs_the_origins_consent() {
    let auth: &[(&str, &str)] = &[("Authorization", "Basic eDp5")];
    for directive in ["public", "must-revalidate", "s-maxage=60"] {
        let fields = format!("Cache-Control: max-age=60, {directive}");
        assert_eq!(refused(200, &fields, auth, &Policy::default()), None, "{directive}");
    }
    let ignoring = Policy { ignore_authentication: true, ..Policy::default() };
    assert_eq!(refused(200, "Cache-Control: max-age=60", auth, &ignoring), None);
}

#[test]
fn the_policy_can_refuse_what_the_rfc_allows() {
    let fresh = "Cache-Control: max-age=60\n";
    let policy = |change: fn(&mut Policy)| {
        let mut policy = Policy::default();
        change(&mut policy);
        policy
    };
    let set_cookie = format!("{fresh}Set-Cookie: a=b");
    for (fields, policy, expected) in [
        (fresh, policy(|p| p.enabled = false), No::Disabled),
        ("ETag: \"a\"", policy(|p| p.required_headers = RequiredHeaders::LastModified), No::RequiredHeaders),
        (
            "Last-Modified: {-9999}",
            policy(|p| p.required_headers = RequiredHeaders::ExplicitLifetime),
            No::RequiredHeaders,
        ),
        (&set_cookie, policy(|p| p.set_cookie = SetCookiePolicy::DontStore), No::SetCookie),
        (&set_cookie, policy(|p| p.cache_responses_to_cookies = CookieCaching::None), No::Cookies),
        ("Cache-Control: max-age=60\nContent-Length: 11", policy(|p| p.max_doc_size = 10), No::TooLarge),
    ] {
        assert_eq!(refused(200, fields, &[], &policy), Some(expected), "{fields}");
    }
    let dynamic = request_to(Method::Get, "http://h.example/a?b", &[]);
    let timid = Policy { cache_urls_that_look_dynamic: false, ..Policy::default() };
    assert_eq!(
        store_decision(&dynamic, &response_of(200, fresh), T0, &timid).reason(),
        Some(No::LooksDynamic)
    );
    assert_eq!(request_policy(&dynamic, &timid).skip, Some(No::LooksDynamic));
    assert!(request_policy(&dynamic, &Policy::default()).lookup);
}

#[test]
fn cookies_restrict_storing_by_media_type() {
    use CookieCaching::{All, AllButText, AllButTextExt, Images, None as Never};
    let outcome = |mode, media: &str, response: &str| {
        let policy = Policy { cache_responses_to_cookies: mode, ..Policy::default() };
        let fields = format!("Content-Type: {media}\nCache-Control: max-age=60{response}");
        refused(200, &fields, &[("Cookie", "a=b")], &policy).is_none()
    };
    for (mode, image, text) in
        [(All, true, true), (Never, false, false), (Images, true, false), (AllButText, true, false)]
    {
        assert_eq!(
            (outcome(mode, "image/png", ""), outcome(mode, "Text/html", "")),
            (image, text),
            "{mode:?}"
        );
    }
    assert!(outcome(AllButTextExt, "text/html", ""));
    assert!(!outcome(AllButTextExt, "text/html", "\nSet-Cookie: a"));
    assert!(outcome(AllButTextExt, "text/html", ", public\nSet-Cookie: a"));
}

#[test]
fn a_post_response_is_stored_only_as_its_own_location_with_a_lifetime() {
    let decide = |fields: &str| {
        let request = request_to(Method::Post, "http://h.example/a?q", &[("Content-Length", "3")]);
        store_decision(&request, &response_of(200, fields), T0, &Policy::default()).reason()
    };
    for location in ["/a?q", "http://h.example/a?q", "http://H.example:80/a?q", "//h.example/a?q", "a?q"] {
        assert_eq!(
            decide(&format!("Cache-Control: max-age=60\nContent-Location: {location}")),
            None,
            "{location}"
        );
    }
    for fields in [
        "Cache-Control: max-age=60",
        "Cache-Control: max-age=60\nContent-Location: /b",
        "Cache-Control: max-age=60\nContent-Location: http://other.example/a?q",
        "Last-Modified: {-9999}\nContent-Location: /a?q",
    ] {
        assert_eq!(decide(fields), Some(No::Method), "{fields}");
    }
}

#[test]
fn only_get_and_head_without_body_are_looked_up() {
    let skip =
        |method, fields| request_policy(&request_to(method, "http://h/", fields), &Policy::default()).skip;
    assert_eq!(skip(Method::Get, &[]), None);
    assert_eq!(skip(Method::Head, &[]), None);
    assert_eq!(skip(Method::Post, &[]), Some(No::Method));
    assert_eq!(skip(Method::Other("M-SEARCH".into()), &[]), Some(No::Method));
    assert_eq!(skip(Method::Get, &[("Transfer-Encoding", "chunked")]), Some(No::RequestBody));
    assert_eq!(skip(Method::Get, &[("If-Match", "\"a\"")]), Some(No::OriginPrecondition));
    assert_eq!(skip(Method::Get, &[("Cookie", "a"), ("Authorization", "b")]), None);
}

#[test]
fn connection_fields_are_not_stored_and_all_others_are() {
    let kept = [
        "Test-Header",
        "X-Test-Header",
        "Content-Foo",
        "Cache-Control",
        "Content-Encoding",
        "Content-Length",
        "Content-Location",
        "Content-MD5",
        "Content-Range",
        "Content-Security-Policy",
        "Content-Type",
        "Clear-Site-Data",
        "ETag",
        "Expires",
        "Public-Key-Pins",
        "Set-Cookie",
        "Set-Cookie2",
        "X-Frame-Options",
    ];
    let dropped = [
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authentication-Info",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Transfer-Encoding",
        "Upgrade",
        "X-Named",
        "Age",
    ];
    let mut response = Response::new(200);
    response.headers.append("Connection", "close, x-named");
    response.headers.append("Cache-Control", "max-age=60");
    for name in kept.iter().chain(&dropped) {
        response.headers.append(*name, "v");
    }
    let head = stored(&get(&[]), &response, &Policy::default()).expect("storable");
    for name in kept {
        let values = |headers: &tollgate_http::HeaderBlock| {
            headers.get_all(name).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(values(&head.headers()), values(&response.headers), "{name}");
    }
    for name in dropped.into_iter().chain(["Connection"]) {
        assert!(!head.fields().contains(name), "{name}");
    }
}

#[test]
fn a_stored_response_has_a_date_and_keeps_the_origins() {
    assert!(head("Cache-Control: max-age=60").fields().has(names::DATE));
    let kept = head("Cache-Control: max-age=60\nDate: {-7}");
    assert_eq!(kept.fields().get(names::DATE), Some(crate::support::at(-7).as_bytes()));
}

#[test]
fn set_cookie_can_be_stripped() {
    let policy = Policy { set_cookie: SetCookiePolicy::Strip, ..Policy::default() };
    let response = response_of(200, "Cache-Control: max-age=60\nSet-Cookie: a");
    let head = stored(&get(&[]), &response, &policy).expect("storable");
    assert!(!head.fields().has(names::SET_COOKIE));
}

#[test]
fn successful_unsafe_requests_invalidate() {
    for method in [Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Other("M-SEARCH".into())]
    {
        assert!(invalidates(&method, 200) && invalidates(&method, 302), "{method}");
        assert!(!invalidates(&method, 500) && !invalidates(&method, 404), "{method}");
    }
    assert!(!invalidates(&Method::Get, 200) && !invalidates(&Method::Options, 200));
}

#[test]
fn locations_of_the_same_origin_are_invalidated_too() {
    let request = request_to(Method::Post, "http://h.example/d/a?q", &[]);
    let targets = |fields: &str| -> Vec<String> {
        invalidation_targets(&request, &response_of(201, fields)).iter().map(|u| u.to_text()).collect()
    };
    assert_eq!(targets(""), ["http://h.example/d/a?q"]);
    assert_eq!(
        targets("Location: ../x/./y\nContent-Location: http://H.EXAMPLE:80/z#f"),
        ["http://h.example/d/a?q", "http://h.example/x/y", "http://H.EXAMPLE/z"]
    );
    assert_eq!(
        targets("Location: http://other.example/\nContent-Location: https://h.example/"),
        ["http://h.example/d/a?q"]
    );
}

proptest! {
    #[test]
    fn references_and_tags_of_any_bytes_are_read_without_panic(
        reference in proptest::collection::vec(any::<u8>(), 0..40), dotted in "[./?#:a]{0,30}"
    ) {
        for location in [&reference[..], dotted.as_bytes()] {
            let mut response = response_of(200, "Cache-Control: max-age=60");
            response.headers.append("Location", location);
            response.headers.append("Content-Location", location);
            response.headers.append("ETag", location);
            let mut request = request_to(Method::Post, "http://h.example/d/a?q", &[]);
            for url in invalidation_targets(&request, &response) {
                prop_assert!(url.host.eq_ignore_ascii_case(b"h.example"), "never another origin's");
                prop_assert!(!url.path.split(|b| *b == b'/').any(|s| s == b"..") || location.contains(&b':') || location.starts_with(b"//"));
            }
            request.method = Method::Get;
            let head = stored(&request, &response, &Policy::default()).expect("storable");
            request.headers.append("If-None-Match", location);
            request.headers.append("If-Range", location);
            request.headers.append("Range", "bytes=0-");
            let answer = evaluate(&request, &head, 5, SeveralRanges::Answer);
            prop_assert!(matches!(answer, RangeAnswer::Whole | RangeAnswer::Part(_)));
            evaluate_preconditions(&request, &head);
        }
    }
}
