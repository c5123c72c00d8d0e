//! A master: the real kernel in a simulated shell, with a writer that has one commit in flight.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use attica_core::fact::Fact;
use attica_core::kernel::{
    Config, Effects, Input, Kernel, LinkId, Now, Order, QuotaChange, RateLimit, Reply, ReplyTo, Send, StreamId,
};
use attica_core::snapshot::Snapshot;
use attica_core_api::operator::QuotaConfig;
use attica_core_api::scheduler::Event;
use attica_core_api::v1::{MasterInfo, Scalar};
use attica_core_api::{Entropy, Tick, Timestamp, link};
use bytes::Bytes;

use crate::checks::i13_guarantees::{self, Quotas};
use crate::lead::LEASE_MS;
use crate::network::{Body, Message, Node};
use crate::random::Random;
use crate::rules::{Deadlines, Doubt, Outbox, Promises, Release, Rules};
use crate::world::{Out, Timer};

/// How long the writer waits for the answer to a commit before it connects again and asks.
const ANSWER_MS: u64 = 1_500;
/// A commit that takes longer is a stall: then nothing new is begun. One whose answer is lost is resolved before.
const STALL_MS: u64 = 3_500;
/// How often a master looks after its lease and its streams.
pub(crate) const TICK_MS: u64 = 700;
/// Where simulated wall clocks begin.
const WALL_START_MS: i64 = 1_800_000_000_000;

/// One master process, or the place for one.
pub(crate) struct Master {
    index: usize,
    pub(crate) role: Role,
    /// Until then the process does not run; what arrives waits.
    pub(crate) paused_until: u64,
    /// How far its wall clock is off.
    pub(crate) wall_skew_ms: i64,
    campaign_sent_at: u64,
}

/// What a master does.
pub(crate) enum Role {
    Down,
    Standby,
    Leading(Box<Leader>),
}

/// A master that has won.
pub(crate) struct Leader {
    pub(crate) kernel: Kernel,
    /// What operators set.
    quotas: Quotas,
    pub(crate) epoch: u64,
    /// The number of facts that are certainly committed.
    seq: usize,
    lease_until: u64,
    inputs: VecDeque<Input>,
    waiting: VecDeque<Batch>,
    in_flight: Option<InFlight>,
    /// What is committed and waits until nobody else can lead.
    durable: VecDeque<Batch>,
    /// Whether the kernel was told that the store is away.
    store_away: bool,
    streams: BTreeMap<String, Node>,
    pub(crate) links: BTreeMap<String, usize>,
    tickets: BTreeMap<u64, (Node, Body)>,
    next_ticket: u64,
    /// When the kernel will be woken.
    wake: Option<Tick>,
    /// Statuses that a broken rule never lets out.
    withheld: BTreeSet<Bytes>,
    /// What it does when its lease has run out.
    doubt: Doubt,
}

struct Batch {
    facts: Vec<Fact>,
    sends: Vec<Send>,
    replies: Vec<(ReplyTo, Reply)>,
}

struct InFlight {
    facts: Vec<Fact>,
    batches: Vec<Batch>,
    sent_at: u64,
}

impl Master {
    pub(crate) fn new(index: usize) -> Self {
        Self { index, role: Role::Standby, paused_until: 0, wall_skew_ms: 0, campaign_sent_at: 0 }
    }

