//! What the facts of one transaction change, each row once.
//!
//! Within a transaction a task can be launched, updated and acknowledged. Postgres would have to be told in as many statements; so the
//! facts are folded first.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use attica_allocator::Role;
use attica_core_api::operator::{QuotaConfig, Schedule};
use attica_core_api::v1::{
    AgentId, AgentInfo, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo, KillPolicy, MachineId, OfferOperation,
    OperationStatus, Resource, TaskId, TaskInfo, TaskStatus,
};
use attica_core_api::{Timestamp, encode_json, encode_proto};
use attica_core_store::Position;
use bytes::Bytes;
use uuid::Uuid;

use crate::fact::Fact;
use crate::snapshot::{Service, with_container};

/// Names a task across frameworks.
pub(super) type TaskName = (FrameworkId, TaskId);

/// Names an executor: the same id can be used on several agents.
pub(super) type ExecutorName = (FrameworkId, AgentId, ExecutorId);

/// The changes. Deletions come first: what is deleted can be made anew in the same transaction.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    pub forgotten_frameworks: BTreeSet<FrameworkId>,
    pub forgotten_tasks: BTreeSet<TaskName>,
    pub subscribed: BTreeMap<FrameworkId, Subscription<'a>>,
    /// New descriptions, unless they came with a subscription.
    pub described: BTreeMap<FrameworkId, &'a FrameworkInfo>,
    /// The last change of a framework's presence, unless that was a subscription.
    pub presence: BTreeMap<FrameworkId, Presence>,
    pub forgotten_agents: BTreeSet<AgentId>,
    pub registered: BTreeMap<AgentId, Registration<'a>>,
    pub unreachable: BTreeMap<AgentId, Timestamp>,
    /// As JSON; `None`: the agent takes part.
    pub services: BTreeMap<AgentId, Option<String>>,
    /// The last one.
    pub maintenance: Option<(&'a Schedule, &'a [MachineId])>,
    pub launched: BTreeMap<TaskName, Launch<'a>>,
    pub changed: BTreeMap<TaskName, TaskChange<'a>>,
    pub queued: BTreeMap<(TaskName, Bytes), (Position, &'a TaskStatus)>,
    pub acknowledged: BTreeSet<(TaskName, Bytes)>,
    pub emptied: BTreeSet<FrameworkId>,
    /// By role; `None` where the quota was taken away.
    pub quotas: BTreeMap<&'a str, Option<&'a QuotaConfig>>,
    pub weights: BTreeMap<&'a str, f64>,
    pub shaped: BTreeMap<AgentId, &'a [Resource]>,
    pub ended_executors: BTreeSet<ExecutorName>,
    pub executors: BTreeMap<ExecutorName, ExecutorLaunch<'a>>,
    pub ended_operations: BTreeSet<Uuid>,
    pub started: BTreeMap<Uuid, Start<'a>>,
    pub outcomes: BTreeMap<Uuid, &'a OperationStatus>,
}

#[derive(Debug)]
pub(super) struct ExecutorLaunch<'a> {
    pub role: &'a Role,
    pub info: &'a ExecutorInfo,
    pub at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Start<'a> {
    pub framework: Option<&'a FrameworkId>,
    pub agent: &'a AgentId,
    pub info: &'a OfferOperation,
    pub at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Presence {
    pub disconnected_at: Option<Timestamp>,
    pub deadline: Option<Timestamp>,
    pub removed_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Subscription<'a> {
    pub info: &'a FrameworkInfo,
    /// The first one in this transaction, which counts when the framework is new.
    pub first_at: Timestamp,
    pub at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Registration<'a> {
    pub info: &'a AgentInfo,
    pub version: &'a str,
    pub boot_id: &'a str,
    /// The first one in this transaction, which counts when the agent is new.
    pub first_at: Timestamp,
    pub at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub role: &'a Role,
    pub info: &'a TaskInfo,
    pub group: Option<&'a str>,
    pub at: Timestamp,
}

/// New values of a task's columns; `None` leaves a column as it is.
#[derive(Debug, Default)]
pub(super) struct TaskChange<'a> {
    pub state: Option<i32>,
    pub status: Option<Cow<'a, TaskStatus>>,
    pub unreachable: Option<bool>,
    pub sequence: Option<i64>,
    pub kill: Option<Vec<u8>>,
    pub completed_at: Option<i64>,
}

impl<'a> Rows<'a> {
    /// Folds the facts of a transaction, the first of which is at `first`.
    pub(super) fn of(first: Position, facts: &'a [Fact]) -> Self {
        let mut rows = Self::default();
        for (index, fact) in facts.iter().enumerate() {
            rows.add(first.after(index), fact);
        }
        rows
    }

