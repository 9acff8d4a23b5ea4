//! RFC 9111 §4.2 and §5, RFC 5861, RFC 8246, RFC 9213, one row per rule.

use crate::support::{T0, get, head, is_reused, response_of, stored, verdict};
use proptest::prelude::*;
use tollgate_cache::policy::{Policy, WhenToRevalidate};
use tollgate_cache::rules::{FreshState, FreshnessReason, LifetimeSource, Stale, freshness, request_policy};
use tollgate_cache::{RequestPolicy, StoredMeta};
use tollgate_http::HeaderBlock;

#[track_caller]
fn check(rows: &[(&str, i64, bool)]) {
    for (fields, after, expected) in rows {
        assert_eq!(is_reused(200, fields, *after, &Policy::default()), *expected, "{fields} after {after} s");
    }
}

#[test]
fn max_age_governs_until_it_is_reached() {
    check(&[
        ("Cache-Control: max-age=3600", 3, true),
        ("Cache-Control: max-age=2", 1, true),
        ("Cache-Control: max-age=2", 2, false),
        ("Cache-Control: max-age=0", 0, false),
        ("Cache-Control: max-age=003600", 3, true),
        ("Cache-Control: max-age=\"3600\"", 3, true),
        ("Cache-Control: MaX-aGe=3600", 3, true),
        ("Cache-Control: unknown, max-age=3600", 3, true),
        ("Cache-Control: unknown=7, max-age=3600", 3, true),
    ]);
}

#[test]
fn large_lifetimes_are_clamped_and_do_not_wrap() {
    for seconds in ["2147483647", "2147483648", "2147483649", "99999999999", "99999999999999999999999"] {
        check(&[(&format!("Cache-Control: max-age={seconds}"), 3, true)]);
    }
}

#[test]
fn malformed_lifetimes_count_as_stale() {
    for value in ["-1", "'3600'", "3600.0", "", "abc", " 3600", "\"3600", "0x10"] {
        check(&[
            (&format!("Cache-Control: max-age={value}"), 0, false),
            (&format!("Cache-Control: s-maxage={value}\nExpires: {{+100}}"), 0, false),
        ]);
    }
    check(&[("Cache-Control: max-age\nExpires: {+100}", 0, false), ("Cache-Control: max-age =60", 0, false)]);
}

#[test]
fn s_maxage_wins_over_max_age_and_expires() {
    check(&[
        ("Cache-Control: s-maxage=3600", 3, true),
        ("Cache-Control: max-age=3600, s-maxage=1", 3, false),
        ("Cache-Control: s-maxage=1, max-age=3600", 3, false),
        ("Cache-Control: s-maxage=1\nCache-Control: max-age=3600", 3, false),
        ("Cache-Control: max-age=1, s-maxage=3600", 3, true),
        ("Cache-Control: max-age=0, s-maxage=3600\nExpires: {-100}", 3, true),
    ]);
}

#[test]
fn max_age_wins_over_expires() {
    check(&[
        ("Cache-Control: max-age=3600\nExpires: {-100}", 3, true),
        ("Cache-Control: max-age=3600\nExpires: 0", 3, true),
        ("Cache-Control: max-age=0\nExpires: {+100}\nETag: \"a\"", 0, false),
    ]);
}

#[test]
fn quoted_text_is_not_a_directive() {
    check(&[
        ("Cache-Control: extension=\"max-age=3600\", max-age=1", 3, false),
        ("Cache-Control: max-age=1, extension=\"max-age=3600\"", 3, false),
        ("Cache-Control: extension=\"a, no-store, b\", max-age=60", 3, true),
        ("Cache-Control: extension=\"\\\", no-store\", max-age=60", 3, true),
    ]);
}

#[test]
fn a_received_age_counts() {
    let lifetime = |age: &str| format!("Cache-Control: max-age=3600\n{age}");
    for (age, fresh) in [
        ("Age: 7200", false),
        ("Age: abc", true),
        ("Age: -7200", true),
        ("Age: 7200.0", true),
        ("Age: 2147483647", false),
        ("Age: 2147483648", false),
        ("Age: 2147483649", false),
        ("Age: 99999999999999", false),
        ("Age: 7200, 0", false),
        ("Age: 0, 7200", true),
        ("Age: 7200\nAge: 0", false),
        ("Age: 0\nAge: 7200", true),
        ("Age: 0, 0", true),
        ("Age: 3500\nAge: 3500", true),
    ] {
        check(&[(&lifetime(age), 0, fresh)]);
    }
}

