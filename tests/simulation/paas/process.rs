//! One process of the service layer: the real engine, a writer that has one commit in flight, a link to the masters, event streams.

use std::collections::{BTreeMap, VecDeque};

use attica_core_api::scheduler::Call;
use attica_core_api::v1::FrameworkId;
use attica_core_api::{Entropy, Now, Tick, Timestamp};
use attica_core_store::Position;
use attica_paas::engine::{
    Border, Config, Effects, Engine, Input, Origin, Recorded, Refusal, Reply, ReplyTo, RunSpecState, Snapshot, Write,
};
use attica_paas::events::EventId;
use attica_paas::model::{ConsumerName, RunSpecId, Shape};
use attica_paas::{normalise, validate};

use super::broken::{self, Hearing};
use super::link::{Link, ROLE};
use super::{Answered, Body, Entry, Source, Store};
use crate::lead::LEASE_MS;
use crate::network::{self, Message, Node};
use crate::random::Random;
use crate::rules::{Release, Rules};
use crate::world::{Out, Timer};

/// How long the writer waits for the answer to a commit before it connects again and asks.
const ANSWER_MS: u64 = 1_500;
/// How often a process looks after its lease and its streams.
const TICK_MS: u64 = 600;
const WALL_START_MS: i64 = 1_800_000_000_000;

/// One process, or the place for one.
pub(crate) struct Paas {
    index: usize,
    role: Role,
    /// Until then the process does not run; what arrives waits.
    pub(crate) paused_until: u64,
    campaign_sent_at: u64,
}

enum Role {
    Down,
    Standby,
    Leading(Box<Leader>),
}

/// A process that has won.
pub(crate) struct Leader {
    pub(crate) engine: Engine,
    pub(crate) epoch: u64,
    /// The number of facts that are certainly committed.
    seq: usize,
    lease_until: u64,
    inputs: VecDeque<Input>,
    waiting: VecDeque<Batch>,
    in_flight: Option<InFlight>,
    wake_at: Option<u64>,
    link: Link,
    followers: BTreeMap<String, Follower>,
    /// Those who begin to follow once kills wait for them.
    joining: BTreeMap<ReplyTo, (String, Follower)>,
    /// What reads show: the fold of the committed facts.
    model: Snapshot,
    /// The number of facts before this leader's first.
    began_at: usize,
    /// Who waits for the answer to a write, and its ticket there.
    tickets: BTreeMap<ReplyTo, (Node, u64)>,
    next_reply: u64,
}

struct Batch {
    entries: Vec<Entry>,
    calls: Vec<Call>,
    replies: Vec<(ReplyTo, Result<Reply, Refusal>)>,
}

struct InFlight {
    entries: Vec<Entry>,
    batches: Vec<Batch>,
    sent_at: u64,
}

struct Follower {
    node: Node,
    position: EventId,
    /// Whether it has to be told first that events are missing.
    gap: bool,
}

impl Paas {
    pub(crate) fn new(index: usize) -> Self {
        Self { index, role: Role::Standby, paused_until: 0, campaign_sent_at: 0 }
    }

    fn node(&self) -> Node {
        Node::Paas(self.index)
    }

