//! The read model as a fold, without sockets.

use attica_allocator::{Resources, Role};
use attica_core_api::Timestamp;
use attica_core_api::resources::{parse, parse_attributes};
use attica_core_api::v1::{
    AgentId, AgentInfo, CommandInfo, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo, OfferId, TaskId, TaskInfo,
    TaskState, TaskStatus,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::resources::of_wire;
use super::{Detail, Document, Order, ReadModel, TaskQuery};
use crate::fact::Fact;
use crate::kernel::View;
use crate::master::watchers::Watchers;
use crate::snapshot::Snapshot;

fn any() -> Role {
    Role::any()
}

fn role() -> Role {
    Role::new("ops").unwrap()
}

fn bag(text: &str) -> Resources {
    of_wire(&parse(text, &any()).unwrap())
}

fn launched(task: &str, at: i64) -> Fact {
    Fact::TaskLaunched {
        framework: FrameworkId::new("f"),
        role: role(),
        task: Box::new(TaskInfo {
            name: format!("name \u{e4} of {task}"),
            task_id: TaskId::new(task),
            agent_id: AgentId::new("a"),
            resources: parse("cpus:0.5;mem:32", &any()).unwrap(),
            ..TaskInfo::default()
        }),
        group: None,
        at: Timestamp(at),
    }
}

fn status(task: &str, state: TaskState) -> Box<TaskStatus> {
    Box::new(TaskStatus { task_id: TaskId::new(task), state, timestamp: Some(1.5), ..TaskStatus::default() })
}

fn updated(task: &str, state: TaskState) -> Fact {
    Fact::TaskUpdated {
        framework: FrameworkId::new("f"),
        status: status(task, state),
        sequence: Some(1),
        container: None,
    }
}

fn beginning() -> Vec<Fact> {
    vec![
        Fact::AgentRegistered {
            info: Box::new(AgentInfo {
                hostname: "host".to_owned(),
                resources: parse("cpus:4;mem:100;ports:[1-5]", &any()).unwrap(),
                id: Some(AgentId::new("a")),
                ..AgentInfo::default()
            }),
            version: "1".to_owned(),
            boot_id: "b".to_owned(),
            at: Timestamp(1_000),
        },
        Fact::FrameworkSubscribed {
            info: Box::new(FrameworkInfo { id: Some(FrameworkId::new("f")), ..FrameworkInfo::default() }),
            at: Timestamp(2_000),
        },
    ]
}

/// The whole model as one document.
async fn shown(model: &ReadModel) -> Value {
    let mut document = Document::new();
    model.agents(Detail::Full, None, &mut document);
    model.frameworks(None, &mut document);
    let query = TaskQuery { limit: 10, offset: 0, order: Order::Ascending, framework: None, task: None };
    model.tasks(&query, &mut document);
    let Ok(body) = document.finish(None).collect().await;
    serde_json::from_slice(&body.to_bytes()).unwrap()
}

#[tokio::test]
async fn folding_facts_shows_what_a_snapshot_of_them_shows() {
    let facts: Vec<Fact> = beginning()
        .into_iter()
        .chain([
            launched("one", 3_000),
            launched("two", 4_000),
            launched("three", 5_000),
            updated("one", TaskState::Running),
            updated("two", TaskState::Failed),
            Fact::TaskCompleted { framework: FrameworkId::new("f"), task: TaskId::new("two"), at: Timestamp(6_000) },
            Fact::TaskUnreachable { framework: FrameworkId::new("f"), status: status("three", TaskState::Unreachable) },
        ])
        .collect();
    let mut snapshot = Snapshot::default();
    let live = ReadModel::of(&snapshot, Watchers::new(10));
    for fact in &facts {
        snapshot.apply(fact);
        live.apply(std::slice::from_ref(fact), &[]);
    }
    let (mut live, mut recovered) = (shown(&live).await, shown(&ReadModel::of(&snapshot, Watchers::new(10))).await);
    // Only who is connected differs: a new leader has heard of nobody yet.
    let framework = &live["frameworks"][0];
    let ids =
        |list: &str| framework[list].as_array().unwrap().iter().map(|task| task["id"].clone()).collect::<Vec<_>>();
    assert_eq!(
        (ids("tasks"), ids("unreachable_tasks"), ids("completed_tasks")),
        (vec![json!("one")], vec![json!("three")], vec![json!("two")])
    );
    assert_eq!(framework["used_resources"]["cpus"], 0.5);
    assert_eq!(live["slaves"][0]["used_resources"]["mem"], 32.0);
    assert_eq!(recovered["slaves"], json!([]));
    let agent = recovered["recovered_slaves"].take();
    recovered["slaves"] = agent;
    recovered["recovered_slaves"] = json!([]);
    live["frameworks"][0]["recovered"] = json!(true);
    assert_eq!(live, recovered);
}

#[tokio::test]
async fn a_task_shows_its_state_and_one_status_per_state() {
    let model = ReadModel::of(&Snapshot::default(), Watchers::new(10));
    model.apply(&beginning(), &[]);
    model.apply(&[launched("one", 3_000)], &[]);
    let task = async || shown(&model).await["tasks"][0].clone();
    assert_eq!(task().await["name"], "name \u{e4} of one");
    assert_eq!((&task().await["state"], &task().await["statuses"]), (&json!("TASK_STAGING"), &json!([])));
    for state in [TaskState::Starting, TaskState::Running, TaskState::Running, TaskState::Finished] {
        model.apply(&[updated("one", state)], &[]);
    }
    let task = task().await;
    assert_eq!(task["state"], "TASK_FINISHED");
    let states: Vec<&Value> = task["statuses"].as_array().unwrap().iter().map(|status| &status["state"]).collect();
    assert_eq!(states, ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]);
    assert_eq!(task["resources"], json!({"disk": 0.0, "mem": 32.0, "gpus": 0.0, "cpus": 0.5}));
}

