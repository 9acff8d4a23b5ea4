//! Names that are not in the table: what the writer probably meant.
//!
//! Responsible for: the nearest known name, names of Traffic Server's records that nothing here reads, and
//! the names some records got in Traffic Server 10.
//! Not responsible for: reporting them.

use super::DEFS;

/// Names of records in Traffic Server 9.2 that have no effect here, one per line, sorted.
static FOREIGN: &str = include_str!("foreign.txt");

/// Traffic Server 10's names of records in the table.
static RENAMED: &[(&str, &str)] =
    &[("proxy.config.exec_thread.autoconfig.enabled", "proxy.config.exec_thread.autoconfig")];

/// The table's name for a name of Traffic Server 10; other names as they are.
pub(crate) fn current_name(name: &str) -> &str {
    RENAMED.iter().find(|(new, _)| *new == name).map_or(name, |(_, known)| known)
}

/// Whether Traffic Server 9.2 has a record of this name that is not in the table.
pub fn foreign_name(name: &str) -> bool {
    FOREIGN.lines().any(|line| line == name)
}

/// The name in the table nearest to `name`, unless all are very different.
pub fn nearest(name: &str) -> Option<&'static str> {
    let slips = 3 + name.len() / 5;
    // The distance is at least the difference in length: most names need no closer look.
    let names = DEFS.iter().map(|def| def.name).filter(|known| known.len().abs_diff(name.len()) <= slips);
    let (distance, best) = names.map(|known| (distance(name, known), known)).min()?;
    (distance <= slips).then_some(best)
}

fn distance(left: &str, right: &str) -> usize {
    // LIMIT: names over 200 bytes are not compared; the time grows with the product of the lengths.
    if left.len() > 200 { usize::MAX } else { strsim::damerau_levenshtein(left, right) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_finds_slips() {
        assert_eq!(nearest("proxy.config.http.cache.htpp"), Some("proxy.config.http.cache.http"));
        assert_eq!(
            nearest("proxy.config.http.insert_respone_via_str"),
            Some("proxy.config.http.insert_response_via_str")
        );
        assert_eq!(nearest("something.else"), None);
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }

    #[test]
    fn foreign_names_are_not_in_the_table() {
        assert!(foreign_name("proxy.config.http.wait_for_cache"));
        for line in FOREIGN.lines() {
            assert!(super::super::find(line).is_none(), "{line} is in the table");
        }
    }

    #[test]
    fn renamed_records_exist() {
        for (_, known) in RENAMED {
            assert!(super::super::find(known).is_some(), "{known}");
        }
        assert_eq!(
            current_name("proxy.config.exec_thread.autoconfig.enabled"),
            "proxy.config.exec_thread.autoconfig"
        );
        assert_eq!(current_name("proxy.config.task_threads"), "proxy.config.task_threads");
    }
}
