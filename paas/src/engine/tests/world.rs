//! An engine with a tiny master: it offers its agents' free resources, answers launches and kills, and reconciles.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use attica_core_api::scheduler::{Call, CallType, Event};
use attica_core_api::v1::{
    AgentId, AllocationInfo, Attribute, ExecutorInfo, FrameworkId, HealthResult, MasterInfo, Offer, OfferId, Range,
    Ranges, Resource, Scalar, TaskId, TaskInfo, TaskState, TaskStatus, Text, ValueType,
};
use attica_core_api::{Entropy, Now, Tick, Timestamp};
use bytes::Bytes;

use super::super::*;
use super::kept::Kept;
use crate::model::{DeploymentId, Instance, RunSpec, RunSpecId, RunSpecUpdate, TaskIdentity};

/// A machine of the tiny master.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) rack: String,
    pub(super) cpus: f64,
    pub(super) ports: (u64, u64),
    pub(super) reachable: bool,
}

/// A task that the tiny master knows.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) info: TaskInfo,
    pub(super) state: TaskState,
    /// The role that its resources were offered to.
    pub(super) role: String,
}

/// What the tiny master does with a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// It runs.
    Run,
    /// It runs and fails at once.
    Crash,
    /// Nothing is heard of it.
    Stall,
}

pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) now: Now,
    pub(super) machines: Vec<Machine>,
    pub(super) tasks: BTreeMap<TaskId, Known>,
    pub(super) behaviour: Behaviour,
    /// The master waits for its agents to come back, and says nothing about tasks that it does not know.
    pub(super) recovering: bool,
    pub(super) frames: Vec<Frame>,
    pub(super) facts: Vec<Fact>,
    pub(super) views: Vec<View>,
    pub(super) calls: Vec<Call>,
    /// The executors of groups that were launched.
    pub(super) groups: Vec<ExecutorInfo>,
    pub(super) acknowledged: u64,
    /// What is reserved on the machines.
    pub(super) kept: Kept,
    /// What is accepted does not arrive.
    pub(super) deaf: bool,
    config: Config,
    /// Called after every run of the engine.
    pub(super) watch: fn(&World),
    events: VecDeque<Event>,
    /// Until when the framework wants no offer of a machine in a role.
    declined: BTreeMap<(String, String), Tick>,
    /// The roles that the framework is subscribed in, and those of them in which it wants no offers.
    pub(super) roles: BTreeSet<String>,
    pub(super) suppressed: BTreeSet<String>,
    offers_made: u64,
    replies: u64,
    wake: Option<Tick>,
}

pub(super) fn id(path: &str) -> RunSpecId {
    RunSpecId::parse(path).unwrap()
}

pub(super) fn config() -> Config {
    Config::new(Border {
        validate: |_| Ok(()),
        validate_change: |_, _| Ok(()),
        render_run_spec: |run_spec| format!("{{\"id\":\"{}\"}}", run_spec.id),
        render_health_check: |_| "{}".to_owned(),
        render_changes: |changes| format!("{} changes", changes.run_specs.len()),
    })
}

pub(super) fn update(instances: u32) -> RunSpecUpdate {
    let cpus = attica_core_api::Scalar::from_thousandths(100).unwrap();
    let mem = attica_core_api::Scalar::units(32);
    RunSpecUpdate {
        cmd: Some("serve".into()),
        instances: Some(instances),
        cpus: Some(cpus),
        mem: Some(mem),
        ..RunSpecUpdate::default()
    }
}

impl World {
    pub(super) fn new(machines: usize) -> Self {
        let mut world = Self::bare(config(), machines);
        world.connect();
        world
    }

    pub(super) fn bare(config: Config, machines: usize) -> Self {
        let now = Now { tick: Tick(1_000), wall: Timestamp(1_700_000_000_000) };
        let machine = |index: usize| Machine {
            name: format!("h{index}"),
            rack: format!("r{}", index % 2),
            cpus: 16.0,
            ports: (31_000, 31_999),
            reachable: true,
        };
        Self {
            engine: Engine::recover(config.clone(), Snapshot::default(), Entropy::new(1), now),
            now,
            machines: (1..=machines).map(machine).collect(),
            tasks: BTreeMap::new(),
            behaviour: Behaviour::Run,
            recovering: false,
            frames: Vec::new(),
            facts: Vec::new(),
            views: Vec::new(),
            calls: Vec::new(),
            groups: Vec::new(),
            acknowledged: 0,
            kept: Kept::default(),
            deaf: false,
            config,
            watch: |_| {},
            events: VecDeque::new(),
            declined: BTreeMap::new(),
            roles: BTreeSet::new(),
            suppressed: BTreeSet::new(),
            offers_made: 0,
            replies: 0,
            wake: None,
        }
    }

