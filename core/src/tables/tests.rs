//! Rows are a function of the facts: what the tables hold after any history is what the facts add up to (I10).

use attica_allocator::Role;
use attica_core_api::Timestamp;
use attica_core_api::operator::{QuotaConfig, Schedule, Window};
use attica_core_api::v1::{
    AgentId, AgentInfo, ContainerStatus, DrainConfig, DurationInfo, ExecutorId, ExecutorInfo, FrameworkId,
    FrameworkInfo, KillPolicy, MachineId, OfferOperation, OperationId, OperationStatus, Resource, Scalar, TaskId,
    TaskInfo, TaskState, TaskStatus, WeightInfo,
};
use attica_core_store::election::{Election, LeaseTime, PostgresElection};
use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use attica_core_store::writer::WriterLimits;
use attica_core_store::{Batch, LeaderRole, Writer, migrations};
use uuid::Uuid;

use super::{KernelTables, load};
use crate::fact::Fact;
use crate::snapshot::{Service, Snapshot};

fn framework(id: &str) -> FrameworkId {
    FrameworkId::new(id)
}

fn subscribed(id: &str, at: i64) -> Fact {
    let info =
        FrameworkInfo { id: Some(framework(id)), user: "root".into(), name: "n".into(), ..FrameworkInfo::default() };
    Fact::FrameworkSubscribed { info: Box::new(info), at: Timestamp(at) }
}

fn described(id: &str, name: &str) -> Fact {
    let info = FrameworkInfo { id: Some(framework(id)), name: name.into(), ..FrameworkInfo::default() };
    Fact::FrameworkUpdated { info: Box::new(info), at: Timestamp(9) }
}

fn registered(id: &str, at: i64) -> Fact {
    let info = AgentInfo { id: Some(AgentId::new(id)), hostname: "h".into(), ..AgentInfo::default() };
    Fact::AgentRegistered { info: Box::new(info), version: "1".into(), boot_id: "b".into(), at: Timestamp(at) }
}

fn serves(id: &str, service: Service) -> Fact {
    Fact::AgentServiceChanged { agent: AgentId::new(id), service }
}

fn draining() -> Service {
    let config = DrainConfig { max_grace_period: Some(DurationInfo { nanoseconds: 5 }), mark_gone: true };
    Service::Draining { config, since: Timestamp(9) }
}

fn maintained(hostname: &str, down: &[&str]) -> Fact {
    let machine = |hostname: &str| MachineId { hostname: Some(hostname.to_owned()), ip: None };
    let window = Window { machine_ids: vec![machine(hostname)], ..Window::default() };
    let down = down.iter().map(|hostname| machine(hostname)).collect();
    Fact::MaintenanceChanged { schedule: Schedule { windows: vec![window] }, down }
}

fn launched(owner: &str, id: &str) -> Fact {
    let task =
        TaskInfo { name: id.into(), task_id: TaskId::new(id), agent_id: AgentId::new("a"), ..TaskInfo::default() };
    Fact::TaskLaunched {
        framework: framework(owner),
        role: Role::any(),
        task: Box::new(task),
        group: (id == "t2").then(|| "g".to_owned()),
        at: Timestamp(5),
    }
}

fn status(id: &str, state: TaskState, uuid: Option<u8>) -> Box<TaskStatus> {
    let uuid = uuid.map(|byte| vec![byte; 16].into());
    Box::new(TaskStatus { task_id: TaskId::new(id), state, uuid, ..TaskStatus::default() })
}

fn updated(owner: &str, id: &str, sequence: u64, state: TaskState) -> Fact {
    let uuid = u8::try_from(sequence).ok();
    Fact::TaskUpdated {
        framework: framework(owner),
        status: status(id, state, uuid),
        sequence: Some(sequence),
        container: None,
    }
}

fn acknowledged(owner: &str, id: &str, uuid: u8) -> Fact {
    Fact::UpdateAcknowledged { framework: framework(owner), task: TaskId::new(id), uuid: vec![uuid; 16].into() }
}

