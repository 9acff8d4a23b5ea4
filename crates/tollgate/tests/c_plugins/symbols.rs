//! What the program exports.

use std::collections::BTreeSet;
use std::process::Command;

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect("run");
    assert!(output.status.success(), "{program} {args:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_program_exports_exactly_the_symbols_of_the_table() {
    let program = env!("CARGO_BIN_EXE_tollgate");
    let exported = output("nm", &["-D", "--defined-only", program]);
    let exported: BTreeSet<&str> = exported.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    let table = include_str!("../../../tollgate-ts/symbols.csv");
    let table: BTreeSet<&str> = table.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(table.len(), 838);
    let missing: Vec<_> = table.difference(&exported).collect();
    assert!(missing.is_empty(), "not exported: {missing:?}");
    let ours = |name: &&&str| name.trim_start_matches('_').starts_with("TS");
    let more: Vec<_> = exported.difference(&table).filter(ours).collect();
    assert!(more.is_empty(), "exported, but not in the table: {more:?}");
}

#[test]
fn show_lists_every_symbol_with_its_state() {
    let text = output(env!("CARGO_BIN_EXE_tollgate"), &["show", "ts-symbols"]);
    assert_eq!(text.lines().count(), 838);
    for line in ["TSHttpHookAdd implemented (hooks)", "TS_MIME_FIELD_AGE constant (MIME field)"] {
        assert!(text.lines().any(|l| l == line), "{line}");
    }
    let json = output(env!("CARGO_BIN_EXE_tollgate"), &["show", "ts-symbols", "--json"]);
    assert_eq!(json.matches("\"state\": ").count(), 838);
}
