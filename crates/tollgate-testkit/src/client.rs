//! Runs the scripted clients of a scenario, all at once.
//!
//! Responsible for: one thread per client, reporting the first failure to the stage.

use crate::actor::Actor;
use crate::model::ClientSpec;
use crate::process::Subject;
use crate::stage::Stage;
use std::collections::BTreeMap;

/// Plays all clients to their ends.
pub fn run_clients(clients: &BTreeMap<String, ClientSpec>, stage: &Stage, subject: &Subject) {
    std::thread::scope(|scope| {
        for (name, spec) in clients {
            for i in 0..spec.count {
                let label = match spec.count {
                    1 => format!("client {name}"),
                    _ => format!("client {name}#{}", i + 1),
                };
                scope.spawn(move || {
                    let mut actor = Actor::client(label, stage, subject);
                    if let Err(stop) = actor.play(&spec.steps) {
                        stage.fail(&actor.at, stop);
                    }
                });
            }
        }
    });
}
