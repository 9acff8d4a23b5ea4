//! Where things are in the repository, and how its programs are started.
//!
//! Responsible for: the root folder, `cargo` and other commands with the right folder and `PATH`, the paths of
//! built programs. Not responsible for: long-lived processes ([`crate::process`]).

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Folders that hold servers but are not on a user's `PATH` on Debian.
const SYSTEM_FOLDERS: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"];

/// The repository's root folder: that of the package cargo runs now, which need not be where it was compiled.
pub fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let package = PathBuf::from(package);
    package.parent().map_or_else(|| package.clone(), Path::to_path_buf)
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| OsString::from("target")))
}

/// The path of a program built with `profile`.
pub fn built(profile: &str, program: &str) -> PathBuf {
    let folder = if profile == "dev" { "debug" } else { profile };
    target().join(folder).join(program)
}

fn search_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(SYSTEM_FOLDERS.iter().map(PathBuf::from)).collect()
}

/// Where `program` is installed, if it is.
pub fn find_program(program: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// A command that starts in the root folder and finds servers too.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env("PATH", env::join_paths(search_path()).unwrap_or_default());
    command
}

/// `cargo` with these arguments: the one that started this chore.
pub fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = command(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(arguments);
    command
}

/// Builds these programs of the workspace. The features of dependencies are those of the whole workspace, whatever
/// is built, so that no dependency is built twice in one profile.
pub fn build(profile: &str, programs: &[&str]) -> Result<()> {
    let mut build = cargo(["build", "--workspace", "--locked", "--profile", profile]);
    programs.iter().for_each(|program| {
        build.args(["--bin", program]);
    });
    run(&mut build)
}

fn spelled(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs a command whose output the user should see; anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let spelled = spelled(command);
    println!("$ {spelled}");
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{spelled}`"))?;
    if !status.success() {
        bail!("`{spelled}`: {status}");
    }
    Ok(())
}

/// Runs a command and returns what it wrote to its standard output.
pub fn read(command: &mut Command) -> Result<String> {
    let spelled = spelled(command);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{spelled}`"))?;
    if !output.status.success() {
        bail!("`{spelled}`: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command, passes its output on line by line and returns it, with whether it succeeded.
pub fn run_and_read(command: &mut Command) -> Result<(bool, String)> {
    use std::io::{BufRead, BufReader};
    let spelled = spelled(command);
    println!("$ {spelled}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{spelled}`"))?;
    let mut text = String::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.with_context(|| format!("output of `{spelled}`"))?;
            println!("{line}");
            text += &line;
            text.push('\n');
        }
    }
    let status = child.wait().with_context(|| format!("`{spelled}`"))?;
    Ok((status.success(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_an_error_that_spells_the_command() {
        let error = run(&mut command("false")).expect_err("false fails");
        assert!(error.to_string().contains("`false`"), "{error}");
        assert!(read(&mut command("no-such-program-here")).is_err());
    }

    #[test]
    fn output_is_returned_together_with_the_outcome() {
        let mut script = command("sh");
        script.args(["-c", "echo one; echo two; exit 3"]);
        let (is_success, text) = run_and_read(&mut script).expect("sh runs");
        assert!(!is_success);
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn programs_outside_the_users_path_are_found() {
        assert!(find_program("sh").is_some());
        assert!(find_program("no-such-program-here").is_none());
    }

    #[test]
    fn the_dev_profile_builds_into_the_debug_folder() {
        assert!(built("dev", "tollgate").ends_with("debug/tollgate"));
        assert!(built("fasttest", "tollgate").ends_with("fasttest/tollgate"));
    }
}
