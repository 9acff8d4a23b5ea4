//! What edges and slots mean, and what operators may change and see.

use tollgate_hook::{
    Asker, HookDescription, HookPoint, HookTable, IgnoredEdge, IgnoredWhy, Mode, OffDescription,
    OperatorEdge, OperatorOff, OperatorRules, Order, Reason, Registry, Relation, slot,
};

struct Fixups;

impl HookPoint for Fixups {
    type Input<'a> = ();
    type Output<'a> = ();
    const NAME: &'static str = "FIXUPS";
    const MODE: Mode = Mode::Void;
    const DOC: &'static str = "Last changes before the request is served.";
}

/// Seals handlers given as `module#handler`, registered in this order.
fn seal(handlers: &[(&str, Order)], rules: &OperatorRules) -> HookTable {
    let mut registry = Registry::new();
    for (id, order) in handlers {
        let (module, handler) = id.split_once('#').expect("tests name handlers in full");
        registry.register::<Fixups>(module, handler, order.clone(), |()| ());
    }
    registry.seal(rules).expect("these wishes can be met")
}

fn running(table: &HookTable) -> Vec<String> {
    table.handlers::<Fixups>().iter().map(|handler| handler.id().to_string()).collect()
}

fn order_of(handlers: &[(&str, Order)]) -> Vec<String> {
    running(&seal(handlers, &OperatorRules::default()))
}

fn operator_edge(first: &str, then: &str) -> OperatorRules {
    let (first, then) = (first.to_owned(), then.to_owned());
    let edge = OperatorEdge { hook: "FIXUPS".into(), first, then, origin: "hooks.config:3".into() };
    OperatorRules { edges: vec![edge], off: Vec::new() }
}

fn operator_off(target: &str) -> OperatorRules {
    let off = OperatorOff { hook: "FIXUPS".into(), target: target.into(), origin: "hooks.config:4".into() };
    OperatorRules { edges: Vec::new(), off: vec![off] }
}

fn only_description(table: &HookTable) -> &HookDescription {
    let [description] = table.describe() else { panic!("one hook point was declared") };
    description
}

#[test]
fn smaller_slot_runs_earlier_and_any_integer_is_a_slot() {
    let order = order_of(&[
        ("e#h", Order::slot(slot::REALLY_LAST)),
        ("d#h", Order::slot(slot::LAST - 2)),
        ("c#h", Order::default()),
        ("a#h", Order::slot(i32::MIN)),
        ("b#h", Order::slot(slot::REALLY_FIRST)),
        ("f#h", Order::slot(i32::MAX)),
    ]);
    assert_eq!(order, ["a#h", "b#h", "c#h", "d#h", "e#h", "f#h"]);
}

#[test]
fn registration_decides_between_equal_slots() {
    let order = order_of(&[("b#h", Order::default()), ("a#h", Order::default()), ("b#g", Order::default())]);
    assert_eq!(order, ["b#h", "a#h", "b#g"]);
}

#[test]
fn edge_beats_slot() {
    let order = order_of(&[
        ("first#h", Order::slot(slot::FIRST).after("last")),
        ("middle#h", Order::default()),
        ("last#h", Order::slot(slot::REALLY_LAST)),
    ]);
    assert_eq!(order, ["last#h", "first#h", "middle#h"]);
}

#[test]
fn edge_to_a_module_holds_for_all_its_handlers() {
    let order = order_of(&[
        ("log#h", Order::slot(slot::FIRST).after("denylist")),
        ("denylist#one", Order::default()),
        ("other#h", Order::default()),
        ("denylist#two", Order::slot(slot::LAST)),
    ]);
    assert_eq!(order, ["denylist#one", "denylist#two", "log#h", "other#h"]);
}

#[test]
fn edge_to_one_handler_leaves_the_others_of_its_module_alone() {
    let order = order_of(&[
        ("log#h", Order::slot(slot::FIRST).after_required("denylist#two")),
        ("denylist#one", Order::default()),
        ("denylist#two", Order::slot(slot::LAST)),
    ]);
    assert_eq!(order, ["denylist#two", "log#h", "denylist#one"]);
}

#[test]
fn handlers_of_one_module_may_order_each_other() {
    let order = order_of(&[("m#one", Order::default().after("m#two")), ("m#two", Order::default())]);
    assert_eq!(order, ["m#two", "m#one"]);
}

