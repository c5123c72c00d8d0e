//! A new leader starts where the last one stopped: everything durable is there, and nobody is connected yet.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use attica_allocator::{self as allocator, Allocator, Resources, Role};
use attica_core_api::link::TaskDigest;
use attica_core_api::v1::{AgentId, FrameworkId, TaskId, TaskInfo, TaskState};
use attica_core_api::{Entropy, Tick, resources};
use uuid::Uuid;

use super::agent::{Agent, Contact};
use super::constraints::Constraints;
use super::framework::{Framework, History, Presence};
use super::inverse_offers::Inverse;
use super::maintenance::Machines;
use super::offers::{Used, capabilities_of};
use super::operation::Operation;
use super::permits::Permits;
use super::quota;
use super::store_contact::StoreContact;
use super::subscribe::{failover_ms, partitions_of, roles_of};
use super::task::{Details, Outbox, Task, is_terminal};
use super::timers::{Timer, Timers};
use super::{Config, Kernel, Now};
use crate::snapshot::{AgentRecord, FrameworkPresence, FrameworkRecord, OperationRecord, Reach, Snapshot, TaskRecord};

impl Kernel {
    /// The kernel of a new leader, with everything that the leaders before it made durable. Whoever was here then counts as away
    /// and has `config.reregister_ms` to come back. `entropy` must be seeded anew for every leader: what it makes is unique.
    pub fn recover(config: Config, entropy: Entropy, snapshot: &Snapshot, now: Now) -> Self {
        let allocator_config =
            allocator::Config { offer_timeout_ms: config.offer_timeout_ms, ..config.allocation.clone() };
        let mut kernel = Self {
            entropy,
            allocator: Allocator::new(allocator_config),
            frameworks: BTreeMap::new(),
            operations: BTreeMap::new(),
            agents: BTreeMap::new(),
            recovering: BTreeSet::new(),
            streams: BTreeMap::new(),
            links: BTreeMap::new(),
            framework_keys: BTreeMap::new(),
            agent_keys: BTreeMap::new(),
            quotas: quota::recovered(snapshot.quotas.values()),
            weights: snapshot.weights.clone(),
            removed: VecDeque::new(),
            next_framework: 0,
            next_agent: 0,
            inverse: Inverse::default(),
            acls: None,
            timers: Timers::default(),
            permits: Permits::new(config.unreachable_limit),
            silent: VecDeque::new(),
            machines: Machines::of(snapshot.maintenance.clone()),
            perhaps_drained: BTreeSet::new(),
            constrained: false,
            unreachable: BTreeSet::new(),
            store: StoreContact::Reachable,
            lenient_until: now.tick.after(config.agent_silence_ms()),
            turn: 1,
            wake: None,
            config,
        };
        kernel.recover_roles();
        for (id, record) in &snapshot.agents {
            kernel.recover_agent(now, id, record);
        }
        let mut used = HashMap::with_capacity(snapshot.agents.len());
        for (id, record) in &snapshot.frameworks {
            kernel.recover_framework(now, id, record, &mut used);
        }
        for (id, record) in &snapshot.agents {
            for ((framework, _), executor) in &record.executors {
                let used = resources::from_wire(&executor.info.resources).unwrap_or_default().exclusive();
                kernel.insert_executor(framework, id, &executor.role, &executor.info, used);
            }
            if record.unreachable_at.is_none() {
                kernel.recovering.insert(id.clone());
                let declared = resources::from_wire(&record.info.resources).unwrap_or_default();
                let total = declared.reshaped(&kernel.agent_mut(id).shaped).unwrap_or(declared);
                kernel.add_used_agent(id, &total, &used.remove(id).unwrap_or_default());
            }
        }
        for (uuid, record) in &snapshot.operations {
            kernel.recover_operation(*uuid, record);
        }
        kernel.recover_removed(snapshot);
        kernel
    }