#[test]
fn a_received_age_is_carried_on() {
    for lifetime in ["Cache-Control: max-age=100", "Expires: {+100}"] {
        let head = head(&format!("{lifetime}\nAge: 30\nDate: {{+0}}"));
        assert_eq!(verdict(&head, &get(&[]), T0 + 3, &Policy::default()).age, 33);
    }
}

#[test]
fn expires_is_counted_from_date_not_from_our_clock() {
    check(&[
        ("Expires: {+100}\nDate: {+0}", 3, true),
        ("Expires: {+100}", 3, true),
        ("Expires: {-100}\nDate: {+0}", 0, false),
        ("Expires: {+0}\nDate: {+0}", 0, false),
        ("Expires: {+500}\nDate: {+600}", 0, false),
        ("Expires: {+100}\nDate: not a date", 3, true),
        ("Expires: {+100}\nDate: {-100}\nAge: 300", 0, false),
        ("Expires: {+400}\nDate: {+200}\nAge: 300", 0, false),
    ]);
}

#[test]
fn malformed_expires_counts_as_expired() {
    for value in [
        "0",
        "",
        "Sun, 21 Nov 2038 08:49:37 UTC",
        "Sun, 21 Nov 2038 08:49:37 AEST",
        "Sun, 21 Nov 38 08:49:37 GMT",
        "Sun 21 Nov 2038 08:49:37 GMT",
        "Sun, 21  Nov 2038 08:49:37 GMT",
        "Sun, 21-Nov-2038 08:49:37 GMT",
        "Sun, 21 Nov 2038 08.49.37 GMT",
        "Sun, 21 Nov 2038 8:49:37 GMT",
        "{+100}\nExpires: {+200}",
    ] {
        // Last-Modified would make it heuristically fresh if Expires were ignored.
        check(&[(&format!("Expires: {value}\nLast-Modified: {{-864000}}"), 0, false)]);
    }
}

#[test]
fn every_form_of_expires_is_understood() {
    for value in [
        "Tue, 19 Jan 2038 14:14:08 GMT",
        "Wed, 28 Nov 2286 14:14:08 GMT",
        "Friday, 19-Nov-50 14:14:08 GMT",
        "Fri Nov  6 14:14:08 2037",
        "TUE, 19 Jan 2038 14:14:08 GMT",
        "Tue, 19 JAN 2038 14:14:08 GMT",
        "Tue, 19 Jan 2038 14:14:08 gMT",
    ] {
        check(&[(&format!("Expires: {value}"), 3, true)]);
    }
}

#[test]
fn heuristic_freshness_is_for_the_statuses_that_allow_it() {
    for status in 200..600u16 {
        let allowed = matches!(status, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501);
        let reused = is_reused(status, "Last-Modified: {-86400}", 3, &Policy::default());
        assert_eq!(reused, allowed, "{status}");
    }
    assert!(is_reused(599, "Last-Modified: {-86400}\nCache-Control: public", 3, &Policy::default()));
}

#[test]
fn heuristic_lifetime_is_a_bounded_share_of_the_time_since_last_modified() {
    let policy = Policy::default();
    let lifetime = |fields: &str| head(fields).meta().lifetime(&policy);
    assert_eq!(lifetime("Last-Modified: {-1000}"), (100, LifetimeSource::Heuristic));
    assert_eq!(lifetime("Last-Modified: {-86400000}"), (86_400, LifetimeSource::Heuristic));
    assert_eq!(lifetime("Last-Modified: {+1000}"), (0, LifetimeSource::None));
    assert_eq!(lifetime("ETag: \"a\""), (0, LifetimeSource::None));
}

#[test]
fn guaranteed_bounds_and_negative_caching_apply() {
    let policy = Policy { guaranteed_min_lifetime: 50, guaranteed_max_lifetime: 100, ..Policy::default() };
    assert!(is_reused(200, "Cache-Control: max-age=0", 49, &policy));
    assert!(!is_reused(200, "Cache-Control: max-age=1000", 100, &policy));
    let policy =
        Policy { negative_caching_enabled: true, negative_caching_lifetime: 60, ..Policy::default() };
    assert!(is_reused(503, "", 59, &policy));
    assert!(!is_reused(503, "", 60, &policy));
    assert!(!is_reused(503, "Cache-Control: max-age=1", 2, &policy), "an explicit lifetime wins");
}