fn completed(owner: &str, id: &str) -> Fact {
    Fact::TaskCompleted { framework: framework(owner), task: TaskId::new(id), at: Timestamp(9) }
}

fn quota(role: &str, cpus: f64) -> QuotaConfig {
    QuotaConfig {
        role: role.into(),
        limits: [("cpus".to_owned(), Scalar { value: cpus })].into(),
        ..QuotaConfig::default()
    }
}

fn weighted(role: &str, weight: f64) -> Fact {
    Fact::WeightsUpdated { weights: vec![WeightInfo { weight, role: Some(role.into()) }] }
}

fn executor_launched(id: &str) -> Fact {
    let executor = ExecutorInfo { executor_id: ExecutorId::new(id), ..ExecutorInfo::default() };
    Fact::ExecutorLaunched {
        framework: framework("f"),
        agent: AgentId::new("a"),
        role: Role::any(),
        executor: Box::new(executor),
        at: Timestamp(14),
    }
}

fn executor_ended(id: &str) -> Fact {
    Fact::ExecutorEnded { framework: framework("f"), agent: AgentId::new("a"), executor: ExecutorId::new(id) }
}

fn shaped(disks: &[f64]) -> Fact {
    let disk = |value: &f64| Resource {
        name: "disk".to_owned(),
        scalar: Some(Scalar { value: *value }),
        role: Some("r".to_owned()),
        ..Resource::default()
    };
    Fact::AgentShaped { agent: AgentId::new("a"), resources: disks.iter().map(disk).collect() }
}

fn started(operation: u128, owner: Option<&str>) -> Fact {
    let info = OfferOperation { id: owner.map(OperationId::new), ..OfferOperation::default() };
    Fact::OperationStarted {
        operation: Uuid::from_u128(operation),
        framework: owner.map(framework),
        agent: AgentId::new("a"),
        info: Box::new(info),
        at: Timestamp(15),
    }
}

fn outcome(operation: u128) -> Fact {
    let status = OperationStatus { message: Some("done".to_owned()), ..OperationStatus::default() };
    Fact::OperationUpdated { operation: Uuid::from_u128(operation), status: Box::new(status) }
}

fn ended(operation: u128) -> Fact {
    Fact::OperationEnded { operation: Uuid::from_u128(operation) }
}

