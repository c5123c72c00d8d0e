//! A launcher is killed while it starts containers: each runs, and the next launcher knows it, or never ran and can be started again.

use std::collections::BTreeMap;

use attica_agent::launcher::protocol::{
    ContainerId, ContainerReport, LaunchSpec, Namespaces, Reply, Request, Stage, Surroundings,
};

use crate::support::{Launcher, can_isolate, eventually, is_alive};

const LOTS: usize = 30;
const LOT: usize = 24;

/// Runs of it that have begun.
fn runs(spec: &LaunchSpec) -> usize {
    std::fs::read_to_string(spec.directory.join("runs")).unwrap_or_default().lines().count()
}

fn is_impossible(spec: &LaunchSpec) -> bool {
    spec.program == "/no/such/program"
}

/// Plain ones, some in a pid namespace, some that cannot be executed.
fn lot(launcher: &Launcher) -> Vec<LaunchSpec> {
    let spec = |number: usize| {
        let plain = launcher.shell("echo $$ >> runs; exec sleep 100000");
        let namespaces = Namespaces { pid: true, ..Namespaces::default() };
        match number % 6 {
            2 if can_isolate() => LaunchSpec {
                surroundings: Some(Box::new(Surroundings { namespaces, ..Surroundings::default() })),
                ..plain
            },
            4 => LaunchSpec { program: "/no/such/program".to_owned(), ..plain },
            _ => plain,
        }
    };
    (0..LOT).map(spec).collect()
}

fn check(spec: &LaunchSpec, report: Option<&ContainerReport>) -> bool {
    match report.map(|report| (report.stage, report.process)) {
        None => assert_eq!(runs(spec), 0, "what is not known never ran"),
        Some((Stage::Running, process)) => {
            assert!(!is_impossible(spec) && is_alive(process.pid));
            eventually("its program has begun", || (runs(spec) == 1).then_some(()));
        }
        Some((stage @ (Stage::Failing | Stage::Ended(_)), _)) => panic!("it is told as {stage:?}"),
    }
    report.is_some()
}

#[test]
fn what_a_killed_launcher_was_starting_either_runs_or_never_did() {
    let mut launcher = Launcher::start();
    let mut alive: BTreeMap<ContainerId, i32> = BTreeMap::new();
    let mut interrupted = 0;
    for round in 0..LOTS {
        let lot = lot(&launcher);
        launcher.send(&Request::Launch(lot.clone()));
        // Now here, now there.
        for _ in 0..round % LOT {
            launcher.receive();
        }
        launcher = launcher.replace();
        let (known, missing): (Vec<_>, Vec<_>) =
            lot.into_iter().partition(|spec| check(spec, launcher.reports.get(&spec.container)));
        interrupted += missing.iter().filter(|spec| !is_impossible(spec)).count();
        alive.extend(known.iter().map(|spec| (spec.container.clone(), launcher.reports[&spec.container].process.pid)));
        launcher.send(&Request::Launch(missing.clone()));
        for spec in &missing {
            match launcher.receive() {
                Reply::Started { container, process } => drop(alive.insert(container, process.pid)),
                Reply::LaunchFailed { container, error } => {
                    assert!(is_impossible(missing.iter().find(|spec| spec.container == container).unwrap()), "{error}");
                }
                other => panic!("{other:?} of {}", spec.container),
            }
        }
        let begun = || missing.iter().all(|spec| is_impossible(spec) || runs(spec) == 1).then_some(());
        eventually("the others run", begun);
        assert!(alive.values().all(|pid| is_alive(*pid)), "none has ended");
    }
    assert!(interrupted > 0, "no launch was interrupted");
    let launcher = launcher.replace();
    assert_eq!(launcher.reports.len(), alive.len());
    let mut launcher = launcher;
    for container in alive.keys() {
        launcher.send(&Request::Destroy(container.clone()));
    }
    for _ in 0..alive.len() {
        launcher.ending();
    }
    launcher.send(&Request::Forget(alive.into_keys().collect()));
    launcher.finish();
}
