//! Scenarios in, what the kernel says about them out.
//!
//! [`Scene`] is a kernel with the shortest possible shell: facts are committed at once into a [`Snapshot`], so every step also checks
//! that the facts add up, and that a kernel recovered from them stands where this one stands.

mod agents;
mod delivery;
mod executors;
mod frameworks;
mod launches;
mod operations;
mod reconciliation;
mod recovery;
mod roles;
mod rules;
mod service;
mod store;
mod wishes;

use attica_core_api::link::{self, TaskReport};
use attica_core_api::scheduler::{Accept, Acknowledgement, Call, Command, Event, Subscribe};
use attica_core_api::v1::{
    AgentId, AgentInfo, CommandInfo, Filters, FrameworkCapability, FrameworkCapabilityType, FrameworkId, FrameworkInfo,
    LaunchOperation, MasterInfo, OfferId, OfferOperation, OfferOperationType, OperationStatus, Resource, TaskId,
    TaskInfo, TaskState, TaskStatus, TaskStatusSource,
};
use attica_core_api::{Entropy, Tick, Timestamp, decode_json, resources};

use super::{Config, Effects, Input, Kernel, LinkId, Now, Reply, ReplyTo, Send, StreamId};
use crate::fact::Fact;
use crate::snapshot::Snapshot;

/// When scenes begin.
const START: Now = Now { tick: Tick(1_000_000), wall: Timestamp(1_800_000_000_000) };