    pub(crate) fn leader(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leading(leader) => Some(leader),
            Role::Down | Role::Standby => None,
        }
    }

    pub(crate) fn leader_mut(&mut self) -> Option<&mut Leader> {
        match &mut self.role {
            Role::Leading(leader) => Some(leader),
            Role::Down | Role::Standby => None,
        }
    }

    /// The framework's id, if this is the stream that a leader listens to.
    pub(crate) fn listens_to(&self, stream: &str) -> Option<FrameworkId> {
        self.leader()?.link.listens_to(stream)
    }

    pub(crate) fn is_up(&self) -> bool {
        !matches!(self.role, Role::Down)
    }

    pub(crate) fn timer(
        &mut self,
        now: u64,
        timer: Timer,
        masters: usize,
        store: &Store,
        random: &mut Random,
        rules: Rules,
        out: &mut Out,
    ) {
        match timer {
            Timer::Tick => self.tick(now, masters, store, random, out),
            Timer::Work { epoch } if self.leader().is_some_and(|leader| leader.epoch == epoch) => {
                self.work(now, random, rules, out)
            }
            Timer::Work { .. } => {}
        }
    }

    fn tick(&mut self, now: u64, masters: usize, store: &Store, random: &mut Random, out: &mut Out) {
        out.timers.push((TICK_MS + random.within(0..50), Timer::Tick));
        let node = self.node();
        match &mut self.role {
            Role::Down => {}
            Role::Standby => {
                self.campaign_sent_at = now;
                out.send(node, Node::PaasStore, "store", network::Body::Campaign);
            }
            Role::Leading(leader) if leader.lease_until <= now => self.step_down(now, random, out),
            Role::Leading(leader) => {
                let epoch = leader.epoch;
                out.send(node, Node::PaasStore, "store", network::Body::Renew { epoch, sent_at: now });
                if leader.in_flight.as_ref().is_some_and(|in_flight| in_flight.sent_at + ANSWER_MS <= now) {
                    out.send(node, Node::PaasStore, "store", network::Body::Resolve { epoch });
                }
                leader.inputs.extend(leader.link.tick(now, masters, random, out));
                leader.tell_followers(node, store, out);
                out.timers.push((0, Timer::Work { epoch }));
            }
        }
    }

    /// What the store answers.
    pub(crate) fn answered(
        &mut self,
        now: u64,
        answer: network::Body,
        store: &Store,
        random: &mut Random,
        out: &mut Out,
    ) {
        let node = self.node();
        match (&mut self.role, answer) {
            (Role::Standby, network::Body::Won { epoch, seq }) => self.lead(now, epoch, seq, store, random, out),
            (Role::Leading(_), network::Body::Lost) => self.step_down(now, random, out),
            (Role::Leading(leader), network::Body::Renewed { epoch, sent_at }) if epoch == leader.epoch => {
                leader.lease_until = leader.lease_until.max(sent_at + LEASE_MS);
            }
            (Role::Leading(leader), network::Body::Committed { epoch, seq }) if epoch == leader.epoch => {
                leader.committed(node, now, seq, store, out)
            }
            (Role::Leading(leader), network::Body::Resolved { epoch, lead_epoch, seq }) if epoch == leader.epoch => {
                let repeat = leader.in_flight.as_ref().filter(|_| seq == leader.seq);
                if lead_epoch != epoch {
                    self.step_down(now, random, out);
                } else if let Some(in_flight) = repeat {
                    let commit = Body::Commit { epoch, seq, entries: in_flight.entries.clone() };
                    out.send(node, Node::PaasStore, "store", network::Body::Paas(Box::new(commit)));
                } else {
                    leader.committed(node, now, seq, store, out);
                }
            }
            _ => {}
        }
    }

    /// Reads what the predecessors left, and goes on from there.
    fn lead(&mut self, now: u64, epoch: u64, seq: usize, store: &Store, random: &mut Random, out: &mut Out) {
        let snapshot = store.snapshot.clone();
        let link = Link::new(self.node(), epoch, snapshot.framework_id.clone());
        let model = snapshot.clone();
        let engine = Engine::recover(config(), snapshot, Entropy::new(random.seed()), moment(now));
        self.role = Role::Leading(Box::new(Leader {
            engine,
            epoch,
            seq,
            lease_until: self.campaign_sent_at + LEASE_MS,
            inputs: VecDeque::new(),
            waiting: VecDeque::new(),
            in_flight: None,
            wake_at: None,
            link,
            followers: BTreeMap::new(),
            joining: BTreeMap::new(),
            model,
            began_at: seq,
            tickets: BTreeMap::new(),
            next_reply: 0,
        }));
        out.timers.push((1, Timer::Work { epoch }));
    }

    /// Gives up leading, if it leads, and everything it knew.
    fn step_down(&mut self, now: u64, random: &mut Random, out: &mut Out) {
        let node = self.node();
        let Role::Leading(mut leader) = std::mem::replace(&mut self.role, Role::Standby) else { return };
        leader.link.hang_up(now, random, out);
        for (stream, follower) in &leader.followers {
            out.close(node, follower.node, stream);
        }
    }

    /// The process dies.
    pub(crate) fn crash(&mut self, now: u64, random: &mut Random, out: &mut Out) {
        self.step_down(now, random, out);
        self.role = Role::Down;
    }

    pub(crate) fn restart(&mut self) {
        self.role = Role::Standby;
    }

    /// A message of a master or a client.
    pub(crate) fn receive(&mut self, now: u64, message: Message, random: &mut Random, rules: Rules, out: &mut Out) {
        let node = self.node();
        let Role::Leading(leader) = &mut self.role else {
            if !matches!(message.body, network::Body::Closed { .. }) {
                out.close(node, message.from, &message.connection);
            }
            return;
        };
        if let Some(input) = leader.input_of(now, message, random, rules, out) {
            if leader.inputs.is_empty() {
                out.timers.push((random.within(0..4), Timer::Work { epoch: leader.epoch }));
            }
            leader.inputs.push_back(input);
        }
    }

    /// One turn of the shell: inputs, the passage of time, and the writer.
    fn work(&mut self, now: u64, random: &mut Random, rules: Rules, out: &mut Out) {
        let node = self.node();
        let Role::Leading(leader) = &mut self.role else { return };
        let mut effects = Effects::default();
        let mut entries = Vec::new();
        for input in std::mem::take(&mut leader.inputs) {
            let source = if matches!(input, Input::Write { .. }) { Source::Write } else { Source::Engine };
            leader.engine.apply(moment(now), input, &mut effects);
            entries.extend(effects.facts.drain(..).map(|recorded| Entry { recorded, source }));
        }
        leader.engine.settle(moment(now), &mut effects);
        let by_itself = |recorded: Recorded| Entry { recorded, source: Source::Engine };
        entries.extend(effects.facts.drain(..).map(by_itself));
        leader.wake_up(now, effects.wake, out);
        broken::said(&mut entries, random, rules);
        broken::asked(&mut effects.calls, rules);
        let mut batch = Batch { entries, calls: effects.calls, replies: effects.replies };
        if rules.paas_release == Release::BeforeCommit {
            let (calls, replies) = (std::mem::take(&mut batch.calls), std::mem::take(&mut batch.replies));
            leader.release(node, now, Batch { entries: Vec::new(), calls, replies }, out);
        }
        leader.waiting.push_back(batch);
        leader.write(node, now, out);
    }
}

