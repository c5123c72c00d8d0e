//! The durable state: what all facts so far add up to.
//!
//! A new leader starts its kernel and its read model from it. [`Snapshot::apply`] is the definition of what a fact means;
//! [`tables`](crate::tables) does the same to rows.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use attica_allocator::Role;
use attica_core_api::Timestamp;
use attica_core_api::operator::{QuotaConfig, Schedule};
use attica_core_api::v1::{
    AgentId, AgentInfo, ContainerStatus, DrainConfig, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo, KillPolicy,
    MachineId, OfferOperation, OperationStatus, Resource, TaskId, TaskInfo, TaskState, TaskStatus,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fact::{Fact, milliseconds};

/// Everything durable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// All frameworks that are not forgotten, the removed ones as well.
    pub frameworks: BTreeMap<FrameworkId, FrameworkRecord>,
    /// All agents that are not forgotten.
    pub agents: BTreeMap<AgentId, AgentRecord>,
    /// The quotas that operators set, by role.
    pub quotas: BTreeMap<String, QuotaConfig>,
    /// The weights that operators set, by role.
    pub weights: BTreeMap<String, f64>,
    /// What is planned for machines, and which are down.
    pub maintenance: Maintenance,
    /// All operations that are not over, or whose framework has not acknowledged that they are.
    pub operations: BTreeMap<Uuid, OperationRecord>,
}

/// The maintenance of machines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maintenance {
    /// All that is planned.
    pub schedule: Schedule,
    /// The machines that are down; each is in the schedule as well.
    pub down: Vec<MachineId>,
}

/// Whether an operator lets an agent take part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Service {
    /// It takes part.
    #[default]
    Active,
    /// Nothing new is placed on it.
    Deactivated,
    /// Nothing new is placed on it, and what runs there is killed.
    Draining {
        /// How.
        config: DrainConfig,
        /// Since when.
        #[serde(with = "milliseconds")]
        since: Timestamp,
    },
    /// It was drained, and nothing is left.
    Drained {
        /// How.
        config: DrainConfig,
        /// Since when it was being drained.
        #[serde(with = "milliseconds")]
        since: Timestamp,
    },
    /// It will never be back.
    Gone {
        /// Since when.
        #[serde(with = "milliseconds")]
        at: Timestamp,
    },
}

/// A framework and its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameworkRecord {
    /// As it subscribed last.
    pub info: FrameworkInfo,
    /// When it subscribed first.
    pub registered_at: Timestamp,
    /// When it subscribed last.
    pub reregistered_at: Timestamp,
    /// Whether it is here.
    pub presence: FrameworkPresence,
    /// Its tasks, completed ones as well.
    pub tasks: BTreeMap<TaskId, TaskRecord>,
}

/// Whether a framework is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameworkPresence {
    /// It has, or had when the facts end, an event stream.
    Subscribed,
    /// Its stream broke.
    Disconnected {
        /// When.
        at: Timestamp,
        /// When it is removed.
        deadline: Timestamp,
    },
    /// It is gone for good.
    Removed {
        /// When.
        at: Timestamp,
    },
}

/// An agent.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentRecord {
    /// As it registered last.
    pub info: AgentInfo,
    /// Its own version.
    pub version: String,
    /// The boot of its machine.
    pub boot_id: String,
    /// When it registered first.
    pub registered_at: Timestamp,
    /// When it registered last.
    pub reregistered_at: Timestamp,
    /// Since when it is unreachable, if it is.
    pub unreachable_at: Option<Timestamp>,
    /// Whether an operator lets it take part.
    pub service: Service,
    /// What was made of its resources while it ran.
    pub shaped: Vec<Resource>,
    /// Its executors.
    pub executors: BTreeMap<(FrameworkId, ExecutorId), ExecutorRecord>,
}

/// An executor that runs, or is going to.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorRecord {
    /// The role whose offer was used.
    pub role: Role,
    /// The executor as it was launched.
    pub info: ExecutorInfo,
    /// When its first task was launched.
    pub launched_at: Timestamp,
}

/// An operation on an agent's resources.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationRecord {
    /// Whose it is; `None` for an operator's.
    pub framework: Option<FrameworkId>,
    /// Where.
    pub agent: AgentId,
    /// What.
    pub info: OfferOperation,
    /// How it ended, as long as its framework has not acknowledged that; `None` while it is under way.
    pub status: Option<OperationStatus>,
    /// When it started.
    pub started_at: Timestamp,
}

