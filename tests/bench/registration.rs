//! A new leader's kernel takes back the agents of the one before, without the wire: with digests that are equal, so that no list of
//! tasks is needed, and with digests that differ, so that every list is sent and compared. What both cost beside their facts.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

mod report;

use std::time::{Duration, Instant};

use attica_allocator::Role;
use attica_core::fact::Fact;
use attica_core::kernel::{Config, Effects, Input, Kernel, LinkId, Now, ReplyTo, Send};
use attica_core::snapshot::Snapshot;
use attica_core_api::link::{self, Call, Register, TaskDigest, TaskReport};
use attica_core_api::resources::parse;
use attica_core_api::v1::{
    AgentId, AgentInfo, FrameworkId, FrameworkInfo, MasterInfo, TaskId, TaskInfo, TaskState, TaskStatus,
};
use attica_core_api::{Entropy, Tick, Timestamp};
use report::{Better, Figure, median};

/// Agents, and tasks on each.
const AGENTS: usize = 20_000;
const TASKS: usize = 5;
const RUNS: usize = 5;

fn main() {
    if report::is_wanted("r1") {
        let snapshot = snapshot();
        let equal = median((0..RUNS).map(|_| run(&snapshot, Digests::Equal)).collect());
        let differing = median((0..RUNS).map(|_| run(&snapshot, Digests::Differing)).collect());
        let figure = |bench: &str, value| Figure {
            bench: bench.to_owned(),
            value,
            unit: "s",
            reach: None,
            better: Better::Lower,
            fsync_ms: None,
        };
        report::print(&[figure("r1.equal", equal), figure("r1.differing", differing)]);
    }
}

/// Whether an agent's digest is the master's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Digests {
    Equal,
    Differing,
}

fn agent_id(number: usize) -> AgentId {
    AgentId::new(format!("m1-S{number}"))
}

fn task_id(agent: usize, task: usize) -> TaskId {
    TaskId::new(format!("task-{agent}-{task}"))
}

fn framework() -> FrameworkId {
    FrameworkId::new("m1-0000")
}

fn agent_info(number: usize) -> AgentInfo {
    AgentInfo {
        hostname: format!("host-{number}"),
        resources: parse("cpus:16;mem:65536", &Role::any()).expect("resources"),
        id: Some(agent_id(number)),
        ..AgentInfo::default()
    }
}

/// What the leader before left: every task runs.
fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    let at = Timestamp(1);
    let info = FrameworkInfo { id: Some(framework()), user: "u".into(), name: "n".into(), ..FrameworkInfo::default() };
    snapshot.apply(&Fact::FrameworkSubscribed { info: Box::new(info), at });
    let resources = parse("cpus:0.1;mem:32", &Role::any()).expect("resources");
    for number in 0..AGENTS {
        let info = Box::new(agent_info(number));
        snapshot.apply(&Fact::AgentRegistered { info, version: "1".into(), boot_id: "b".into(), at });
        for task in 0..TASKS {
            let id = task_id(number, task);
            let info = TaskInfo {
                name: "task".into(),
                task_id: id.clone(),
                agent_id: agent_id(number),
                resources: resources.clone(),
                ..TaskInfo::default()
            };
            let task = Box::new(info);
            snapshot.apply(&Fact::TaskLaunched { framework: framework(), role: Role::any(), task, at, group: None });
            let status = Box::new(TaskStatus { task_id: id, state: TaskState::Running, ..TaskStatus::default() });
            snapshot.apply(&Fact::TaskUpdated { framework: framework(), status, sequence: Some(1), container: None });
        }
    }
    snapshot
}

/// Takes every agent back; how long that took, decoding left out.
fn run(snapshot: &Snapshot, digests: Digests) -> f64 {
    let now = Now { tick: Tick(1), wall: Timestamp(2) };
    let master_info = MasterInfo { id: "m2".into(), port: 5050, ..MasterInfo::default() };
    let mut kernel = Kernel::recover(Config::new(master_info, 2), Entropy::new(2), snapshot, now);
    let registers: Vec<Call> = (0..AGENTS).map(|number| Call::register(register(number, digests))).collect();
    let mut lists: Vec<Option<Call>> = (0..AGENTS).map(|number| Some(list(number))).collect();
    let mut asked = 0;
    let started = Instant::now();
    for (number, call) in registers.into_iter().enumerate() {
        let mut out = Effects::default();
        let link = LinkId::new(format!("l{number}"));
        kernel.apply(now, Input::AgentCall { link: link.clone(), call: Box::new(call), reply: None }, &mut out);
        let is_list =
            |send: &Send| matches!(send, Send::Agent { event, .. } if event.r#type == link::EventType::ListTasks);
        if out.sends.iter().any(is_list) {
            asked += 1;
            let call = Box::new(lists[number].take().expect("asked once"));
            kernel.apply(now, Input::AgentCall { link, call, reply: Some(ReplyTo(0)) }, &mut out);
        }
        kernel.settle(now, &mut out);
    }
    let took = started.elapsed();
    assert_eq!(asked, if digests == Digests::Equal { 0 } else { AGENTS });
    assert!(took > Duration::ZERO);
    took.as_secs_f64()
}

fn register(number: usize, digests: Digests) -> Register {
    let mut digest = TaskDigest::default();
    for task in 0..TASKS {
        digest.add(&framework(), &task_id(number, task), TaskState::Running);
    }
    if digests == Digests::Differing {
        // One that has ended, which the agent could not tell yet.
        digest.remove(&framework(), &task_id(number, 0), TaskState::Running);
    }
    Register {
        agent_info: agent_info(number),
        version: "1".into(),
        boot_id: "b".into(),
        epoch: 1,
        task_digest: digest.to_bytes(),
        task_count: u32::try_from(TASKS).expect("few"),
        checkpointed: true,
        replaces: None,
        executors: Vec::new(),
    }
}

fn list(number: usize) -> Call {
    let report = |task| TaskReport {
        framework_id: framework(),
        task_id: task_id(number, task),
        state: TaskState::Running,
        latest_status: None,
    };
    Call::tasks(agent_id(number), 2, (0..TASKS).map(report).collect())
}