impl Leader {
    /// True when everything that the engine decided is in the store.
    pub(crate) fn is_settled(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }

    fn wake_up(&mut self, now: u64, wake: Option<Tick>, out: &mut Out) {
        let planned = self.wake_at.filter(|at| *at > now);
        let wanted = wake.map(|tick| tick.0.max(now + 1));
        self.wake_at = match (planned, wanted) {
            (Some(planned), Some(wanted)) if planned <= wanted => Some(planned),
            (planned, None) => planned,
            (_, Some(wanted)) => {
                out.timers.push((wanted - now, Timer::Work { epoch: self.epoch }));
                Some(wanted)
            }
        };
    }

    fn input_of(
        &mut self,
        now: u64,
        message: Message,
        random: &mut Random,
        rules: Rules,
        out: &mut Out,
    ) -> Option<Input> {
        match message.body {
            network::Body::Event { stream, event } => match broken::hear(event, rules) {
                Hearing::Heard(event) => self.link.hear(now, &stream, event),
                Hearing::Withheld(answer) => {
                    answer.into_iter().for_each(|call| self.link.send(now, call, out));
                    None
                }
            },
            network::Body::Answer { ticket, .. } => {
                self.link.answered(now, ticket, out);
                None
            }
            network::Body::Closed { connection } => {
                self.followers.remove(&connection);
                self.link.closed(now, &connection, random)
            }
            network::Body::Paas(body) => match *body {
                Body::Write { ticket, write } => {
                    self.next_reply += 1;
                    let reply = ReplyTo(self.next_reply);
                    self.tickets.insert(reply, (message.from, ticket));
                    let write = broken::write(write, rules);
                    Some(Input::Write { write, terms: Box::default(), origin: Origin::default(), reply })
                }
                Body::Follow { after } => {
                    let position = broken::resume(after, rules);
                    self.followers.insert(message.connection, Follower { node: message.from, position, gap: false });
                    None
                }
                Body::Join { after } => Some(self.join(message.from, message.connection, after, random)),
                Body::Acknowledge { position } if position <= self.reached() => Some(self.acknowledge(position).1),
                Body::Acknowledge { .. } => None,
                Body::Read { ticket, only } => {
                    let answered = Answered { ticket, position: self.reached(), apps: self.shown(only.as_ref()), only };
                    let body = network::Body::Paas(Box::new(Body::Answered(answered)));
                    out.send(message.to, message.from, &format!("answered-{ticket}"), body);
                    None
                }
                Body::Written { .. } | Body::Events { .. } | Body::Reset | Body::Answered(_) | Body::Commit { .. } => {
                    None
                }
            },
            _ => None,
        }
    }

    /// The end of the last committed fact.
    fn reached(&self) -> EventId {
        end_of(self.seq)
    }

    /// Somebody wants to be waited for from here on.
    fn join(&mut self, node: Node, connection: String, after: Option<EventId>, random: &mut Random) -> Input {
        // Sometimes as if the journal did not reach back so far.
        let gap = after.is_some() && random.percent(20);
        let position = after.filter(|_| !gap).unwrap_or_else(|| self.reached());
        let (reply, input) = self.acknowledge(position);
        self.joining.insert(reply, (connection, Follower { node, position, gap }));
        input
    }

    fn acknowledge(&mut self, position: EventId) -> (ReplyTo, Input) {
        self.next_reply += 1;
        let reply = ReplyTo(self.next_reply);
        let consumer = ConsumerName::parse("balancer").expect("a name");
        let seen = position.fact().0 - i64::try_from(self.began_at).expect("few facts");
        (
            reply,
            Input::Write {
                write: Write::Acknowledge { consumer, seen },
                terms: Box::default(),
                origin: Origin::default(),
                reply,
            },
        )
    }