/// A task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRecord {
    /// The role whose offer was used.
    pub role: Role,
    /// The task as it was launched.
    pub info: TaskInfo,
    /// What it has in common with the tasks that are started together with it.
    pub group: Option<String>,
    /// The state that its agent reported last, or in which the master ended it.
    pub state: TaskState,
    /// The status it got last, if any: the visible state is this one's. With the container that an earlier one told of.
    pub status: Option<TaskStatus>,
    /// Whether its agent is unreachable.
    pub reach: Reach,
    /// The agent's number of the last update that was taken; 0 before the first.
    pub sequence: u64,
    /// What the framework has not acknowledged, oldest first.
    pub outbox: VecDeque<TaskStatus>,
    /// The kill that was asked for, if any.
    pub kill: Option<KillRequest>,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// When it became history, if it did.
    pub completed_at: Option<Timestamp>,
}

/// Whether what is known of a task is current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As far as its agent's heartbeats tell.
    Reachable,
    /// Its agent is unreachable.
    Unreachable,
}

/// A framework's wish that a task ends.
#[derive(Clone, Debug, PartialEq)]
pub struct KillRequest {
    /// How, when it differs from the task's own policy.
    pub kill_policy: Option<KillPolicy>,
}

impl TaskRecord {
    /// The state that everybody is told.
    pub fn visible_state(&self) -> TaskState {
        self.status.as_ref().map_or(TaskState::Staging, |status| status.state)
    }
}

