//! What the engine has decided: the durable history, one fact at a time.
//!
//! A fact carries everything that the tables, the read model and the event frames need. Facts are only ever added to: a stored
//! fact must stay readable.

use std::sync::Arc;

use attica_core_api::Timestamp;
use attica_core_api::v1::{FrameworkId, TaskId, TaskState};
use serde::{Deserialize, Serialize};

use crate::access::{AuditEntry, Digest, Session, User, UserName};
use crate::model::{
    CallbackSecret, CallbackUrl, Condition, ConsumerName, Deployment, DeploymentId, EndedDeployment, Ending, Group,
    GroupId, Instance, InstanceId, KeptSecret, RunSpec, RunSpecId, SecretPath, Task, TaskFailure, Version, serial,
};

/// One durable change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// The master accepted the subscription.
    Subscribed {
        /// The framework's id, the same for ever after the first time.
        framework_id: FrameworkId,
        /// The master's address, as it named itself.
        master: String,
        /// True when the framework had this id before.
        again: bool,
    },
    /// The master has removed the framework. What its tasks were is told by the facts behind this one.
    FrameworkForgotten,
    /// The scheduler's stream broke.
    Disconnected,
    /// A write named a run spec; what followed from it comes in the facts behind this one. Only for events.
    Requested {
        /// The client's address.
        client_ip: String,
        /// The path and query of the request.
        uri: String,
        /// The definition that it led to.
        run_spec: Arc<RunSpec>,
    },
    /// A pod is to be removed; what follows from it comes in the facts behind this one. Only for events.
    PodRemovalRequested {
        /// The client's address.
        client_ip: String,
        /// The path and query of the request.
        uri: String,
        /// Which.
        id: RunSpecId,
    },
    /// A write was refused because of running deployments. Only for events.
    ChangeRefused {
        /// The group around the run spec.
        group: String,
        /// The version that the write would have made.
        version: Version,
        /// Why.
        reason: String,
    },
    /// A run spec has a new current version.
    RunSpecStored {
        /// The version.
        run_spec: Arc<RunSpec>,
        /// Old versions that are forgotten with this.
        forgotten: Vec<Version>,
    },
    /// A run spec has no current version any more. Its versions are kept, so that its group can return to what it was.
    RunSpecRemoved {
        /// Which.
        id: RunSpecId,
        /// The version of the write; none in facts of earlier programs.
        #[serde(default)]
        version: Option<Version>,
    },
    /// Nothing is left of a removed run spec, not even its versions.
    RunSpecForgotten {
        /// Which.
        id: RunSpecId,
    },
    /// A group is there, was changed itself, or is removed. What lies in it is told by other facts.
    GroupStored {
        /// Which.
        id: GroupId,
        /// The version of the write.
        version: Version,
        /// What is said of it from now on; none: it is removed.
        group: Option<Group>,
        /// Old versions that are forgotten with this.
        forgotten: Vec<Version>,
    },
    /// Nothing is left of a removed group.
    GroupForgotten {
        /// Which.
        id: GroupId,
    },
    /// What groups were earlier than this is not known in full any more, because versions were forgotten.
    HistoryShortened {
        /// The first version of which everything is known.
        from: Version,
    },
    /// The definitions of groups changed. Only for events.
    GroupChanged {
        /// The groups around the changed run specs, in order.
        groups: Vec<String>,
        /// The version of the write.
        version: Version,
    },
    /// A deployment begins, with its first step. A plan without steps ends in the next fact.
    DeploymentStarted {
        /// The plan.
        deployment: Deployment,
    },
    /// A step of a deployment is done; if it was not the last one, the next one begins.
    DeploymentStepDone {
        /// Which deployment.
        id: DeploymentId,
        /// The index of the step that is done.
        step: usize,
    },
    /// A deployment is paused or resumed, or has given a run spec up.
    DeploymentHeld {
        /// The deployment as it is now.
        deployment: Box<Deployment>,
    },
    /// A deployment is over and locks nothing any more.
    DeploymentEnded {
        /// Which.
        id: DeploymentId,
        /// How.
        ending: Ending,
        /// What is remembered of it.
        #[serde(default)]
        ended: Option<Box<EndedDeployment>>,
        /// What is no longer remembered of earlier ones.
        #[serde(default)]
        forgotten: Vec<DeploymentId>,
    },
    /// An instance is new or has changed.
    InstanceChanged {
        /// The instance as it is now.
        instance: Box<Instance>,
        /// What happened to it.
        cause: Cause,
    },
    /// An instance's task has ended.
    TaskEnded {
        /// The instance.
        id: InstanceId,
        /// How it ended.
        condition: Condition,
        /// The master's last word on the task.
        update: TaskUpdate,
        /// The failure, when it was one: it becomes the run spec's latest.
        failure: Option<Box<TaskFailure>>,
        /// The instance as it is now: scheduled again; none: it is gone.
        next: Option<Box<Instance>>,
    },
    /// An instance without a task, or one that was given up, is gone.
    InstanceForgotten {
        /// Which.
        id: InstanceId,
        /// What it was like at the end.
        condition: Condition,
    },
    /// A task that belongs to no instance has ended. Only for events.
    UnknownTaskEnded {
        /// The instance it would have belonged to.
        id: InstanceId,
        /// How it ended.
        condition: Condition,
    },
    /// Failures slow a run spec down, or no longer.
    DelayChanged {
        /// Which.
        id: RunSpecId,
        /// The delay; none: it is gone.
        delay: Option<Delay>,
    },
    /// A consumer of the event stream is waited for before tasks are killed.
    ConsumerJoined {
        /// Which.
        name: ConsumerName,
    },
    /// A consumer has fallen silent and is waited for no longer.
    ConsumerLeft {
        /// Which.
        name: ConsumerName,
    },
    /// A user is there, or was changed.
    UserStored {
        /// As it is from now on.
        user: Arc<User>,
    },
    /// A user is no more. Its sessions end by facts of their own.
    UserRemoved {
        /// Which.
        name: UserName,
    },
    /// Somebody has signed in.
    SessionBegan {
        /// In which browser, and until when.
        session: Session,
    },
    /// Sessions are over.
    SessionsEnded {
        /// Which.
        sessions: Vec<Digest>,
    },
    /// Somebody did something, or wanted to. What followed comes in the facts before this one.
    Audited {
        /// What is written down of it.
        entry: Box<AuditEntry>,
    },
    /// Events are posted to a URL, or are signed anew.
    CallbackAdded {
        /// The client's address.
        client_ip: String,
        /// Where to.
        url: CallbackUrl,
        /// What signs them.
        secret: Option<CallbackSecret>,
        /// The id of an event: that one and all before it are not posted.
        position: i64,
    },
    /// Nothing is posted to a URL any more.
    CallbackRemoved {
        /// The client's address.
        client_ip: String,
        /// Where to.
        url: CallbackUrl,
    },
    /// What was posted to a URL was taken, or is given up.
    CallbackReached {
        /// Where to.
        url: CallbackUrl,
        /// The id of an event: that one and all before it.
        position: i64,
    },
    /// A secret is kept from now on, or has another value.
    SecretKept {
        /// Under which path.
        path: SecretPath,
        /// What is kept.
        secret: KeptSecret,
    },
    /// A secret is kept no longer.
    SecretRemoved {
        /// Which.
        path: SecretPath,
    },
}

