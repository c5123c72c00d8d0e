use std::sync::Arc;
use std::time::Duration;

use attica_core_api::Timestamp;
use attica_core_api::secrets::Sealed;
use attica_core_api::v1::{AgentId, FrameworkId, TaskState};
use attica_core_store::election::{Election, LeaseTime, PostgresElection};
use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use attica_core_store::writer::WriterLimits;
use attica_core_store::{Batch, LeaderRole, Writer, migrations};
use uuid::Uuid;

use super::{PaasTables, load};
use crate::access::{
    AuditEntry, Digest, Permission, Permissions, Request, Session, Token, TokenId, User, UserName, Verdict,
};
use crate::engine::{Cause, Delay, Fact, Recorded, Snapshot, TaskUpdate};
use crate::model::{
    Action, ActionKind, Agent, CallbackSecret, CallbackUrl, Change, Condition, ConsumerName, Deployment, DeploymentId,
    DeploymentPolicy, EndedDeployment, Ending, Goal, Group, GroupId, HealthState, Hold, Instance, InstanceId,
    IpAddress, KeptSecret, Pause, PortChoice, RunSpec, RunSpecId, RunSpecUpdate, SecretPath, Step, Task, TaskFailure,
    Version,
};

const MESSAGE: &str = "Command exited with status 1\u{0}";

pub(crate) fn run_spec(id: &str, version: i64) -> Arc<RunSpec> {
    let id = RunSpecId::parse(id).unwrap();
    let update = RunSpecUpdate { cmd: Some(format!("serve {version}")), ..RunSpecUpdate::default() };
    let version = Version(Timestamp(version));
    let mut spec = update.apply(None, &id, "*").unwrap();
    spec.version = version;
    spec.last_config_change_at = version;
    spec.last_scaling_at = version;
    spec.generation = version;
    spec.ports[0].port = if spec.id.as_str() == "/job" { 10_001 } else { 10_000 };
    spec.ports[0].choice = PortChoice::Pool;
    Arc::new(spec)
}

fn stored(id: &str, version: i64, forgotten: &[i64]) -> Fact {
    let forgotten = forgotten.iter().map(|version| Version(Timestamp(*version))).collect();
    Fact::RunSpecStored { run_spec: run_spec(id, version), forgotten }
}

fn group(path: &str, version: i64, group: Option<Group>, forgotten: &[i64]) -> Fact {
    let forgotten = forgotten.iter().map(|version| Version(Timestamp(*version))).collect();
    Fact::GroupStored { id: GroupId::parse(path).unwrap(), version: Version(Timestamp(version)), group, forgotten }
}

fn callback(url: &str, secret: Option<CallbackSecret>, position: i64) -> Fact {
    Fact::CallbackAdded { client_ip: "c".into(), url: CallbackUrl::parse(url).unwrap(), secret, position }
}

fn deployment(number: u128, run_spec: &str) -> Deployment {
    let id = RunSpecId::parse(run_spec).unwrap();
    let step = |kind| Step { actions: vec![Action { kind, run_spec: id.clone() }] };
    Deployment {
        id: DeploymentId(Uuid::from_u128(number)),
        version: Version(Timestamp(1_000)),
        steps: vec![step(ActionKind::Start), step(ActionKind::Scale)],
        current_step: 0,
        changes: [(id, Change { from: None, to: Some(Version(Timestamp(1_000))) })].into(),
        pods: Default::default(),
        groups: [].into(),
        began_at: Timestamp(999),
        undoes: None,
        hold: Hold::default(),
    }
}

/// Paused in its second step.
fn held(number: u128, run_spec: &str) -> Deployment {
    let paused = Some(Pause { since: Timestamp(1_234), cause: Some("why".into()) });
    let given_up = [(RunSpecId::parse(run_spec).unwrap(), "why".to_owned())].into();
    Deployment { current_step: 1, hold: Hold { paused, given_up }, ..deployment(number, run_spec) }
}

fn ended_deployment(number: u128, ending: Ending, forgotten: &[u128]) -> Fact {
    let id = |number| DeploymentId(Uuid::from_u128(number));
    let ended = EndedDeployment {
        id: id(number),
        version: Version(Timestamp(1_000)),
        run_specs: vec![RunSpecId::parse("/shop/web").unwrap()],
        pods: Default::default(),
        ending: ending.clone(),
        steps_done: 1,
        steps: 2,
        began_at: Timestamp(1_000),
        ended_at: Timestamp(2_000 + i64::try_from(number).unwrap()),
    };
    let forgotten = forgotten.iter().copied().map(id).collect();
    Fact::DeploymentEnded { id: id(number), ending, ended: Some(Box::new(ended)), forgotten }
}