/// A kernel, what it has made durable, and what it has said.
pub(super) struct Scene {
    pub(super) kernel: Kernel,
    pub(super) snapshot: Snapshot,
    pub(super) facts: Vec<Fact>,
    now: Now,
    epoch: u64,
    said: Vec<Send>,
    /// How much was said without waiting for a commit.
    pub(super) at_once: usize,
    last_reply: Option<Reply>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let snapshot = Snapshot::default();
        let kernel = Kernel::recover(config(1), Entropy::new(1), &snapshot, START);
        Self {
            kernel,
            snapshot,
            facts: Vec::new(),
            now: START,
            epoch: 1,
            said: Vec::new(),
            at_once: 0,
            last_reply: None,
        }
    }

    /// The scene's leader dies, and the next one starts from what is durable.
    pub(super) fn fail_over(&mut self) {
        self.epoch += 1;
        self.kernel =
            Kernel::recover(config(self.epoch), Entropy::new(u128::from(self.epoch)), &self.snapshot, self.now);
        self.kernel.assert_consistent();
        self.said.clear();
    }

    pub(super) fn apply(&mut self, input: Input) -> &mut Self {
        let mut out = Effects::default();
        self.kernel.apply(self.now, input, &mut out);
        self.take(out)
    }

    pub(super) fn settle(&mut self) -> &mut Self {
        let mut out = Effects::default();
        self.kernel.settle(self.now, &mut out);
        self.take(out)
    }

    /// Lets time pass, with the shell on time.
    pub(super) fn pass(&mut self, milliseconds: u64) -> &mut Self {
        let end = self.now.tick.after(milliseconds);
        loop {
            let mut out = Effects::default();
            self.kernel.settle(self.now, &mut out);
            let wake = out.wake.filter(|wake| *wake > self.now.tick && *wake <= end);
            self.take(out);
            let next = wake.unwrap_or(end);
            let passed = next.since(self.now.tick);
            self.now = Now { tick: next, wall: Timestamp(self.now.wall.0.saturating_add_unsigned(passed)) };
            if wake.is_none() {
                return self.settle();
            }
        }
    }

    fn take(&mut self, out: Effects) -> &mut Self {
        for fact in &out.facts {
            let stored = attica_core_store::Fact::encode(fact);
            assert_eq!(Fact::decode(&stored).expect("a stored fact can be read"), *fact);
            self.snapshot.apply(fact);
        }
        self.facts.extend(out.facts);
        self.at_once += out.at_once.len();
        self.said.extend(out.at_once);
        self.said.extend(out.sends);
        self.last_reply = out.replies.into_iter().map(|(_, reply)| reply).next_back().or(self.last_reply.take());
        self.kernel.assert_consistent();
        self.kernel.check_fold(&self.snapshot, self.now).unwrap_or_else(|difference| panic!("I10: {difference}"));
        self
    }

    // What people do.

    pub(super) fn subscribe(&mut self, stream: &str, info: FrameworkInfo) -> &mut Self {
        let subscribe = Subscribe { framework_info: info, ..Subscribe::default() };
        self.apply(Input::Subscribe { stream: StreamId::new(stream), subscribe: Box::new(subscribe) }).settle()
    }

    /// A call in JSON, as a scheduler on `stream` makes it.
    pub(super) fn call(&mut self, stream: &str, json: &str) -> Reply {
        let call: Call = decode_json(json.as_bytes()).expect("a call");
        let (framework, command) = call.into_command().expect("a valid call");
        self.command(stream, framework.expect("a framework").as_str(), command)
    }

    pub(super) fn command(&mut self, stream: &str, framework: &str, command: Command) -> Reply {
        let stream = (!stream.is_empty()).then(|| StreamId::new(stream));
        self.apply(Input::Command {
            framework: FrameworkId::new(framework),
            stream,
            command: Box::new(command),
            reply: ReplyTo(7),
        });
        self.settle();
        self.last_reply.take().expect("every command is answered")
    }

    pub(super) fn launch(&mut self, stream: &str, framework: &str, offers: &[&str], tasks: Vec<TaskInfo>) -> Reply {
        let launch = Some(LaunchOperation { task_infos: tasks });
        let operation =
            OfferOperation { r#type: Some(OfferOperationType::Launch), launch, ..OfferOperation::default() };
        let offer_ids = offers.iter().map(|id| OfferId::new(*id)).collect();
        let filters = Some(Filters { refuse_seconds: 3_600.0 });
        self.command(stream, framework, Command::Accept(Accept { offer_ids, operations: vec![operation], filters }))
    }

    pub(super) fn acknowledge(&mut self, stream: &str, status: &TaskStatus) -> Reply {
        let uuid = uuid_of(status);
        let agent_id = status.agent_id.clone().expect("an agent");
        self.command(
            stream,
            "m1-0000",
            Command::Acknowledge(Acknowledgement { agent_id, task_id: status.task_id.clone(), uuid }),
        )
    }

    pub(super) fn register(&mut self, link: &str, id: Option<&str>, tasks: &[(&str, TaskState)]) -> &mut Self {
        let mut digest = link::TaskDigest::default();
        for (task, state) in tasks {
            digest.add(&FrameworkId::new("m1-0000"), &TaskId::new(*task), *state);
        }
        let register = link::Register {
            agent_info: agent_info(id),
            version: "1.0.0".to_owned(),
            boot_id: "boot-1".to_owned(),
            epoch: 0,
            task_digest: digest.to_bytes(),
            task_count: u32::try_from(tasks.len()).expect("few"),
            checkpointed: true,
            replaces: None,
            executors: Vec::new(),
        };
        self.agent_call(link, link::Call::register(register))
    }

    pub(super) fn agent_call(&mut self, link: &str, call: link::Call) -> &mut Self {
        let reply = (call.r#type != link::CallType::Register).then_some(ReplyTo(9));
        self.apply(Input::AgentCall { link: LinkId::new(link), call: Box::new(call), reply }).settle()
    }

    pub(super) fn list(&mut self, link: &str, tasks: &[(&str, TaskState)]) -> &mut Self {
        let report = |(task, state): &(&str, TaskState)| TaskReport {
            framework_id: FrameworkId::new("m1-0000"),
            task_id: TaskId::new(*task),
            state: *state,
            latest_status: None,
        };
        self.agent_call(link, link::Call::tasks(AgentId::new("m1-S0"), 1, tasks.iter().map(report).collect()))
    }

    /// The agent's `sequence`th update of the task.
    pub(super) fn report(&mut self, link: &str, task: &str, sequence: u64, state: TaskState) -> &mut Self {
        let status = reported(task, sequence, state);
        let update = link::StatusUpdate { framework_id: FrameworkId::new("m1-0000"), status, sequence };
        self.agent_call(link, link::Call::statuses(AgentId::new("m1-S0"), 1, vec![update]))
    }

    pub(super) fn reply(&mut self) -> Reply {
        self.last_reply.take().expect("an answer")
    }

    /// The operations of an ACCEPT in JSON, with every offer that is out and a refusal of an hour for the rest.
    pub(super) fn accept(&mut self, operations: &str) -> Reply {
        let offers = self.kernel.allocator.outstanding();
        let ids: Vec<String> = offers.map(|offer| format!(r#"{{"value":"m{}-O{}"}}"#, self.epoch, offer.key)).collect();
        let offers = ids.join(",");
        self.call(
            "s1",
            &format!(
                r#"{{"type":"ACCEPT","framework_id":{{"value":"m1-0000"}},"accept":{{"offer_ids":[{offers}],
                    "operations":[{operations}],"filters":{{"refuse_seconds":3600}}}}}}"#
            ),
        )
    }

    /// What was said since the last look, one line each.
    pub(super) fn said(&mut self) -> String {
        let lines: Vec<String> = self.said.drain(..).map(|send| line(&send)).collect();
        lines.join("\n")
    }

    /// The statuses that went to `stream` since the last look.
    pub(super) fn statuses(&mut self, stream: &str) -> Vec<TaskStatus> {
        let status = |send: Send| match send {
            Send::Scheduler { stream: to, event } if to.as_str() == stream => event.update.map(|update| update.status),
            Send::Scheduler { .. } | Send::CloseScheduler { .. } | Send::Agent { .. } | Send::CloseAgent { .. } => None,
        };
        self.said.drain(..).filter_map(status).collect()
    }
}

