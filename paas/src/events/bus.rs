use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use attica_core_store::Position;
use tokio::sync::watch;

use super::{Event, EventFilter, EventId};
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
    /// The events that were given out; the stream has then come as far as this.
    Events { upto: EventId, more: More },
    /// The position is older than the bus's memory.
    Forgotten,
}

/// Whether the bus has further events behind those that it gave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    /// It has.
    Waiting,
    /// That was all at this moment.
    Nothing,
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

    /// Gives out the events after `position` that are wanted, as many as `bytes` hold but at least one. They are copied from where they
    /// lie while nothing can be published, which takes microseconds.
    pub(super) fn after(&self, position: EventId, filter: &EventFilter, bytes: usize, out: &mut Vec<u8>) -> Remembered {
        // Taken first: everything up to it is in the ring already.
        let head = self.head();
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        if position < ring.start {
            return Remembered::Forgotten;
        }
        let from = ring.events.partition_point(|event| event.id <= position);
        let pending = || ring.events.range(from..);
        let (mut needed, mut taken, mut last) = (0, 0, position);
        for event in pending() {
            let length = if filter.takes(event) { event.wire.len() } else { 0 };
            if needed > 0 && needed + length > bytes {
                break;
            }
            needed += length;
            taken += 1;
            last = event.id;
        }
        out.reserve_exact(needed);
        pending().take(taken).for_each(|event| filter.write(event, out));
        match from + taken == ring.events.len() {
            true => Remembered::Events { upto: last.max(head), more: More::Nothing },
            false => Remembered::Events { upto: last, more: More::Waiting },
        }
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
