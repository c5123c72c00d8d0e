//! The load balancer: the real table, fed as the real follower feeds it. A stream that kills wait for, the list of apps when it knows
//! nothing or events are missing, an app again whose definition changed, and acknowledgements of what is in use.

use std::collections::BTreeMap;
use std::sync::Arc;

use attica_paas::events::{Event, EventFilter, EventId, Reader};
use attica_paas::lb::table::{Groups, Input, RouteTable, Table};
use attica_paas::lb::{EVENT_TYPES, app, meaning};
use attica_paas::model::{InstanceId, RunSpecId};

use super::{Answered, Body};
use crate::network::{self, Node};
use crate::random::Random;
use crate::rules::{Removals, Rules};
use crate::world::{Out, Timer};

const TICK_MS: u64 = 200;
/// A service layer that says nothing for so long is gone.
const SILENCE_MS: u64 = 4_000;
/// A read without an answer for so long has failed.
const ANSWER_MS: u64 = 3_000;
/// How often the latest acknowledgement is repeated: it is a lease.
const LEASE_MS: u64 = 1_500;

/// One load balancer.
pub(crate) struct Balancer {
    table: Table,
    filter: EventFilter,
    knowledge: Knowledge,
    /// Where requests go.
    pub(crate) in_use: Arc<RouteTable>,
    /// Until when instances have requests in progress.
    busy: BTreeMap<InstanceId, u64>,
    stream: Option<Stream>,
    streams: u64,
    target: usize,
    next_ticket: u64,
    /// The furthest that it ever acknowledged.
    pub(crate) acknowledged: EventId,
}

/// Whether the table can be kept up to date by events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    Nothing,
    Complete,
}

struct Stream {
    name: String,
    paas: usize,
    heard_at: u64,
    /// What came and is not taken in yet: nothing is while a read is under way.
    events: Vec<Event>,
    phase: Phase,
    /// When it acknowledged last, and what.
    said: Option<(u64, EventId)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Kills do not wait yet.
    Joining,
    Following,
    /// A read is under way since then.
    Reading {
        ticket: u64,
        since: u64,
    },
}

impl Balancer {
    pub(crate) fn new() -> Self {
        let event_types = EVENT_TYPES.iter().map(|name| (*name).to_owned()).collect();
        Self {
            table: Table::new(Groups::of(&[])),
            filter: EventFilter { event_types, reader: Reader::Acknowledging, ..EventFilter::default() },
            knowledge: Knowledge::Nothing,
            in_use: Arc::default(),
            busy: BTreeMap::new(),
            stream: None,
            streams: 0,
            target: 0,
            next_ticket: 0,
            acknowledged: EventId::START,
        }
    }

    pub(crate) fn tick(
        &mut self,
        now: u64,
        processes: usize,
        random: &mut Random,
        rules: Rules,
        calm: bool,
        out: &mut Out,
    ) {
        out.timers.push((TICK_MS + random.within(0..40), Timer::Tick));
        let overdue = |stream: &Stream| match stream.phase {
            Phase::Reading { since, .. } => since + ANSWER_MS <= now,
            Phase::Joining | Phase::Following => false,
        };
        match &self.stream {
            None => self.join(now, processes, out),
            Some(stream) if stream.heard_at + SILENCE_MS <= now || overdue(stream) => self.hang_up(out),
            Some(_) if !calm && random.percent(1) => self.hang_up(out),
            Some(_) => {
                self.serve_requests(now, random);
                self.work(now, random, rules, out);
            }
        }
    }

    fn join(&mut self, now: u64, processes: usize, out: &mut Out) {
        self.target = (self.target + 1) % processes;
        self.streams += 1;
        let name = format!("balancer-{}", self.streams);
        let after = (self.knowledge == Knowledge::Complete).then(|| self.table.position());
        send(self.target, &name, Body::Join { after }, out);
        let (paas, events) = (self.target, Vec::new());
        self.stream = Some(Stream { name, paas, heard_at: now, events, phase: Phase::Joining, said: None });
    }

