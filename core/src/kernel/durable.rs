//! What of a kernel is durable, to compare it with the fold of its facts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use attica_allocator::{Resources, Role};
use attica_core_api::Entropy;
use attica_core_api::link::TaskDigest;
use attica_core_api::v1::{
    AgentId, AgentInfo, ExecutorId, FrameworkId, FrameworkInfo, OfferOperation, OperationId, OperationStatus, TaskId,
    TaskInfo, TaskState, TaskStatus,
};
use uuid::Uuid;

use super::agent::{Agent, Contact};
use super::executor::{Executor, ExecutorName};
use super::framework::Framework;
use super::operation::Operation;
use super::task::{Details, Task};
use super::{Kernel, Now};
use crate::snapshot::{KillRequest, Reach, Service, Snapshot};

#[derive(Debug, PartialEq)]
struct DurableFramework<'k> {
    info: &'k FrameworkInfo,
    removed: bool,
    /// A set: the clock that orders it may jump.
    history: &'k BTreeSet<TaskId>,
    executors: &'k BTreeSet<(AgentId, ExecutorId)>,
    operations: &'k BTreeMap<OperationId, Uuid>,
}

#[derive(Debug, PartialEq)]
struct DurableAgent<'k> {
    info: &'k AgentInfo,
    unreachable: bool,
    service: &'k Service,
    tasks: &'k BTreeSet<(FrameworkId, TaskId)>,
    digest: TaskDigest,
    executors: &'k BTreeMap<ExecutorName, Executor>,
    shaped: &'k Resources,
    operations: &'k BTreeSet<Uuid>,
}

#[derive(Debug, PartialEq)]
struct DurableOperation<'k> {
    framework: Option<&'k FrameworkId>,
    agent: &'k AgentId,
    info: &'k OfferOperation,
    status: Option<&'k OperationStatus>,
}

#[derive(Debug, PartialEq)]
struct DurableTask<'k> {
    agent: &'k AgentId,
    role: &'k Role,
    resources: &'k Resources,
    shared: &'k Resources,
    executor: Option<&'k ExecutorId>,
    group: Option<&'k str>,
    state: TaskState,
    reach: Reach,
    sequence: u64,
    details: Option<&'k Details>,
    staging: Option<&'k TaskInfo>,
    kill: Option<&'k KillRequest>,
    outbox: Vec<&'k TaskStatus>,
}

impl Kernel {
    /// I10: a kernel recovered from `fold` would know what this one knows. To be asked while every fact so far is in `fold`.
    ///
    /// # Errors
    /// Names the first thing that differs.
    pub fn check_fold(&self, fold: &Snapshot, now: Now) -> Result<(), String> {
        let folded = Self::recover(self.config.clone(), Entropy::new(0), fold, now);
        if self.machines.durable != fold.maintenance {
            return Err(format!("the maintenance is {:?}, but folded {:?}", self.machines.durable, fold.maintenance));
        }
        compare("framework", self.durable_frameworks(), folded.durable_frameworks())?;
        compare("agent", self.durable_agents(), folded.durable_agents())?;
        compare("operation", self.durable_operations(), folded.durable_operations())?;
        compare("task", self.durable_tasks(), folded.durable_tasks())?;
        compare("quota", self.quotas.iter().collect(), folded.quotas.iter().collect())?;
        compare("weight", self.weights.iter().collect(), folded.weights.iter().collect())
    }

    fn durable_frameworks(&self) -> BTreeMap<&FrameworkId, DurableFramework<'_>> {
        self.frameworks.iter().map(|(id, framework)| (id, framework.durable())).collect()
    }

    fn durable_agents(&self) -> BTreeMap<&AgentId, DurableAgent<'_>> {
        self.agents.iter().map(|(id, agent)| (id, agent.durable())).collect()
    }

    fn durable_operations(&self) -> BTreeMap<&Uuid, DurableOperation<'_>> {
        self.operations.iter().map(|(id, operation)| (id, operation.durable())).collect()
    }

    fn durable_tasks(&self) -> BTreeMap<(&FrameworkId, &TaskId), DurableTask<'_>> {
        let mut all = BTreeMap::new();
        for (framework_id, framework) in &self.frameworks {
            all.extend(framework.tasks.iter().map(|(id, task)| ((framework_id, id), task.durable())));
        }
        all
    }
}

impl Framework {
    fn durable(&self) -> DurableFramework<'_> {
        DurableFramework {
            info: &self.info,
            removed: self.is_removed(),
            history: self.history.ids(),
            executors: &self.executors,
            operations: &self.operations,
        }
    }
}

impl Agent {
    fn durable(&self) -> DurableAgent<'_> {
        DurableAgent {
            info: &self.info,
            unreachable: self.contact == Contact::Unreachable,
            service: &self.service,
            tasks: &self.tasks,
            digest: self.digest,
            executors: &self.executors,
            shaped: &self.shaped,
            operations: &self.operations,
        }
    }
}

impl Operation {
    fn durable(&self) -> DurableOperation<'_> {
        DurableOperation {
            framework: self.framework.as_ref(),
            agent: &self.agent,
            info: &self.info,
            status: self.status.as_ref(),
        }
    }
}

impl Task {
    fn durable(&self) -> DurableTask<'_> {
        DurableTask {
            agent: &self.agent,
            role: &self.role,
            resources: &self.resources,
            shared: &self.shared,
            executor: self.executor.as_ref(),
            group: self.group.as_deref(),
            state: self.state,
            reach: self.reach,
            sequence: self.sequence,
            details: self.details.as_ref(),
            staging: self.staging.as_deref(),
            kill: self.kill.as_deref(),
            outbox: self.outbox.iter().flat_map(|outbox| &outbox.statuses).collect(),
        }
    }
}

fn compare<I: Ord + Debug, D: PartialEq + Debug>(
    what: &str,
    live: BTreeMap<I, D>,
    folded: BTreeMap<I, D>,
) -> Result<(), String> {
    let all: BTreeSet<&I> = live.keys().chain(folded.keys()).collect();
    match all.into_iter().find(|id| live.get(id) != folded.get(id)) {
        None => Ok(()),
        Some(id) => Err(format!("the {what} {id:?} is {:?}, but folded {:?}", live.get(id), folded.get(id))),
    }
}