    pub(crate) fn leader(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leading(leader) => Some(leader),
            Role::Down | Role::Standby => None,
        }
    }

    fn now(&self, now: u64) -> Now {
        let wall = WALL_START_MS.saturating_add_unsigned(now).saturating_add(self.wall_skew_ms);
        // Each machine's monotonic clock started at another time.
        let started = u64::try_from(self.index).expect("few") * 1_000_000;
        Now { tick: Tick(now + started), wall: Timestamp(wall) }
    }

    /// Compares the kernel with the fold of its facts, if all of them are in there; returns whether they are.
    pub(crate) fn check_fold(&self, now: u64, fold: &Snapshot) -> Result<bool, String> {
        let Some(leader) = self.leader().filter(|leader| leader.is_settled()) else { return Ok(false) };
        leader.kernel.check_fold(fold, self.now(now)).map(|()| true)
    }

    pub(crate) fn timer(
        &mut self,
        now: u64,
        timer: Timer,
        random: &mut Random,
        rules: Rules,
        out: &mut Out,
    ) -> Result<(), String> {
        match timer {
            Timer::Tick => {
                self.tick(now, random, out);
                Ok(())
            }
            Timer::Work { epoch } if self.leader().is_some_and(|leader| leader.epoch == epoch) => {
                self.work(now, rules, out)
            }
            Timer::Work { .. } => Ok(()),
        }
    }

    /// An operator's order, if this master leads. The operator does not wait for the answer.
    pub(crate) fn set_quota(&mut self, role: usize, cpus: u64, limit: Option<u64>) {
        let Role::Leading(leader) = &mut self.role else { return };
        let amount = |cpus: u64| BTreeMap::from([("cpus".to_owned(), Scalar { value: cpus as f64 })]);
        let role = format!("role-{role}");
        let config = QuotaConfig { role, guarantees: amount(cpus), limits: limit.map(amount).unwrap_or_default() };
        let order = Box::new(Order::UpdateQuota(QuotaChange::Update { configs: vec![config], force: true }));
        leader.inputs.push_back(Input::Order { order, reply: ReplyTo(0) });
    }

    fn tick(&mut self, now: u64, random: &mut Random, out: &mut Out) {
        out.timers.push((TICK_MS + random.within(0..50), Timer::Tick));
        let node = Node::Master(self.index);
        match &mut self.role {
            Role::Down => {}
            Role::Standby => {
                self.campaign_sent_at = now;
                out.ask_store(node, Body::Campaign);
            }
            Role::Leading(leader) => {
                let epoch = leader.epoch;
                out.ask_store(node, Body::Renew { epoch, sent_at: now });
                if leader.in_flight.as_ref().is_some_and(|in_flight| in_flight.sent_at + ANSWER_MS <= now) {
                    out.ask_store(node, Body::Resolve { epoch });
                }
                out.timers.push((0, Timer::Work { epoch }));
                // Who listens to a leader that may be deposed is free to look for another.
                if leader.is_in_doubt(now) {
                    return;
                }
                for (stream, scheduler) in &leader.streams {
                    let body = Body::Event { stream: stream.clone(), event: Event::heartbeat() };
                    out.send(node, *scheduler, stream, body);
                }
                for (link, agent) in &leader.links {
                    let body = Body::LinkEvent { link: link.clone(), event: Box::new(link::Event::heartbeat(epoch)) };
                    out.send(node, Node::Agent(*agent), link, body);
                }
            }
        }
    }

    /// What the store answers.
    pub(crate) fn answered(
        &mut self,
        now: u64,
        answer: Body,
        snapshot: &Snapshot,
        random: &mut Random,
        rules: Rules,
        out: &mut Out,
    ) {
        match (&mut self.role, answer) {
            (Role::Standby, Body::Won { epoch, seq }) => self.lead(now, epoch, seq, snapshot, random, rules, out),
            (Role::Leading(_), Body::Lost) => self.step_down(out),
            (Role::Leading(leader), Body::Renewed { epoch, sent_at }) if epoch == leader.epoch => {
                leader.lease_until = leader.lease_until.max(sent_at + LEASE_MS);
                leader.release_durable(Node::Master(self.index), now, out);
                out.timers.push((0, Timer::Work { epoch }));
            }
            (Role::Leading(leader), Body::Committed { epoch, seq }) if epoch == leader.epoch => {
                self.committed(now, seq, out)
            }
            (Role::Leading(leader), Body::Resolved { epoch, lead_epoch, seq }) if epoch == leader.epoch => {
                let repeat =
                    leader.in_flight.as_ref().filter(|_| seq == leader.seq).map(|in_flight| in_flight.facts.clone());
                if lead_epoch != epoch {
                    self.step_down(out);
                } else if let Some(facts) = repeat {
                    out.ask_store(Node::Master(self.index), Body::Commit { epoch, seq, facts });
                } else {
                    self.committed(now, seq, out);
                }
            }
            _ => {}
        }
    }

    fn lead(
        &mut self,
        now: u64,
        epoch: u64,
        seq: usize,
        snapshot: &Snapshot,
        random: &mut Random,
        rules: Rules,
        out: &mut Out,
    ) {
        let kernel = Kernel::recover(config(epoch), Entropy::new(random.seed()), snapshot, self.now(now));
        let withheld = match rules.outbox {
            Outbox::Delivered => BTreeSet::new(),
            Outbox::NewOnly => {
                let tasks = snapshot.frameworks.values().flat_map(|framework| framework.tasks.values());
                tasks.flat_map(|task| &task.outbox).filter_map(|status| status.uuid.clone()).collect()
            }
        };
        self.role = Role::Leading(Box::new(Leader {
            kernel,
            quotas: snapshot.quotas.clone(),
            epoch,
            seq,
            lease_until: self.campaign_sent_at + LEASE_MS,
            inputs: VecDeque::new(),
            waiting: VecDeque::new(),
            in_flight: None,
            durable: VecDeque::new(),
            store_away: false,
            streams: BTreeMap::new(),
            links: BTreeMap::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            wake: None,
            withheld,
            doubt: rules.doubt,
        }));
        out.timers.push((1, Timer::Work { epoch }));
    }

    /// Gives up leading, if it leads, and everything it knew.
    pub(crate) fn step_down(&mut self, out: &mut Out) {
        let role = std::mem::replace(&mut self.role, Role::Standby);
        let Role::Leading(leader) = role else { return };
        let node = Node::Master(self.index);
        for (stream, scheduler) in &leader.streams {
            out.close(node, *scheduler, stream);
        }
        for (link, agent) in &leader.links {
            out.close(node, Node::Agent(*agent), link);
        }
    }

    /// The process dies.
    pub(crate) fn crash(&mut self, out: &mut Out) {
        self.step_down(out);
        self.role = Role::Down;
    }

    /// A message of a scheduler or an agent.
    pub(crate) fn receive(&mut self, now: u64, message: Message, random: &mut Random, out: &mut Out) {
        let Role::Leading(leader) = &mut self.role else {
            if !matches!(message.body, Body::Closed { .. }) {
                out.close(Node::Master(self.index), message.from, &message.connection);
            }
            return;
        };
        if leader.is_stalled(now) {
            match demand(&message.body) {
                Demand::Nothing => {}
                // 503: nothing new is begun.
                Demand::Stream => return out.close(Node::Master(self.index), message.from, &message.connection),
                Demand::Change => return,
            }
        }
        if let Some(input) = leader.input_of(message) {
            if leader.inputs.is_empty() {
                out.timers.push((random.within(0..4), Timer::Work { epoch: leader.epoch }));
            }
            leader.inputs.push_back(input);
        }
    }

    /// An operator's order; nobody waits for the answer.
    pub(crate) fn ordered(&mut self, order: Order, out: &mut Out) {
        let Role::Leading(leader) = &mut self.role else { return };
        leader.inputs.push_back(Input::Order { order: Box::new(order), reply: ReplyTo(0) });
        out.timers.push((1, Timer::Work { epoch: leader.epoch }));
    }

    /// One turn of the shell: inputs, the passage of time, and the writer.
    fn work(&mut self, now: u64, rules: Rules, out: &mut Out) -> Result<(), String> {
        let node = Node::Master(self.index);
        let at = self.now(now);
        let Role::Leading(leader) = &mut self.role else { return Ok(()) };
        let mut effects = Effects::default();
        for mut input in std::mem::take(&mut leader.inputs) {
            leader.note_quotas(&mut input, rules);
            leader.kernel.apply(at, input, &mut effects);
        }
        if rules.deadlines == Deadlines::Held {
            leader.tell_of_store(now, at, &mut effects);
        }
        let first = i13_guarantees::next_offer(leader.kernel.allocator());
        leader.kernel.settle(at, &mut effects);
        leader.kernel.assert_consistent();
        i13_guarantees::offered(leader.kernel.allocator(), &leader.quotas, first)?;
        leader.wake = leader.wake.filter(|wake| *wake > at.tick);
        if let Some(wake) = effects.wake.filter(|wake| leader.wake.is_none_or(|planned| *wake < planned)) {
            leader.wake = Some(wake);
            out.timers.push((wake.since(at.tick).max(1), Timer::Work { epoch: leader.epoch }));
        }
        if leader.is_in_doubt(now) {
            effects.sends.splice(..0, effects.at_once.drain(..));
        }
        let known = Batch { facts: Vec::new(), sends: effects.at_once, replies: Vec::new() };
        leader.release(node, known, out);
        let mut batch = Batch { facts: effects.facts, sends: effects.sends, replies: effects.replies };
        if rules.release == Release::BeforeCommit {
            let early = Batch {
                facts: Vec::new(),
                sends: batch.sends.drain(..).collect(),
                replies: batch.replies.drain(..).collect(),
            };
            leader.release(node, early, out);
        }
        leader.waiting.push_back(batch);
        leader.write(node, now, out);
        Ok(())
    }

    fn committed(&mut self, now: u64, seq: usize, out: &mut Out) {
        let node = Node::Master(self.index);
        let Role::Leading(leader) = &mut self.role else { return };
        let Some(in_flight) = leader.in_flight.take() else { return };
        if seq != leader.seq + in_flight.facts.len() {
            leader.in_flight = Some(in_flight);
            return;
        }
        leader.seq = seq;
        leader.durable.extend(in_flight.batches);
        leader.release_durable(node, now, out);
        leader.write(node, now, out);
    }
}

