//! What the kernel is told.

use std::fmt;
use std::sync::Arc;

use attica_core_api::auth::Acls;
use attica_core_api::link;
use attica_core_api::scheduler::{Command, Subscribe};
use attica_core_api::v1::{FrameworkId, WeightInfo};

use super::Order;

/// The id of one scheduler event stream, the value of its `Mesos-Stream-Id` header. The shell makes it, unique for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(Arc<str>);

/// The id of one agent's event stream, the value of its `Attica-Stream-Id` header. The shell makes it, unique for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(Arc<str>);

macro_rules! stream_id {
    ($name:ident) => {
        impl $name {
            /// The id with this text. Text that came from a client is fine: an id that nobody has matches nothing.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text of the header.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

stream_id!(StreamId);
stream_id!(LinkId);

/// Where an answer goes. The shell numbers its waiting requests; the kernel only hands the number back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyTo(pub u64);

/// One thing that happened outside. Every input is applied completely, or refused without a trace.
#[derive(Clone, Debug)]
pub enum Input {
    /// A scheduler opened an event stream with SUBSCRIBE. The answer is always a stream: what is wrong with the call's meaning comes
    /// as an ERROR event, followed by the end of the stream.
    Subscribe {
        /// The new stream.
        stream: StreamId,
        /// The call.
        subscribe: Box<Subscribe>,
    },
    /// Any other scheduler call. It gets exactly one [`Reply`](crate::kernel::Reply).
    Command {
        /// The framework that the call names.
        framework: FrameworkId,
        /// The `Mesos-Stream-Id` that came with the call, if any.
        stream: Option<StreamId>,
        /// The validated call.
        command: Box<Command>,
        /// Who waits for the answer.
        reply: ReplyTo,
    },
    /// An operator wants something changed. It gets exactly one [`Reply`](crate::kernel::Reply).
    Order {
        /// What.
        order: Box<Order>,
        /// Who waits for the answer.
        reply: ReplyTo,
    },
    /// A scheduler's event stream broke, or the shell closed it because it did not read.
    SchedulerClosed {
        /// The stream.
        stream: StreamId,
    },
    /// An agent opened its event stream with REGISTER, or posted one of the other calls with the id of that stream. REGISTER is
    /// answered over the stream alone (REGISTERED, or [`Send::CloseAgent`](crate::kernel::Send::CloseAgent)) and has no `reply`.
    AgentCall {
        /// The agent's stream, as the shell named it or as the call's header names it.
        link: LinkId,
        /// The call.
        call: Box<link::Call>,
        /// Who waits for the answer.
        reply: Option<ReplyTo>,
    },
    /// An agent's stream broke.
    LinkClosed {
        /// The stream.
        link: LinkId,
    },
    /// Who may do what from now on. What was allowed before stays done.
    Rules {
        /// The rules; `None`: everyone may do everything.
        acls: Option<Arc<Acls>>,
    },
    /// Weights to begin with: they count when none was ever set.
    FirstWeights {
        /// All of them.
        weights: Vec<WeightInfo>,
    },
    /// The store takes no writes, or this leader may be deposed: registrations and subscriptions are refused until [`Self::StoreBack`].
    StoreAway,
    /// The store takes writes again, and this leader still leads.
    StoreBack,
}
