use std::cmp::Reverse;
use std::sync::Arc;

use attica_core_api::scheduler::Call;
use attica_core_api::v1::TaskId;
use attica_core_api::{Tick, Timestamp};

use super::launch_queue::QueueItem;
use super::{Fact, Refusal, ReplyTo};
use crate::access::{Scope, User, UserName};
use crate::model::{
    Agent, CallbackUrl, DeploymentId, Group, GroupId, Instance, InstanceId, ReadinessResponse, Resources, RunSpec,
    RunSpecId, SecretPath, Step, Version,
};
use crate::placement::{RejectReason, Rejected, Stock};

/// Everything that follows from a run of inputs, in order. The shell owns it, hands it in empty, and lets `calls`, `replies` and
/// `views` out only after `facts` and all earlier facts are committed.
#[derive(Debug, Default)]
pub struct Effects {
    /// What is to become durable.
    pub facts: Vec<Recorded>,
    /// What the master is to be told, in order. The shell sets the framework's id and the stream's.
    pub calls: Vec<Call>,
    /// The answers to writes.
    pub replies: Vec<(ReplyTo, Result<Reply, Refusal>)>,
    /// Visible changes that are in no fact because they are not durable. They apply after the facts of the same batch.
    pub views: Vec<View>,
    /// When [`settle`](super::Engine::settle) must be called again at the latest; none: not before the next input.
    pub wake: Option<Tick>,
}

/// A fact with its moment and its event frames.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// When it was decided.
    pub at: Timestamp,
    /// What was decided.
    pub fact: Fact,
    /// The event frames that it means to subscribers, in order. The journal keeps them beside the fact.
    pub frames: Vec<Frame>,
}

/// One frame of the event stream; its `id:` is the position of its fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The `event:` line.
    pub event_type: &'static str,
    /// The `data:` line: one line of JSON, `eventType` and `timestamp` last. Plans are always in their light form.
    pub data: String,
    /// Who may read it.
    pub scope: Scope,
}

/// The answer to a write that was done.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Definitions changed. The deployment may have ended already when there was nothing to do.
    Deployed {
        /// The version of the write.
        version: Version,
        /// Its deployment.
        deployment: DeploymentId,
        /// The definitions that it created (201 for a single one), as stored; empty when all existed.
        created: Vec<Arc<RunSpec>>,
    },
    /// Tasks are being killed: the instances as they were before.
    Killed(Vec<Instance>),
    /// A deployment was stopped where it stood (202).
    Cancelled,
    /// What would follow: nothing was changed.
    Planned(Box<Forecast>),
    /// It is done, and there is nothing to tell about it (204).
    Done,
}

/// What would follow from a write.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// The version that it would make, if it were made now.
    pub version: Version,
    /// What would change.
    pub changes: Changes,
    /// The steps of the deployment.
    pub steps: Vec<Step>,
    /// Where the instances would go that it would start, in the order of the steps; none: what agents have free is not known, or all of
    /// it together is too much to look at.
    pub placement: Option<Vec<Prospect>>,
}

/// What a write changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// The run specs that change.
    pub run_specs: Vec<PlannedChange>,
    /// The groups that change themselves.
    pub groups: Vec<PlannedGroup>,
    /// The users that change.
    pub users: Vec<PlannedUser>,
    /// The secrets that come back from a backup.
    pub secrets: Vec<SecretPath>,
    /// The callbacks that come back from a backup.
    pub callbacks: Vec<CallbackUrl>,
}

/// One user before and after a write.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedUser {
    /// Who.
    pub name: UserName,
    /// What it is; none: it does not exist.
    pub from: Option<Arc<User>>,
    /// What it would be; none: it would be removed.
    pub to: Option<Arc<User>>,
}

/// One group before and after a write: what is said of it, not what lies in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedGroup {
    /// Which.
    pub id: GroupId,
    /// What is said of it; none: nothing.
    pub from: Option<Group>,
    /// What would be said of it; none: it would be removed.
    pub to: Option<Group>,
}

/// What would become of the instances of a run spec that a write would start.
#[derive(Clone, Debug, PartialEq)]
pub struct Prospect {
    /// Whose they are.
    pub run_spec: RunSpecId,
    /// How many there are.
    pub wanted: u32,
    /// Where they would go, and how many of them.
    pub places: Vec<(Arc<Agent>, u32)>,
    /// Agents without room for those that would find no place, the nearest fit first; none when all would find one.
    pub misfits: Vec<Misfit>,
}

impl Prospect {
    /// How many would have to wait for room.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.places.iter().fold(self.wanted, |missing, (_, count)| missing.saturating_sub(*count))
    }
}

/// An agent that has no room for an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    /// The agent.
    pub agent: Arc<Agent>,
    /// Why, in the order of the funnel; never empty.
    pub reasons: Vec<RejectReason>,
    /// What would be left there for such an instance.
    pub free: Resources,
}

impl Misfit {
    /// So many agents that have no room are told of.
    const TOLD_MAX: usize = 10;
    /// Of so many it is looked up what they have.
    const LOOKED_AT_MAX: usize = 100;

    /// Of those who rejected instances of a run spec the nearest fits, in order: few reasons first, then many free cores.
    pub(super) fn nearest(rejected: &[Rejected], stock: &Stock, roles: &[String]) -> Vec<Self> {
        let mut rejected: Vec<&Rejected> = rejected.iter().collect();
        rejected.sort_by_key(|rejected| rejected.reasons.len());
        let misfit = |Rejected { candidate, reasons }: &Rejected| {
            let candidate = &stock.candidates[*candidate];
            Self { agent: Arc::clone(&candidate.agent), reasons: reasons.clone(), free: candidate.left_for(roles) }
        };
        let mut misfits: Vec<Self> = rejected.into_iter().take(Self::LOOKED_AT_MAX).map(misfit).collect();
        misfits.sort_by_cached_key(|misfit| (misfit.reasons.len(), Reverse(misfit.free.cpus), misfit.agent.id.clone()));
        misfits.truncate(Self::TOLD_MAX);
        misfits
    }
}

/// One run spec before and after a write.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedChange {
    /// Which.
    pub id: RunSpecId,
    /// What it is; none: it does not exist.
    pub from: Option<Arc<RunSpec>>,
    /// What it would be; none: it would be removed.
    pub to: Option<Arc<RunSpec>>,
}

/// A visible change that is not durable.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// A run spec waits for offers, or what is known about its waiting changed.
    Queued(Box<QueueItem>),
    /// A run spec waits no longer.
    Unqueued(RunSpecId),
    /// The scheduler's stream is up (true) or down.
    Connected(bool),
    /// A task has answered its readiness check, and this is to be shown.
    Responded {
        /// Which.
        task: (InstanceId, TaskId),
        /// What it said.
        response: ReadinessResponse,
    },
}
