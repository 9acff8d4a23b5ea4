//! A handler that does not go on is noticed, and given up if that is configured.

use crate::support::{Server, ok};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tollgate_obs::metrics::Metric;
use tollgate_plugin::hooks::{OsDns, SendResponseHdr, TxnClose};
use tollgate_plugin::{Outcome, Registrar, Transaction};

const TIMEOUT: &str = "proxy.config.tollgate.plugin.handler_timeout";
const ACTION: &str = "proxy.config.tollgate.plugin.handler_timeout_action";

fn hangs(txn: &Transaction, hook: &str) -> bool {
    txn.client_request.headers.get_str("X-Hang") == Some(hook)
}

#[test]
fn a_handler_that_goes_on_late_is_counted_once_and_waited_for() {
    let released = Arc::new(AtomicBool::new(false));
    let is_released = Arc::clone(&released);
    let register = move |registrar: &mut Registrar| {
        let is_released = Arc::clone(&is_released);
        registrar.on_async(OsDns, async move |txn: &mut Transaction| {
            while hangs(txn, "OS_DNS") && !is_released.load(Ordering::SeqCst) {
                txn.sleep(Duration::from_millis(5)).await;
            }
            Outcome::Continue
        });
    };
    let server = Server::start(&[(TIMEOUT, "1")], register, |_| ok("Cache-Control: no-store\r\n", "late"));
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: t.test\r\nX-Hang: OS_DNS\r\n\r\n");
    server.await_metric(Metric::HandlerTimeouts, 1);
    released.store(true, Ordering::SeqCst);
    let reply = client.reply();
    assert_eq!((reply.status, reply.text()), (200, "late"));
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: t.test\r\n\r\n").status, 200);
    assert_eq!(server.metric(Metric::HandlerTimeouts), 1);
}

#[test]
fn a_handler_that_never_goes_on_fails_its_transaction_if_so_configured() {
    let closed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&closed);
    let register = move |registrar: &mut Registrar| {
        registrar.on_async(OsDns, async |txn: &mut Transaction| {
            if hangs(txn, "OS_DNS") {
                std::future::pending::<()>().await;
            }
            Outcome::Continue
        });
        registrar.on_async(SendResponseHdr, async |txn: &mut Transaction| {
            if hangs(txn, "SEND_RESPONSE_HDR") {
                std::future::pending::<()>().await;
            }
            Outcome::Continue
        });
        registrar.on_async(TxnClose, async |txn: &mut Transaction| {
            if hangs(txn, "TXN_CLOSE") {
                std::future::pending::<()>().await;
            }
            Outcome::Continue
        });
        let count = Arc::clone(&count);
        registrar.on(TxnClose, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Outcome::Continue
        });
    };
    let records = [(TIMEOUT, "1"), (ACTION, "fail")];
    let server = Server::start(&records, register, |_| ok("Cache-Control: no-store\r\n", "fine"));
    for (hook, status) in [("OS_DNS", 500), ("SEND_RESPONSE_HDR", 500), ("TXN_CLOSE", 200)] {
        let reply = server.ask(&format!("GET / HTTP/1.1\r\nHost: t.test\r\nX-Hang: {hook}\r\n\r\n"));
        assert_eq!(reply.status, status, "{hook}");
        assert!(reply.complete, "{hook}");
    }
    server.await_metric(Metric::HandlerTimeouts, 3);
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: t.test\r\n\r\n").text(), "fine");
    crate::support::await_that("each TXN_CLOSE ran to its last handler", || {
        closed.load(Ordering::SeqCst) == 4
    });
}
