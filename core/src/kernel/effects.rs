//! What the kernel asks for.

use attica_allocator::{Resources, Role};
use attica_core_api::v1::{AgentId, FrameworkId, OfferId, OfferOperationType, OperationState};
use attica_core_api::{Tick, link, scheduler};

use crate::fact::Fact;
use crate::kernel::input::{LinkId, ReplyTo, StreamId};
use crate::kernel::inverse_offers::Asking;

/// Everything that follows from a run of inputs, in order. The shell owns it, hands it in empty, and passes `sends`, `replies` and
/// `view` on only after `facts` and all earlier facts are committed.
#[derive(Debug, Default)]
pub struct Effects {
    /// What is to become durable.
    pub facts: Vec<Fact>,
    /// What goes out on event streams, in order per stream.
    pub sends: Vec<Send>,
    /// What may go out before the batch is durable: it tells only what was durable before.
    pub at_once: Vec<Send>,
    /// The answers to calls.
    pub replies: Vec<(ReplyTo, Reply)>,
    /// Visible changes that are in no fact because they are not durable. They apply after the facts of the same batch.
    pub view: Vec<View>,
    /// When [`settle`](crate::kernel::Kernel::settle) must be called again at the latest; `None`: not before the next input.
    pub wake: Option<Tick>,
}

/// One event for a stream, or its end. A stream that is no longer there is ignored.
#[derive(Clone, Debug)]
pub enum Send {
    /// An event for a scheduler. Heartbeats are the shell's: the first directly after SUBSCRIBED.
    Scheduler {
        /// The stream.
        stream: StreamId,
        /// The event.
        event: Box<scheduler::Event>,
    },
    /// End a scheduler's stream, after what was sent before. No `SchedulerClosed` is expected for it (and one does no harm).
    CloseScheduler {
        /// The stream.
        stream: StreamId,
    },
    /// An event for an agent, with the leader's epoch in it. Heartbeats are the shell's.
    Agent {
        /// The stream.
        link: LinkId,
        /// The event.
        event: Box<link::Event>,
    },
    /// End an agent's stream, after what was sent before.
    CloseAgent {
        /// The stream.
        link: LinkId,
        /// Why, for the log.
        reason: CloseReason,
    },
}

impl Send {
    /// An event for a scheduler.
    pub fn scheduler(stream: StreamId, event: scheduler::Event) -> Self {
        Self::Scheduler { stream, event: Box::new(event) }
    }
}

/// Why an agent's stream is ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// It has a newer one.
    #[error("the agent has registered again on another stream")]
    Replaced,
    /// It said nothing for too long.
    #[error("the agent missed its heartbeats")]
    Silent,
    /// It has already obeyed a later leader.
    #[error("the agent has seen epoch {seen}, and this leader's is {ours}")]
    Deposed {
        /// The agent's.
        seen: u64,
        /// This leader's.
        ours: u64,
    },
    /// What it sent with REGISTER makes no sense.
    #[error("the registration is not valid: {0}")]
    Invalid(String),
    /// An operator does not want it.
    #[error("the agent is not wanted: {0}")]
    Unwanted(String),
    /// It comes back with less than its tasks use.
    #[error("the agent's resources {total} do not hold what its tasks use, {used}")]
    TooSmall {
        /// What it says it has.
        total: Resources,
        /// What is in use.
        used: Resources,
    },
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done; no body. 202 for frameworks and agents, for operators as it depends.
    Accepted,
    /// Not done, and nothing was changed.
    Refused(Refusal),
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The framework was never here, or is gone.
    #[error("Framework cannot be found")]
    FrameworkUnknown,
    /// The framework has no event stream now.
    #[error("Framework is not subscribed")]
    FrameworkNotSubscribed,
    /// The call came without the id of its stream.
    #[error("All non-subscribe calls should include the 'Mesos-Stream-Id' header")]
    StreamMissing,
    /// The call came with the id of another stream, for instance of a scheduler that was replaced.
    #[error(
        "The stream ID '{claimed}' included in this request didn't match the stream ID currently associated with framework ID {framework}"
    )]
    StreamMismatch {
        /// The id that came.
        claimed: StreamId,
        /// The framework.
        framework: FrameworkId,
    },
    /// An order that makes no sense as things are.
    #[error("{0}")]
    Invalid(String),
    /// An order about something that is not there.
    #[error("{0}")]
    Missing(String),
    /// An order that something else is in the way of.
    #[error("{0}")]
    Conflict(String),
    /// What the framework may not do by the rules.
    #[error("{0}")]
    Forbidden(String),
    /// A call that means nothing.
    #[error("501 Not Implemented.")]
    NotImplemented,
    /// The stream of an agent's call is not the current one of that agent.
    #[error("This stream is not the current one of its agent; register again")]
    LinkStale,
    /// An agent's call lacks the part that its type promises.
    #[error("Expecting '{0}' to be present")]
    LinkMalformed(&'static str),
}

impl Refusal {
    /// The HTTP status, as Mesos answers (our own for the agent link).
    pub fn status(&self) -> u16 {
        match self {
            Self::FrameworkUnknown
            | Self::StreamMissing
            | Self::StreamMismatch { .. }
            | Self::LinkMalformed(_)
            | Self::Invalid(_) => 400,
            Self::FrameworkNotSubscribed | Self::Forbidden(_) => 403,
            Self::Missing(_) => 404,
            Self::LinkStale | Self::Conflict(_) => 409,
            Self::NotImplemented => 501,
        }
    }
}

/// A visible change that is not durable.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// A framework's stream is up: it is connected and active.
    FrameworkConnected {
        /// The framework.
        framework: FrameworkId,
    },
    /// A framework's stream is gone (or it was never here since the leader started).
    FrameworkDisconnected {
        /// The framework.
        framework: FrameworkId,
    },
    /// The roles for which a framework wants no offers now.
    RolesSuppressed {
        /// The framework.
        framework: FrameworkId,
        /// All of them.
        roles: Vec<Role>,
    },
    /// An agent's link is up and its tasks are known: it is connected and active.
    AgentConnected {
        /// The agent.
        agent: AgentId,
    },
    /// An agent's link is down.
    AgentDisconnected {
        /// The agent.
        agent: AgentId,
    },
    /// An agent was silent for too long, and is declared unreachable as soon as the rate limit lets it.
    AgentSilent {
        /// The agent.
        agent: AgentId,
    },
    /// It was heard, or replaced, before that.
    AgentHeard {
        /// The agent.
        agent: AgentId,
    },
    /// Which agents a framework wants to be offered; nothing in it: any.
    OfferConstraints {
        /// The framework.
        framework: FrameworkId,
        /// As the framework wrote them.
        constraints: Box<scheduler::OfferConstraints>,
    },
    /// A framework was asked to leave an agent, or has answered that.
    InverseOffer(Asking),
    /// An operation on resources is over, or was refused.
    OperationOver {
        /// What it was.
        kind: OfferOperationType,
        /// How it ended.
        state: OperationState,
    },
    /// An offer is out.
    OfferMade {
        /// Its id.
        offer: OfferId,
        /// Who got it.
        framework: FrameworkId,
        /// What it is about.
        agent: AgentId,
        /// The role it was made for.
        role: Role,
        /// What is offered.
        resources: Resources,
    },
    /// An offer was used, declined, rescinded or dropped.
    OfferGone {
        /// Its id.
        offer: OfferId,
    },
}
