//! What a finished binary exports to C plugins.
//!
//! Responsible for: comparing the dynamic symbols of a binary with the table of the C interface, so that neither the
//! optimiser nor the linker nor `strip` loses one. Not responsible for: building it, what a symbol does.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::workspace::{self, command};

/// One row for each symbol, its name first.
const TABLE: &str = "crates/tollgate-ts/symbols.csv";
/// Missing symbols that are named; of more, the number is said.
const NAMED: usize = 10;

/// Fails if `program` lacks a symbol of the table.
pub fn check(program: &Path) -> Result<()> {
    let table = workspace::root().join(TABLE);
    let table = std::fs::read_to_string(&table).with_context(|| table.display().to_string())?;
    let exported = workspace::read(command("nm").args(["-D", "--defined-only"]).arg(program))?;
    let count = compare(&table, &exported).with_context(|| program.display().to_string())?;
    println!("{count} symbols for C plugins");
    Ok(())
}

/// How many symbols the table has, if `nm` lists them all.
fn compare(table: &str, exported: &str) -> Result<usize> {
    let wanted: BTreeSet<&str> = table.lines().skip(1).filter_map(|row| row.split(',').next()).collect();
    // ADDRESS TYPE NAME; a name may have a version behind `@`.
    let names = exported.lines().filter_map(|line| line.split_whitespace().nth(2)?.split('@').next());
    let exported: BTreeSet<&str> = names.collect();
    let missing: Vec<&str> = wanted.difference(&exported).copied().collect();
    ensure!(!wanted.is_empty(), "the table is empty");
    ensure!(
        missing.is_empty(),
        "{} of {} symbols for C plugins are not exported: {} …",
        missing.len(),
        wanted.len(),
        missing.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ")
    );
    Ok(wanted.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "name,kind\nTSOne,function\nTS_TWO,data\n";

    #[test]
    fn a_binary_with_all_symbols_passes() {
        let nm = "0000000000001000 T TSOne\n0000000000002000 D TS_TWO\n0000000000003000 T main\n";
        assert_eq!(compare(LIST, nm).expect("all there"), 2);
        assert_eq!(compare(LIST, "1 T TSOne@@V1\n2 B TS_TWO\n").expect("all there"), 2);
    }

    #[test]
    fn a_lost_symbol_is_named() {
        let error = compare(LIST, "0000000000001000 T TSOne\n").expect_err("one is lost");
        assert!(error.to_string().contains("1 of 2") && error.to_string().contains("TS_TWO"), "{error}");
        assert!(compare(LIST, "").is_err() && compare("name\n", "").is_err());
    }
}