#[test]
fn unknown_optional_name_changes_nothing_and_is_listed() {
    let table = seal(
        &[("a#h", Order::default().before("rewrite").after("b#gone")), ("b#h", Order::default())],
        &OperatorRules::default(),
    );
    assert_eq!(running(&table), ["a#h", "b#h"]);
    let asked_by = Asker::Handler("a#h".into());
    let why = IgnoredWhy::Unknown;
    let after = IgnoredEdge {
        relation: Relation::After,
        name: "b#gone".into(),
        asked_by: asked_by.clone(),
        why: why.clone(),
    };
    let before = IgnoredEdge { relation: Relation::Before, name: "rewrite".into(), asked_by, why };
    assert_eq!(only_description(&table).ignored, [after, before]);
}

#[test]
fn operator_edge_turns_handlers_round_and_is_the_reason_of_both() {
    let table = seal(
        &[("a#h", Order::default()), ("b#h", Order::default()), ("c#h", Order::default())],
        &operator_edge("c", "a#h"),
    );
    assert_eq!(running(&table), ["c#h", "a#h", "b#h"]);
    let why: Vec<&[Reason]> =
        only_description(&table).entries.iter().map(|entry| entry.why.as_slice()).collect();
    let asked_by = Asker::Operator("hooks.config:3".into());
    let of_c = Reason { relation: Relation::Before, other: "a#h".into(), asked_by: asked_by.clone() };
    let of_a = Reason { relation: Relation::After, other: "c#h".into(), asked_by };
    assert_eq!(why, [&[of_c][..], &[of_a], &[]]);
}

#[test]
fn edge_that_slots_satisfy_anyway_is_no_reason() {
    let table = seal(
        &[("a#h", Order::slot(slot::FIRST).before("b")), ("b#h", Order::slot(slot::LAST).after("a"))],
        &OperatorRules::default(),
    );
    assert!(only_description(&table).entries.iter().all(|entry| entry.why.is_empty()));
}

#[test]
fn handler_dragged_along_by_a_dragged_one_has_its_reason() {
    // c goes before a, and takes b with it, which slots already put before c.
    let table = seal(
        &[
            ("a#h", Order::slot(1).after("c")),
            ("x#h", Order::slot(2)),
            ("b#h", Order::slot(3)),
            ("c#h", Order::slot(4).after("b")),
        ],
        &OperatorRules::default(),
    );
    assert_eq!(running(&table), ["b#h", "c#h", "a#h", "x#h"]);
    let entry = &only_description(&table).entries[0];
    let asked_by = Asker::Handler("c#h".into());
    assert_eq!(entry.why, [Reason { relation: Relation::Before, other: "c#h".into(), asked_by }]);
}

#[test]
fn switched_off_handler_does_not_run_and_is_listed_with_who_did_it() {
    let handlers = [("a#one", Order::default()), ("a#two", Order::default()), ("b#h", Order::default())];
    let table = seal(&handlers, &operator_off("a#two"));
    assert_eq!(running(&table), ["a#one", "b#h"]);
    let by = "hooks.config:4".to_owned();
    let off = OffDescription { module: "a".into(), handler: "two".into(), by };
    assert_eq!(only_description(&table).off, [off]);

    let table = seal(&handlers, &operator_off("a"));
    assert_eq!(running(&table), ["b#h"]);
    assert_eq!(only_description(&table).off.len(), 2);
}

#[test]
fn switched_off_handler_takes_its_edges_with_it() {
    let handlers = [
        ("a#h", Order::default()),
        ("b#h", Order::default()),
        ("c#h", Order::default().after("b").before("a").after_required("nobody")),
    ];
    let table = seal(&handlers, &operator_off("c"));
    assert_eq!(running(&table), ["a#h", "b#h"]);
    assert_eq!(only_description(&table).ignored, []);
}

#[test]
fn optional_and_operator_edges_to_a_switched_off_handler_are_ignored_and_listed() {
    let mut rules = operator_off("b");
    rules.edges = operator_edge("b", "a").edges;
    let table = seal(&[("a#h", Order::default().after("b")), ("b#h", Order::default())], &rules);
    assert_eq!(running(&table), ["a#h"]);
    let ignored = |asked_by| IgnoredEdge {
        relation: Relation::After,
        name: "b".into(),
        asked_by,
        why: IgnoredWhy::SwitchedOff("hooks.config:4".into()),
    };
    let expected = [ignored(Asker::Handler("a#h".into())), ignored(Asker::Operator("hooks.config:3".into()))];
    assert_eq!(only_description(&table).ignored, expected);
}

