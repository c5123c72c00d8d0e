//! Row c4: a new leader, to whom all agents come back. In process, as in Mesos's benchmark `AgentReregistrationDelay`: the calls are
//! handed to the kernel, what it makes durable is encoded, and nothing is sent. Agents whose tasks are what the master knows send a
//! digest; the others have to send the list.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

mod report;

use std::time::Instant;

use attica_allocator::Role;
use attica_core::fact::Fact;
use attica_core::kernel::{Config, Effects, Input, Kernel, LinkId, Now};
use attica_core::snapshot::Snapshot;
use attica_core_api::link::{Call, Register, TaskDigest, TaskReport};
use attica_core_api::resources::parse;
use attica_core_api::v1::{
    AgentId, AgentInfo, CommandInfo, FrameworkId, FrameworkInfo, Label, Labels, MasterInfo, TaskId, TaskInfo,
    TaskState, TaskStatus,
};
use attica_core_api::{Entropy, Tick, Timestamp, encode_proto};
use attica_core_store::Fact as _;
use report::{Better, Figure};

const NOW: Now = Now { tick: Tick(1_000), wall: Timestamp(1_800_000_000_000) };
const LABELS: usize = 10;

/// What the agents' own lists of tasks are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    /// What the master knows.
    Equal,
    /// Of every tenth agent, one task less.
    Drifted,
}

/// A cluster's size, with a framework for each agent.
struct Size {
    agents: usize,
    /// On each agent.
    tasks: usize,
    /// On each agent, and history.
    finished: usize,
}

fn main() {
    if !report::is_wanted("c4") {
        return;
    }
    let small = Size { agents: 20_000, tasks: 5, finished: 0 };
    let large = Size { agents: 40_000, tasks: 10, finished: 10 };
    let mut figures = Vec::new();
    for (name, size, reach_s) in [("20k", &small, 4.0), ("40k", &large, 12.0)] {
        figures.extend(measure(name, size, reach_s));
    }
    let mesos = [("c4.20k.equal", 7.7), ("c4.40k.equal", 137.0)];
    report::print_beside(&figures, &mesos);
}

fn measure(name: &str, size: &Size, reach_s: f64) -> Vec<Figure> {
    let snapshot = snapshot(size);
    let run = |lists| come_back(&snapshot, size, lists);
    let (equal, drifted) = (run(Lists::Equal), run(Lists::Drifted));
    let figure = |what: &str, value, unit, reach| Figure {
        bench: format!("c4.{name}.{what}"),
        value,
        unit,
        reach,
        better: Better::Lower,
        fsync_ms: None,
    };
    vec![
        figure("equal", equal.seconds, "s", Some(reach_s)),
        figure("equal_bytes_of_an_agent", equal.bytes, "bytes", None),
        figure("tenth_drifted", drifted.seconds, "s", None),
        figure("tenth_drifted_bytes_of_an_agent", drifted.bytes, "bytes", None),
    ]
}

/// What the last leader left.
fn snapshot(size: &Size) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for agent in 0..size.agents {
        let framework = framework(agent);
        let info = FrameworkInfo {
            user: "root".into(),
            name: "framework".into(),
            id: Some(framework.clone()),
            failover_timeout: 86_400.0,
            ..FrameworkInfo::default()
        };
        snapshot.apply(&Fact::FrameworkSubscribed { info: Box::new(info), at: NOW.wall });
        let (version, boot_id) = ("1".into(), "boot".into());
        snapshot.apply(&Fact::AgentRegistered { info: Box::new(agent_info(agent)), version, boot_id, at: NOW.wall });
        for number in 0..size.tasks + size.finished {
            let task = Box::new(task(agent, number));
            let id = task.task_id.clone();
            let role = Role::any();
            snapshot.apply(&Fact::TaskLaunched { framework: framework.clone(), role, task, at: NOW.wall, group: None });
            let state = if number < size.tasks { TaskState::Running } else { TaskState::Finished };
            let status = Box::new(TaskStatus { task_id: id.clone(), state, ..TaskStatus::default() });
            snapshot.apply(&Fact::TaskUpdated {
                framework: framework.clone(),
                status,
                sequence: Some(1),
                container: None,
            });
            if state == TaskState::Finished {
                snapshot.apply(&Fact::TaskCompleted { framework: framework.clone(), task: id, at: NOW.wall });
            }
        }
    }
    snapshot
}