    pub(super) fn connect(&mut self) {
        self.declined.clear();
        self.roles = BTreeSet::from([self.config.role.clone()]);
        self.suppressed.clear();
        let master = MasterInfo { id: "m".into(), ..MasterInfo::default() };
        self.events.push_back(Event::subscribed(FrameworkId::from("f"), 15.0, master));
        self.run();
    }

    /// The scheduler's stream breaks.
    pub(super) fn disconnect(&mut self) {
        let mut out = Effects::default();
        self.events.clear();
        self.engine.apply(self.now, Input::Disconnected, &mut out);
        self.take(out);
    }

    /// The master gives the framework up, and kills its tasks.
    pub(super) fn framework_removed(&mut self) {
        let mut out = Effects::default();
        self.events.clear();
        self.tasks.clear();
        self.engine.apply(self.now, Input::FrameworkRemoved, &mut out);
        self.take(out);
    }

    /// The engine is lost, and another one goes on from the folded facts.
    pub(super) fn fail_over(&mut self) {
        let mut folded = Snapshot::default();
        for fact in &self.facts {
            let stored = serde_json::to_vec(fact).unwrap();
            folded.apply(&serde_json::from_slice(&stored).unwrap());
        }
        assert_eq!(folded, *self.engine.snapshot());
        self.events.clear();
        self.engine =
            Engine::recover(self.config.clone(), folded, Entropy::new(self.offers_made as u128 + 77), self.now);
        self.connect();
    }

    /// Applies a write and lets everything happen that follows within a second.
    pub(super) fn write(&mut self, write: Write) -> Result<Reply, Refusal> {
        self.write_on(Terms::default(), write)
    }

    /// The same on terms.
    pub(super) fn write_on(&mut self, terms: Terms, write: Write) -> Result<Reply, Refusal> {
        let reply = self.apply_only(terms, write);
        self.run();
        self.pass(1_000);
        reply
    }

    /// Applies a write; the world outside stands still.
    pub(super) fn write_only(&mut self, write: Write) -> Result<Reply, Refusal> {
        self.apply_only(Terms::default(), write)
    }

    fn apply_only(&mut self, terms: Terms, write: Write) -> Result<Reply, Refusal> {
        self.replies += 1;
        let reply = ReplyTo(self.replies);
        let origin = Origin { client_ip: "127.0.0.1".into(), uri: "/v2/apps?force=true".into(), ..Origin::default() };
        let (terms, mut out) = (Box::new(terms), Effects::default());
        self.engine.apply(self.now, Input::Write { write, terms, origin, reply }, &mut out);
        let position = out.replies.iter().position(|(to, _)| *to == reply).unwrap();
        let (_, answer) = out.replies.remove(position);
        self.engine.settle(self.now, &mut out);
        self.take(out);
        answer
    }

    pub(super) fn put(&mut self, path: &str, update: RunSpecUpdate) -> DeploymentId {
        let to = Definition::Merged(Box::new(update));
        self.deployed(Write::Put { changes: vec![RunSpecChange { id: id(path), to }], force: false })
    }

    pub(super) fn deployed(&mut self, write: Write) -> DeploymentId {
        match self.write(write).unwrap() {
            Reply::Deployed { deployment, .. } => deployment,
            other => panic!("{other:?}"),
        }
    }