impl Snapshot {
    /// Takes one fact in.
    ///
    /// # Panics
    /// When the fact is about something that no earlier fact brought in: facts are written by the kernel alone, in order.
    pub fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::FrameworkSubscribed { info, at } => self.subscribe(info, *at),
            Fact::FrameworkUpdated { info, .. } => {
                let Some(id) = &info.id else { unreachable!("a framework has an id") };
                self.framework(id).info = (**info).clone();
            }
            Fact::FrameworkDisconnected { framework, deadline, at } => {
                self.framework(framework).presence = FrameworkPresence::Disconnected { at: *at, deadline: *deadline };
            }
            Fact::FrameworkRemoved { framework, at } => {
                let framework = self.framework(framework);
                framework.presence = FrameworkPresence::Removed { at: *at };
                framework.tasks.values_mut().for_each(|task| task.outbox.clear());
            }
            Fact::FrameworkForgotten { framework } => {
                self.frameworks.remove(framework);
            }
            Fact::AgentRegistered { info, version, boot_id, at } => self.register(info, version, boot_id, *at),
            Fact::AgentUnreachable { agent, at } => self.agent(agent).unreachable_at = Some(*at),
            Fact::AgentForgotten { agent } => {
                self.agents.remove(agent);
            }
            Fact::AgentServiceChanged { agent, service } => self.agent(agent).service = service.clone(),
            Fact::MaintenanceChanged { schedule, down } => {
                self.maintenance = Maintenance { schedule: schedule.clone(), down: down.clone() };
            }
            Fact::TaskLaunched { framework, role, task, group, at } => {
                let record = TaskRecord {
                    role: role.clone(),
                    info: (**task).clone(),
                    group: group.clone(),
                    state: TaskState::Staging,
                    status: None,
                    reach: Reach::Reachable,
                    sequence: 0,
                    outbox: VecDeque::new(),
                    kill: None,
                    launched_at: *at,
                    completed_at: None,
                };
                self.framework(framework).tasks.insert(task.task_id.clone(), record);
            }
            Fact::TaskUpdated { framework, status, sequence, container } => {
                let task = self.task(framework, &status.task_id);
                task.state = status.state;
                task.reach = Reach::Reachable;
                task.sequence = sequence.unwrap_or(task.sequence);
                task.receive(status, container.as_deref());
            }
            Fact::TaskUnreachable { framework, status } => {
                let task = self.task(framework, &status.task_id);
                task.reach = Reach::Unreachable;
                task.receive(status, None);
            }
            Fact::TaskReachable { framework, status } => {
                let task = self.task(framework, &status.task_id);
                task.reach = Reach::Reachable;
                task.receive(status, None);
            }
            Fact::UpdateAcknowledged { framework, task, uuid } => {
                self.task(framework, task).outbox.retain(|status| status.uuid.as_ref() != Some(uuid));
            }
            Fact::KillRequested { framework, task, kill_policy } => {
                self.task(framework, task).kill = Some(KillRequest { kill_policy: kill_policy.clone() });
            }
            Fact::TaskCompleted { framework, task, at } => self.task(framework, task).completed_at = Some(*at),
            Fact::TaskForgotten { framework, task } => {
                self.framework(framework).tasks.remove(task);
            }
            Fact::QuotasUpdated { configs } => {
                self.quotas.extend(configs.iter().map(|config| (config.role.clone(), config.clone())));
            }
            Fact::QuotaRemoved { role } => {
                self.quotas.remove(role.as_str());
            }
            Fact::WeightsUpdated { weights } => {
                self.weights.extend(weights.iter().filter_map(|info| Some((info.role.clone()?, info.weight))));
            }
            Fact::ExecutorLaunched { framework, agent, role, executor, at } => {
                let record = ExecutorRecord { role: role.clone(), info: (**executor).clone(), launched_at: *at };
                let name = (framework.clone(), executor.executor_id.clone());
                self.agent(agent).executors.insert(name, record);
            }
            Fact::ExecutorEnded { framework, agent, executor } => {
                self.agent(agent).executors.remove(&(framework.clone(), executor.clone()));
            }
            Fact::AgentShaped { agent, resources } => self.agent(agent).shaped.clone_from(resources),
            Fact::OperationStarted { operation, framework, agent, info, at } => {
                let record = OperationRecord {
                    framework: framework.clone(),
                    agent: agent.clone(),
                    info: (**info).clone(),
                    status: None,
                    started_at: *at,
                };
                self.operations.insert(*operation, record);
            }
            Fact::OperationUpdated { operation, status } => {
                self.operation(operation).status = Some((**status).clone());
            }
            Fact::OperationEnded { operation } => {
                self.operations.remove(operation);
            }
        }
    }

    fn subscribe(&mut self, info: &FrameworkInfo, at: Timestamp) {
        let Some(id) = &info.id else { unreachable!("a framework without an id is never subscribed") };
        let record = self.frameworks.entry(id.clone()).or_insert_with(|| FrameworkRecord {
            info: info.clone(),
            registered_at: at,
            reregistered_at: at,
            presence: FrameworkPresence::Subscribed,
            tasks: BTreeMap::new(),
        });
        record.info = info.clone();
        record.reregistered_at = at;
        record.presence = FrameworkPresence::Subscribed;
    }

    fn register(&mut self, info: &AgentInfo, version: &str, boot_id: &str, at: Timestamp) {
        let Some(id) = &info.id else { unreachable!("an agent without an id is never registered") };
        let before = self.agents.remove(id);
        let registered_at = before.as_ref().map_or(at, |agent| agent.registered_at);
        let kept = before.map(|agent| (agent.service, agent.shaped, agent.executors));
        let (service, shaped, executors) = kept.unwrap_or_default();
        let record = AgentRecord {
            info: info.clone(),
            version: version.to_owned(),
            boot_id: boot_id.to_owned(),
            registered_at,
            reregistered_at: at,
            unreachable_at: None,
            service,
            shaped,
            executors,
        };
        self.agents.insert(id.clone(), record);
    }

    fn framework(&mut self, id: &FrameworkId) -> &mut FrameworkRecord {
        match self.frameworks.get_mut(id) {
            Some(framework) => framework,
            None => unreachable!("a fact names the framework {id}, which no earlier fact brought in"),
        }
    }

    fn agent(&mut self, id: &AgentId) -> &mut AgentRecord {
        match self.agents.get_mut(id) {
            Some(agent) => agent,
            None => unreachable!("a fact names the agent {id}, which no earlier fact brought in"),
        }
    }

    fn operation(&mut self, id: &Uuid) -> &mut OperationRecord {
        match self.operations.get_mut(id) {
            Some(operation) => operation,
            None => unreachable!("a fact names the operation {id}, which no earlier fact brought in"),
        }
    }

    fn task(&mut self, framework: &FrameworkId, id: &TaskId) -> &mut TaskRecord {
        match self.framework(framework).tasks.get_mut(id) {
            Some(task) => task,
            None => unreachable!("a fact names the task {id} of {framework}, which no earlier fact brought in"),
        }
    }
}

impl TaskRecord {
    fn receive(&mut self, status: &TaskStatus, container: Option<&ContainerStatus>) {
        self.status = Some(with_container(status, container).into_owned());
        if status.uuid.is_some() {
            self.outbox.push_back(status.clone());
        }
    }
}

/// The last status of a task as it is kept: with the container that an earlier one told of.
pub(crate) fn with_container<'s>(status: &'s TaskStatus, earlier: Option<&ContainerStatus>) -> Cow<'s, TaskStatus> {
    match earlier {
        Some(container) => Cow::Owned(TaskStatus { container_status: Some(container.clone()), ..status.clone() }),
        None => Cow::Borrowed(status),
    }
}