fn agent() -> Arc<Agent> {
    let attributes = [("rack".to_owned(), "a".to_owned()), ("zone".to_owned(), "z".to_owned())];
    Arc::new(Agent { id: AgentId::from("S0"), hostname: "host-1".into(), attributes: attributes.into(), domain: None })
}

pub(crate) fn instance(run_spec: &str, number: u128, condition: Condition) -> Instance {
    let id = InstanceId { run_spec: RunSpecId::parse(run_spec).unwrap(), uuid: Uuid::from_u128(number) };
    let mut instance = Instance {
        id,
        version: Version(Timestamp(1_000)),
        generation: Version(Timestamp(1_000)),
        goal: Goal::Running,
        condition,
        incarnation: 1,
        scheduled_at: Timestamp(1_001),
        task: None,
        reservation: None,
    };
    let state = match condition {
        Condition::Scheduled => return instance,
        Condition::Running => TaskState::Running,
        _ => TaskState::Staging,
    };
    instance.task = Some(Task {
        id: instance.task_identity().task_id(),
        agent: agent(),
        ports: vec![31_000],
        state,
        staged_at: Timestamp(1_002),
        started_at: (condition == Condition::Running).then_some(Timestamp(1_003)),
        unreachable_since: None,
        sentenced_at: None,
        ip_addresses: vec![IpAddress { address: "127.0.0.1".into(), protocol: "IPv4".into() }],
        answer: Some(crate::model::Answer::Http(503)),
        health: vec![HealthState {
            alive: (condition == Condition::Running).then_some(true),
            first_success: Some(Timestamp(1_004)),
            last_success: Some(Timestamp(1_005)),
            ..HealthState::default()
        }],
        spared: false,
        processes: Vec::new(),
        readiness: None,
        containers: Vec::new(),
    });
    instance
}

fn changed(instance: Instance, cause: Cause) -> Fact {
    Fact::InstanceChanged { instance: Box::new(instance), cause }
}

fn ended(instance: &Instance, next: Option<Instance>) -> Fact {
    let task = instance.task.clone().unwrap();
    let failure = TaskFailure {
        task: task.id.clone(),
        state: TaskState::Failed,
        message: MESSAGE.into(),
        agent: agent(),
        version: instance.version,
        at: Timestamp(1_010),
        began_at: Some(Timestamp(1_003)),
    };
    let update = TaskUpdate {
        task: task.id,
        version: instance.version,
        state: TaskState::Failed,
        message: MESSAGE.into(),
        agent_id: "S0".into(),
        host: "host-1".into(),
        ports: vec![31_000],
        ip_addresses: Vec::new(),
    };
    Fact::TaskEnded {
        id: instance.id.clone(),
        condition: Condition::Failed,
        update,
        failure: Some(Box::new(failure)),
        next: next.map(Box::new),
    }
}

fn kept(path: &str, version: i64, sealed: &[u8]) -> Fact {
    let secret = KeptSecret { version: Version(Timestamp(version)), sealed: Sealed::from_bytes(sealed.to_vec()) };
    Fact::SecretKept { path: SecretPath::parse(path).unwrap(), secret }
}