impl Leader {
    /// True when everything that the kernel decided is in the store.
    fn is_settled(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }

    fn input_of(&mut self, message: Message) -> Option<Input> {
        match (message.from, message.body) {
            (scheduler, Body::Subscribe { stream, subscribe }) => {
                self.streams.insert(stream.clone(), scheduler);
                Some(Input::Subscribe { stream: StreamId::new(stream), subscribe })
            }
            (from, Body::Call { ticket, framework, stream, command }) => {
                let answer = Body::Answer { ticket, reply: Reply::Accepted };
                let reply = self.ticket(from, answer);
                Some(Input::Command {
                    framework,
                    stream: Some(StreamId::new(stream)),
                    command: Box::new(command),
                    reply,
                })
            }
            (Node::Agent(agent), Body::AgentCall { link, call }) => {
                let register = call.r#type == link::CallType::Register;
                if register {
                    self.links.insert(link.clone(), agent);
                }
                let answer = Body::AgentAnswer { link: link.clone(), reply: Reply::Accepted };
                let reply = (!register).then(|| self.ticket(Node::Agent(agent), answer));
                Some(Input::AgentCall { link: LinkId::new(link), call, reply })
            }
            (_, Body::Closed { connection }) => {
                if self.streams.remove(&connection).is_some() {
                    return Some(Input::SchedulerClosed { stream: StreamId::new(connection) });
                }
                self.links.remove(&connection)?;
                Some(Input::LinkClosed { link: LinkId::new(connection) })
            }
            _ => None,
        }
    }

