//! Rule on the table of records: every row is read.
//!
//! Responsible for: finding records that a user may set and that nothing acts on.
//! Not responsible for: the names that are known to have no effect (`records/foreign.txt`).

use std::collections::HashSet;

use super::Violation;
use super::source::{SourceFile, words};

/// The table; each row begins with a type and the constant.
const TABLE: &str = "crates/tollgate-config/src/records/table.rs";
/// The code that holds values without acting on them, and its tests.
const HOLDERS: &str = "crates/tollgate-config/src/records/";
const TYPES: [&str; 3] = ["Int", "Float", "Str"];

/// Rows of the table whose constant no shipped code outside the table names.
pub fn unread_records(files: &[SourceFile]) -> Vec<Violation> {
    let Some(table) = files.iter().find(|file| file.path == TABLE) else {
        return vec![Violation::new(TABLE, 0, "the table of records is not there")];
    };
    let rows: Vec<(usize, &str)> = rows(table).collect();
    if rows.is_empty() {
        return vec![Violation::new(TABLE, 0, "no row of the table was understood")];
    }
    let readers: Vec<String> =
        files.iter().filter(|file| may_read(file)).map(SourceFile::shipped_code).collect();
    let named: HashSet<&str> = readers.iter().flat_map(|code| words(code).map(|(_, word)| word)).collect();
    rows.into_iter()
        .filter(|(_, constant)| !named.contains(constant))
        .map(|(line, constant)| {
            let message =
                format!("nothing reads {constant}: read it, or move its name to records/foreign.txt");
            Violation::new(TABLE, line, &message)
        })
        .collect()
}

fn may_read(file: &SourceFile) -> bool {
    file.path.ends_with(".rs")
        && file.path.starts_with("crates/")
        && file.path.contains("/src/")
        && !file.path.ends_with("/tests.rs")
        && !file.path.starts_with(HOLDERS)
}

/// Line and constant of each row.
fn rows(table: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    table.code.lines().enumerate().filter_map(|(index, line)| {
        let mut words = line.split_whitespace();
        let is_row = TYPES.contains(&words.next()?);
        let constant = words.next()?;
        (is_row
            && constant
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'))
        .then_some((index + 1, constant))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "use super::x;\nrecords! {\n    Int A_ONE \"a.one\" = 1, ANY, no, Dynamic, \"\",\n        \"One.\";\n    \
                        Str B_TWO \"b.two\" = \"\", ANY, no, Dynamic, \"\",\n        \"Two.\";\n}\n";

    fn unread(others: &[(&str, &str)]) -> Vec<usize> {
        let mut files = vec![SourceFile::new(TABLE, ROWS)];
        files.extend(others.iter().map(|(path, text)| SourceFile::new(path, text)));
        unread_records(&files).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_record_that_nothing_reads_is_caught() {
        assert_eq!(unread(&[]), [3, 5]);
        let reads_one = ("crates/tollgate-proxy/src/a.rs", "fn f() { records.int(ids::A_ONE) }");
        assert_eq!(unread(&[reads_one]), [5]);
        let reads_two = ("crates/tollgate/src/a.rs", "use ids::B_TWO;");
        assert_eq!(unread(&[reads_one, reads_two]), Vec::<usize>::new());
    }

    #[test]
    fn tests_comments_and_the_table_itself_are_no_readers() {
        let others = [
            ("crates/tollgate-config/src/records/load.rs", "fn f() { ids::A_ONE }"),
            ("crates/tollgate-proxy/src/b.rs", "// A_ONE\n#[cfg(test)]\nmod tests { fn f() { ids::A_ONE } }"),
            ("crates/tollgate-proxy/tests/a.rs", "fn f() { ids::A_ONE }"),
            ("crates/tollgate-proxy/src/c.rs", "fn f() { ids::A_ONE_MORE; \"B_TWO\" }"),
        ];
        assert_eq!(unread(&others), [3, 5]);
    }

    #[test]
    fn a_table_that_is_gone_or_unreadable_is_caught() {
        assert_eq!(unread_records(&[]).len(), 1);
        assert_eq!(unread_records(&[SourceFile::new(TABLE, "records! { Row(A_ONE) }")]).len(), 1);
    }
}
