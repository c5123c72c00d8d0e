//! What tasks write is kept within limits while they write, and read without a gap.

use std::path::Path;

use attica_core_api::v1::{Environment, TaskInfo, Variable};

use nix::fcntl::{FallocateFlags, fallocate};

use crate::agent::{Agent, shell};
use crate::graphs;
use crate::master::Master;
use crate::support::{can_isolate, eventually};

fn set(task: &mut TaskInfo, name: &str, value: &str) {
    let variable = Variable { name: name.to_owned(), value: Some(value.to_owned()), ..Variable::default() };
    let command = task.command.get_or_insert_default();
    command.environment.get_or_insert_with(Environment::default).variables.push(variable);
}

/// All that a file and those it was before hold, oldest first.
fn whole(directory: &Path, backups: u32) -> String {
    let names = (1..=backups).rev().map(|number| format!("stdout.{number}")).chain(["stdout".to_owned()]);
    names.map(|name| std::fs::read_to_string(directory.join(name)).unwrap_or_default()).collect()
}

/// Counts, some lines at a time, until there is a file `stop`.
const COUNTS: &str = "i=0; while [ ! -e stop ]; do n=0; while [ $n -lt 500 ]; do echo $i; i=$((i+1)); n=$((n+1)); done; sleep 0.02; done";

/// Whether the file system takes blocks out of the front of files; says so when it does not.
fn can_collapse(directory: &Path) -> bool {
    let path = directory.join("probe");
    let file = std::fs::File::options().write(true).create_new(true).open(&path).unwrap();
    file.set_len(1 << 20).unwrap();
    let can = fallocate(&file, FallocateFlags::FALLOC_FL_COLLAPSE_RANGE, 0, 64 << 10).is_ok();
    std::fs::remove_file(path).unwrap();
    if !can {
        println!("not checked: {} cannot take blocks out of files", directory.display());
    }
    can
}

fn check_numbers(text: &str) {
    let numbers: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn output_is_cut_while_it_is_written_and_nothing_is_lost() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let mut task = shell("t", COUNTS);
    set(&mut task, "CONTAINER_LOGGER_MAX_STDOUT_SIZE", "16KB");
    set(&mut task, "CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS", "rotate 1000");
    let mut graph = graphs::graph("g", vec![graphs::process("counts", COUNTS)], &[]);
    set(&mut graph, "CONTAINER_LOGGER_MAX_STDOUT_SIZE", "16KB");
    set(&mut graph, "CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS", "rotate 1000");
    let mut refused = shell("refused", "true");
    set(&mut refused, "CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS", "compress");
    master.run(vec![task, graph, refused]);
    let status = master.await_state("refused", "TASK_FAILED").status;
    assert!(status.message.unwrap().contains("there is only `rotate NUMBER`"));
    let places = [agent.sandbox("t"), agent.sandbox("g").join(".logs/counts/0")];
    for place in &places {
        eventually("it has been cut", || place.join("stdout.1").exists().then_some(()));
    }
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    for place in &places {
        eventually("it is cut by the next agent, too", || place.join("stdout.3").exists().then_some(()));
    }
    for task in ["t", "g"] {
        std::fs::write(agent.sandbox(task).join("stop"), "").unwrap();
        master.await_state(task, "TASK_FINISHED");
    }
    // Elsewhere what is written between the copy and the cut is lost.
    if can_collapse(&agent.work_dir()) {
        for place in &places {
            check_numbers(&whole(place, 1000));
        }
    }
    agent.finish();
}