    /// Whether somebody else may lead by now.
    fn is_in_doubt(&self, now: u64) -> bool {
        self.lease_until <= now && self.doubt == Doubt::Heeded
    }

    /// Whether writes do not get through, or this leader may be deposed.
    pub(crate) fn is_stalled(&self, now: u64) -> bool {
        let late = |in_flight: &InFlight| in_flight.sent_at + STALL_MS <= now;
        self.is_in_doubt(now) || self.in_flight.as_ref().is_some_and(late)
    }

    /// Notes what operators want; the kernel is told as the rule says.
    fn note_quotas(&mut self, input: &mut Input, rules: Rules) {
        let Input::Order { order, .. } = input else { return };
        let Order::UpdateQuota(QuotaChange::Update { configs, .. }) = &mut **order else { return };
        self.quotas.extend(configs.iter().map(|config| (config.role.clone(), config.clone())));
        match rules.promises {
            Promises::Heard => {}
            Promises::Unheard => configs.iter_mut().for_each(|config| config.guarantees.clear()),
        }
    }

    fn tell_of_store(&mut self, now: u64, at: Now, effects: &mut Effects) {
        let away = self.is_stalled(now);
        let news = match (std::mem::replace(&mut self.store_away, away), away) {
            (false, true) => Input::StoreAway,
            (true, false) => Input::StoreBack,
            (false, false) | (true, true) => return,
        };
        self.kernel.apply(at, news, effects);
    }

    fn is_withheld(&self, event: &Event) -> bool {
        let uuid = event.update.as_ref().and_then(|update| update.status.uuid.as_ref());
        uuid.is_some_and(|uuid| self.withheld.contains(uuid))
    }

