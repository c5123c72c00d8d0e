//! Messages on their way: in order per channel, late, cut off, or lost with their connection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use attica_core::fact::Fact;
use attica_core::kernel::Reply;
use attica_core_api::link;
use attica_core_api::scheduler::{Command, Event, Subscribe};
use attica_core_api::v1::FrameworkId;

use crate::paas;
use crate::random::Random;

/// Who sends and receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Node {
    Master(usize),
    Agent(usize),
    Scheduler(usize),
    Store,
    /// A process of the service layer.
    Paas(usize),
    /// Its database.
    PaasStore,
    /// A client of the service layer.
    Client(usize),
    /// Its load balancer.
    Balancer,
}

/// What travels. Connections are named by the text of their stream id.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Subscribe {
        stream: String,
        subscribe: Box<Subscribe>,
    },
    Event {
        stream: String,
        event: Event,
    },
    Call {
        ticket: u64,
        framework: FrameworkId,
        stream: String,
        command: Command,
    },
    Answer {
        ticket: u64,
        reply: Reply,
    },
    AgentCall {
        link: String,
        call: Box<link::Call>,
    },
    AgentAnswer {
        link: String,
        reply: Reply,
    },
    LinkEvent {
        link: String,
        event: Box<link::Event>,
    },
    /// One end of a connection is gone, and the other end notices.
    Closed {
        connection: String,
    },
    Campaign,
    Won {
        epoch: u64,
        seq: usize,
    },
    Lost,
    Renew {
        epoch: u64,
        sent_at: u64,
    },
    Renewed {
        epoch: u64,
        sent_at: u64,
    },
    Commit {
        epoch: u64,
        seq: usize,
        facts: Vec<Fact>,
    },
    Committed {
        epoch: u64,
        seq: usize,
    },
    /// Asks where the lead stands, after a commit without an answer.
    Resolve {
        epoch: u64,
    },
    Resolved {
        epoch: u64,
        lead_epoch: u64,
        seq: usize,
    },
    /// Between the service layer, its database and its clients.
    Paas(Box<paas::Body>),
}

/// A message, and the connection it travels on.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) from: Node,
    pub(crate) to: Node,
    pub(crate) connection: String,
    pub(crate) body: Body,
}

/// One direction of a connection.
pub(crate) type Channel = (Node, Node, String);

/// A cut that lasts longer breaks the connection.
const BREAK_AFTER_MS: u64 = 12_000;
/// How often a sender tries again to get through.
const RETRY_MS: u64 = 400;

/// All channels, and which pairs of nodes are cut off from each other.
#[derive(Debug, Default)]
pub(crate) struct Network {
    channels: BTreeMap<Channel, VecDeque<(u64, Message)>>,
    blocked: BTreeSet<(Node, Node)>,
}

/// What became of the first message of a channel.
pub(crate) enum Arrival {
    /// It is there; another look at the channel is due then.
    Arrived(Message, Option<u64>),
    /// Not yet: look again then.
    Later(u64),
    /// The connection is broken; the sender notices.
    Broken(Message),
    /// There is nothing.
    Nothing,
}

impl Network {
    /// Sends a message. Returns when to look at its channel, unless somebody will anyhow.
    pub(crate) fn send(&mut self, now: u64, random: &mut Random, message: Message) -> Option<(Channel, u64)> {
        let channel = (message.from, message.to, message.connection.clone());
        let latency_ms = if random.percent(3) { random.within(20..900) } else { random.within(1..12) };
        let queue = self.channels.entry(channel.clone()).or_default();
        let due = queue.back().map_or(0, |(due, _)| *due).max(now + latency_ms);
        queue.push_back((due, message));
        (queue.len() == 1).then_some((channel, due))
    }

    /// Looks at a channel.
    pub(crate) fn arrive(&mut self, now: u64, channel: &Channel) -> Arrival {
        let blocked = self.blocked.contains(&(channel.0, channel.1));
        let Some(queue) = self.channels.get_mut(channel) else { return Arrival::Nothing };
        let Some((due, _)) = queue.front() else { return Arrival::Nothing };
        if *due > now {
            return Arrival::Later(*due);
        }
        if !blocked {
            let Some((_, message)) = queue.pop_front() else { return Arrival::Nothing };
            let next = queue.front().map(|(due, _)| (*due).max(now));
            if queue.is_empty() {
                self.channels.remove(channel);
            }
            return Arrival::Arrived(message, next);
        }
        if now - *due < BREAK_AFTER_MS {
            return Arrival::Later(now + RETRY_MS);
        }
        match self.channels.remove(channel).and_then(|mut queue| queue.pop_front()) {
            Some((_, message)) => Arrival::Broken(message),
            None => Arrival::Nothing,
        }
    }

    pub(crate) fn block(&mut self, from: Node, to: Node) {
        self.blocked.insert((from, to));
    }

    pub(crate) fn heal(&mut self) {
        self.blocked.clear();
    }

    /// Messages of nodes that crashed: what has left may still arrive, most of it does not.
    pub(crate) fn lose_from(&mut self, node: Node, random: &mut Random) {
        self.channels.retain(|(from, _, _), _| *from != node || random.percent(30));
    }
}