    fn add(&mut self, position: Position, fact: &'a Fact) {
        match fact {
            Fact::FrameworkSubscribed { info, at } => {
                let Some(id) = &info.id else { unreachable!("a framework without an id is never subscribed") };
                self.presence.remove(id);
                self.described.remove(id);
                let first_at = self.subscribed.get(id).map_or(*at, |before| before.first_at);
                self.subscribed.insert(id.clone(), Subscription { info, first_at, at: *at });
            }
            Fact::FrameworkUpdated { info, .. } => {
                let Some(id) = &info.id else { unreachable!("a framework has an id") };
                match self.subscribed.get_mut(id) {
                    Some(subscription) => subscription.info = info,
                    None => drop(self.described.insert(id.clone(), info)),
                }
            }
            Fact::FrameworkDisconnected { framework, deadline, at } => {
                let presence = Presence { disconnected_at: Some(*at), deadline: Some(*deadline), removed_at: None };
                self.presence.insert(framework.clone(), presence);
            }
            Fact::FrameworkRemoved { framework, at } => {
                let presence = Presence { removed_at: Some(*at), ..Presence::default() };
                self.presence.insert(framework.clone(), presence);
                self.queued.retain(|((owner, _), _), _| owner != framework);
                self.emptied.insert(framework.clone());
            }
            Fact::FrameworkForgotten { framework } => self.forget_framework(framework),
            Fact::AgentRegistered { info, version, boot_id, at } => {
                let Some(id) = &info.id else { unreachable!("an agent without an id is never registered") };
                self.unreachable.remove(id);
                let first_at = self.registered.get(id).map_or(*at, |before| before.first_at);
                self.registered.insert(id.clone(), Registration { info, version, boot_id, first_at, at: *at });
            }
            Fact::AgentUnreachable { agent, at } => {
                self.unreachable.insert(agent.clone(), *at);
            }
            Fact::AgentForgotten { agent } => {
                self.registered.remove(agent);
                self.unreachable.remove(agent);
                self.services.remove(agent);
                self.shaped.remove(agent);
                self.forgotten_agents.insert(agent.clone());
            }
            Fact::AgentServiceChanged { agent, service } => {
                let written = (*service != Service::Active).then(|| written(service));
                self.services.insert(agent.clone(), written);
            }
            Fact::MaintenanceChanged { schedule, down } => self.maintenance = Some((schedule, down)),
            Fact::TaskLaunched { framework, role, task, group, at } => {
                let name = (framework.clone(), task.task_id.clone());
                self.launched.insert(name, Launch { role, info: task, group: group.as_deref(), at: *at });
            }
            Fact::TaskUpdated { framework, status, sequence, container } => {
                let change = self.receive(position, framework, status);
                change.status = Some(with_container(status, container.as_deref()));
                change.state = Some(status.state.number());
                change.unreachable = Some(false);
                change.sequence =
                    sequence.map(|sequence| i64::try_from(sequence).unwrap_or(i64::MAX)).or(change.sequence);
            }
            Fact::TaskUnreachable { framework, status } => {
                self.receive(position, framework, status).unreachable = Some(true);
            }
            Fact::TaskReachable { framework, status } => {
                self.receive(position, framework, status).unreachable = Some(false);
            }
            Fact::UpdateAcknowledged { framework, task, uuid } => {
                let name = ((framework.clone(), task.clone()), uuid.clone());
                if self.queued.remove(&name).is_none() {
                    self.acknowledged.insert(name);
                }
            }
            Fact::KillRequested { framework, task, kill_policy } => {
                let policy = kill_policy.as_ref().map(encode_proto::<KillPolicy>);
                self.change(framework, task).kill = Some(policy.unwrap_or_default());
            }
            Fact::TaskCompleted { framework, task, at } => self.change(framework, task).completed_at = Some(at.0),
            Fact::TaskForgotten { framework, task } => {
                let name = (framework.clone(), task.clone());
                self.launched.remove(&name);
                self.changed.remove(&name);
                self.forgotten_tasks.insert(name);
            }
            Fact::QuotasUpdated { configs } => {
                self.quotas.extend(configs.iter().map(|config| (config.role.as_str(), Some(config))));
            }
            Fact::QuotaRemoved { role } => {
                self.quotas.insert(role.as_str(), None);
            }
            Fact::WeightsUpdated { weights } => {
                self.weights.extend(weights.iter().filter_map(|info| Some((info.role.as_deref()?, info.weight))));
            }
            Fact::ExecutorLaunched { framework, agent, role, executor, at } => {
                let name = (framework.clone(), agent.clone(), executor.executor_id.clone());
                self.executors.insert(name, ExecutorLaunch { role, info: executor, at: *at });
            }
            Fact::ExecutorEnded { framework, agent, executor } => {
                let name = (framework.clone(), agent.clone(), executor.clone());
                self.executors.remove(&name);
                self.ended_executors.insert(name);
            }
            Fact::AgentShaped { agent, resources } => {
                self.shaped.insert(agent.clone(), resources);
            }
            Fact::OperationStarted { operation, framework, agent, info, at } => {
                self.started.insert(*operation, Start { framework: framework.as_ref(), agent, info, at: *at });
            }
            Fact::OperationUpdated { operation, status } => {
                self.outcomes.insert(*operation, status);
            }
            Fact::OperationEnded { operation } => {
                self.outcomes.remove(operation);
                if self.started.remove(operation).is_none() {
                    self.ended_operations.insert(*operation);
                }
            }
        }
    }

    fn change(&mut self, framework: &FrameworkId, task: &TaskId) -> &mut TaskChange<'a> {
        self.changed.entry((framework.clone(), task.clone())).or_default()
    }

    fn receive(&mut self, position: Position, framework: &FrameworkId, status: &'a TaskStatus) -> &mut TaskChange<'a> {
        if let Some(uuid) = &status.uuid {
            let name = (framework.clone(), status.task_id.clone());
            self.queued.insert((name, uuid.clone()), (position, status));
        }
        let change = self.change(framework, &status.task_id);
        change.status = Some(Cow::Borrowed(status));
        change
    }

    fn forget_framework(&mut self, framework: &FrameworkId) {
        self.subscribed.remove(framework);
        self.presence.remove(framework);
        self.described.remove(framework);
        self.launched.retain(|(owner, _), _| owner != framework);
        self.changed.retain(|(owner, _), _| owner != framework);
        self.forgotten_frameworks.insert(framework.clone());
    }
}

fn written(service: &Service) -> String {
    match String::from_utf8(encode_json(service)) {
        Ok(text) => text,
        Err(error) => unreachable!("JSON is written in ASCII: {error}"),
    }
}
