//! `cargo xtask check`: formatting, lints and the repository's own rules.
//!
//! Responsible for: running `cargo fmt`, `cargo clippy` and every rule, and reporting each violation as
//! `path:line: message`. Not responsible for: tests ([`crate::test`]).
//!
//! Invariant: each rule is a function from what it looks at to violations, and has a test with a planted one.

pub mod conformance;
pub mod layers;
pub mod licences;
pub mod links;
pub mod metadata;
pub mod records;
pub mod source;
pub mod text_rules;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::steps::Steps;
use crate::workspace::{self, cargo, command, run as run_command, run_and_read};
use metadata::Metadata;
use source::{SourceFile, read_files};

/// Options of `cargo xtask check`.
#[derive(Args, Default)]
pub struct Options {
    /// Only the repository's own rules, without formatting and lints
    #[arg(long)]
    rules: bool,
}

/// One thing that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// File, or `package NAME`.
    pub place: String,
    /// Line from 1; 0 when the place has no lines.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Violation {
    /// A violation at this place.
    pub fn new(place: &str, line: usize, message: &str) -> Self {
        Self { place: place.to_owned(), line, message: message.to_owned() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.place, self.message),
            line => write!(formatter, "{}:{line}: {}", self.place, self.message),
        }
    }
}

type TextRule = (&'static str, fn(&[SourceFile]) -> Vec<Violation>);

const TEXT_RULES: [TextRule; 10] = [
    ("unsafe only in its places", text_rules::unsafe_outside_its_places),
    ("crate roots forbid unsafe", text_rules::roots_that_allow_unsafe),
    ("file sizes", text_rules::long_files),
    ("C symbols only in tollgate-ts", text_rules::foreign_c_symbols),
    ("sockets only in their places", text_rules::foreign_sockets),
    ("level 0 is pure", text_rules::impure_level_zero),
    ("no unfinished work", text_rules::leftovers),
    ("no test off without a reason", text_rules::silent_ignores),
    ("every record is read", records::unread_records),
    ("decisions linked", links::unlinked_decisions),
];

/// Runs the chore.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut steps = Steps::default();
    if !options.rules {
        steps.run("cargo fmt", || run_command(&mut cargo(["fmt", "--all", "--check"])));
        steps.run("cargo clippy", || {
            let scope = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
            run_command(&mut cargo(scope))
        });
    }
    rules(&mut steps)?;
    Ok(steps.finish())
}

/// Runs the repository's own rules.
pub fn rules(steps: &mut Steps) -> Result<()> {
    let root = workspace::root();
    let files = read_files(&root, &[".rs", ".c", ".h", ".md"])?;
    for (name, rule) in TEXT_RULES {
        steps.run(name, || report(&rule(&files)));
    }
    let documents = read_files(&root, &[".yaml", ".md"])?;
    steps.run("conformance tables", || report(&conformance::stale_tables(&documents)));
    steps.run("links resolve", || report(&links::broken(&files, |path| root.join(path).exists())));
    steps.run("lock file committed", || lock_file_is_committed(&root));
    match Metadata::read() {
        Ok(metadata) => {
            steps.run("layers", || report(&layers::violations(&metadata.own())));
            steps.run("licences and sources", || licences_are_fine(&metadata));
        }
        Err(error) => steps.fail(&["layers", "licences and sources"], &format!("{error:#}")),
    }
    if workspace::find_program("cargo-deny").is_some() {
        steps.run("cargo deny", || run_command(&mut cargo(["deny", "check", "licenses", "bans", "sources"])));
    }
    steps.run("scenario files parse", scenarios_parse);
    Ok(())
}

fn report(violations: &[Violation]) -> Result<()> {
    for violation in violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => Ok(()),
        count => bail!("{count} violations"),
    }
}

fn licences_are_fine(metadata: &Metadata) -> Result<()> {
    for duplicate in licences::duplicates(&metadata.packages) {
        println!("note: {duplicate}");
    }
    report(&licences::violations(&metadata.packages))
}

fn lock_file_is_committed(root: &Path) -> Result<()> {
    if root.join(".git").exists() {
        run_command(command("git").args(["ls-files", "--error-unmatch", "Cargo.lock"]))
    } else if root.join("Cargo.lock").is_file() {
        Ok(())
    } else {
        bail!("there is no Cargo.lock")
    }
}

fn scenarios_parse() -> Result<()> {
    workspace::build("dev", &["scenario"])?;
    let mut scenario = command(workspace::built("dev", "scenario"));
    let (is_success, output) =
        run_and_read(scenario.args(["--check", "scenarios/", "scenarios-large/", "compat/"]))?;
    crate::test::judge(is_success, &output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_read_as_path_line_message() {
        assert_eq!(Violation::new("a/b.rs", 3, "bad").to_string(), "a/b.rs:3: bad");
        assert_eq!(Violation::new("package x", 0, "bad").to_string(), "package x: bad");
        assert!(report(&[Violation::new("a", 1, "bad")]).is_err());
        assert!(report(&[]).is_ok());
    }

    #[test]
    fn a_folder_without_a_lock_file_is_caught() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(lock_file_is_committed(folder.path()).is_err());
    }

    #[test]
    fn files_are_found_in_folders_but_not_in_build_output() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in ["src/a.rs", "out/CACHEDIR.TAG", "out/b.rs", ".git/d.rs", "src/c.txt"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            std::fs::write(path, "x").expect("written");
        }
        let files = read_files(folder.path(), &[".rs"]).expect("read");
        assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["src/a.rs"]);
    }
}