#[tokio::test]
async fn offers_are_shown_while_they_are_out() {
    let model = ReadModel::of(&Snapshot::default(), Watchers::new(10));
    model.apply(&beginning(), &[]);
    let made = View::OfferMade {
        offer: OfferId::new("o"),
        framework: FrameworkId::new("f"),
        agent: AgentId::new("a"),
        role: role(),
        resources: bag("cpus:3;ports:[1-2]"),
    };
    model.apply(&[], &[View::AgentConnected { agent: AgentId::new("a") }, made]);
    let with = shown(&model).await;
    assert_eq!(with["slaves"][0]["offered_resources"]["ports"], "[1-2]");
    assert_eq!(with["slaves"][0]["offered_resources_full"][0]["allocation_info"], json!({"role": "ops"}));
    assert_eq!(with["frameworks"][0]["offers"][0]["resources"]["cpus"], 3.0);
    assert_eq!(model.totals().outstanding_offers, 1);
    model.apply(&[], &[View::OfferGone { offer: OfferId::new("o") }]);
    let without = shown(&model).await;
    assert_eq!(without["slaves"][0]["offered_resources"]["cpus"], 0.0);
    assert_eq!(without["frameworks"][0]["offers"], json!([]));
    assert_eq!(model.totals().outstanding_offers, 0);
}

#[tokio::test]
async fn attributes_and_executors_are_shown_in_mesos_s_words() {
    let model = ReadModel::of(&Snapshot::default(), Watchers::new(10));
    model.apply(&beginning(), &[View::AgentConnected { agent: AgentId::new("a") }]);
    let info = AgentInfo {
        id: Some(AgentId::new("a")),
        attributes: parse_attributes("rack:r1;level:10;keys:[1-2,5-5]").unwrap(),
        ..AgentInfo::default()
    };
    let (version, boot_id) = (String::new(), String::new());
    let registered = Fact::AgentRegistered { info: Box::new(info), version, boot_id, at: Timestamp(2_000) };
    let executor = ExecutorInfo {
        executor_id: ExecutorId::new("e"),
        command: Some(CommandInfo { value: Some("run".to_owned()), ..CommandInfo::default() }),
        resources: parse("cpus:0.1", &any()).unwrap(),
        ..ExecutorInfo::default()
    };
    let launched = Fact::ExecutorLaunched {
        framework: FrameworkId::new("f"),
        agent: AgentId::new("a"),
        role: role(),
        executor: Box::new(executor),
        at: Timestamp(3_000),
    };
    model.apply(&[registered, launched], &[View::AgentConnected { agent: AgentId::new("a") }]);
    let with = shown(&model).await;
    assert_eq!(with["slaves"][0]["attributes"], json!({"rack": "r1", "level": 10.0, "keys": "[1-2, 5-5]"}));
    assert_eq!(with["slaves"][0]["used_resources"]["cpus"], 0.1);
    let shown_executor = json!({
        "executor_id": "e", "name": "", "framework_id": "f", "slave_id": "a", "role": "ops",
        "command": {"shell": true, "value": "run", "argv": [], "uris": []},
        "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}],
    });
    assert_eq!(with["frameworks"][0]["executors"], json!([shown_executor]));
    let ended = Fact::ExecutorEnded {
        framework: FrameworkId::new("f"),
        agent: AgentId::new("a"),
        executor: ExecutorId::new("e"),
    };
    model.apply(&[ended], &[]);
    let without = shown(&model).await;
    assert_eq!(
        (&without["frameworks"][0]["executors"], &without["slaves"][0]["used_resources"]["cpus"]),
        (&json!([]), &json!(0.0))
    );
}

#[tokio::test]
async fn what_is_forgotten_is_nowhere_any_more() {
    let model = ReadModel::of(&Snapshot::default(), Watchers::new(10));
    let framework = FrameworkId::new("f");
    model.apply(&beginning(), &[]);
    model.apply(&[launched("one", 3_000), updated("one", TaskState::Finished), launched("two", 3_001)], &[]);
    let completed =
        Fact::TaskCompleted { framework: framework.clone(), task: TaskId::new("one"), at: Timestamp(4_000) };
    let forgotten = Fact::TaskForgotten { framework: framework.clone(), task: TaskId::new("one") };
    model.apply(&[completed, forgotten], &[]);
    assert_eq!(shown(&model).await["frameworks"][0]["completed_tasks"], json!([]));
    assert_eq!(model.totals().tasks.ended(TaskState::Finished), 1);
    model.apply(&[Fact::FrameworkRemoved { framework: framework.clone(), at: Timestamp(5_000) }], &[]);
    assert_eq!(shown(&model).await["completed_frameworks"][0]["id"], "f");
    model.apply(&[Fact::FrameworkForgotten { framework }], &[]);
    let empty = shown(&model).await;
    assert_eq!(
        (&empty["frameworks"], &empty["completed_frameworks"], &empty["tasks"]),
        (&json!([]), &json!([]), &json!([]))
    );
    assert_eq!(model.totals().tasks.now(TaskState::Staging), 0);
}