#[test]
fn a_rule_sets_the_lifetime_in_place_of_the_origin() {
    let revalidate = Policy { revalidate_after: Some(100), ..Policy::default() };
    for (fields, after, expected) in [
        ("Cache-Control: max-age=10", 50, true),
        ("Cache-Control: max-age=1000", 150, false),
        ("Cache-Control: no-cache, max-age=10", 50, true),
        ("Cache-Control: no-store", 50, false),
        ("Cache-Control: max-age=10\nAge: 60", 50, false),
        ("", 50, true),
    ] {
        assert_eq!(is_reused(200, fields, after, &revalidate), expected, "{fields} after {after}");
    }
    let ttl = Policy { ttl_in_cache: Some(100), ..Policy::default() };
    for (fields, after, expected) in [
        ("Cache-Control: no-store, no-cache, private, max-age=0\nAge: 5000", 99, true),
        ("Cache-Control: max-age=1000", 100, false),
        ("Vary: *", 10, false),
        ("", 99, true),
    ] {
        assert_eq!(is_reused(200, fields, after, &ttl), expected, "{fields} after {after}");
    }
    let eager = get(&[("Cache-Control", "no-cache, max-age=0")]);
    let heeded = Policy { ignore_client_no_cache: false, ignore_client_cc_max_age: false, ..ttl };
    let stored = stored(&get(&[]), &response_of(200, ""), &heeded).expect("storable");
    assert!(verdict(&stored, &eager, T0 + 10, &heeded).is_fresh(), "whatever the client says");
}

#[test]
fn no_cache_is_never_served_without_validation() {
    check(&[
        ("Cache-Control: no-cache, max-age=3600\nExpires: {+100}\nETag: \"a\"", 0, false),
        ("Cache-Control: No-CaChE, max-age=3600\nETag: \"a\"", 0, false),
        ("Cache-Control: no-cache=\"set-cookie\", max-age=3600\nETag: \"a\"", 0, false),
    ]);
    let ignored = Policy { ignore_server_no_cache: true, ..Policy::default() };
    assert!(is_reused(200, "Cache-Control: no-cache, max-age=60", 3, &ignored));
}

#[track_caller]
fn stale(fields: &str, request: &[(&str, &str)], after: i64) -> Stale {
    match verdict(&head(fields), &get(request), T0 + after, &Policy::default()).state {
        FreshState::Stale(stale) => stale,
        FreshState::Fresh => panic!("{fields} is fresh after {after} s"),
    }
}

#[test]
fn stale_while_revalidate_has_a_window() {
    let fields = "Cache-Control: max-age=10, stale-while-revalidate=20";
    assert!(stale(fields, &[], 10).while_revalidate);
    assert!(stale(fields, &[], 29).while_revalidate);
    assert!(!stale(fields, &[], 30).while_revalidate);
    assert!(!stale(fields, &[("Cache-Control", "no-cache")], 15).while_revalidate);
}

#[test]
fn stale_if_error_has_a_window() {
    let fields = "Cache-Control: max-age=10, stale-if-error=20";
    assert!(stale(fields, &[], 29).if_error);
    assert!(stale(fields, &[], 29).may_replace(503) && !stale(fields, &[], 29).may_replace(404));
    assert!(!stale(fields, &[], 30).if_error);
    assert!(stale("Cache-Control: max-age=10", &[("Cache-Control", "stale-if-error=20")], 15).if_error);
}

#[test]
fn an_unreachable_origin_is_covered_up_to_max_stale_age() {
    assert!(stale("Cache-Control: max-age=10", &[], 604_810).if_unreachable);
    assert!(!stale("Cache-Control: max-age=10", &[], 604_811).if_unreachable);
}

#[test]
fn what_must_be_revalidated_is_never_served_stale() {
    for directive in
        ["must-revalidate, max-age=1", "proxy-revalidate, max-age=1", "no-cache, max-age=1", "s-maxage=1"]
    {
        let fields = format!(
            "ETag: \"a\"\nCache-Control: {directive}, stale-if-error=1000, stale-while-revalidate=1000"
        );
        let stale = stale(&fields, &[("Cache-Control", "max-stale")], 5);
        assert!(stale.must_revalidate, "{directive}");
        let allowed =
            stale.client_accepts || stale.while_revalidate || stale.if_error || stale.if_unreachable;
        assert!(!allowed, "{directive}");
    }
}