/// A scene with a framework `m1-0000` on stream `s1` and an agent `m1-S0` on link `l1`, whose offer `m1-O0` is out.
pub(super) fn stage() -> Scene {
    let mut scene = Scene::new();
    scene.subscribe("s1", framework_info()).register("l1", None, &[]);
    scene.said();
    scene
}

/// The same with a task `t1` that its agent reported as running, and nothing unacknowledged.
pub(super) fn running() -> Scene {
    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1")]);
    scene.report("l1", "t1", 1, TaskState::Running);
    let statuses = scene.statuses("s1");
    scene.acknowledge("s1", &statuses[0]);
    scene.said();
    scene
}

pub(super) fn framework_info() -> FrameworkInfo {
    let capability = |capability| FrameworkCapability { r#type: Some(capability) };
    FrameworkInfo {
        user: "root".to_owned(),
        name: "golden".to_owned(),
        roles: vec!["golden".to_owned()],
        capabilities: vec![
            capability(FrameworkCapabilityType::MultiRole),
            capability(FrameworkCapabilityType::PartitionAware),
            capability(FrameworkCapabilityType::ReservationRefinement),
        ],
        failover_timeout: 60.0,
        ..FrameworkInfo::default()
    }
}

pub(super) fn with_id(id: &str) -> FrameworkInfo {
    FrameworkInfo { id: Some(FrameworkId::new(id)), ..framework_info() }
}

pub(super) fn agent_info(id: Option<&str>) -> AgentInfo {
    AgentInfo {
        hostname: "127.0.0.1".to_owned(),
        port: 5051,
        resources: resources_of("cpus:1000;mem:100000;disk:100000;ports:[31000-32000]"),
        id: id.map(AgentId::new),
        ..AgentInfo::default()
    }
}

pub(super) fn resources_of(text: &str) -> Vec<Resource> {
    resources::parse(text, &attica_allocator::Role::any()).expect("resources")
}

pub(super) fn task(id: &str) -> TaskInfo {
    TaskInfo {
        name: id.to_owned(),
        task_id: TaskId::new(id),
        agent_id: AgentId::new("m1-S0"),
        resources: resources_of("cpus:0.5;mem:64"),
        command: Some(CommandInfo { value: Some("sleep 1000".to_owned()), ..CommandInfo::default() }),
        ..TaskInfo::default()
    }
}

pub(super) fn reported(task: &str, sequence: u64, state: TaskState) -> TaskStatus {
    TaskStatus {
        task_id: TaskId::new(task),
        state,
        source: Some(TaskStatusSource::Executor),
        uuid: Some(vec![u8::try_from(sequence).expect("few"); 16].into()),
        ..TaskStatus::default()
    }
}

fn uuid_of(status: &TaskStatus) -> uuid::Uuid {
    uuid::Uuid::from_slice(status.uuid.as_ref().expect("a uuid")).expect("16 bytes")
}

fn config(epoch: u64) -> Config {
    let master_info = MasterInfo { id: format!("m{epoch}"), port: 5050, ..MasterInfo::default() };
    Config { offer_timeout_ms: None, ..Config::new(master_info, epoch) }
}

/// `to TYPE what matters`.
fn line(send: &Send) -> String {
    match send {
        Send::Scheduler { stream, event } => format!("{stream} {}", event_line(event)),
        Send::CloseScheduler { stream } => format!("{stream} (closed)"),
        Send::Agent { link, event } => format!("{link} {}", link_line(event)),
        Send::CloseAgent { link, reason } => format!("{link} (closed: {reason})"),
    }
}

fn event_line(event: &Event) -> String {
    let kind = event.r#type.map(|kind| kind.to_string()).unwrap_or_default();
    let mut parts = vec![kind];
    parts.extend(event.subscribed.iter().map(|subscribed| subscribed.framework_id.to_string()));
    parts.extend(event.offers.iter().flat_map(|offers| &offers.offers).map(|offer| offer.id.to_string()));
    parts.extend(event.rescind.iter().map(|rescind| rescind.offer_id.to_string()));
    let inverse = event.inverse_offers.iter().flat_map(|offers| &offers.inverse_offers);
    parts.extend(inverse.map(|offer| offer.id.to_string()));
    parts.extend(event.rescind_inverse_offer.iter().map(|rescind| rescind.inverse_offer_id.to_string()));
    parts.extend(event.error.iter().map(|error| error.message.clone()));
    parts.extend(event.failure.iter().flat_map(|failure| &failure.agent_id).map(ToString::to_string));
    parts.extend(event.failure.iter().flat_map(|failure| &failure.executor_id).map(ToString::to_string));
    parts.extend(event.failure.iter().flat_map(|failure| failure.status).map(|status| format!("(status {status})")));
    parts.extend(event.message.iter().map(|message| format!("{} {:?}", message.executor_id, message.data)));
    parts.extend(event.update_operation_status.iter().map(|update| operation_line(&update.status)));
    parts.extend(event.update.iter().map(|update| status_line(&update.status)));
    parts.join(" ")
}

fn operation_line(status: &OperationStatus) -> String {
    let id = status.operation_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut parts = vec![id, status.state.to_string()];
    parts.extend(status.message.clone());
    parts.push(if status.uuid.is_some() { "(to be acknowledged)" } else { "(said once)" }.to_owned());
    parts.join(" ")
}

fn status_line(status: &TaskStatus) -> String {
    let mut parts = vec![status.task_id.to_string(), status.state.to_string()];
    parts.extend(status.reason.map(|reason| reason.to_string()));
    parts.extend(status.message.clone());
    parts.push(if status.uuid.is_some() { "(to be acknowledged)" } else { "(said once)" }.to_owned());
    parts.join(" ")
}

fn link_line(event: &link::Event) -> String {
    let mut parts = vec![event.r#type.to_string()];
    parts.extend(
        event
            .registered
            .iter()
            .map(|registered| format!("{} matches: {}", registered.agent_id, registered.digest_matches)),
    );
    parts.extend(event.run.iter().flat_map(|run| &run.tasks).map(|task| task.task_id.to_string()));
    for group in event.run.iter().flat_map(|run| &run.task_groups) {
        let tasks: Vec<&str> = group.tasks.iter().map(|task| task.task_id.as_str()).collect();
        parts.push(format!("{}[{}]", group.executor.executor_id, tasks.join(" ")));
    }
    parts.extend(event.kill.iter().map(|kill| kill.task_id.to_string()));
    parts.extend(event.message.iter().map(|message| format!("{} {:?}", message.executor_id, message.data)));
    parts.extend(event.shutdown_executor.iter().map(|shutdown| shutdown.executor_id.to_string()));
    parts.extend(event.operation.iter().filter_map(|operation| operation.info.r#type).map(|kind| kind.to_string()));
    parts.extend(
        event.acknowledge.iter().map(|acknowledge| format!("{} {:02x}", acknowledge.task_id, acknowledge.uuid[0])),
    );
    parts.join(" ")
}