/// A history in which everything happens: two apps, one of which goes, one instance of each kind, a deployment that ends.
pub(crate) fn history() -> Vec<Fact> {
    let [web, job] = ["/shop/web", "/job"];
    let failing = instance(web, 2, Condition::Staging);
    let job_id = RunSpecId::parse(job).unwrap();
    let delay = Delay { config: Version(Timestamp(1_000)), delay_ms: 1_150, until: Timestamp(2_160) };
    vec![
        Fact::Subscribed { framework_id: FrameworkId::from("F"), master: "m:5050".into(), again: false },
        stored(web, 1_000, &[]),
        Fact::DeploymentStarted { deployment: deployment(1, web) },
        Fact::DeploymentStepDone { id: DeploymentId(Uuid::from_u128(1)), step: 0 },
        changed(instance(web, 1, Condition::Scheduled), Cause::Created),
        changed(instance(web, 1, Condition::Staging), Cause::Provisioned),
        changed(instance(web, 1, Condition::Running), Cause::Decided),
        changed(failing.clone(), Cause::Provisioned),
        stored(job, 1_000, &[]),
        Fact::DelayChanged { id: job_id.clone(), delay: Some(delay) },
        changed(instance(job, 3, Condition::Running), Cause::Created),
        Fact::RunSpecRemoved { id: job_id.clone(), version: Some(Version(Timestamp(1_500))) },
        ended(&failing, Some(instance(web, 2, Condition::Scheduled))),
        Fact::DelayChanged { id: RunSpecId::parse(web).unwrap(), delay: Some(delay) },
        stored(web, 2_000, &[]),
        ended_deployment(1, Ending::Done, &[]),
        Fact::DeploymentStarted { deployment: deployment(2, web) },
        Fact::InstanceForgotten { id: instance(job, 3, Condition::Running).id, condition: Condition::Killed },
        Fact::RunSpecForgotten { id: job_id.clone() },
        stored(web, 3_000, &[2_000]),
        stored(job, 3_000, &[]),
        ended(&instance(web, 1, Condition::Running), None),
        Fact::DelayChanged { id: RunSpecId::parse(web).unwrap(), delay: None },
        changed(instance(web, 4, Condition::Running), Cause::Created),
        Fact::DeploymentStepDone { id: DeploymentId(Uuid::from_u128(2)), step: 0 },
        Fact::ConsumerJoined { name: ConsumerName::parse("lb-1").unwrap() },
        Fact::ConsumerJoined { name: ConsumerName::parse("lb-2").unwrap() },
        Fact::ConsumerLeft { name: ConsumerName::parse("lb-1").unwrap() },
        callback("http://one/", None, 10),
        callback("http://two/", CallbackSecret::parse("0123456789abcdef").ok(), 20),
        Fact::CallbackReached { url: CallbackUrl::parse("http://one/").unwrap(), position: 30 },
        callback("http://three/", None, 40),
        Fact::CallbackReached { url: CallbackUrl::parse("http://two/").unwrap(), position: 50 },
        Fact::CallbackRemoved { client_ip: "c".into(), url: CallbackUrl::parse("http://three/").unwrap() },
        Fact::FrameworkForgotten,
        Fact::Disconnected,
        Fact::Subscribed { framework_id: FrameworkId::from("F"), master: "m:5050".into(), again: false },
        group(
            "/shop",
            1_600,
            Some(Group {
                dependencies: vec!["/db".into()],
                enforce_role: true,
                policy: Some(DeploymentPolicy::default()),
            }),
            &[],
        ),
        group("/shop/old", 1_600, Some(Group::default()), &[]),
        group("/shop/older", 1_600, Some(Group::default()), &[]),
        Fact::HistoryShortened { from: Version(Timestamp(1_600)) },
        group("/shop", 1_700, Some(Group::default()), &[1_600]),
        group("/shop/old", 1_700, None, &[]),
        Fact::GroupForgotten { id: GroupId::parse("/shop/older").unwrap() },
        Fact::DeploymentHeld { deployment: Box::new(held(2, web)) },
        Fact::DeploymentStarted { deployment: deployment(3, web) },
        ended_deployment(3, Ending::RolledBack { by: DeploymentId(Uuid::from_u128(2)), cause: "why".into() }, &[]),
        Fact::DeploymentStarted { deployment: deployment(4, web) },
        ended_deployment(4, Ending::Failed { cause: "why".into() }, &[3]),
        Fact::HistoryShortened { from: Version(Timestamp(1_700)) },
        kept("/db/password", 1, b"sealed"),
        kept("/db/password", 2, b"sealed again\0"),
        kept("/db/gone", 1, b""),
        Fact::SecretRemoved { path: SecretPath::parse("/db/gone").unwrap() },
        Fact::UserStored { user: Arc::new(user("ann", &[1, 2])) },
        Fact::UserStored { user: Arc::new(user("bob", &[3])) },
        Fact::SessionBegan { session: session("ann", 1) },
        Fact::SessionBegan { session: session("bob", 2) },
        Fact::UserStored { user: Arc::new(user("ann", &[2, 4])) },
        Fact::SessionsEnded { sessions: vec![session("bob", 2).digest] },
        Fact::UserRemoved { name: UserName::parse("bob").unwrap() },
        Fact::Audited { entry: Box::new(audited("ann")) },
    ]
}