    /// Before there is anything to allocate.
    fn recover_roles(&mut self) {
        for (role, weight) in &self.weights {
            let role = Role::new(role).ok();
            // It was valid when it was set; should the rules have become stricter, it is as if it had not been.
            role.map(|role| self.allocator.set_weight(&role, *weight));
        }
        let withdrawn = self.allocator.set_quotas(self.quotas.clone());
        assert!(withdrawn.is_empty(), "nothing has been offered yet");
    }

    fn recover_agent(&mut self, now: Now, id: &AgentId, record: &AgentRecord) {
        let contact = match record.unreachable_at {
            Some(_) => Contact::Unreachable,
            None => Contact::Away,
        };
        let agent = Agent {
            id: id.clone(),
            info: Arc::new(record.info.clone()),
            contact,
            service: record.service.clone(),
            heard: now.tick,
            patience_ms: self.config.reregister_ms,
            forget_at: Tick::default(),
            key: None,
            tasks: BTreeSet::new(),
            digest: TaskDigest::default(),
            executors: BTreeMap::new(),
            reported: BTreeSet::new(),
            shaped: resources::from_wire(&record.shaped).unwrap_or_default(),
            operations: BTreeSet::new(),
        };
        self.timers.set(agent.silent_at(), Timer::AgentSilent(id.clone()));
        self.agents.insert(id.clone(), agent);
        if let Some(since) = record.unreachable_at {
            let whole_ms = self.config.forget_unreachable_ms;
            let passed_ms = u64::try_from(now.wall.0.saturating_sub(since.0)).unwrap_or(0);
            self.forget_later(now.tick.after(whole_ms.saturating_sub(passed_ms)), id);
        }
    }

    fn recover_framework(
        &mut self,
        now: Now,
        id: &FrameworkId,
        record: &FrameworkRecord,
        used: &mut HashMap<AgentId, Used>,
    ) {
        // They were valid when the framework subscribed; should the rules have become stricter, it is refused when it comes back.
        let roles = roles_of(&record.info).unwrap_or_default();
        let presence = self.recovered_presence(now, id, record);
        let key = self.allocator.add_framework(roles.clone(), capabilities_of(&record.info));
        // Nothing was offered since the line above.
        self.allocator.deactivate_framework(key);
        self.framework_keys.insert(key, id.clone());
        let framework = Framework {
            id: id.clone(),
            info: Arc::new(record.info.clone()),
            roles,
            partitions: partitions_of(&record.info),
            presence,
            key: Some(key),
            tasks: BTreeMap::new(),
            undelivered: BTreeSet::new(),
            history: History::default(),
            executors: BTreeSet::new(),
            operations: BTreeMap::new(),
            constraints: Constraints::default(),
            failures: Vec::new(),
        };
        self.frameworks.insert(id.clone(), framework);
        for (task_id, task) in record.tasks.iter().filter(|(_, task)| task.completed_at.is_none()) {
            self.recover_task(id, task_id, task, used);
        }
        self.recover_history(id, record);
    }

    /// A deadline that ran while no leader was there to come back to is not held against the framework.
    fn recovered_presence(&mut self, now: Now, id: &FrameworkId, record: &FrameworkRecord) -> Presence {
        let grace_ms = self.config.reregister_ms;
        let patience_ms = match record.presence {
            FrameworkPresence::Removed { .. } => return Presence::Removed,
            FrameworkPresence::Subscribed => failover_ms(&record.info).max(grace_ms),
            FrameworkPresence::Disconnected { deadline, .. } => {
                let left_ms = u64::try_from(deadline.0.saturating_sub(now.wall.0)).unwrap_or(0);
                let full_ms = failover_ms(&record.info);
                left_ms.min(full_ms).max(full_ms.min(grace_ms))
            }
        };
        let deadline = now.tick.after(patience_ms).max(self.lenient_until);
        self.timers.set(deadline, Timer::FrameworkAway(id.clone()));
        Presence::Away(deadline)
    }

