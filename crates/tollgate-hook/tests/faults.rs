//! Every fault is an error that says who is guilty and what to do.

use tollgate_hook::{
    AllOutcome, HookPoint, Mode, OperatorEdge, OperatorOff, OperatorRules, Order, OrderError, OrderErrors,
    Registry,
};

struct Access;

impl HookPoint for Access {
    type Input<'a> = &'a str;
    type Output<'a> = AllOutcome<u16>;
    const NAME: &'static str = "ACCESS";
    const MODE: Mode = Mode::RunAll;
    const DOC: &'static str = "Before a request is served.";
}

fn seal(handlers: &[(&str, &str, Order)], rules: &OperatorRules) -> Result<(), OrderErrors> {
    let mut registry = Registry::new();
    registry.declare::<Access>();
    for (module, handler, order) in handlers {
        registry.register::<Access>(module, handler, order.clone(), |_| AllOutcome::Ok);
    }
    registry.seal(rules).map(|_| ())
}

fn text(handlers: &[(&str, &str, Order)], rules: &OperatorRules) -> String {
    seal(handlers, rules).expect_err("there is a fault").to_string()
}

fn rules(edges: &[(&str, &str, &str)], off: &[(&str, &str)]) -> OperatorRules {
    let edge = |(line, (hook, first, then)): (usize, &(&str, &str, &str))| OperatorEdge {
        hook: (*hook).into(),
        first: (*first).into(),
        then: (*then).into(),
        origin: format!("hooks.config:{}", line + 1),
    };
    let off_rule = |(line, (hook, target)): (usize, &(&str, &str))| OperatorOff {
        hook: (*hook).into(),
        target: (*target).into(),
        origin: format!("hooks.config:{}", line + 11),
    };
    OperatorRules {
        edges: edges.iter().enumerate().map(edge).collect(),
        off: off.iter().enumerate().map(off_rule).collect(),
    }
}

fn plain(module: &'static str, handler: &'static str) -> (&'static str, &'static str, Order) {
    (module, handler, Order::default())
}

#[test]
fn unknown_required_name_is_told_with_asker_and_nearest_name() {
    for (order, side) in [
        (Order::default().after_required("denylst"), "after"),
        (Order::default().before_required("denylst"), "before"),
    ] {
        let text = text(&[("log", "write", order), plain("denylist", "check")], &OperatorRules::default());
        let expected = "hook ACCESS: log#write names \"denylst\", which has no handler there; \
                        did you mean \"denylist\"?";
        assert_eq!(text, expected, "{side}");
    }
}

#[test]
fn unknown_required_handler_of_a_known_module_is_told_with_the_nearest_handler() {
    let order = Order::default().after_required("denylist#chekc");
    let text = text(&[("log", "write", order), plain("denylist", "check")], &OperatorRules::default());
    assert!(text.ends_with("did you mean \"denylist#check\"?"), "{text}");
}

#[test]
fn nothing_is_suggested_when_nothing_is_near() {
    let order = Order::default().after_required("rewrite");
    let text = text(&[("log", "write", order)], &OperatorRules::default());
    assert_eq!(text, "hook ACCESS: log#write names \"rewrite\", which has no handler there");
}

#[test]
fn cycle_is_printed_with_who_asked_for_each_edge() {
    let text = text(
        &[("a", "x", Order::default().before("b")), plain("b", "y"), plain("c", "z")],
        &rules(&[("ACCESS", "b", "c"), ("ACCESS", "c", "a#x")], &[]),
    );
    let expected = "hook ACCESS: handlers cannot be ordered: a#x -> b#y -> c#z -> a#x \
                    (a#x before b#y: asked by a#x; b#y before c#z: asked by hooks.config:1; \
                    c#z before a#x: asked by hooks.config:2)";
    assert_eq!(text, expected);
}

#[test]
fn handler_that_names_its_own_module_is_a_cycle() {
    for order in [Order::default().before("a"), Order::default().after("a#x")] {
        let text = text(&[("a", "x", order)], &OperatorRules::default());
        let expected = "hook ACCESS: handlers cannot be ordered: a#x -> a#x (a#x before a#x: asked by a#x)";
        assert_eq!(text, expected);
    }
}

