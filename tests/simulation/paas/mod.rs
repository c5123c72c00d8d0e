//! The service layer in the simulation: the real engine in a simulated shell ([`process`]) over its own database ([`store`]), a
//! framework of the simulated masters ([`link`]), asked for things and watched by [`client`]s, and followed by a
//! load balancer ([`balancer`]).

mod balancer;
mod broken;
mod client;
mod definitions;
mod link;
mod process;
mod service;
mod store;

use attica_paas::engine::{Recorded, Refusal, Reply, Write};
use attica_paas::events::{Event, EventId};
use attica_paas::model::RunSpecId;

pub(crate) use balancer::Balancer;
pub(crate) use client::{Answer, Client};
pub(crate) use definitions::CAPACITY_LABEL;
pub(crate) use process::{Leader, Paas, moment};
pub(crate) use service::Service;
pub(crate) use store::Store;

/// What travels between the service layer, its database and its clients.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// A client wants something changed.
    Write { ticket: u64, write: Write },
    /// The answer to a write.
    Written { ticket: u64, answer: Result<Reply, Refusal> },
    /// A client follows the events after this one.
    Follow { after: EventId },
    /// The next events of a stream; none: the stream is alive.
    Events { events: Vec<Event> },
    /// The load balancer follows the events, and wants to be waited for.
    Join { after: Option<EventId> },
    /// Events are missing before the next ones.
    Reset,
    /// The load balancer wants to see an app, or all of them.
    Read { ticket: u64, only: Option<RunSpecId> },
    /// The answer to a read.
    Answered(Answered),
    /// The load balancer has come so far.
    Acknowledge { position: EventId },
    /// A transaction.
    Commit { epoch: u64, seq: usize, entries: Vec<Entry> },
}

impl Body {
    /// True for what can get lost alone. What travels on a stream is lost only with the stream.
    pub(crate) fn is_single(&self) -> bool {
        match self {
            Self::Write { .. } | Self::Written { .. } | Self::Commit { .. } => true,
            Self::Read { .. } | Self::Answered(_) | Self::Acknowledge { .. } => true,
            Self::Follow { .. } | Self::Events { .. } | Self::Join { .. } | Self::Reset => false,
        }
    }
}

/// What was read, as of an event.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) ticket: u64,
    pub(crate) position: EventId,
    /// What was asked for; none: everything.
    pub(crate) only: Option<RunSpecId>,
    /// As JSON.
    pub(crate) apps: Vec<String>,
}

/// A fact, and what led to it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) recorded: Recorded,
    pub(crate) source: Source,
}

/// What led to a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A write asked for this very thing.
    Write,
    /// The engine came to it by itself.
    Engine,
}