    fn ticket(&mut self, from: Node, answer: Body) -> ReplyTo {
        self.next_ticket += 1;
        self.tickets.insert(self.next_ticket, (from, answer));
        ReplyTo(self.next_ticket)
    }

    /// Puts what waits into the next transaction, when none is in flight.
    fn write(&mut self, node: Node, now: u64, out: &mut Out) {
        if self.in_flight.is_some() || self.waiting.is_empty() {
            return;
        }
        let facts: Vec<Fact> = self.waiting.iter().flat_map(|batch| batch.facts.iter().cloned()).collect();
        if facts.is_empty() {
            self.durable.append(&mut self.waiting);
            self.release_durable(node, now, out);
            return;
        }
        out.ask_store(node, Body::Commit { epoch: self.epoch, seq: self.seq, facts: facts.clone() });
        let batches = self.waiting.drain(..).collect();
        self.in_flight = Some(InFlight { facts, batches, sent_at: now });
    }

    /// Lets out what is durable; but whoever may have been deposed says nothing.
    fn release_durable(&mut self, node: Node, now: u64, out: &mut Out) {
        if !self.is_in_doubt(now) {
            std::mem::take(&mut self.durable).into_iter().for_each(|batch| self.release(node, batch, out));
        }
    }

    fn release(&mut self, node: Node, batch: Batch, out: &mut Out) {
        for send in batch.sends {
            match send {
                Send::Scheduler { event, .. } if self.is_withheld(&event) => {}
                Send::Scheduler { stream, event } => {
                    let stream = stream.as_str();
                    let Some(scheduler) = self.streams.get(stream) else { continue };
                    out.send(node, *scheduler, stream, Body::Event { stream: stream.to_owned(), event: *event });
                }
                Send::CloseScheduler { stream } => {
                    let Some(scheduler) = self.streams.remove(stream.as_str()) else { continue };
                    out.close(node, scheduler, stream.as_str());
                }
                Send::Agent { link, event } => {
                    let link = link.as_str();
                    let Some(agent) = self.links.get(link) else { continue };
                    out.send(node, Node::Agent(*agent), link, Body::LinkEvent { link: link.to_owned(), event });
                }
                Send::CloseAgent { link, .. } => {
                    let Some(agent) = self.links.remove(link.as_str()) else { continue };
                    out.close(node, Node::Agent(agent), link.as_str());
                }
            }
        }
        for (ReplyTo(ticket), answer) in batch.replies {
            let Some((to, body)) = self.tickets.remove(&ticket) else { continue };
            let (connection, body) = match body {
                Body::Answer { ticket, .. } => (format!("answer-{ticket}"), Body::Answer { ticket, reply: answer }),
                Body::AgentAnswer { link, .. } => {
                    (format!("{link}-answers"), Body::AgentAnswer { link, reply: answer })
                }
                _ => continue,
            };
            out.send(node, to, &connection, body);
        }
    }
}

/// What somebody wants of a master.
enum Demand {
    /// To be noticed: that changes nothing durable.
    Nothing,
    Stream,
    Change,
}

fn demand(body: &Body) -> Demand {
    match body {
        Body::Subscribe { .. } => Demand::Stream,
        Body::AgentCall { call, .. } => match call.r#type {
            link::CallType::Register => Demand::Stream,
            link::CallType::Heartbeat => Demand::Nothing,
            link::CallType::Statuses
            | link::CallType::Tasks
            | link::CallType::Message
            | link::CallType::ExecutorExited
            | link::CallType::OperationStatus => Demand::Change,
        },
        Body::Call { .. } => Demand::Change,
        _ => Demand::Nothing,
    }
}

/// Everything happens sooner than in life, so that a short run sees much. Only age makes agents be forgotten as late as in life: it
/// goes by the wall clock, which jumps here.
fn config(epoch: u64) -> Config {
    let master_info = MasterInfo { id: format!("m{epoch}"), port: 5050, ..MasterInfo::default() };
    Config {
        reregister_ms: 15_000,
        unreachable_agents_limit: 3,
        unreachable_limit: RateLimit { burst: 2, interval_ms: 500 },
        offer_timeout_ms: Some(9_000),
        resend_first_ms: 1_000,
        resend_longest_ms: 4_000,
        completed_tasks_limit: 10,
        completed_frameworks_limit: 3,
        ..Config::new(master_info, epoch)
    }
}