    /// Lets the world go on until nothing happens any more at this moment.
    pub(super) fn run(&mut self) {
        for _ in 0..100_000 {
            self.offer();
            let mut out = Effects::default();
            let events: Vec<Event> = self.events.drain(..).collect();
            let idle = events.is_empty();
            for event in events {
                self.engine.apply(self.now, Input::Scheduler(Box::new(event)), &mut out);
            }
            self.engine.settle(self.now, &mut out);
            let quiet = idle && out.calls.is_empty() && out.facts.is_empty();
            self.take(out);
            (self.watch)(self);
            if quiet {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    /// Time passes, with everything that falls due on the way.
    pub(super) fn pass(&mut self, milliseconds: u64) {
        let end = self.now.tick.after(milliseconds);
        while let Some(at) = self.wake.filter(|at| *at <= end) {
            self.move_to(at.max(self.now.tick.after(1)));
            self.run();
        }
        self.move_to(end.max(self.now.tick));
        self.run();
    }

    fn move_to(&mut self, tick: Tick) {
        let passed = tick.since(self.now.tick);
        self.now = Now { tick, wall: Timestamp(self.now.wall.0 + passed as i64) };
    }

    fn take(&mut self, out: Effects) {
        self.wake = out.wake;
        for recorded in out.facts {
            self.frames.extend(recorded.frames);
            self.facts.push(recorded.fact);
        }
        self.views.extend(out.views);
        for call in out.calls {
            if !self.deaf || call.r#type != Some(CallType::Accept) {
                self.answer(&call);
            }
            self.calls.push(call);
        }
    }

    fn answer(&mut self, call: &Call) {
        match call.r#type.unwrap() {
            CallType::Accept => {
                let accept = call.accept.as_ref().unwrap();
                let (made_to, machine) = accept.offer_ids[0].as_str().split_once('@').unwrap();
                let (role, machine) = (made_to.split_once('/').unwrap().1.to_owned(), machine.to_owned());
                for operation in &accept.operations {
                    self.kept.operate(&machine, operation);
                    let mut infos =
                        operation.launch.iter().flat_map(|launch| launch.task_infos.clone()).collect::<Vec<_>>();
                    if let Some(group) = &operation.launch_group {
                        self.groups.push(group.executor.clone());
                        infos.extend(group.task_group.tasks.clone());
                    }
                    infos.into_iter().for_each(|info| self.launch(info, &role));
                }
            }
            CallType::Decline => {
                let decline = call.decline.as_ref().unwrap();
                let until = self.now.tick.after((decline.filters.as_ref().unwrap().refuse_seconds * 1_000.0) as u64);
                for offer in &decline.offer_ids {
                    let (made_to, agent) = offer.as_str().split_once('@').unwrap();
                    let role = made_to.split_once('/').unwrap().1.to_owned();
                    self.declined.insert((agent.to_owned(), role), until);
                }
            }
            CallType::UpdateFramework => {
                let update = call.update_framework.clone().unwrap();
                self.roles = update.framework_info.roles.into_iter().collect();
                self.suppressed = update.suppressed_roles.into_iter().collect();
                assert!(self.suppressed.is_subset(&self.roles));
            }
            CallType::Revive => {
                let roles = call.revive.clone().unwrap().roles;
                assert!(roles.iter().all(|role| self.roles.contains(role)), "{roles:?} are not subscribed");
                self.suppressed.retain(|role| !roles.contains(role));
                self.declined.retain(|(_, role), _| !roles.contains(role));
            }
            CallType::Suppress => {
                let roles = call.suppress.clone().unwrap().roles;
                assert!(roles.iter().all(|role| self.roles.contains(role)), "{roles:?} are not subscribed");
                self.suppressed.extend(roles);
            }
            CallType::Kill => self.end(&call.kill.as_ref().unwrap().task_id, TaskState::Killed),
            CallType::Reconcile => {
                let tasks = call.reconcile.as_ref().unwrap().tasks.iter();
                for task in tasks
                    .filter(|task| !self.recovering || self.tasks.contains_key(&task.task_id))
                    .cloned()
                    .collect::<Vec<_>>()
                {
                    let state = self.tasks.get(&task.task_id).map_or(TaskState::Gone, |known| known.state);
                    self.report(&task.task_id.clone(), state, |status| status.uuid = None);
                }
            }
            CallType::Acknowledge => self.acknowledged += 1,
            other => panic!("{other:?}"),
        }
    }

    fn launch(&mut self, info: TaskInfo, role: &str) {
        let task = info.task_id.clone();
        assert!(!self.tasks.contains_key(&task), "{task} launched twice");
        let instance = crate::model::TaskIdentity::parse(task.as_str()).unwrap().instance;
        let durable = self.engine.snapshot().instance(&instance).and_then(|instance| instance.task.clone());
        assert!(durable.is_some_and(|durable| durable.has(task.as_str())), "launched before it was durable");
        self.tasks.insert(task.clone(), Known { info, state: TaskState::Staging, role: role.to_owned() });
        match self.behaviour {
            Behaviour::Run => {
                self.report(&task, TaskState::Starting, |_| {});
                self.report(&task, TaskState::Running, |_| {});
            }
            Behaviour::Crash => {
                self.report(&task, TaskState::Running, |_| {});
                self.end(&task, TaskState::Failed);
            }
            Behaviour::Stall => {}
        }
    }

    /// A task ends.
    pub(super) fn end(&mut self, task: &TaskId, state: TaskState) {
        if self.tasks.get(task).is_some_and(|known| self.is_reachable(known)) {
            self.report(task, state, |_| {});
            self.tasks.remove(task);
        }
    }

    fn is_reachable(&self, known: &Known) -> bool {
        self.machines.iter().any(|machine| machine.reachable && agent(machine) == known.info.agent_id)
    }

    /// Sends a status of a task.
    pub(super) fn report(&mut self, task: &TaskId, state: TaskState, more: impl FnOnce(&mut TaskStatus)) {
        let agent_id = self.tasks.get(task).map(|known| known.info.agent_id.clone());
        let uuid = Some(Bytes::from_static(b"0123456789abcdef"));
        let mut status = TaskStatus { task_id: task.clone(), state, agent_id, uuid, ..TaskStatus::default() };
        more(&mut status);
        if let Some(known) = self.tasks.get_mut(task)
            && state != TaskState::Unreachable
        {
            known.state = state;
        }
        self.events.push_back(Event::update(status));
    }

    /// All running tasks report the result of their first health check.
    pub(super) fn probe_all(&mut self, healthy: bool, failures: u32) {
        let tasks: Vec<TaskId> = self.tasks.keys().cloned().collect();
        for task in tasks {
            self.probe(&task, healthy, failures);
        }
        self.run();
    }

    pub(super) fn probe(&mut self, task: &TaskId, healthy: bool, failures: u32) {
        let timestamp = self.now.wall.seconds();
        self.report(task, TaskState::Running, |status| {
            let message = (!healthy).then(|| "refused".to_owned());
            let result = HealthResult {
                index: 0,
                healthy,
                consecutive_failures: failures,
                message,
                timestamp,
                ..HealthResult::default()
            };
            status.health_results.push(result);
        });
    }

    /// A machine is out of contact, or back.
    pub(super) fn set_reachable(&mut self, index: usize, reachable: bool) {
        self.machines[index].reachable = reachable;
        let on_it = agent(&self.machines[index]);
        let tasks: Vec<(TaskId, TaskState)> = self
            .tasks
            .iter()
            .filter(|(_, known)| known.info.agent_id == on_it)
            .map(|(task, known)| (task.clone(), known.state))
            .collect();
        for (task, state) in tasks {
            self.report(&task, if reachable { state } else { TaskState::Unreachable }, |_| {});
        }
        self.run();
    }

    fn offer(&mut self) {
        let wanted: Vec<&String> = self.roles.difference(&self.suppressed).collect();
        // A machine is offered to one role at a time, to each of them in turn.
        let turn = self.offers_made as usize % wanted.len().max(1);
        let offer = |machine: &Machine| {
            let (before, from) = wanted.split_at(turn);
            let role = from.iter().chain(before).find(|role| self.is_free(machine, role))?;
            Some(self.offer_of(machine, role, self.offers_made))
        };
        let offers: Vec<Offer> = self.machines.iter().filter_map(offer).collect();
        self.offers_made += 1;
        if !offers.is_empty() {
            // One offer at a time per machine: the engine answers each before the next is made.
            self.events.push_back(Event::offers(offers));
        }
    }

    /// What every machine has free now, whoever was offered it.
    pub(super) fn room(&self) -> Vec<Offer> {
        let reachable = self.machines.iter().filter(|machine| machine.reachable);
        let room = |machine| Offer { allocation_info: None, ..self.offer_of(machine, &self.config.role, 0) };
        reachable.map(room).collect()
    }

    fn is_free(&self, machine: &Machine, role: &str) -> bool {
        let declined = self.declined.get(&(machine.name.clone(), role.to_owned()));
        machine.reachable && declined.is_none_or(|until| *until <= self.now.tick)
    }

    fn offer_of(&self, machine: &Machine, role: &str, number: u64) -> Offer {
        let on_it = self.tasks.values().filter(|known| known.info.agent_id == agent(machine));
        let groups = self.groups.iter().filter(|group| self.is_held(group, machine));
        let of_groups = groups.flat_map(|group| &group.resources);
        let in_use: Vec<&Resource> = on_it.flat_map(|known| &known.info.resources).chain(of_groups).collect();
        let kept = self.kept.unused(&machine.name, &in_use);
        let taken: Vec<&Resource> = in_use.into_iter().chain(&kept).collect();
        let used: f64 = taken
            .iter()
            .filter(|resource| resource.name == "cpus")
            .map(|resource| resource.scalar.as_ref().unwrap().value)
            .sum();
        let ports: Vec<u64> = taken
            .iter()
            .filter_map(|resource| resource.ranges.as_ref())
            .flat_map(|ranges| ranges.range.iter().flat_map(|range| range.begin..=range.end))
            .collect();
        let mut unique = ports.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ports.len(), "two tasks on {} share a port", machine.name);
        assert!(used <= machine.cpus + 1e-9, "{} is overcommitted", machine.name);
        let free = (machine.ports.0..=machine.ports.1).filter(|port| !ports.contains(port));
        let free = free.map(|port| Range { begin: port, end: port }).collect::<Vec<_>>();
        let mut resources = vec![
            scalar("cpus", ((machine.cpus - used) * 1_000.0).round() / 1_000.0),
            scalar("mem", 64_000.0),
            scalar("disk", 10_000.0),
            Resource {
                name: "ports".into(),
                r#type: ValueType::Ranges,
                ranges: Some(Ranges { range: free }),
                ..Resource::default()
            },
        ];
        resources.extend(kept.into_iter().filter(|kept| kept.role.as_deref() == Some(role)));
        Offer {
            id: OfferId::from(format!("o{number}/{role}@{}", machine.name)),
            allocation_info: Some(AllocationInfo { role: Some(role.to_owned()) }),
            framework_id: FrameworkId::from("f"),
            agent_id: agent(machine),
            hostname: machine.name.clone(),
            resources,
            attributes: vec![Attribute {
                name: "rack".into(),
                r#type: ValueType::Text,
                text: Some(Text { value: machine.rack.clone() }),
                ..Attribute::default()
            }],
            ..Offer::default()
        }
    }