fn user(name: &str, tokens: &[u8]) -> User {
    let token = |number: &u8| {
        let digest = Digest::of(&[*number]);
        let expires_at = (*number == 2).then_some(Timestamp(9_000));
        let token = Token { digest, description: "for \u{0} it".into(), created_at: Timestamp(1_000), expires_at };
        (TokenId(Uuid::from_u128(u128::from(*number))), token)
    };
    let everything = Permissions::from_iter(Permission::ALL);
    User {
        name: UserName::parse(name).unwrap(),
        password: None,
        grants: [(GroupId::parse("/shop").unwrap(), everything)].into_iter().collect(),
        tokens: tokens.iter().map(token).collect(),
    }
}

fn session(user: &str, number: u8) -> Session {
    let user = UserName::parse(user).unwrap();
    Session { digest: Digest::of(&[0, number]), user, expires_at: Timestamp(10_000) }
}

fn audited(user: &str) -> AuditEntry {
    AuditEntry {
        user: UserName::parse(user).unwrap(),
        request: Request { method: "PUT".into(), uri: "/v2/apps//shop/web?x=\u{0}".into(), ..Request::default() },
        verdict: Verdict::Done,
        deployment: Some(DeploymentId(Uuid::from_u128(1))),
        touched: vec!["/shop/web".into(), "/shop".into()],
        changes: Some("[]".into()),
    }
}

/// As the shell gets it from the engine.
pub(crate) fn recorded(fact: Fact) -> Recorded {
    Recorded { at: Timestamp(5_000), fact, frames: Vec::new() }
}

/// The service ports that the current definitions have from the pool, by the table and by the snapshot.
async fn assert_service_ports(pool: &sqlx::PgPool, snapshot: &Snapshot) {
    let rows = sqlx::query_as::<_, (i32, String)>("select port, run_spec from paas_service_port order by run_spec");
    let of = |(id, state): (&RunSpecId, &crate::engine::RunSpecState)| {
        state.definition().map(|definition| (i32::from(definition.ports[0].port), id.to_string()))
    };
    let expected: Vec<(i32, String)> = snapshot.run_specs.iter().filter_map(of).collect();
    assert_eq!(rows.fetch_all(pool).await.unwrap(), expected);
}

#[tokio::test]
async fn the_tables_hold_the_fold_of_the_facts_however_they_are_batched() {
    for facts_per_batch in [1, 4, usize::MAX] {
        let directory = tempfile::tempdir().unwrap();
        let options = PrivatePostgresOptions::for_test(directory.path().join("postgres"));
        let postgres = PrivatePostgres::start(&options).await.unwrap();
        let database = postgres.database().clone();
        migrations::migrate(&database).await.unwrap();
        let mut candidate =
            PostgresElection::new(database.clone(), LeaderRole::Paas, "here:1".into(), LeaseTime::default());
        let leadership = candidate.campaign().await.unwrap();
        let (writer, mut committed) = Writer::spawn::<Recorded, ()>(
            database.clone(),
            leadership.lead(),
            leadership.lease(),
            PaasTables,
            WriterLimits::default(),
        );
        let mut snapshot = Snapshot::default();
        let mut facts = history();
        let pool = database.pool("test", 1);
        while !facts.is_empty() {
            let batch: Vec<Fact> = facts.drain(..facts_per_batch.min(facts.len())).collect();
            batch.iter().for_each(|fact| snapshot.apply(fact));
            let facts = batch.into_iter().map(recorded).collect();
            writer.submit(Batch { facts, after: () }).await.unwrap();
            let patience = Duration::from_secs(60);
            tokio::time::timeout(patience, committed.recv()).await.unwrap().unwrap().unwrap();
            assert_eq!(load(&pool).await.unwrap(), snapshot);
            assert_service_ports(&pool, &snapshot).await;
        }
        let audited = sqlx::query_as::<_, (i64, String, Vec<String>)>("select at, who, touched from paas_audit");
        let expected = (5_000, "ann".to_owned(), vec!["/shop/web".to_owned(), "/shop".to_owned()]);
        assert_eq!(audited.fetch_all(&pool).await.unwrap(), [expected]);
        // The same port from the pool for two: the transaction is refused as a whole.
        let mut thief = RunSpec::clone(&run_spec("/thief", 5_000));
        thief.ports[0].port = 10_001;
        let clash = Fact::RunSpecStored { run_spec: Arc::new(thief), forgotten: Vec::new() };
        writer.submit(Batch { facts: vec![recorded(clash)], after: () }).await.unwrap();
        assert!(committed.recv().await.unwrap().is_err());
        assert_eq!(load(&pool).await.unwrap(), snapshot);
        pool.close().await;
        postgres.stop().await;
    }
}
