//! What `cargo metadata` says about the packages.
//!
//! Responsible for: asking cargo and the few fields that the rules need. Not responsible for: judging them.
//! Invariant: the lock file is taken as it is (`--locked`); if it is out of date this is an error.

use std::collections::HashSet;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Violation;
use crate::workspace;

/// The packages that a build may use.
#[derive(Deserialize)]
pub struct Metadata {
    /// Every package, of the workspace and from outside.
    pub packages: Vec<Package>,
    /// Which of them are the workspace's own.
    pub workspace_members: HashSet<String>,
}

/// One package.
#[derive(Deserialize, Clone, Debug)]
pub struct Package {
    /// Cargo's identifier.
    pub id: String,
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The licence as an SPDX expression.
    pub license: Option<String>,
    /// Where it comes from; nothing for a path in the workspace.
    pub source: Option<String>,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
}

/// One dependency of a package.
#[derive(Deserialize, Clone, Debug)]
pub struct Dependency {
    /// Name of the package depended on.
    pub name: String,
    /// `dev`, `build` or nothing.
    pub kind: Option<String>,
    /// Its folder, when it is in the workspace.
    pub path: Option<String>,
}

impl Dependency {
    /// Whether only tests, examples and benchmarks use it.
    pub fn is_for_development(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

impl Package {
    /// A violation by this package.
    pub fn violation(&self, message: &str) -> Violation {
        Violation::new(&format!("package {}", self.name), 0, message)
    }

    /// A workspace package with these dependencies and their kinds.
    #[cfg(test)]
    pub(crate) fn for_tests(name: &str, dependencies: &[(&str, Option<&str>)]) -> Self {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
            path: Some(format!("/crates/{name}")),
        };
        Self {
            id: name.to_owned(),
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            license: Some("Apache-2.0".to_owned()),
            source: None,
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }
}

impl Metadata {
    /// Asks cargo.
    pub fn read() -> Result<Self> {
        let platform = "x86_64-unknown-linux-gnu";
        let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", platform];
        Self::parse(&workspace::read(&mut workspace::cargo(arguments))?)
    }

    fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("output of cargo metadata")
    }

    /// The workspace's own packages.
    pub fn own(&self) -> Vec<Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_packages_are_told_from_outside_ones() {
        let json = r#"{"packages":[
            {"id":"a","name":"tollgate-http","version":"0.1.0","license":"Apache-2.0","source":null,
             "dependencies":[{"name":"httparse","kind":null},{"name":"proptest","kind":"dev"}]},
            {"id":"b","name":"httparse","version":"1.0.0","license":"MIT","source":"registry+x","dependencies":[]}],
            "workspace_members":["a"]}"#;
        let metadata = Metadata::parse(json).expect("valid");
        let own = metadata.own();
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].name, "tollgate-http");
        assert!(own[0].dependencies[1].is_for_development());
        assert!(own[0].dependencies[0].path.is_none());
    }
}
