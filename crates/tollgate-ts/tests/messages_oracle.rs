//! The report that the C program's twin test compares with is what the installed Traffic Server writes.
//!
//! Run where Traffic Server is installed: `cargo test -p tollgate-ts --test messages_oracle -- --ignored`.

#[path = "c_program/oracle.rs"]
mod oracle;

#[test]
#[ignore = "needs Traffic Server; `cargo xtask test` installs it and runs it"]
fn traffic_server_writes_the_expected_report() {
    let got = oracle::report("messages", "");
    assert!(got == include_str!("c/messages.expected"), "the report differs from messages.expected");
}
