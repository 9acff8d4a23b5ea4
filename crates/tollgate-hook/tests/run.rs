//! How runs end, what handlers may be, and scopes.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tollgate_hook::{
    AllEnd, AllOutcome, FirstEnd, FirstOutcome, Handlers, HookPoint, HookTable, Mode, OperatorRules, Order,
    Registry, Scope, ScopedHooks, run_all, run_first, run_void,
};

struct Txn {
    trace: Vec<&'static str>,
    status: u16,
}

macro_rules! hook_points {
    ($($name:ident: $mode:ident, $output:ty;)*) => {$(
        struct $name;
        impl HookPoint for $name {
            type Input<'a> = &'a mut Txn;
            type Output<'a> = $output;
            const NAME: &'static str = stringify!($name);
            const MODE: Mode = Mode::$mode;
            const DOC: &'static str = "In a test.";
        }
    )*};
}

type Step<'a> = Pin<Box<dyn Future<Output = u16> + 'a>>;

hook_points! {
    Log: Void, ();
    Access: RunAll, AllOutcome<u16>;
    Scheme: RunFirst, FirstOutcome<&'static str>;
    ReadRequest: Transaction, Step<'a>;
}

fn txn() -> Txn {
    Txn { trace: Vec::new(), status: 200 }
}

fn sealed(fill: impl FnOnce(&mut Registry)) -> HookTable {
    let mut registry = Registry::new();
    fill(&mut registry);
    registry.seal(&OperatorRules::default()).expect("no edges, no faults")
}