    /// Apps as clients read them.
    fn shown(&self, only: Option<&RunSpecId>) -> Vec<String> {
        let wanted = |id: &RunSpecId| only.is_none_or(|only| only == id);
        let run_specs = self.model.run_specs.iter().filter(|(id, _)| wanted(id));
        run_specs.filter_map(|(_, run_spec)| shown(run_spec)).collect()
    }

    /// Puts what waits into the next transaction, when none is in flight.
    fn write(&mut self, node: Node, now: u64, out: &mut Out) {
        if self.in_flight.is_some() || self.waiting.is_empty() {
            return;
        }
        let entries: Vec<Entry> = self.waiting.iter().flat_map(|batch| batch.entries.iter().cloned()).collect();
        if entries.is_empty() {
            // Nothing to commit: but whoever may have been deposed says nothing.
            if self.lease_until > now {
                for batch in std::mem::take(&mut self.waiting) {
                    self.release(node, now, batch, out);
                }
            }
            return;
        }
        let commit = Body::Commit { epoch: self.epoch, seq: self.seq, entries: entries.clone() };
        out.send(node, Node::PaasStore, "store", network::Body::Paas(Box::new(commit)));
        self.in_flight = Some(InFlight { entries, batches: self.waiting.drain(..).collect(), sent_at: now });
    }

    fn committed(&mut self, node: Node, now: u64, seq: usize, store: &Store, out: &mut Out) {
        let Some(in_flight) = self.in_flight.take_if(|in_flight| seq == self.seq + in_flight.entries.len()) else {
            return;
        };
        self.seq = seq;
        in_flight.entries.iter().for_each(|entry| self.model.apply(&entry.recorded.fact));
        self.tell_followers(node, store, out);
        for batch in in_flight.batches {
            self.release(node, now, batch, out);
        }
        self.write(node, now, out);
    }

    fn release(&mut self, node: Node, now: u64, batch: Batch, out: &mut Out) {
        for (reply, answer) in batch.replies {
            if let Some((connection, follower)) = self.joining.remove(&reply).filter(|_| answer.is_ok()) {
                self.followers.insert(connection, follower);
            }
            let Some((client, ticket)) = self.tickets.remove(&reply) else { continue };
            let body = network::Body::Paas(Box::new(Body::Written { ticket, answer }));
            out.send(node, client, &format!("written-{ticket}"), body);
        }
        batch.calls.into_iter().for_each(|call| self.link.send(now, call, out));
    }

    /// Events that are committed go to those who follow them; to those who have them all, a sign of life.
    fn tell_followers(&mut self, node: Node, store: &Store, out: &mut Out) {
        for (stream, follower) in &mut self.followers {
            if std::mem::take(&mut follower.gap) {
                out.send(node, follower.node, stream, network::Body::Paas(Box::new(Body::Reset)));
            }
            let events = store.events(follower.position, self.seq);
            follower.position = events.last().map_or(follower.position, |event| event.id);
            out.send(node, follower.node, stream, network::Body::Paas(Box::new(Body::Events { events })));
        }
    }
}

fn end_of(facts: usize) -> EventId {
    EventId::end_of(Position(i64::try_from(facts).expect("few facts")))
}

/// A run spec with its tasks, as clients read them; none when it is removed.
fn shown(run_spec: &RunSpecState) -> Option<String> {
    let definition = run_spec.definition().filter(|definition| definition.shape() == Shape::App)?;
    let mut app = serde_json::to_value(normalise::app(definition)).expect("apps are JSON");
    let tasks = run_spec
        .instances
        .values()
        .filter_map(|instance| normalise::task(instance, run_spec.versions.get(&instance.version).map(AsRef::as_ref)));
    app["tasks"] = serde_json::to_value(tasks.collect::<Vec<_>>()).expect("tasks are JSON");
    Some(app.to_string())
}

/// All machines of the service layer have the same time.
pub(crate) fn moment(now: u64) -> Now {
    Now { tick: Tick(now), wall: Timestamp(WALL_START_MS.saturating_add_unsigned(now)) }
}

/// Everything happens sooner than in life, so that a short run sees much.
fn config() -> Config {
    let border = Border {
        validate_change: validate::change,
        validate: validate::whole,
        render_run_spec: normalise::definition,
        render_health_check: |check| normalise::json(&normalise::health_check(check)),
        render_changes: normalise::changes,
    };
    Config {
        role: ROLE.to_owned(),
        decline_ms: 3_000,
        reservation_timeout_ms: 8_000,
        launch_timeout_ms: 12_000,
        kill_retry_ms: 2_500,
        reconcile_interval_ms: 600_000,
        kills_in_flight_max: 3,
        consumer_lease_ms: 5_000,
        versions_max: 4,
        ..Config::new(border)
    }
}