/// A history with everything in it, each fact once after and once together with what it builds on.
fn history() -> Vec<Fact> {
    let kill = |grace: Option<i64>| Fact::KillRequested {
        framework: framework("f"),
        task: TaskId::new("t2"),
        kill_policy: grace.map(|nanoseconds| KillPolicy { grace_period: Some(DurationInfo { nanoseconds }) }),
    };
    vec![
        subscribed("f", 1),
        subscribed("g", 2),
        Fact::QuotasUpdated { configs: vec![quota("r", 1.0), quota("s", 2.0), quota("t", 3.0)] },
        Fact::QuotasUpdated {
            configs: vec![quota("s", 4.0), QuotaConfig { role: "u".into(), ..QuotaConfig::default() }],
        },
        Fact::QuotaRemoved { role: Role::new("r").unwrap() },
        Fact::QuotaRemoved { role: Role::new("t").unwrap() },
        Fact::QuotasUpdated { configs: vec![quota("t", 5.0)] },
        weighted("r", 2.0),
        weighted("s", 0.5),
        weighted("r", 3.0),
        registered("a", 3),
        Fact::AgentUnreachable { agent: AgentId::new("a"), at: Timestamp(4) },
        registered("a", 5),
        registered("b", 6),
        Fact::AgentUnreachable { agent: AgentId::new("b"), at: Timestamp(7) },
        Fact::AgentForgotten { agent: AgentId::new("b") },
        registered("b", 8),
        Fact::AgentUnreachable { agent: AgentId::new("b"), at: Timestamp(9) },
        registered("c", 8),
        Fact::AgentUnreachable { agent: AgentId::new("c"), at: Timestamp(9) },
        Fact::AgentForgotten { agent: AgentId::new("c") },
        serves("a", Service::Deactivated),
        serves("b", draining()),
        registered("b", 10),
        serves("a", Service::Active),
        serves("a", Service::Gone { at: Timestamp(11) }),
        maintained("h1", &[]),
        maintained("h2", &["h2"]),
        launched("f", "t1"),
        launched("f", "t2"),
        launched("g", "t1"),
        updated("f", "t1", 1, TaskState::Starting),
        updated("f", "t1", 2, TaskState::Running),
        acknowledged("f", "t1", 1),
        Fact::TaskUnreachable { framework: framework("f"), status: status("t1", TaskState::Unreachable, Some(101)) },
        Fact::TaskReachable { framework: framework("f"), status: status("t1", TaskState::Running, Some(102)) },
        Fact::TaskUnreachable { framework: framework("f"), status: status("t2", TaskState::Unreachable, Some(103)) },
        kill(None),
        kill(Some(7)),
        updated("f", "t1", 3, TaskState::Finished),
        acknowledged("f", "t1", 2),
        acknowledged("f", "t1", 101),
        acknowledged("f", "t1", 102),
        acknowledged("f", "t1", 3),
        completed("f", "t1"),
        described("f", "new"),
        Fact::FrameworkDisconnected { framework: framework("f"), deadline: Timestamp(60), at: Timestamp(10) },
        subscribed("f", 11),
        Fact::FrameworkDisconnected { framework: framework("f"), deadline: Timestamp(70), at: Timestamp(12) },
        updated("g", "t1", 1, TaskState::Running),
        Fact::FrameworkRemoved { framework: framework("g"), at: Timestamp(13) },
        Fact::TaskUpdated {
            framework: framework("g"),
            status: status("t1", TaskState::Killed, None),
            sequence: Some(2),
            container: Some(Box::new(ContainerStatus { executor_pid: Some(7), ..ContainerStatus::default() })),
        },
        completed("g", "t1"),
        Fact::TaskForgotten { framework: framework("f"), task: TaskId::new("t1") },
        launched("f", "t1"),
        Fact::FrameworkForgotten { framework: framework("g") },
        executor_launched("e1"),
        executor_launched("e2"),
        executor_ended("e1"),
        executor_launched("e1"),
        executor_ended("e2"),
        shaped(&[3.0]),
        started(1, Some("f")),
        shaped(&[1.0, 2.0]),
        started(2, None),
        started(3, Some("f")),
        ended(2),
        outcome(1),
        outcome(3),
        ended(3),
        registered("a", 20),
    ]
}

/// However a history is cut into transactions, the tables hold its fold after each.
#[tokio::test]
async fn the_tables_hold_what_the_facts_add_up_to() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = PrivatePostgresOptions::for_test(directory.path());
    let postgres = PrivatePostgres::start(&options).await.expect("Postgres starts");
    migrations::migrate(postgres.database()).await.expect("the migrations apply");
    let pool = postgres.database().pool("attica test", 2);
    for size in [1, 2, 3, 7, 100] {
        sqlx::raw_sql("truncate framework, agent, task, task_update, executor, operation, quota, weight, maintenance")
            .execute(&pool)
            .await
            .expect("empty tables");
        let time = LeaseTime::default();
        let mut election =
            PostgresElection::new(postgres.database().clone(), LeaderRole::Master, "here".to_owned(), time);
        let leadership = election.campaign().await.expect("nobody else campaigns");
        let (handle, mut committed) = Writer::spawn(
            postgres.database().clone(),
            leadership.lead(),
            leadership.lease(),
            KernelTables,
            WriterLimits::default(),
        );
        let mut snapshot = Snapshot::default();
        for facts in history().chunks(size) {
            handle.submit(Batch { facts: facts.to_vec(), after: () }).await.expect("the writer runs");
            committed.recv().await.expect("a batch").expect("committed");
            facts.iter().for_each(|fact| snapshot.apply(fact));
            let mut connection = pool.acquire().await.expect("a connection");
            assert_eq!(load(&mut connection).await.expect("the tables can be read"), snapshot, "in steps of {size}");
        }
        drop(handle);
        leadership.resign().await;
    }
    pool.close().await;
    postgres.stop().await;
}
