//! A framework's scheduler: it keeps some tasks running, acknowledges most of what it hears, and is not always well behaved.

use std::collections::BTreeMap;

use attica_core::kernel::Reply;
use attica_core_api::resources;
use attica_core_api::scheduler::{
    Accept, Acknowledgement, Command, Decline, Event, EventType, Kill, OperationAcknowledgement, Reconcile,
    ReconcileOperations, ReconcileTask, Subscribe,
};
use attica_core_api::v1::{
    AgentId, CommandInfo, CreateOperation, DestroyOperation, DiskInfo, DiskPersistence, Filters, FrameworkCapability,
    FrameworkCapabilityType, FrameworkId, FrameworkInfo, LaunchOperation, Offer, OfferOperation, OfferOperationType,
    OperationId, OperationStatus, ReservationInfo, ReservationType, ReserveOperation, Resource, Scalar, TaskId,
    TaskInfo, TaskState, TaskStatus, UnreserveOperation, ValueType, Volume,
};

use crate::faults::Scenario;
use crate::network::{Body, Node};
use crate::random::Random;
use crate::world::{Out, Timer};

const TICK_MS: u64 = 600;
/// A master that says nothing for so long is gone.
const SILENCE_MS: u64 = 5_000;

/// One framework.
pub(crate) struct Scheduler {
    index: usize,
    pub(crate) id: Option<FrameworkId>,
    partition_aware: bool,
    failover_timeout: f64,
    scenario: Scenario,
    pub(crate) stream: Option<Stream>,
    streams: u64,
    target: usize,
    retry_at: u64,
    /// The live tasks that it knows of.
    tasks: BTreeMap<TaskId, Option<AgentId>>,
    goal: usize,
    next_task: u64,
    next_operation: u64,
    /// Whether everything is to come to rest.
    calm: bool,
    next_ticket: u64,
    /// Calls without an answer.
    calls: BTreeMap<u64, Asked>,
}

/// The stream of events.
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) master: usize,
    pub(crate) subscribed: bool,
    heard_at: u64,
}

/// A call that waits for its answer.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) framework: FrameworkId,
    pub(crate) command: Command,
}

impl Scheduler {
    pub(crate) fn new(index: usize, scenario: Scenario, random: &mut Random) -> Self {
        let failover_timeout = match scenario {
            Scenario::Everything => [3.0, 40.0, 40.0, 40.0, 40.0][random.index(5)],
            Scenario::Outages => [0.0, 3.0, 40.0][random.index(3)],
        };
        Self {
            index,
            id: None,
            partition_aware: random.percent(70),
            failover_timeout,
            scenario,
            stream: None,
            streams: 0,
            target: index,
            retry_at: 0,
            tasks: BTreeMap::new(),
            goal: 2 + random.index(6),
            next_task: 0,
            next_operation: 0,
            calm: false,
            next_ticket: 0,
            calls: BTreeMap::new(),
        }
    }

    fn node(&self) -> Node {
        Node::Scheduler(self.index)
    }

    pub(crate) fn tick(&mut self, now: u64, masters: usize, random: &mut Random, calm: bool, out: &mut Out) {
        out.timers.push((TICK_MS + random.within(0..60), Timer::Tick));
        self.calm = calm;
        match &self.stream {
            None if self.retry_at <= now => self.subscribe(now, masters, random, out),
            None => {}
            Some(stream) if stream.heard_at + SILENCE_MS <= now => self.hang_up(now, random, out),
            Some(stream) if stream.subscribed => self.act(now, masters, random, calm, out),
            Some(_) => {}
        }
    }

