//! An agent as the kernel sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_allocator::{AgentKey, Resources};
use attica_core_api::Tick;
use attica_core_api::link::TaskDigest;
use attica_core_api::v1::{AgentId, AgentInfo, FrameworkId, TaskId};
use uuid::Uuid;

use super::executor::{Executor, ExecutorName};
use super::input::LinkId;
use crate::snapshot::Service;

/// One agent.
///
/// ```text
///             REGISTER                TASKS, or the digest matched
///   (nobody) ──────────► Comparing ──────────────────────────────► Connected
///                          ▲   │ link closed                           │ link closed
///                 REGISTER │   ▼                                       ▼
///                          └── Away ◄──────────────────────────────────┘
///                          ▲   │
///                 REGISTER │   ▼ silent for too long, and the rate limit lets it pass (from Comparing and Connected as well)
///                          └── Unreachable ──────────► (nobody)
///                                           for too long
/// ```
#[derive(Debug)]
pub(super) struct Agent {
    /// Durable.
    pub id: AgentId,
    /// Durable. As it registered last; shared with every offer.
    pub info: Arc<AgentInfo>,
    /// Only whether it is `Unreachable` is durable.
    pub contact: Contact,
    /// Durable. Whether an operator lets it take part.
    pub service: Service,
    /// Not durable. When it last made a call on its link, or as if: what silence is counted from.
    pub heard: Tick,
    /// Not durable. How long it may be silent.
    pub patience_ms: u64,
    /// From the time since when it is unreachable. When it is forgotten if it stays so.
    pub forget_at: Tick,
    /// Not durable. `None` while it is unreachable: the allocator only knows what may come back to use.
    pub key: Option<AgentKey>,
    /// Durable (by way of the tasks). Its tasks, as far as they are not history.
    pub tasks: BTreeSet<(FrameworkId, TaskId)>,
    /// From `tasks`. Over those that have not ended.
    pub digest: TaskDigest,
    /// Durable. Its executors.
    pub executors: BTreeMap<ExecutorName, Executor>,
    /// Not durable. The executors that it said live when it registered.
    pub reported: BTreeSet<ExecutorName>,
    /// Durable. What reservations and volumes have been made of its resources while it ran.
    pub shaped: Resources,
    /// From the operations. Those that are under way, which it has not answered.
    pub operations: BTreeSet<Uuid>,
}

/// How the kernel and an agent are in touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Contact {
    /// It registered; both sides' tasks are still being compared. No offers.
    Comparing(LinkId),
    /// It takes part.
    Connected(LinkId),
    /// It has no link. No offers.
    Away,
    /// It was silent for too long; its tasks count as unreachable.
    Unreachable,
}

impl Agent {
    /// The link to send to, if there is one.
    pub fn link(&self) -> Option<&LinkId> {
        match &self.contact {
            Contact::Comparing(link) | Contact::Connected(link) => Some(link),
            Contact::Away | Contact::Unreachable => None,
        }
    }

    /// Whether everything on it is to be killed.
    pub fn is_draining(&self) -> bool {
        matches!(self.service, Service::Draining { .. })
    }

    /// Whether it will never be back.
    pub fn is_gone(&self) -> bool {
        matches!(self.service, Service::Gone { .. })
    }

    /// Since when the agent counts as unreachable if it stays silent.
    pub fn silent_at(&self) -> Tick {
        self.heard.after(self.patience_ms)
    }
}