#[test]
fn name_that_is_only_partly_switched_off_still_orders_the_rest() {
    let table = seal(
        &[
            ("a#h", Order::default().after_required("b")),
            ("b#one", Order::default()),
            ("b#two", Order::default()),
        ],
        &operator_off("b#one"),
    );
    assert_eq!(running(&table), ["b#two", "a#h"]);
}

#[test]
fn everything_switched_off_leaves_an_empty_list() {
    let table = seal(&[("a#h", Order::default())], &operator_off("a"));
    assert!(table.handlers::<Fixups>().is_empty());
}

#[test]
fn same_registrations_can_be_sealed_again_under_other_rules() {
    let mut registry = Registry::new();
    registry.register::<Fixups>("a", "h", Order::default(), |()| ());
    registry.register::<Fixups>("b", "h", Order::default(), |()| ());
    let before = registry.seal(&OperatorRules::default()).expect("no edges");
    let after = registry.seal(&operator_edge("b", "a")).expect("one edge");
    assert_eq!(running(&before), ["a#h", "b#h"]);
    assert_eq!(running(&after), ["b#h", "a#h"]);
}

#[test]
fn text_of_a_hook_point_says_order_slot_and_reasons() {
    let mut rules = operator_edge("c", "a");
    rules.off = operator_off("d").off;
    let table = seal(
        &[
            ("a#h", Order::slot(slot::FIRST)),
            ("b#h", Order::default().before("rewrite").after("d")),
            ("c#h", Order::slot(slot::LAST)),
            ("d#h", Order::default()),
        ],
        &rules,
    );
    let expected = "\
FIXUPS (VOID): Last changes before the request is served.
  1. c#h (slot 20): before a#h, asked by hooks.config:3
  2. a#h (slot 0): after c#h, asked by hooks.config:3
  3. b#h (slot 10)
  off: d#h, by hooks.config:4
  ignored: after d, asked by b#h: switched off by hooks.config:4
  ignored: before rewrite, asked by b#h: unknown
";
    assert_eq!(only_description(&table).to_string(), expected);
}

#[test]
fn declared_hook_points_are_described_in_order_even_without_handlers() {
    struct Other;
    impl HookPoint for Other {
        type Input<'a> = &'a str;
        type Output<'a> = ();
        const NAME: &'static str = "OTHER";
        const MODE: Mode = Mode::Transaction;
        const DOC: &'static str = "At another time.";
    }
    let mut registry = Registry::new();
    registry.declare::<Other>().declare::<Fixups>().declare::<Other>();
    let table = registry.seal(&OperatorRules::default()).expect("nothing to order");
    let names: Vec<&str> = table.describe().iter().map(|description| description.name).collect();
    assert_eq!(names, ["OTHER", "FIXUPS"]);
    assert!(table.handlers::<Other>().is_empty());
}

#[test]
fn json_of_a_hook_point_uses_the_same_words_as_its_text() {
    let mut rules = operator_edge("b", "a");
    rules.off = operator_off("c").off;
    let table = seal(
        &[
            ("a#h", Order::slot(slot::FIRST)),
            ("b#h", Order::default().before("rewrite").after("c")),
            ("c#h", Order::default()),
        ],
        &rules,
    );
    let json = serde_json::to_value(only_description(&table)).expect("plain data");
    let by_operator = serde_json::json!({"operator": "hooks.config:3"});
    let by_b = serde_json::json!({"handler": "b#h"});
    let expected = serde_json::json!({
        "name": "FIXUPS",
        "mode": "VOID",
        "doc": "Last changes before the request is served.",
        "entries": [
            {"position": 1, "module": "b", "handler": "h", "slot": 10,
             "why": [{"relation": "before", "other": "a#h", "asked_by": by_operator}]},
            {"position": 2, "module": "a", "handler": "h", "slot": 0,
             "why": [{"relation": "after", "other": "b#h", "asked_by": by_operator}]},
        ],
        "off": [{"module": "c", "handler": "h", "by": "hooks.config:4"}],
        "ignored": [
            {"relation": "after", "name": "c", "asked_by": by_b, "why": {"switched_off": "hooks.config:4"}},
            {"relation": "before", "name": "rewrite", "asked_by": by_b, "why": "unknown"},
        ],
    });
    assert_eq!(json, expected);
}

#[test]
fn mode_reads_the_same_in_json_and_in_text() {
    for mode in [Mode::Void, Mode::RunAll, Mode::RunFirst, Mode::Transaction] {
        assert_eq!(serde_json::json!(mode), mode.to_string());
    }
}