    fn subscribe(&mut self, now: u64, masters: usize, random: &mut Random, out: &mut Out) {
        self.target = (self.target + 1) % masters;
        self.streams += 1;
        let name = format!("stream-{}-{}", self.index, self.streams);
        let mut capabilities = vec![FrameworkCapabilityType::MultiRole, FrameworkCapabilityType::ReservationRefinement];
        capabilities.extend(self.partition_aware.then_some(FrameworkCapabilityType::PartitionAware));
        let framework_info = FrameworkInfo {
            user: "root".to_owned(),
            name: format!("framework {}", self.index),
            id: self.id.clone(),
            failover_timeout: self.failover_timeout,
            roles: vec![format!("role-{}", self.index % 2)],
            capabilities: capabilities.into_iter().map(|kind| FrameworkCapability { r#type: Some(kind) }).collect(),
            ..FrameworkInfo::default()
        };
        let subscribe = Box::new(Subscribe { framework_info, ..Subscribe::default() });
        out.send(self.node(), Node::Master(self.target), &name, Body::Subscribe { stream: name.clone(), subscribe });
        self.stream = Some(Stream { name, master: self.target, subscribed: false, heard_at: now });
        self.retry_at = now + random.within(200..1_500);
    }

    /// What a scheduler does of its own accord.
    fn act(&mut self, now: u64, masters: usize, random: &mut Random, calm: bool, out: &mut Out) {
        if calm || self.scenario == Scenario::Outages {
            return;
        }
        let some_task = self.tasks.keys().nth(random.index(self.tasks.len().max(1))).cloned();
        match (random.within(0..200), some_task) {
            (0..6, Some(task_id)) => {
                let agent_id = self.tasks.get(&task_id).cloned().flatten();
                self.call(Command::Kill(Kill { task_id, agent_id, kill_policy: None }), out);
            }
            (6..10, Some(task_id)) => {
                let tasks = vec![ReconcileTask { task_id, agent_id: None }];
                self.call(Command::Reconcile(Reconcile { tasks }), out);
            }
            (10..14, _) => self.call(Command::Reconcile(Reconcile { tasks: Vec::new() }), out),
            (27..29, _) => self.call(Command::ReconcileOperations(ReconcileOperations::default()), out),
            (14..16, _) => self.call(Command::Suppress { roles: Vec::new() }, out),
            (16..24, _) => self.call(Command::Revive { roles: Vec::new() }, out),
            (24, _) => self.hang_up(now, random, out),
            (25, _) => {
                // Another scheduler of the same framework takes over; the first one does not know yet, and calls once more.
                let old = self.stream.as_ref().map(|stream| (stream.name.clone(), stream.master));
                self.subscribe(now, masters, random, out);
                if let Some(((name, master), task)) = old.zip(self.tasks.keys().next().cloned()) {
                    let kill = Kill { task_id: task, agent_id: None, kill_policy: None };
                    self.call_on(&name, master, Command::Kill(kill), out);
                }
            }
            (26, _) if random.percent(20) => self.call(Command::Teardown, out),
            _ => {}
        }
    }

    fn call(&mut self, command: Command, out: &mut Out) {
        let Some(stream) = &self.stream else { return };
        let (name, master) = (stream.name.clone(), stream.master);
        self.call_on(&name, master, command, out);
    }

    fn call_on(&mut self, stream: &str, master: usize, command: Command, out: &mut Out) {
        let Some(framework) = self.id.clone() else { return };
        self.next_ticket += 1;
        let ticket = self.next_ticket * 100 + u64::try_from(self.index).expect("few");
        self.calls.insert(ticket, Asked { framework: framework.clone(), command: command.clone() });
        let body = Body::Call { ticket, framework, stream: stream.to_owned(), command };
        out.send(self.node(), Node::Master(master), &format!("call-{ticket}"), body);
    }

    pub(crate) fn hang_up(&mut self, now: u64, random: &mut Random, out: &mut Out) {
        if let Some(stream) = self.stream.take() {
            out.close(self.node(), Node::Master(stream.master), &stream.name);
            // Mostly back soon; sometimes later than its failover timeout allows.
            let long = self.scenario == Scenario::Everything && random.percent(10);
            self.retry_at = now + if long { random.within(5_000..40_000) } else { random.within(50..2_000) };
        }
    }

    pub(crate) fn closed(&mut self, now: u64, connection: &str, random: &mut Random) {
        if self.stream.as_ref().is_some_and(|stream| stream.name == connection) {
            self.stream = None;
            self.retry_at = now + random.within(50..1_500);
        }
    }

    /// The answer to a call, with what was asked.
    pub(crate) fn answered(&mut self, ticket: u64, reply: &Reply) -> Option<Asked> {
        let asked = self.calls.remove(&ticket)?;
        if asked.command == Command::Teardown && *reply == Reply::Accepted && self.id.as_ref() == Some(&asked.framework)
        {
            self.start_anew();
        }
        Some(asked)
    }

    fn start_anew(&mut self) {
        self.id = None;
        self.stream = None;
        self.tasks.clear();
    }

    /// Returns the status that came, if it is one on the present stream.
    pub(crate) fn hear(
        &mut self,
        now: u64,
        stream: &str,
        event: Event,
        random: &mut Random,
        out: &mut Out,
    ) -> Option<TaskStatus> {
        let current = self.stream.as_mut().filter(|current| current.name == stream)?;
        current.heard_at = now;
        match event.r#type? {
            EventType::Subscribed => {
                current.subscribed = true;
                self.id = event.subscribed.map(|subscribed| subscribed.framework_id);
            }
            EventType::Offers => self.consider(event.offers?.offers, random, out),
            EventType::Update => {
                let status = event.update?.status;
                self.note(&status, random, out);
                return Some(status);
            }
            EventType::UpdateOperationStatus => {
                let status = event.update_operation_status?.status;
                self.note_operation(status, random, out);
            }
            EventType::Error => {
                let removed = event.error.is_some_and(|error| error.message.contains("removed"));
                if removed {
                    self.start_anew();
                }
            }
            _ => {}
        }
        None
    }

    fn consider(&mut self, offers: Vec<Offer>, random: &mut Random, out: &mut Out) {
        for offer in offers {
            let filters = Some(Filters { refuse_seconds: [0.0, 1.0, 3.0][random.index(3)] });
            let offer_ids = vec![offer.id.clone()];
            let port = offer.resources.iter().find_map(first_port);
            if !self.calm && self.scenario == Scenario::Everything && random.percent(15) {
                let operations = self.shape(&offer, random).into_iter().collect();
                self.call(Command::Accept(Accept { offer_ids, operations, filters }), out);
                continue;
            }
            match port {
                Some(port) if self.tasks.len() < self.goal && random.percent(80) => {
                    let mut tasks = vec![self.make_task(&offer, port)];
                    if random.percent(30) {
                        // The same port twice: the second must be refused.
                        tasks.push(self.make_task(&offer, port));
                    }
                    let launch = Some(LaunchOperation { task_infos: tasks });
                    let r#type = Some(OfferOperationType::Launch);
                    let operations = vec![OfferOperation { r#type, launch, ..OfferOperation::default() }];
                    self.call(Command::Accept(Accept { offer_ids, operations, filters }), out);
                }
                // Some offers are never answered: they have to expire.
                _ if random.percent(10) => {}
                _ => self.call(Command::Decline(Decline { offer_ids, filters }), out),
            }
        }
    }

    /// Reserves some disk space, makes a volume of what is reserved, or undoes either.
    fn shape(&mut self, offer: &Offer, random: &mut Random) -> Option<OfferOperation> {
        let disks: Vec<&Resource> = offer.resources.iter().filter(|resource| resource.name == "disk").collect();
        let resource = (*disks.get(random.index(disks.len().max(1)))?).clone();
        self.next_operation += 1;
        let name = format!("{}.o{}", self.id.as_ref()?, self.next_operation);
        let id = random.percent(60).then(|| OperationId::new(name.as_str()));
        let operation = OfferOperation { id, ..OfferOperation::default() };
        let is_volume = resource.disk.is_some();
        Some(match (resource.reservations.is_empty(), is_volume, random.percent(50)) {
            (true, _, _) => {
                let role = offer.allocation_info.as_ref()?.role.clone();
                let reservation =
                    ReservationInfo { r#type: Some(ReservationType::Dynamic), role, ..Default::default() };
                // More than there is, now and then.
                let value = [10.0, 20.0, 5_000.0][random.index(3)];
                let wanted = Resource { scalar: Some(Scalar { value }), reservations: vec![reservation], ..resource };
                let reserve = Some(ReserveOperation { resources: vec![wanted], source: Vec::new() });
                OfferOperation { r#type: Some(OfferOperationType::Reserve), reserve, ..operation }
            }
            (false, true, _) => {
                let destroy = Some(DestroyOperation { volumes: vec![resource] });
                OfferOperation { r#type: Some(OfferOperationType::Destroy), destroy, ..operation }
            }
            (false, false, true) => {
                let unreserve = Some(UnreserveOperation { resources: vec![resource] });
                OfferOperation { r#type: Some(OfferOperationType::Unreserve), unreserve, ..operation }
            }
            (false, false, false) => {
                let persistence = Some(DiskPersistence { id: name, principal: None });
                let volume = Some(Volume { container_path: "data".to_owned(), ..Volume::default() });
                let disk = Some(Box::new(DiskInfo { persistence, volume, source: None }));
                let create = Some(CreateOperation { volumes: vec![Resource { disk, ..resource }] });
                OfferOperation { r#type: Some(OfferOperationType::Create), create, ..operation }
            }
        })
    }

    fn note_operation(&mut self, status: OperationStatus, random: &mut Random, out: &mut Out) {
        // As with tasks, some acknowledgements are forgotten.
        if random.percent(90)
            && let (Some(uuid), Some(operation_id)) = (status.uuid, status.operation_id)
        {
            let uuid = uuid::Uuid::from_slice(&uuid.value).expect("16 bytes");
            let agent_id = status.agent_id;
            let acknowledgement = OperationAcknowledgement { agent_id, resource_provider_id: None, operation_id, uuid };
            self.call(Command::AcknowledgeOperationStatus(acknowledgement), out);
        }
    }

    fn make_task(&mut self, offer: &Offer, port: u64) -> TaskInfo {
        self.next_task += 1;
        let framework = self.id.as_ref().map(ToString::to_string).unwrap_or_default();
        let task_id = TaskId::new(format!("{framework}.t{}", self.next_task));
        self.tasks.insert(task_id.clone(), Some(offer.agent_id.clone()));
        let text = format!("cpus:0.5;mem:128;ports:[{port}-{port}]");
        TaskInfo {
            name: "task".to_owned(),
            task_id,
            agent_id: offer.agent_id.clone(),
            resources: resources::parse(&text, &attica_allocator::Role::any()).expect("resources"),
            command: Some(CommandInfo { value: Some("sleep".to_owned()), ..CommandInfo::default() }),
            ..TaskInfo::default()
        }
    }

    fn note(&mut self, status: &TaskStatus, random: &mut Random, out: &mut Out) {
        let over = match status.state {
            TaskState::Lost | TaskState::Unreachable | TaskState::Unknown | TaskState::GoneByOperator => true,
            state => state.is_terminal(),
        };
        if over {
            // Replaced by another; should it come back, it is killed.
            self.tasks.remove(&status.task_id);
        } else if !self.tasks.contains_key(&status.task_id) && random.percent(50) {
            let kill = Kill { task_id: status.task_id.clone(), agent_id: status.agent_id.clone(), kill_policy: None };
            self.call(Command::Kill(kill), out);
        }
        // Some acknowledgements are forgotten: the status has to come again.
        if random.percent(90)
            && let (Some(uuid), Some(agent_id)) = (&status.uuid, &status.agent_id)
        {
            let uuid = uuid::Uuid::from_slice(uuid).expect("16 bytes");
            let acknowledgement = Acknowledgement { agent_id: agent_id.clone(), task_id: status.task_id.clone(), uuid };
            self.call(Command::Acknowledge(acknowledgement), out);
        }
    }
}

fn first_port(resource: &Resource) -> Option<u64> {
    match resource.r#type {
        ValueType::Ranges => Some(resource.ranges.as_ref()?.range.first()?.begin),
        ValueType::Scalar | ValueType::Set | ValueType::Text => None,
    }
}
