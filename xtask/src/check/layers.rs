//! The table of layers: who may depend on whom.
//!
//! Responsible for: the level of each package and the rule that dependencies point strictly downwards.
//! Not responsible for: dependencies from outside the workspace ([`super::licences`]).
//!
//! Invariant: every package of the workspace has a level; an unknown one is a violation, not a default.

use super::{Violation, metadata::Package};

/// The packages of each level, from the bottom. A package depends on lower levels only.
const LEVELS: [&[&str]; 6] = [
    &["tollgate-hook", "tollgate-http", "tollgate-iobuf", "tollgate-config", "tollgate-obs"],
    &["tollgate-event", "tollgate-plugin"],
    &["tollgate-cache", "tollgate-plugins"],
    &["tollgate-proxy"],
    &["tollgate-ts", "tollgate-admin"],
    &["tollgate"],
];

/// Packages for development: they may depend on anything, nothing shipped may depend on them.
const DEVELOPMENT: [&str; 5] =
    ["tollgate-testkit", "xtask", "tollgate-fuzz", "bench-load", "bench-instructions"];

/// The level of a shipped package.
pub fn level(package: &str) -> Option<usize> {
    LEVELS.iter().position(|level| level.contains(&package))
}

/// The names of the packages of level 0.
pub fn pure_packages() -> &'static [&'static str] {
    LEVELS[0]
}

/// Dependencies that do not point strictly downwards, and packages without a level.
pub fn violations(packages: &[Package]) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in packages {
        if DEVELOPMENT.contains(&package.name.as_str()) {
            continue;
        }
        let Some(own) = level(&package.name) else {
            found.push(package.violation("has no level in the table of layers"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.path.is_some() && !d.is_for_development())
        {
            match level(&dependency.name) {
                Some(other) if other < own => {}
                Some(other) => found.push(package.violation(&format!(
                    "level {own} depends on {} of level {other}; dependencies point strictly downwards",
                    dependency.name
                ))),
                None => found.push(
                    package.violation(&format!("depends on {}, which is not shipped", dependency.name)),
                ),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        Package::for_tests(name, dependencies)
    }

    fn messages(packages: &[Package]) -> Vec<String> {
        violations(packages).into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn downward_dependencies_are_fine() {
        let packages = [
            package("tollgate", &[("tollgate-proxy", None), ("tollgate-http", None)]),
            package("tollgate-http", &[]),
            package("tollgate-testkit", &[("tollgate", None)]),
        ];
        assert!(messages(&packages).is_empty());
    }

    #[test]
    fn upward_and_sideways_dependencies_are_caught() {
        let up = messages(&[package("tollgate-cache", &[("tollgate-proxy", None)])]);
        assert!(up.len() == 1 && up[0].contains("level 2 depends on tollgate-proxy of level 3"), "{up:?}");
        assert_eq!(messages(&[package("tollgate-hook", &[("tollgate-http", None)])]).len(), 1);
        assert_eq!(messages(&[package("tollgate-hook", &[("tollgate-http", Some("build"))])]).len(), 1);
    }

    #[test]
    fn development_packages_are_for_development_only() {
        assert_eq!(messages(&[package("tollgate", &[("tollgate-testkit", None)])]).len(), 1);
        assert!(messages(&[package("tollgate", &[("tollgate-testkit", Some("dev"))])]).is_empty());
    }

    #[test]
    fn an_unknown_package_is_caught() {
        assert_eq!(messages(&[package("tollgate-util", &[])]).len(), 1);
    }
}