    fn hang_up(&mut self, out: &mut Out) {
        if let Some(stream) = self.stream.take() {
            out.close(Node::Balancer, Node::Paas(stream.paas), &stream.name);
        }
    }

    pub(crate) fn closed(&mut self, connection: &str) {
        self.stream.take_if(|stream| stream.name == connection);
    }

    /// Some of those in use have requests for a while.
    fn serve_requests(&mut self, now: u64, random: &mut Random) {
        self.busy.retain(|_, until| *until > now);
        for backend in self.in_use.services.iter().flat_map(|service| &service.backends) {
            if random.percent(10) {
                self.busy.insert(backend.task.instance.clone(), now + random.within(0..1_500));
            }
        }
    }

    /// The stream goes on.
    pub(crate) fn hear(
        &mut self,
        now: u64,
        connection: &str,
        body: Body,
        random: &mut Random,
        rules: Rules,
        out: &mut Out,
    ) {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.name == connection) {
            stream.heard_at = now;
            if stream.phase == Phase::Joining {
                stream.phase = Phase::Following;
            }
            match body {
                Body::Reset => self.knowledge = Knowledge::Nothing,
                Body::Events { events } => stream.events.extend(events),
                _ => {}
            }
            self.work(now, random, rules, out);
        }
    }

    /// What was read.
    pub(crate) fn answered(&mut self, now: u64, answered: Answered, random: &mut Random, rules: Rules, out: &mut Out) {
        let Some(stream) = &mut self.stream else { return };
        let Phase::Reading { ticket, .. } = stream.phase else { return };
        if ticket != answered.ticket {
            return;
        }
        stream.phase = Phase::Following;
        let position = answered.position;
        let mut apps = answered.apps.iter().map(|json| app(json).expect("our own apps can be read"));
        match answered.only {
            None => {
                self.table.apply(Input::Listed { position, apps: apps.collect() });
                self.knowledge = Knowledge::Complete;
            }
            Some(id) => self.table.apply(Input::Read { position, id, app: apps.next() }),
        }
        self.work(now, random, rules, out);
    }

    /// Takes in what came, puts the routes into use, acknowledges them; reads what has to be read first.
    fn work(&mut self, now: u64, random: &mut Random, rules: Rules, out: &mut Out) {
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.phase == Phase::Following) else { return };
        if self.knowledge == Knowledge::Nothing {
            return self.read(now, None, out);
        }
        for event in std::mem::take(&mut stream.events) {
            if self.filter.wants(&event.event_type) {
                let data = std::str::from_utf8(event.data()).expect("events are text");
                let meaning = meaning(&event.event_type, data);
                self.table.apply(Input::Event { position: event.id, event: meaning });
            }
        }
        self.publish(now, random, rules, out);
        if let Some(id) = self.table.outdated().keys().next().cloned() {
            self.read(now, Some(id), out);
        }
    }

    fn read(&mut self, now: u64, only: Option<RunSpecId>, out: &mut Out) {
        let Some(stream) = &mut self.stream else { return };
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        stream.phase = Phase::Reading { ticket, since: now };
        send(stream.paas, &format!("read-{ticket}"), Body::Read { ticket, only }, out);
    }

    fn publish(&mut self, now: u64, random: &mut Random, rules: Rules, out: &mut Out) {
        let position = match rules.removals {
            Removals::Done => {
                self.in_use = self.table.routes();
                self.table.acknowledgeable(|instance| self.busy.contains_key(instance))
            }
            Removals::Promised => {
                if random.percent(50) {
                    self.in_use = self.table.routes();
                }
                self.table.position()
            }
        };
        let Some(stream) = &mut self.stream else { return };
        if position == EventId::START || stream.said.is_some_and(|(at, said)| said == position && at + LEASE_MS > now) {
            return;
        }
        stream.said = Some((now, position));
        self.acknowledged = self.acknowledged.max(position);
        send(stream.paas, &format!("{}-acknowledgements", stream.name), Body::Acknowledge { position }, out);
    }
}

fn send(paas: usize, connection: &str, body: Body, out: &mut Out) {
    out.send(Node::Balancer, Node::Paas(paas), connection, network::Body::Paas(Box::new(body)));
}