#[test]
fn request_directives_are_honoured_and_unknown_ones_ignored() {
    use FreshnessReason::{ClientMaxAge, ClientMinFresh, ClientNoCache, Fresh};
    let head = head("Cache-Control: max-age=100");
    for (directives, expected) in [
        ("foo, bar=2", Fresh),
        ("max-age=10", Fresh),
        ("max-age=9", ClientMaxAge),
        ("max-age=0", ClientMaxAge),
        ("max-age=abc", Fresh),
        ("min-fresh=90", Fresh),
        ("min-fresh=91", ClientMinFresh),
        ("no-cache", ClientNoCache),
    ] {
        let request = get(&[("Cache-Control", directives)]);
        assert_eq!(verdict(&head, &request, T0 + 10, &Policy::default()).reason, expected, "{directives}");
    }
    assert_eq!(verdict(&head, &get(&[("Pragma", "no-cache")]), T0, &Policy::default()).reason, ClientNoCache);
    let both = get(&[("Pragma", "no-cache"), ("Cache-Control", "max-age=50")]);
    assert_eq!(verdict(&head, &both, T0, &Policy::default()).reason, Fresh);
    let ignoring =
        Policy { ignore_client_no_cache: true, ignore_client_cc_max_age: true, ..Policy::default() };
    for directives in ["no-cache", "max-age=0", "min-fresh=1000"] {
        let request = get(&[("Cache-Control", directives)]);
        assert_eq!(verdict(&head, &request, T0, &ignoring).reason, Fresh, "{directives}");
    }
}

#[test]
fn max_stale_accepts_what_is_not_too_stale() {
    let accepts = |directives: &str, after| {
        stale("Cache-Control: max-age=10", &[("Cache-Control", directives)], after).client_accepts
    };
    assert!(accepts("max-stale", 1000) && accepts("max-stale=5", 15));
    assert!(!accepts("max-stale=5", 16) && !accepts("max-stale=x", 11));
    assert!(!accepts("max-stale=5, max-age=11", 12));
}

#[test]
fn a_reload_does_not_validate_what_is_immutable_and_fresh() {
    let head = head("Cache-Control: max-age=100, immutable");
    let reason = |directives| {
        verdict(&head, &get(&[("Cache-Control", directives)]), T0 + 1, &Policy::default()).reason
    };
    assert_eq!(reason("max-age=0"), FreshnessReason::Fresh);
    assert_eq!(reason("no-cache"), FreshnessReason::ClientNoCache);
}

#[test]
fn when_to_revalidate_is_obeyed() {
    let reason = |mode, fields: &str, request: &[(&str, &str)], after| {
        let policy = Policy { when_to_revalidate: mode, ..Policy::default() };
        verdict(&head(fields), &get(request), T0 + after, &policy).reason
    };
    let explicit = "Cache-Control: max-age=10";
    let heuristic = "Last-Modified: {-1000}";
    assert_eq!(reason(WhenToRevalidate::IfHeuristic, heuristic, &[], 1), FreshnessReason::ConfigRevalidate);
    assert_eq!(reason(WhenToRevalidate::IfHeuristic, explicit, &[], 1), FreshnessReason::Fresh);
    assert_eq!(reason(WhenToRevalidate::Always, explicit, &[], 1), FreshnessReason::ConfigRevalidate);
    assert_eq!(reason(WhenToRevalidate::Never, explicit, &[], 99), FreshnessReason::ConfigNeverStale);
    let conditional = [("If-Modified-Since", "x")];
    let mode = WhenToRevalidate::IfConditional;
    assert_eq!(reason(mode, explicit, &conditional, 1), FreshnessReason::ConfigRevalidate);
    assert_eq!(reason(mode, explicit, &[], 1), FreshnessReason::Fresh);
}