    /// Adds what it uses to what its agent's tasks use.
    fn recover_task(
        &mut self,
        framework: &FrameworkId,
        id: &TaskId,
        record: &TaskRecord,
        used: &mut HashMap<AgentId, Used>,
    ) {
        let resources = resources::from_wire(&record.info.resources).unwrap_or_default().exclusive();
        if !is_terminal(record.state) {
            let of_agent = used.entry(record.info.agent_id.clone()).or_default();
            of_agent.entry((framework.clone(), record.role.clone())).or_default().add(&resources);
        }
        let group = record.group.as_deref();
        let task = self.insert_task(framework, &record.role, &record.info, group, resources, record.state);
        task.reach = record.reach;
        task.sequence = record.sequence;
        task.details = record.status.as_ref().and_then(Details::of);
        task.kill = record.kill.clone().map(Box::new);
        if !record.outbox.is_empty() {
            task.outbox = Some(Box::new(Outbox {
                together: record.outbox.len(),
                statuses: record.outbox.clone(),
                resend: None,
                turn: 0,
            }));
            self.framework_mut(framework).undelivered.insert(id.clone());
        }
    }

    fn recover_operation(&mut self, uuid: Uuid, record: &OperationRecord) {
        let mut operation = Operation::new(record.framework.clone(), record.agent.clone(), record.info.clone());
        operation.status.clone_from(&record.status);
        if operation.status.is_none() {
            self.agent_mut(&record.agent).operations.insert(uuid);
        }
        self.insert_operation(uuid, operation);
    }

    fn recover_history(&mut self, id: &FrameworkId, record: &FrameworkRecord) {
        let completed = record.tasks.iter().filter_map(|(task, record)| Some((record.completed_at?, task)));
        let mut completed: Vec<_> = completed.collect();
        completed.sort_unstable();
        let history = &mut self.framework_mut(id).history;
        for (_, task) in completed {
            history.push(task.clone(), usize::MAX);
        }
    }

    fn recover_removed(&mut self, snapshot: &Snapshot) {
        let removed_at = |record: &FrameworkRecord| match record.presence {
            FrameworkPresence::Removed { at } => Some(at),
            FrameworkPresence::Subscribed | FrameworkPresence::Disconnected { .. } => None,
        };
        let mut removed: Vec<_> =
            snapshot.frameworks.iter().filter_map(|(id, record)| Some((removed_at(record)?, id))).collect();
        removed.sort_unstable();
        for (_, id) in removed {
            let framework = self.framework_mut(id);
            if !framework.tasks.is_empty() || !framework.executors.is_empty() {
                continue;
            }
            if let Some(key) = framework.key.take() {
                self.allocator.remove_framework(key);
                self.framework_keys.remove(&key);
            }
            self.removed.push_back(id.clone());
        }
    }

    /// Enters a task in its framework, and with its agent. `resources` are those that it does not share.
    pub(super) fn insert_task(
        &mut self,
        framework: &FrameworkId,
        role: &Role,
        task: &TaskInfo,
        group: Option<&str>,
        resources: Resources,
        state: TaskState,
    ) -> &mut Task {
        let id = task.task_id.clone();
        let shared = match task.resources.iter().any(|resource| resource.shared.is_some()) {
            true => resources::from_wire(&task.resources).unwrap_or_default().shared(),
            false => Resources::new(),
        };
        let agent = self.agent_mut(&task.agent_id);
        agent.tasks.insert((framework.clone(), id.clone()));
        if !is_terminal(state) {
            agent.digest.add(framework, &id, state);
        }
        let entry = Task {
            agent: agent.id.clone(),
            role: role.clone(),
            resources,
            shared,
            executor: task.executor.as_ref().map(|executor| executor.executor_id.clone()),
            group: group.map(Arc::from),
            state,
            reach: Reach::Reachable,
            sequence: 0,
            details: None,
            staging: (state == TaskState::Staging).then(|| Box::new(task.clone())),
            kill: None,
            outbox: None,
        };
        self.framework_mut(framework).tasks.entry(id).insert_entry(Box::new(entry)).into_mut()
    }
}