/// What happened to an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Cause {
    /// It was made, and waits for an offer.
    Created,
    /// An offer was found for it.
    Provisioned,
    /// The master reported on its task.
    Updated(TaskUpdate),
    /// The processes of its task go on.
    Progressed,
    /// Its task has said that it is ready.
    Ready,
    /// A health check of its task gave another result.
    Health {
        /// The index of the check.
        check: usize,
        /// What it found.
        finding: Finding,
        /// The verdict over all checks, if it changed.
        verdict: Option<bool>,
    },
    /// Its goal, its version or its kill was decided.
    Decided,
    /// A health check has failed too often: its task is killed.
    KilledAsUnhealthy {
        /// The latest failure.
        reason: String,
    },
    /// Its agent was gone for too long: a replacement may start.
    Inactive,
}

/// What a health check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// The task became alive.
    Revived,
    /// The task is no longer alive.
    Died,
    /// Another failure; the verdict is the same.
    FailedAgain,
    /// A failure in the grace period, which does not count.
    Pardoned,
}

/// What the master reported about a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskUpdate {
    /// The task.
    pub task: TaskId,
    /// The version it runs.
    pub version: Version,
    /// Its state.
    pub state: TaskState,
    /// The text beside it.
    pub message: String,
    /// The agent's id.
    pub agent_id: String,
    /// The agent's host name.
    pub host: String,
    /// The task's host ports.
    pub ports: Vec<u16>,
    /// The task's addresses.
    pub ip_addresses: Vec<crate::model::IpAddress>,
}

