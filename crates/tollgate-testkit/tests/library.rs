//! The scenario library as a whole: every file is a valid scenario.
#![expect(clippy::unwrap_used, reason = "a file that cannot be read must fail the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tollgate_testkit::model::Scenario;
use tollgate_testkit::runner::parse;
use tollgate_testkit::step::Step;

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            all.push(path);
        }
    }
}

fn library() -> Vec<(PathBuf, Scenario)> {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios"), &mut all);
    assert!(!all.is_empty());
    all.into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let scenario = parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path, scenario)
        })
        .collect()
}

#[test]
fn every_file_is_a_valid_scenario_with_a_name_of_its_own() {
    let mut names = BTreeMap::new();
    for (path, scenario) in library() {
        assert!(!scenario.why.is_empty(), "{}: no reason", path.display());
        let folder = path.parent().unwrap().to_owned();
        if let Some(other) = names.insert((folder, scenario.name.clone()), path.clone()) {
            panic!("{} and {} have the same name: {}", path.display(), other.display(), scenario.name);
        }
    }
}

#[test]
fn every_barrier_has_at_least_two_parties() {
    for (path, scenario) in library() {
        let mut parties: BTreeMap<&str, usize> = BTreeMap::new();
        let scripts = scenario.clients.values().map(|c| (&c.steps, c.count));
        let origins = scenario.origins.values().flat_map(|o| o.connections.iter().map(|s| (s, 1)));
        for (steps, count) in scripts.chain(origins) {
            for step in steps {
                match step {
                    Step::Barrier(name) | Step::ExpectNothing(name) => {
                        *parties.entry(name).or_default() += count
                    }
                    Step::Repeat(repeat) => assert!(
                        !repeat.steps.iter().any(|s| matches!(s, Step::Barrier(_) | Step::ExpectNothing(_))),
                        "{}: a barrier inside repeat",
                        path.display()
                    ),
                    _ => {}
                }
            }
        }
        for (name, count) in parties {
            assert!(count >= 2, "{}: barrier {name} has one party", path.display());
        }
    }
}

#[test]
fn some_scenarios_are_shared_with_each_peer() {
    let library = library();
    for peer in ["nginx", "haproxy", "trafficserver"] {
        let shared = library.iter().filter(|(_, s)| s.peers.get(peer).is_some_and(|p| p.applies)).count();
        assert!(shared >= 5, "{shared} scenarios for {peer}");
    }
}
