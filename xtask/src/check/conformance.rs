//! The table of how much of HTTP caching holds: counted from the scenarios, so that it cannot say more than they show.
//!
//! Responsible for: the table in `docs/conformance.md`, the sentence in `README.md`, the rule that both are what the
//! scenarios of `scenarios/conformance` give. Not responsible for: running these (`cargo xtask test`); each of them
//! must pass there, unless it is marked `optional`, and then it does not count as held.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};

use super::Violation;
use super::source::{SourceFile, read_files};
use crate::workspace;

const SCENARIOS: &str = "scenarios/conformance/";
/// Documents with a generated passage.
const PAGES: [&str; 2] = ["docs/conformance.md", "README.md"];
const BEGIN: &str = "<!-- conformance:begin -->\n";
const END: &str = "<!-- conformance:end -->";

/// How many behaviours there are, and how many of them hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    held: usize,
    all: usize,
}

impl Count {
    fn add(&mut self, is_held: bool) {
        self.all += 1;
        self.held += usize::from(is_held);
    }
}

/// Musts and shoulds by section, and the scenarios that are not one or the other.
#[derive(Debug, Default)]
struct Tally {
    sections: BTreeMap<String, [Count; 2]>,
    unclear: Vec<String>,
}

impl Tally {
    fn of(files: &[SourceFile]) -> Tally {
        let mut tally = Tally::default();
        for file in files {
            let Some(name) = file.path.strip_prefix(SCENARIOS).filter(|name| name.ends_with(".yaml")) else {
                continue;
            };
            let level = match file.text.lines().find_map(|line| line.strip_prefix("level: ")) {
                Some("must") => 0,
                Some("should") => 1,
                _ => {
                    tally.unclear.push(file.path.clone());
                    continue;
                }
            };
            let section = name.split('/').next().unwrap_or_default().to_owned();
            let is_held = !file.text.lines().any(|line| line.starts_with("optional:"));
            tally.sections.entry(section).or_default()[level].add(is_held);
        }
        tally
    }

    fn total(&self) -> [Count; 2] {
        let mut total = [Count::default(); 2];
        for counts in self.sections.values() {
            for (sum, count) in total.iter_mut().zip(counts) {
                sum.held += count.held;
                sum.all += count.all;
            }
        }
        total
    }

    /// What stands between the marks of a page.
    fn passage(&self, page: &str) -> String {
        let total = self.total();
        if page == "README.md" {
            let [must, should] = total;
            return format!(
                "{} of {} behaviours that HTTP demands of a shared cache hold, and {} of {} that make a good one\n\
                 ([docs/conformance.md](docs/conformance.md)).\n",
                must.held, must.all, should.held, should.all
            );
        }
        let mut text = String::from("| section | must | should |\n|---|--:|--:|\n");
        let sections = self.sections.iter().map(|(name, counts)| (name.as_str(), *counts));
        for (name, counts) in sections.chain([("all", total)]) {
            let [must, should] = counts.map(|count| match count.all {
                0 => String::new(),
                all => format!("{} of {all}", count.held),
            });
            let written = writeln!(text, "| {name} | {must} | {should} |");
            debug_assert!(written.is_ok(), "writing to a String does not fail");
        }
        text
    }
}

/// `text` with `passage` between its marks; `None` if it has none.
fn with_passage(text: &str, passage: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, behind) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{passage}{END}{behind}"))
}

/// Pages whose passage is not what the scenarios give, and scenarios that cannot be counted.
pub fn stale_tables(files: &[SourceFile]) -> Vec<Violation> {
    let tally = Tally::of(files);
    let mut found: Vec<Violation> = tally
        .unclear
        .iter()
        .map(|path| Violation::new(path, 1, "needs `level: must` or `level: should`"))
        .collect();
    for page in PAGES {
        let text = files.iter().find(|file| file.path == page).map(|file| file.text.as_str());
        if text.is_none_or(|text| with_passage(text, &tally.passage(page)).as_deref() != Some(text)) {
            found.push(Violation::new(page, 1, "is not what the scenarios give: cargo xtask conformance"));
        }
    }
    found
}

/// `cargo xtask conformance`: writes the passages.
pub fn run() -> Result<ExitCode> {
    let root = workspace::root();
    let files = read_files(&root, &[".yaml", ".md"])?;
    let tally = Tally::of(&files);
    for page in PAGES {
        let Some(file) = files.iter().find(|file| file.path == page) else { bail!("{page} is not there") };
        let Some(text) = with_passage(&file.text, &tally.passage(page)) else { bail!("{page} has no marks") };
        std::fs::write(root.join(page), text)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(path: &str, text: &str) -> SourceFile {
        SourceFile::new(&format!("{SCENARIOS}{path}"), text)
    }

    fn files() -> Vec<SourceFile> {
        let scenarios = [
            scenario("a/one.yaml", "name: x\nlevel: must\n"),
            scenario("a/two.yaml", "name: x\nlevel: must\noptional: no\n"),
            scenario("b/one.yaml", "name: x\nlevel: should\n"),
        ];
        let tally = Tally::of(&scenarios);
        let pages =
            PAGES.map(|page| SourceFile::new(page, &format!("# A\n{BEGIN}{}{END}\n", tally.passage(page))));
        scenarios.into_iter().chain(pages).collect()
    }

    #[test]
    fn what_is_optional_does_not_count_as_held() {
        let files = files();
        assert_eq!(stale_tables(&files), []);
        assert!(files[3].text.contains("| a | 1 of 2 |  |\n| b |  | 1 of 1 |\n| all | 1 of 2 | 1 of 1 |\n"));
        assert!(files[4].text.contains("1 of 2 behaviours"));
    }

    #[test]
    fn a_table_that_lies_is_caught() {
        let mut files = files();
        files.push(scenario("b/two.yaml", "name: x\nlevel: should\noptional: no\n"));
        let pages: Vec<_> = stale_tables(&files).into_iter().map(|violation| violation.place).collect();
        assert_eq!(pages, PAGES);
    }

    #[test]
    fn a_scenario_without_a_level_and_a_missing_page_are_caught() {
        let found = stale_tables(&[scenario("a/one.yaml", "name: x\n")]);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