impl TaskUpdate {
    /// What is known of a task before the master reports: it is being launched. Marathon announces that, too.
    pub(super) fn staging(task: &Task, version: Version) -> Vec<Self> {
        task.living().map(|id| Self::of(task, id, version, TaskState::Staging, String::new())).collect()
    }

    /// What was said about a task, or about one container of a pod.
    pub(super) fn of(task: &Task, id: &TaskId, version: Version, state: TaskState, message: String) -> Self {
        Self {
            task: id.clone(),
            version,
            state,
            message,
            agent_id: task.agent.id.to_string(),
            host: task.agent.hostname.clone(),
            ports: task.ports.clone(),
            ip_addresses: Vec::new(),
        }
    }
}

/// How failures slow a run spec down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    /// The configuration to which it belongs ([`RunSpec::last_config_change_at`]).
    pub config: Version,
    /// The present delay.
    pub delay_ms: u64,
    /// Nothing is launched before.
    #[serde(with = "serial::milliseconds")]
    pub until: Timestamp,
}

impl Fact {
    /// The name under which the journal keeps it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Subscribed { .. } => "subscribed",
            Self::FrameworkForgotten => "framework_forgotten",
            Self::Disconnected => "disconnected",
            Self::Requested { .. } => "requested",
            Self::PodRemovalRequested { .. } => "pod_removal_requested",
            Self::ChangeRefused { .. } => "change_refused",
            Self::RunSpecStored { .. } => "run_spec_stored",
            Self::RunSpecRemoved { .. } => "run_spec_removed",
            Self::RunSpecForgotten { .. } => "run_spec_forgotten",
            Self::GroupStored { .. } => "group_stored",
            Self::GroupForgotten { .. } => "group_forgotten",
            Self::HistoryShortened { .. } => "history_shortened",
            Self::GroupChanged { .. } => "group_changed",
            Self::DeploymentStarted { .. } => "deployment_started",
            Self::DeploymentStepDone { .. } => "deployment_step_done",
            Self::DeploymentHeld { .. } => "deployment_held",
            Self::DeploymentEnded { .. } => "deployment_ended",
            Self::InstanceChanged { .. } => "instance_changed",
            Self::TaskEnded { .. } => "task_ended",
            Self::InstanceForgotten { .. } => "instance_forgotten",
            Self::UnknownTaskEnded { .. } => "unknown_task_ended",
            Self::DelayChanged { .. } => "delay_changed",
            Self::ConsumerJoined { .. } => "consumer_joined",
            Self::ConsumerLeft { .. } => "consumer_left",
            Self::UserStored { .. } => "user_stored",
            Self::UserRemoved { .. } => "user_removed",
            Self::SessionBegan { .. } => "session_began",
            Self::SessionsEnded { .. } => "sessions_ended",
            Self::Audited { .. } => "audited",
            Self::CallbackAdded { .. } => "callback_added",
            Self::CallbackRemoved { .. } => "callback_removed",
            Self::CallbackReached { .. } => "callback_reached",
            Self::SecretKept { .. } => "secret_kept",
            Self::SecretRemoved { .. } => "secret_removed",
        }
    }
}