#[test]
fn operator_edge_from_a_module_to_itself_is_a_cycle() {
    let text = text(&[plain("a", "x"), plain("a", "y")], &rules(&[("ACCESS", "a", "a#y")], &[]));
    assert!(text.contains("a#y -> a#y (a#y before a#y: asked by hooks.config:1)"), "{text}");
}

#[test]
fn operator_rules_that_name_nobody_are_errors() {
    let text = text(
        &[plain("denylist", "check")],
        &rules(&[("ACCESS", "denylst", "nobody")], &[("ACCESS", "denylist#chek")]),
    );
    let expected = "\
hooks.config:11: hook ACCESS has no handler \"denylist#chek\" to switch off; did you mean \"denylist#check\"?
hook ACCESS: hooks.config:1 names \"denylst\", which has no handler there; did you mean \"denylist\"?
hook ACCESS: hooks.config:1 names \"nobody\", which has no handler there";
    assert_eq!(text, expected);
}

#[test]
fn operator_rules_for_an_unknown_hook_point_are_errors() {
    let text = text(
        &[plain("denylist", "check")],
        &rules(&[("ACESS", "denylist", "denylist")], &[("NOTHING_LIKE_IT", "denylist")]),
    );
    let expected = "\
hooks.config:1: no hook point is named \"ACESS\"; did you mean \"ACCESS\"?
hooks.config:11: no hook point is named \"NOTHING_LIKE_IT\"";
    assert_eq!(text, expected);
}

#[test]
fn required_handler_must_not_be_switched_off() {
    let text = text(
        &[("log", "write", Order::default().after_required("auth")), plain("auth", "check")],
        &rules(&[], &[("ACCESS", "auth")]),
    );
    assert_eq!(text, "hook ACCESS: log#write requires \"auth\", which is switched off (hooks.config:11)");
}

#[test]
fn names_that_no_edge_could_address_are_refused() {
    for (module, handler) in [("", "check"), ("auth", ""), ("auth#2", "check"), ("auth", "check#2")] {
        let errors = seal(&[(module, handler, Order::default())], &OperatorRules::default())
            .expect_err("the name is bad");
        let errors: Vec<OrderError> = errors.into_iter().collect();
        let (module, handler) = (module.to_owned(), handler.to_owned());
        assert_eq!(errors, [OrderError::BadName { hook: "ACCESS", module, handler }]);
    }
}

#[test]
fn one_name_for_two_types_is_refused() {
    struct Impostor;
    impl HookPoint for Impostor {
        type Input<'a> = u8;
        type Output<'a> = ();
        const NAME: &'static str = "ACCESS";
        const MODE: Mode = Mode::Void;
        const DOC: &'static str = "Never.";
    }
    let mut registry = Registry::new();
    registry.declare::<Access>();
    registry.register::<Impostor>("other", "h", Order::default(), |_| ());
    let text = registry.seal(&OperatorRules::default()).expect_err("the name is taken").to_string();
    assert!(text.starts_with("hook ACCESS: defined twice, as faults::Access and as "), "{text}");
    assert!(text.ends_with("Impostor"), "{text}");
}

#[test]
fn faults_of_several_hook_points_are_told_at_once() {
    struct Log;
    impl HookPoint for Log {
        type Input<'a> = ();
        type Output<'a> = ();
        const NAME: &'static str = "LOG";
        const MODE: Mode = Mode::Void;
        const DOC: &'static str = "After a transaction.";
    }
    let mut registry = Registry::new();
    registry.register::<Access>("a", "h", Order::default().after("a"), |_| AllOutcome::Ok);
    registry.register::<Log>("b", "h", Order::default().after_required("nobody"), |()| ());
    let errors: Vec<OrderError> =
        registry.seal(&OperatorRules::default()).expect_err("two faults").into_iter().collect();
    assert!(
        matches!(
            &errors[..],
            [OrderError::Cycle { hook: "ACCESS", .. }, OrderError::UnknownName { hook: "LOG", .. }]
        ),
        "{errors:?}"
    );
}