/// Handlers of `Access` that leave their name and answer with these.
fn access(answers: &[(&'static str, AllOutcome<u16>)]) -> Handlers<Access> {
    sealed(|registry| {
        for &(name, answer) in answers {
            registry.register::<Access>(name, "h", Order::default(), move |txn| {
                txn.trace.push(name);
                answer
            });
        }
    })
    .handlers()
}

fn scheme(answers: &[(&'static str, FirstOutcome<&'static str>)]) -> Handlers<Scheme> {
    sealed(|registry| {
        for &(name, answer) in answers {
            registry.register::<Scheme>(name, "h", Order::default(), move |txn| {
                txn.trace.push(name);
                answer
            });
        }
    })
    .handlers()
}

#[test]
fn void_runs_every_handler_in_order() {
    let table = sealed(|registry| {
        registry.register::<Log>("b", "h", Order::slot(2), |txn| txn.trace.push("b"));
        registry.register::<Log>("a", "h", Order::slot(1), |txn| txn.trace.push("a"));
    });
    let mut txn = txn();
    run_void(&table.handlers::<Log>(), |handler| handler.call(&mut txn));
    assert_eq!(txn.trace, ["a", "b"]);
}

#[test]
fn run_all_passes_when_nobody_is_there_and_when_all_are_ok_or_decline() {
    for answers in [
        &[][..],
        &[("a", AllOutcome::Declined), ("b", AllOutcome::Declined)],
        &[("a", AllOutcome::Ok), ("b", AllOutcome::Declined), ("c", AllOutcome::Ok)],
    ] {
        let (handlers, mut txn) = (access(answers), txn());
        assert!(matches!(run_all(&handlers, |handler| handler.call(&mut txn)), AllEnd::Passed));
        assert_eq!(txn.trace.len(), answers.len());
    }
}

#[test]
fn run_all_stops_at_the_first_that_is_neither_ok_nor_declined() {
    let handlers = access(&[
        ("a", AllOutcome::Ok),
        ("b", AllOutcome::Declined),
        ("c", AllOutcome::Stop(403)),
        ("d", AllOutcome::Stop(500)),
    ]);
    let mut txn = txn();
    let AllEnd::Stopped { by, value } = run_all(&handlers, |handler| handler.call(&mut txn)) else {
        panic!("c stops it")
    };
    assert_eq!((by.module(), value), ("c", 403));
    assert_eq!(txn.trace, ["a", "b", "c"]);
}

#[test]
fn run_first_declines_when_nobody_is_there_and_when_all_decline() {
    for answers in [&[][..], &[("a", FirstOutcome::Declined), ("b", FirstOutcome::Declined)]] {
        let (handlers, mut txn) = (scheme(answers), txn());
        assert!(matches!(run_first(&handlers, |handler| handler.call(&mut txn)), FirstEnd::Declined));
        assert_eq!(txn.trace.len(), answers.len());
    }
}

#[test]
fn run_first_stops_at_the_first_answer() {
    let handlers = scheme(&[
        ("a", FirstOutcome::Declined),
        ("b", FirstOutcome::Answer("https")),
        ("c", FirstOutcome::Answer("http")),
    ]);
    let mut trace = txn();
    let FirstEnd::Answered { by, value } = run_first(&handlers, |handler| handler.call(&mut trace)) else {
        panic!("b answers")
    };
    assert_eq!((by.id().to_string().as_str(), value), ("b#h", "https"));
    assert_eq!(trace.trace, ["a", "b"]);
}

#[test]
fn transaction_handlers_borrow_the_transaction_while_they_are_awaited() {
    async fn deny(txn: &mut Txn) -> u16 {
        txn.status = ready(403).await;
        txn.status
    }
    let table = sealed(|registry| {
        registry.register::<ReadRequest>("closure", "h", Order::default(), |txn| {
            Box::pin(async move {
                txn.trace.push("closure");
                txn.status
            })
        });
        registry.register::<ReadRequest>("function", "h", Order::default(), |txn| Box::pin(deny(txn)));
    });
    let mut txn = txn();
    let mut seen = Vec::new();
    for handler in &table.handlers::<ReadRequest>() {
        let mut step = handler.call(&mut txn);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(status) = step.as_mut().poll(&mut context) else { panic!("nothing to wait for") };
        seen.push(status);
    }
    assert_eq!(seen, [200, 403]);
    assert_eq!((txn.trace, txn.status), (vec!["closure"], 403));
}

#[test]
fn functions_are_handlers_too() {
    fn note(txn: &mut Txn) {
        txn.trace.push("function");
    }
    let table = sealed(|registry| {
        registry.register::<Log>("m", "note", Order::default(), note);
    });
    let mut txn = txn();
    run_void(&table.handlers::<Log>(), |handler| handler.call(&mut txn));
    assert_eq!(txn.trace, ["function"]);
}

#[test]
fn scopes_run_from_global_to_transaction() {
    let table = sealed(|registry| {
        registry.register::<Log>("global", "h", Order::slot(99), |txn| txn.trace.push("global"));
    });
    let (mut session, mut transaction) = (ScopedHooks::new(), ScopedHooks::new());
    assert!(session.is_empty());
    transaction.add::<Log>("m", "one", |txn| txn.trace.push("transaction 1"));
    transaction.add::<Log>("m", "two", |txn| txn.trace.push("transaction 2"));
    session.add::<Log>("m", "h", |txn| txn.trace.push("session"));
    assert!(!session.is_empty());

    let (global, session, transaction) =
        (table.handlers::<Log>(), session.handlers(), transaction.handlers());
    let mut txn = txn();
    run_void(global.iter().chain(&session).chain(&transaction), |handler| handler.call(&mut txn));
    assert_eq!(txn.trace, ["global", "session", "transaction 1", "transaction 2"]);
    assert!(Scope::Global < Scope::Session && Scope::Session < Scope::Transaction);
}

#[test]
fn handler_added_during_a_run_takes_part_from_the_next_run_on() {
    let mut scope = ScopedHooks::new();
    scope.add::<Log>("m", "one", |txn| txn.trace.push("one"));
    for runs in [vec!["one"], vec!["one", "two"]] {
        let mut txn = txn();
        let handlers = scope.handlers::<Log>();
        run_void(&handlers, |handler| {
            if handlers.len() == 1 {
                scope.add::<Log>("m", "two", |txn| txn.trace.push("two"));
            }
            handler.call(&mut txn);
        });
        assert_eq!(txn.trace, runs);
    }
    assert!(scope.handlers::<Access>().is_empty());
}

#[test]
fn list_outlives_its_table_and_clones_share_it() {
    let table = Arc::new(sealed(|registry| {
        registry.register::<Log>("m", "h", Order::default(), |txn| txn.trace.push("ran"));
    }));
    let old = table.handlers::<Log>();
    drop(table);
    let clone = old.clone();
    assert!(std::ptr::eq(old.as_slice(), clone.as_slice()));
    let mut txn = txn();
    run_void(&old, |handler| handler.call(&mut txn));
    assert_eq!(txn.trace, ["ran"]);
}

#[test]
fn undeclared_hook_point_has_no_handlers() {
    let handlers = HookTable::default().handlers::<Access>();
    assert!(handlers.is_empty());
    assert_eq!(handlers.len(), 0);
    assert_eq!(handlers.iter().count(), 0);
}

#[test]
fn tables_and_lists_are_shared_by_all_threads() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<HookTable>();
    is_shared::<Registry>();
    is_shared::<Handlers<ReadRequest>>();
    is_shared::<ScopedHooks>();
}