#[test]
fn a_targeted_field_replaces_cache_control_and_expires() {
    check(&[
        ("CDN-Cache-Control: max-age=3600", 3, true),
        ("CDN-Cache-Control: max-age=2147483648", 3, true),
        ("CDN-Cache-Control: max-age=99999999999", 3, true),
        ("CDN-Cache-Control: max-age=3600\nAge: 7200", 0, false),
        ("CDN-Cache-Control: max-age=0\nETag: \"a\"", 0, false),
        ("CDN-Cache-Control: foo, bar=(1 2);x, max-age=3600", 3, true),
        ("CDN-Cache-Control: max-age=3600\nExpires: {-100}", 3, true),
        ("CDN-Cache-Control: max-age=3600\nExpires: 0", 3, true),
        ("CDN-Cache-Control: max-age=0\nExpires: {+100}\nETag: \"a\"", 0, false),
        ("CDN-Cache-Control: max-age=3600\nCache-Control: max-age=1", 3, true),
        ("CDN-Cache-Control: max-age=1\nCache-Control: max-age=3600", 3, false),
        ("CDN-Cache-Control: private, max-age=60\nCache-Control: max-age=3600", 0, false),
        ("CDN-Cache-Control: no-cache, max-age=60\nCache-Control: max-age=3600\nETag: \"a\"", 0, false),
        ("CDN-Cache-Control: no-store, max-age=60\nCache-Control: max-age=3600", 0, false),
        ("CDN-Cache-Control: max-age=3600\nCache-Control: no-store", 3, true),
        ("CDN-Cache-Control: max-age=3600, &&&\nCache-Control: no-store", 0, false),
        ("CDN-Cache-Control: max-age=3600,\nCache-Control: no-store", 0, false),
        ("CDN-Cache-Control: max-age=\"3600\"\nCache-Control: no-store\nLast-Modified: {-86400}", 0, false),
        (
            "CDN-Cache-Control: max-age=\"1\", public\nCache-Control: no-store\nLast-Modified: {-86400}",
            0,
            true,
        ),
        ("CDN-Cache-Control:\nCache-Control: no-store, max-age=60", 0, false),
    ]);
}

fn naive_age(meta: &StoredMeta, now: i128) -> i128 {
    let apparent = 0.max(i128::from(meta.response_time) - i128::from(meta.date));
    let delay = 0.max(i128::from(meta.response_time) - i128::from(meta.request_time));
    let corrected = i128::from(meta.age_value) + delay;
    apparent.max(corrected) + 0.max(now - i128::from(meta.response_time))
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[a-e=,\"0-9;()?: \\\\-]{0,40}".prop_map(String::into_bytes),
        "(max-age|s-maxage|no-cache|private)=?[\"0-9;()?:-]{0,20}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn age_and_lifetime_agree_with_the_formulas_of_the_standard(
        date in any::<Option<i64>>(), age_value in 0u32..=1 << 31, request_time in any::<i64>(),
        response_time in any::<i64>(), now in any::<i64>(),
        max_age in proptest::option::of(0u32..=1 << 31), s_maxage in proptest::option::of(0u32..=1 << 31),
        expires_after in proptest::option::of(0u32..=1 << 31),
    ) {
        let mut meta = StoredMeta::of(200, &Default::default(), request_time, response_time);
        meta.date = date.unwrap_or(response_time);
        (meta.age_value, meta.expires_after) = (age_value, expires_after);
        (meta.control.max_age, meta.control.s_maxage) = (max_age, s_maxage);
        let policy = Policy { guaranteed_max_lifetime: u32::MAX, ..Policy::default() };
        let age = naive_age(&meta, i128::from(now)).min(1 << 31);
        let lifetime = i128::from(s_maxage.or(max_age).or(expires_after).unwrap_or(0));
        let verdict = freshness(&meta, now, &RequestPolicy::default(), &policy);
        prop_assert_eq!(i128::from(verdict.age), age);
        prop_assert_eq!(i128::from(verdict.lifetime), lifetime);
        prop_assert_eq!(verdict.is_fresh(), age < lifetime);
    }

    #[test]
    fn reading_any_header_never_panics(
        fields in proptest::collection::vec((0usize..8, any_value()), 0..6), now in any::<i64>()
    ) {
        let names = [
            "Cache-Control", "CDN-Cache-Control", "CDN-Cache-Control", "Expires", "Date", "Age", "Last-Modified", "Pragma",
        ];
        let headers: HeaderBlock = fields.iter().map(|(n, v)| (names[*n], v)).collect();
        let meta = StoredMeta::of(200, &headers, now, now);
        let mut request = get(&[]);
        request.headers = headers;
        let policy = Policy::default();
        let verdict = freshness(&meta, now, &request_policy(&request, &policy), &policy);
        prop_assert!(verdict.age <= 1 << 31);
    }
}