    /// Whether a task of this executor's is on this machine.
    fn is_held(&self, executor: &ExecutorInfo, machine: &Machine) -> bool {
        let attempt = TaskIdentity::parse(executor.executor_id.as_str()).unwrap();
        self.tasks.values().any(|known| {
            let of = TaskIdentity::parse(known.info.task_id.as_str()).unwrap();
            known.info.agent_id == agent(machine)
                && (of.instance, of.incarnation) == (attempt.instance.clone(), attempt.incarnation)
        })
    }

    pub(super) fn instances(&self, path: &str) -> Vec<Instance> {
        let state = self.engine.snapshot().run_specs.get(&id(path));
        state.into_iter().flat_map(|state| state.instances.values().cloned()).collect()
    }

    pub(super) fn definition(&self, path: &str) -> RunSpec {
        RunSpec::clone(self.engine.snapshot().run_specs[&id(path)].definition().unwrap())
    }

    /// Neither a definition nor an instance is left.
    pub(super) fn is_gone(&self, path: &str) -> bool {
        let state = self.engine.snapshot().run_specs.get(&id(path));
        state.is_none_or(|state| state.current.is_none() && state.instances.is_empty())
    }

    pub(super) fn ready(&self, path: &str) -> usize {
        self.instances(path).iter().filter(|instance| instance.is_ready()).count()
    }

    pub(super) fn task_ids(&self, path: &str) -> Vec<String> {
        self.instances(path).iter().filter_map(|instance| Some(instance.task.as_ref()?.id.to_string())).collect()
    }

    pub(super) fn is_running(&self, deployment: DeploymentId) -> bool {
        self.engine.snapshot().deployments.contains_key(&deployment)
    }

    /// The types of the frames since the last call.
    pub(super) fn event_types(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.frames).into_iter().map(|frame| frame.event_type).collect()
    }
}

pub(super) fn agent(machine: &Machine) -> AgentId {
    AgentId::from(format!("agent-{}", machine.name))
}

fn scalar(name: &str, value: f64) -> Resource {
    Resource { name: name.into(), r#type: ValueType::Scalar, scalar: Some(Scalar { value }), ..Resource::default() }
}
