//! Agent and launcher are killed over and over under many tasks: nothing is lost, nothing runs twice, all is known again soon.

use std::time::{Duration, Instant};

use attica_core_api::v1::{TaskInfo, TaskState, TaskStatus};

use crate::agent::{Agent, scalar, shell};
use crate::master::Master;
use crate::support::{eventually, is_alive, kill_hard};

const TASKS: usize = 500;
const KILLS: usize = 200;
/// The tasks are begun in lots, while the killing goes on.
const LOTS: usize = 10;

/// Whom a round kills.
#[derive(Clone, Copy, PartialEq)]
enum Victim {
    Agent,
    Launcher,
    Both,
}

fn name(number: usize) -> String {
    format!("task-{number}")
}

/// It notes each time that it is run.
fn task(number: usize) -> TaskInfo {
    let resources = vec![scalar("cpus", 0.001), scalar("mem", 32.0)];
    TaskInfo { resources, ..shell(&name(number), "echo $$ >> runs; exec sleep 100000") }
}

/// As a master does with what it has not heard of since it launched it.
fn launch_again(master: &Master, launched: usize) {
    let heard: std::collections::BTreeSet<String> =
        master.heard(|heard| heard.updates.iter().map(|update| update.status.task_id.as_str().to_owned()).collect());
    let missing: Vec<TaskInfo> = (0..launched).filter(|number| !heard.contains(&name(*number))).map(task).collect();
    if !missing.is_empty() {
        master.run(missing);
    }
}

/// What was told of tasks that have ended, save the probes.
fn ends(master: &Master) -> Vec<String> {
    let ended = |status: &TaskStatus| {
        let name = status.task_id.as_str();
        let told = || format!("{name} {:?} {:?}: {:?}", status.state, status.reason, status.message);
        (name.starts_with("task-") && !matches!(status.state, TaskState::Starting | TaskState::Running)).then(told)
    };
    master.heard(|heard| heard.updates.iter().filter_map(|update| ended(&update.status)).collect())
}

/// A task of its own shows that the agent and a launcher work again.
fn await_work(master: &Master, round: usize) {
    let probe = format!("probe-{round}");
    master.run(vec![shell(&probe, "true")]);
    master.await_state(&probe, "TASK_FINISHED");
}

#[test]
fn five_hundred_tasks_outlive_two_hundred_kills_of_agent_and_launcher() {
    let master = Master::start();
    let mut agent = Agent::start(&master);
    master.await_registration(1);
    let mut launched = 0;
    let mut took: Vec<Duration> = Vec::new();
    for round in 0..KILLS {
        if round < LOTS {
            let lot = launched..launched + TASKS / LOTS;
            launched = lot.end;
            master.run(lot.map(task).collect());
        }
        let victims = [Victim::Agent, Victim::Launcher, Victim::Agent, Victim::Launcher, Victim::Both];
        let victim = victims[round % victims.len()];
        if round < LOTS && victim != Victim::Agent {
            // Its launcher is killed while it starts the others of the lot.
            master.await_state(&name(launched - TASKS / LOTS), "TASK_RUNNING");
        }
        let launcher = agent.launcher_pid();
        let struck = Instant::now();
        if victim != Victim::Agent {
            kill_hard(launcher);
        }
        if victim != Victim::Launcher {
            // An agent whose link broke on a busy machine has registered more often than it was started.
            let registrations = master.heard(|heard| heard.registrations.len());
            agent = agent.crash_and_restart(&master);
            master.await_registration(registrations + 1);
            launch_again(&master, launched);
        }
        if round < LOTS {
            // It goes on before anything has settled.
            continue;
        }
        if round == LOTS {
            (0..TASKS).for_each(|number| drop(master.await_state(&name(number), "TASK_RUNNING")));
        }
        if victim != Victim::Launcher && round > LOTS {
            assert_eq!(ends(&master), Vec::<String>::new(), "round {round}: none has ended");
            let known = || master.heard(|heard| heard.registrations.last().map(|register| register.task_count));
            let all_known = || known().is_some_and(|known| known as usize >= TASKS).then_some(());
            eventually(&format!("round {round}: all {TASKS} are known"), all_known);
        }
        await_work(&master, round);
        if round > LOTS {
            took.push(struck.elapsed());
        }
    }
    took.sort();
    println!(
        "{} kills with {TASKS} live tasks: known again and at work after {:?} (median), {:?} (longest)",
        took.len(),
        took[took.len() / 2],
        took[took.len() - 1]
    );
    for number in 0..TASKS {
        let runs = std::fs::read_to_string(agent.sandbox(&name(number)).join("runs")).unwrap();
        let pids: Vec<i32> = runs.lines().map(|pid| pid.parse().unwrap()).collect();
        assert!(matches!(pids[..], [pid] if is_alive(pid)), "{}: {runs}", name(number));
        assert_eq!(master.states(&name(number)), ["TASK_STARTING", "TASK_RUNNING"]);
    }
    // Nothing that the launcher has is a stranger to the agent, nor the other way round.
    let containers = crate::agent::get(&master, &agent.ready_address(), "/containers").1;
    let containers: Vec<serde_json::Value> = serde_json::from_str(&containers).unwrap();
    assert_eq!(containers.len(), TASKS);
    agent.finish();
    eventually("all are killed", || (0..TASKS).all(|number| master.states(&name(number)).len() == 3).then_some(()));
}