fn framework(agent: usize) -> FrameworkId {
    FrameworkId::new(format!("old-{agent:04}"))
}

fn agent_info(agent: usize) -> AgentInfo {
    AgentInfo {
        hostname: "127.0.0.1".into(),
        resources: parse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]", &Role::any()).expect("resources"),
        id: Some(AgentId::new(format!("old-S{agent}"))),
        ..AgentInfo::default()
    }
}

fn task(agent: usize, number: usize) -> TaskInfo {
    let label = |number| Label { key: format!("key-{number}"), value: Some(format!("value-{number}")) };
    TaskInfo {
        name: "task".into(),
        task_id: TaskId::new(format!("task-{agent}-{number}")),
        agent_id: AgentId::new(format!("old-S{agent}")),
        resources: parse("cpus:0.1;mem:16", &Role::any()).expect("resources"),
        command: Some(CommandInfo { value: Some("sleep 1000".into()), ..CommandInfo::default() }),
        labels: Some(Labels { labels: (0..LABELS).map(label).collect() }),
        ..TaskInfo::default()
    }
}

struct ComeBack {
    seconds: f64,
    /// What an agent sent, on average.
    bytes: f64,
}

/// From the start of the leader until every agent takes part.
fn come_back(snapshot: &Snapshot, size: &Size, lists: Lists) -> ComeBack {
    let calls: Vec<Vec<Call>> = (0..size.agents).map(|agent| calls(agent, size, lists)).collect();
    let bytes: usize = calls.iter().flatten().map(|call| encode_proto(call).len()).sum();
    let master_info = MasterInfo { id: "new".into(), port: 5050, ..MasterInfo::default() };
    let started = Instant::now();
    let mut kernel = Kernel::recover(Config::new(master_info, 2), Entropy::new(1), snapshot, NOW);
    let mut durable = 0;
    for (agent, calls) in calls.into_iter().enumerate() {
        let mut effects = Effects::default();
        for call in calls {
            let link = LinkId::new(format!("link-{agent}"));
            kernel.apply(NOW, Input::AgentCall { link, call: Box::new(call), reply: None }, &mut effects);
        }
        kernel.settle(NOW, &mut effects);
        durable += effects.facts.iter().map(|fact| fact.encode().len()).sum::<usize>();
    }
    let seconds = started.elapsed().as_secs_f64();
    assert!(durable > 0, "registrations are durable");
    assert_eq!(kernel.allocator().active_agents().count(), size.agents, "everybody takes part");
    ComeBack { seconds, bytes: bytes as f64 / size.agents as f64 }
}

/// What an agent says: the digest, and the list where it is asked for.
fn calls(agent: usize, size: &Size, lists: Lists) -> Vec<Call> {
    let is_drifted = lists == Lists::Drifted && agent.is_multiple_of(10);
    let kept = size.tasks - usize::from(is_drifted);
    let mut digest = TaskDigest::default();
    let ids = || (0..kept).map(|number| TaskId::new(format!("task-{agent}-{number}")));
    ids().for_each(|id| digest.add(&framework(agent), &id, TaskState::Running));
    let register = Register {
        agent_info: agent_info(agent),
        version: "1".into(),
        boot_id: "boot".into(),
        epoch: 1,
        task_digest: digest.to_bytes(),
        task_count: u32::try_from(kept).expect("few"),
        checkpointed: true,
        replaces: None,
        executors: Vec::new(),
    };
    let mut calls = vec![Call::register(register)];
    if is_drifted {
        let report = |task_id| TaskReport {
            framework_id: framework(agent),
            task_id,
            state: TaskState::Running,
            latest_status: None,
        };
        let id = AgentId::new(format!("old-S{agent}"));
        calls.push(Call::tasks(id, 2, ids().map(report).collect()));
    }
    calls
}
