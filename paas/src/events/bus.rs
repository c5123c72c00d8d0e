use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use attica_core_store::Position;
use tokio::sync::watch;

use super::{Event, EventId};
use crate::engine::Recorded;

/// How much a bus remembers.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// The newest events.
    pub events: usize,
    /// What they may occupy together.
    pub bytes: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self { events: 32_768, bytes: 64 << 20 }
    }
}

/// The newest events, once for all subscribers.
#[derive(Debug)]
pub struct Bus {
    memory: Memory,
    ring: RwLock<Ring>,
    head: watch::Sender<Head>,
}

/// How far the stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Everything up to here is there.
    pub(super) id: EventId,
    /// Whether more can follow from this process.
    pub(super) flow: Flow,
}

/// Whether more can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Open,
    Closed,
}

#[derive(Debug)]
struct Ring {
    /// Every event after this one is in here.
    start: EventId,
    events: VecDeque<Event>,
    bytes: usize,
}

/// What the bus has for a position.
pub(super) enum Remembered {
    /// These events; the stream has then come as far as this.
    Events { events: Vec<Event>, upto: EventId },
    /// The position is older than the bus's memory.
    Forgotten,
}

impl Bus {
    /// A bus that goes on after `position`.
    #[must_use]
    pub fn new(position: Position, memory: Memory) -> Self {
        let start = EventId::end_of(position);
        let ring = Ring { start, events: VecDeque::new(), bytes: 0 };
        Self { memory, ring: RwLock::new(ring), head: watch::Sender::new(Head { id: start, flow: Flow::Open }) }
    }

    /// Publishes the events of committed facts, of which the first has the position `first`.
    pub fn publish(&self, first: Position, facts: &[Recorded]) {
        if facts.is_empty() {
            return;
        }
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let mut position = first;
        for recorded in facts {
            for event in Event::of(position, recorded) {
                ring.bytes += event.bytes();
                ring.events.push_back(event);
            }
            position = position.after(1);
        }
        ring.forget(self.memory);
        drop(ring);
        let id = EventId::end_of(first.after(facts.len() - 1));
        self.head.send_modify(|head| head.id = id);
    }

    /// Ends all subscriptions: what follows comes from another leader.
    pub fn close(&self) {
        self.head.send_modify(|head| head.flow = Flow::Closed);
    }

    /// How far the stream has come.
    #[must_use]
    pub fn head(&self) -> EventId {
        self.head.borrow().id
    }

    pub(super) fn follow(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    /// How many subscribers there are.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.head.receiver_count()
    }

    /// The events after `position`, as many as `bytes` hold but at least one.
    pub(super) fn after(&self, position: EventId, bytes: usize) -> Remembered {
        // Taken first: everything up to it is in the ring already.
        let head = self.head();
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        if position < ring.start {
            return Remembered::Forgotten;
        }
        let from = ring.events.partition_point(|event| event.id <= position);
        let mut taken = 0;
        let fits = |event: &&Event| {
            let is_first = taken == 0;
            taken += event.bytes();
            is_first || taken <= bytes
        };
        let events: Vec<Event> = ring.events.range(from..).take_while(fits).cloned().collect();
        let is_all = from + events.len() == ring.events.len();
        let last = events.last().map_or(position, |event| event.id);
        Remembered::Events { events, upto: if is_all { last.max(head) } else { last } }
    }
}

impl Ring {
    fn forget(&mut self, memory: Memory) {
        while self.events.len() > memory.events || self.bytes > memory.bytes {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= oldest.bytes();
            self.start = oldest.id;
        }
    }
}
