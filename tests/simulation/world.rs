//! Everything together: what happens next, to whom, and what follows.

use std::collections::BTreeMap;

use attica_core::kernel::{Order, Reply};
use attica_core::snapshot::Service as AgentService;
use attica_core_api::scheduler::{Command, Event as SchedulerEvent};
use attica_core_api::v1::{AgentId, DrainConfig, DurationInfo};

use crate::agent::Agent;
use crate::checks::Checks;
use crate::faults::{Fault, Outage, Scenario, Size};
use crate::master::{Master, Role};
use crate::network::{Arrival, Body, Channel, Message, Network, Node};
use crate::paas::Service;
use crate::random::Random;
use crate::rules::Rules;
use crate::scheduler::Scheduler;
use crate::store::{Outcome, Store};
use crate::summary::Summary;

/// Faults happen until then.
const FAULTS_UNTIL_MS: u64 = 60_000;
/// From then on nothing is asked for any more; what was asked comes to rest.
const CALM_FROM_MS: u64 = 65_000;
/// The end.
const END_MS: u64 = 130_000;
/// How often the invariants that compare everything with everything are checked.
const SURVEY_MS: u64 = 500;

/// Whether everything that happens is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    Off,
    On,
}

/// What a node wants at a later time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    /// To look after itself.
    Tick,
    /// A leader's turn.
    Work { epoch: u64 },
}

/// What follows from something that happened to a node.
#[derive(Default)]
pub(crate) struct Out {
    pub(crate) messages: Vec<Message>,
    pub(crate) timers: Vec<(u64, Timer)>,
}

impl Out {
    pub(crate) fn send(&mut self, from: Node, to: Node, connection: &str, body: Body) {
        self.messages.push(Message { from, to, connection: connection.to_owned(), body });
    }

    pub(crate) fn ask_store(&mut self, from: Node, body: Body) {
        self.send(from, Node::Store, "store", body);
    }

    /// Ends a connection; the other side notices when the message arrives.
    pub(crate) fn close(&mut self, from: Node, to: Node, connection: &str) {
        let connection = connection.trim_end_matches("-calls");
        self.send(from, to, connection, Body::Closed { connection: connection.to_owned() });
    }
}

enum Event {
    /// Look at a channel.
    Channel(Channel),
    Timer(Node, Timer),
    Fault,
    /// A node that was down comes back.
    Up(Node),
    Survey,
}

/// The system under simulation.
pub(crate) struct World {
    now: u64,
    random: Random,
    rules: Rules,
    trace: Trace,
    scenario: Scenario,
    size: Size,
    /// Until then both databases are out of everybody's reach.
    stores_away: Outage,
    /// What is to come, by time and then by the order of being planned.
    agenda: BTreeMap<(u64, u64), Event>,
    planned: u64,
    network: Network,
    store: Store,
    masters: Vec<Master>,
    agents: Vec<Agent>,
    schedulers: Vec<Scheduler>,
    service: Service,
    checks: Checks,
}

impl World {
    pub(crate) fn new(seed: u64, scenario: Scenario, rules: Rules, trace: Trace) -> Self {
        let mut random = Random::new(seed);
        let size = Size::any(seed, scenario, &mut random);
        let schedulers = (0..size.schedulers).map(|index| Scheduler::new(index, scenario, &mut random)).collect();
        let mut world = Self {
            now: 0,
            random,
            rules,
            trace,
            scenario,
            size,
            stores_away: Outage::default(),
            agenda: BTreeMap::new(),
            planned: 0,
            network: Network::default(),
            store: Store::default(),
            masters: (0..size.masters).map(Master::new).collect(),
            agents: (0..size.agents).map(Agent::new).collect(),
            schedulers,
            service: Service::new(size.paas, size.clients),
            checks: Checks::new(scenario),
        };
        let masters = (0..size.masters).map(Node::Master);
        let agents = (0..size.agents).map(Node::Agent);
        let schedulers = (0..size.schedulers).map(Node::Scheduler);
        let service = (0..size.paas).map(Node::Paas).chain((0..size.clients).map(Node::Client));
        let service = service.chain((size.paas > 0).then_some(Node::Balancer));
        let nodes: Vec<Node> = masters.chain(agents).chain(schedulers).chain(service).collect();
        for node in nodes {
            let start = world.random.within(0..500);
            world.plan(start, Event::Timer(node, Timer::Tick));
        }
        world.plan(5_000, Event::Fault);
        world.plan(SURVEY_MS, Event::Survey);
        world
    }

    /// Runs to the end, or to the first violation.
    pub(crate) fn run(mut self) -> Result<Summary, String> {
        let mut summary = Summary::default();
        while let Some(((at, _), event)) = self.agenda.pop_first() {
            if at > END_MS {
                break;
            }
            self.now = at;
            summary.count("steps");
            self.step(event).map_err(|violation| format!("{violation} (at {at} ms)"))?;
        }
        self.checks.finally(&self.store, &self.masters, &self.agents, &self.schedulers)?;
        self.all_take_part()?;
        self.service.finally(self.now, &self.agents, &mut summary)?;
        summary.add("epochs", self.store.lead.epoch);
        self.checks.summarise(&mut summary);
        Ok(summary)
    }

    fn plan(&mut self, delay_ms: u64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now + delay_ms, self.planned), event);
    }

    #[expect(clippy::print_stdout, reason = "a trace is for whoever replays a seed")]
    fn tell(&self, line: impl FnOnce() -> String) {
        if self.trace == Trace::On {
            println!("{:>7} {}", self.now, line());
        }
    }

    fn is_calm(&self) -> bool {
        self.now >= CALM_FROM_MS
    }

    fn step(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Channel(channel) => self.look_at(channel),
            Event::Timer(node, timer) => self.timer(node, timer),
            Event::Fault => {
                self.fault();
                Ok(())
            }
            Event::Up(node) => {
                self.up(node);
                Ok(())
            }
            Event::Survey => {
                self.plan(SURVEY_MS, Event::Survey);
                if self.now >= FAULTS_UNTIL_MS {
                    self.reactivate_all();
                }
                self.service.survey(&self.agents)?;
                let away = self.now < self.stores_away.until;
                self.checks.survey(self.now, &self.store, away, &self.masters, &self.agents)
            }
        }
    }

    fn look_at(&mut self, channel: Channel) -> Result<(), String> {
        if let Some(delay_ms) = self.pause_of(channel.1) {
            self.plan(delay_ms, Event::Channel(channel));
            return Ok(());
        }
        match self.network.arrive(self.now, &channel) {
            Arrival::Arrived(message, next) => {
                if let Some(next) = next {
                    self.plan(next - self.now, Event::Channel(channel));
                }
                self.arrived(message)
            }
            Arrival::Later(at) => {
                self.plan(at - self.now, Event::Channel(channel));
                Ok(())
            }
            Arrival::Broken(message) => self.broken(message),
            Arrival::Nothing => Ok(()),
        }
    }

    /// For how long a node does not run.
    fn pause_of(&self, node: Node) -> Option<u64> {
        let paused_until = match node {
            Node::Master(index) => self.masters[index].paused_until,
            Node::Paas(index) => self.service.processes[index].paused_until,
            Node::Agent(_) | Node::Scheduler(_) | Node::Store | Node::PaasStore | Node::Client(_) | Node::Balancer => {
                return None;
            }
        };
        paused_until.checked_sub(self.now).filter(|pause_ms| *pause_ms > 0)
    }

    fn timer(&mut self, node: Node, timer: Timer) -> Result<(), String> {
        let (now, calm) = (self.now, self.is_calm());
        let mut out = Out::default();
        if let Some(delay_ms) = self.pause_of(node) {
            self.plan(delay_ms, Event::Timer(node, timer));
            return Ok(());
        }
        let (masters, rules) = (self.size.masters, self.rules);
        match node {
            Node::Master(index) => {
                self.masters[index].timer(now, timer, &mut self.random, self.rules, &mut out)?;
            }
            Node::Agent(index) => {
                self.agents[index].tick(now, self.size.masters, &mut self.random, self.rules, calm, &mut out);
            }
            Node::Scheduler(index) => {
                self.schedulers[index].tick(now, self.size.masters, &mut self.random, calm, &mut out)
            }
            Node::Paas(_) | Node::Client(_) | Node::Balancer => {
                self.service.timer(now, node, timer, masters, calm, &mut self.random, rules, &mut out);
            }
            Node::Store | Node::PaasStore => {}
        }
        self.follow(node, out)
    }

    /// Puts on its way what a node wants.
    fn follow(&mut self, node: Node, out: Out) -> Result<(), String> {
        for (delay_ms, timer) in out.timers {
            self.plan(delay_ms, Event::Timer(node, timer));
        }
        for message in out.messages {
            let epoch = self.epoch_of(message.from);
            self.checks.released(&message, epoch)?;
            self.service.released(&message)?;
            if self.is_lost(&message) {
                self.tell(|| format!("lost: {}", describe(&message)));
                continue;
            }
            if self.is_repeated(&message) {
                self.put(message.clone());
            }
            self.put(message);
        }
        Ok(())
    }

    /// The epoch that a node leads in.
    fn epoch_of(&self, node: Node) -> Option<u64> {
        match node {
            Node::Master(index) => self.masters[index].leader().map(|leader| leader.epoch),
            _ => None,
        }
    }

    fn put(&mut self, message: Message) {
        if let Some((channel, due)) = self.network.send(self.now, &mut self.random, message) {
            self.plan(due - self.now, Event::Channel(channel));
        }
    }

    /// Requests of their own, and answers, can get lost. What travels on a stream is lost only with the stream.
    fn is_lost(&mut self, message: &Message) -> bool {
        let single = match message.body {
            Body::Call { .. } | Body::Answer { .. } | Body::AgentCall { .. } | Body::AgentAnswer { .. } => true,
            Body::Commit { .. } | Body::Committed { .. } | Body::Renew { .. } | Body::Campaign => true,
            Body::Paas(ref body) => body.is_single(),
            _ => false,
        };
        single && !self.is_calm() && self.scenario == Scenario::Everything && self.random.percent(2)
    }

    /// A client may repeat a request whose answer it did not get. Offers are answered once: a scheduler that repeats ACCEPT is
    /// told that they are gone.
    fn is_repeated(&mut self, message: &Message) -> bool {
        let harmless = match &message.body {
            Body::Call { command, .. } => !matches!(command, Command::Accept(_) | Command::Teardown),
            Body::AgentCall { call, .. } => call.register.is_none(),
            _ => false,
        };
        harmless && self.random.percent(2)
    }

    /// A connection broke with this message: both ends find out.
    fn broken(&mut self, message: Message) -> Result<(), String> {
        let connection = message.connection.trim_end_matches("-calls").trim_end_matches("-answers").to_owned();
        self.tell(|| format!("broken: {connection} from {:?} to {:?}", message.from, message.to));
        let notice = Message {
            from: message.to,
            to: message.from,
            connection: connection.clone(),
            body: Body::Closed { connection },
        };
        self.arrived(notice)
    }

    fn arrived(&mut self, message: Message) -> Result<(), String> {
        let now = self.now;
        let node = message.to;
        let mut out = Out::default();
        if !matches!(&message.body, Body::Event { event, .. } if *event == SchedulerEvent::heartbeat()) {
            self.tell(|| describe(&message));
        }
        match (node, message.from) {
            (Node::Store | Node::PaasStore, _) if now < self.stores_away.until => {}
            (Node::Store, Node::Master(master)) => return self.serve(master, message.body),
            (Node::Master(index), Node::Store) => {
                let snapshot = &self.store.snapshot;
                self.masters[index].answered(now, message.body, snapshot, &mut self.random, self.rules, &mut out);
            }
            (Node::Master(index), _) => self.masters[index].receive(now, message, &mut self.random, &mut out),
            (Node::Agent(index), _) => self.agent_arrived(index, message, &mut out)?,
            (Node::Scheduler(index), _) => self.scheduler_arrived(index, message, &mut out)?,
            (Node::Store, _) => {}
            (Node::Paas(_) | Node::PaasStore | Node::Client(_) | Node::Balancer, _) => {
                let (random, checks) = (&mut self.random, &mut self.checks);
                self.service.arrived(now, message, random, self.rules, checks, &mut out)?;
            }
        }
        self.follow(node, out)
    }

    fn serve(&mut self, master: usize, request: Body) -> Result<(), String> {
        let commit = match &request {
            Body::Commit { epoch, facts, .. } => Some((*epoch, facts.len())),
            _ => None,
        };
        let answer = match self.store.serve(self.now, master, request, self.rules) {
            None => {
                if let Some((epoch, facts)) = commit {
                    self.checks.fenced(epoch, facts);
                }
                return Ok(());
            }
            Some(Outcome::Answer(answer)) => answer,
            Some(Outcome::Committed(answer, facts)) => {
                let (epoch, _) = commit.unwrap_or_default();
                self.checks.committed(epoch, &facts, &self.store)?;
                self.checks.given_up(&facts, &self.agents, &self.schedulers)?;
                answer
            }
        };
        let mut out = Out::default();
        out.send(Node::Store, Node::Master(master), "store", answer);
        self.follow(Node::Store, out)
    }

    fn agent_arrived(&mut self, index: usize, message: Message, out: &mut Out) -> Result<(), String> {
        let now = self.now;
        let agent = &mut self.agents[index];
        match message.body {
            _ if !agent.up => {}
            Body::LinkEvent { link, event } => {
                let about = (*event).clone();
                if let Some(obeyed) = agent.obey(now, &link, *event, self.rules, &mut self.random, out) {
                    self.checks.obeyed(&self.agents[index], &about, &obeyed, &self.store)?;
                    self.service.obeyed(&obeyed)?;
                }
            }
            Body::AgentAnswer { link, reply } => agent.answered(now, &link, &reply, &mut self.random, out),
            Body::Closed { connection } => agent.closed(now, &connection, &mut self.random),
            _ => {}
        }
        Ok(())
    }

    fn scheduler_arrived(&mut self, index: usize, message: Message, out: &mut Out) -> Result<(), String> {
        let now = self.now;
        let scheduler = &mut self.schedulers[index];
        match message.body {
            Body::Event { stream, event } => {
                if let Some(status) = scheduler.hear(now, &stream, event, &mut self.random, out) {
                    self.checks.heard(self.schedulers[index].id.as_ref(), &status)?;
                }
            }
            Body::Answer { ticket, reply } => {
                if let Some(asked) = scheduler.answered(ticket, &reply) {
                    self.checks.answered(&asked, reply == Reply::Accepted, &self.store)?;
                }
            }
            Body::Closed { connection } => scheduler.closed(now, &connection, &mut self.random),
            _ => {}
        }
        Ok(())
    }

    fn fault(&mut self) {
        if self.now >= FAULTS_UNTIL_MS {
            self.network.heal();
            self.tell(|| "no more faults".to_owned());
            return;
        }
        let next_ms = self.random.within(100..3_500);
        self.plan(next_ms, Event::Fault);
        let fault = match self.scenario {
            Scenario::Everything => Some(Fault::any(self.size, &mut self.random)),
            Scenario::Outages => Fault::of_outage(self.now, self.stores_away, self.size, &mut self.random),
        };
        if let Some(fault) = fault {
            self.tell(|| format!("fault: {fault:?}"));
            self.strike(fault);
        }
    }

    fn strike(&mut self, fault: Fault) {
        let mut out = Out::default();
        let struck = match fault {
            Fault::CrashMaster { master, down_ms } => {
                if matches!(self.masters[master].role, Role::Down) {
                    return;
                }
                self.masters[master].crash(&mut out);
                self.plan(down_ms, Event::Up(Node::Master(master)));
                Node::Master(master)
            }
            Fault::PauseMaster { master, pause_ms } => {
                self.masters[master].paused_until = self.now + pause_ms;
                return;
            }
            Fault::CrashPaas { paas, down_ms } => {
                if !self.service.processes[paas].is_up() {
                    return;
                }
                self.service.processes[paas].crash(self.now, &mut self.random, &mut out);
                self.plan(down_ms, Event::Up(Node::Paas(paas)));
                Node::Paas(paas)
            }
            Fault::PausePaas { paas, pause_ms } => {
                self.service.processes[paas].paused_until = self.now + pause_ms;
                return;
            }
            Fault::JumpClock { master, skew_ms } => {
                self.masters[master].wall_skew_ms = skew_ms;
                return;
            }
            Fault::CrashAgent { agent, down_ms }
            | Fault::RebootAgent { agent, down_ms }
            | Fault::ReplaceAgent { agent, down_ms } => {
                if !self.agents[agent].up {
                    return;
                }
                self.agents[agent].crash(&mut out);
                match fault {
                    Fault::RebootAgent { .. } => self.agents[agent].reboot(),
                    Fault::ReplaceAgent { .. } => self.agents[agent].lose_disk(),
                    _ => {}
                }
                self.plan(down_ms, Event::Up(Node::Agent(agent)));
                Node::Agent(agent)
            }
            Fault::CutOneWay { from, to } => return self.network.block(from, to),
            Fault::Cut { one, other } => {
                self.network.block(one, other);
                return self.network.block(other, one);
            }
            Fault::Heal => return self.network.heal(),
            Fault::LoseStores { down_ms } => {
                self.stores_away = Outage { since: self.now, until: self.now + down_ms };
                self.checks.count_outage();
                return;
            }
            Fault::SetQuota { role, cpus, limit } => {
                return self.masters.iter_mut().for_each(|master| master.set_quota(role, cpus, limit));
            }
            Fault::BreakStream { node } => return self.break_stream(node),
            Fault::Drain { agent } => {
                let max_grace_period = Some(DurationInfo::from_milliseconds(self.random.within(0..2_000)));
                let config = DrainConfig { max_grace_period, mark_gone: false };
                return self.order(agent, |agent| Order::DrainAgent { agent, config });
            }
            Fault::Reactivate { agent } => return self.order(agent, |agent| Order::ReactivateAgent { agent }),
        };
        self.network.lose_from(struck, &mut self.random);
        // The operating system closes the connections of a process that died; those of a machine that lost power stay open.
        if self.random.percent(70) {
            out.messages.into_iter().for_each(|message| self.put(message));
        }
    }

    /// An operator asks whoever thinks that it leads.
    fn order(&mut self, agent: usize, order: impl FnOnce(AgentId) -> Order) {
        let Some(agent) = self.agents[agent].disk.id.clone() else { return };
        let order = order(agent);
        for index in 0..self.masters.len() {
            let mut out = Out::default();
            self.masters[index].ordered(order.clone(), &mut out);
            for (delay_ms, timer) in out.timers {
                self.plan(delay_ms, Event::Timer(Node::Master(index), timer));
            }
        }
    }

    /// Every drain has come to its end, and every agent was let in again.
    fn all_take_part(&self) -> Result<(), String> {
        for id in self.agents.iter().filter_map(|agent| agent.disk.id.as_ref()) {
            match self.store.snapshot.agents.get(id).map(|record| &record.service) {
                None | Some(AgentService::Active) => {}
                Some(service) => return Err(format!("{id} is still {service:?}")),
            }
        }
        Ok(())
    }

    /// In the end every agent takes part again, as soon as its drain lets it.
    fn reactivate_all(&mut self) {
        for index in 0..self.agents.len() {
            let record = self.agents[index].disk.id.as_ref().and_then(|id| self.store.snapshot.agents.get(id));
            if record.is_some_and(|record| record.service != AgentService::Active) {
                self.order(index, |agent| Order::ReactivateAgent { agent });
            }
        }
    }

    /// A connection to a master ends, and both sides notice.
    fn break_stream(&mut self, node: Node) {
        let now = self.now;
        let broken = match node {
            Node::Agent(index) => {
                let link = self.agents[index].link.as_ref();
                link.map(|link| (link.name.clone(), link.master))
            }
            Node::Scheduler(index) => {
                let stream = self.schedulers[index].stream.as_ref();
                stream.map(|stream| (stream.name.clone(), stream.master))
            }
            Node::Master(_) | Node::Store | Node::Paas(_) | Node::PaasStore | Node::Client(_) | Node::Balancer => None,
        };
        let Some((connection, master)) = broken else { return };
        match node {
            Node::Agent(index) => self.agents[index].closed(now, &connection, &mut self.random),
            Node::Scheduler(index) => self.schedulers[index].closed(now, &connection, &mut self.random),
            Node::Master(_) | Node::Store | Node::Paas(_) | Node::PaasStore | Node::Client(_) | Node::Balancer => {}
        }
        let mut out = Out::default();
        out.close(node, Node::Master(master), &connection);
        out.messages.into_iter().for_each(|message| self.put(message));
    }

    fn up(&mut self, node: Node) {
        match node {
            Node::Master(master) => self.masters[master].role = Role::Standby,
            Node::Agent(agent) => self.agents[agent].restart(),
            Node::Paas(paas) => self.service.processes[paas].restart(),
            Node::Scheduler(_) | Node::Store | Node::PaasStore | Node::Client(_) | Node::Balancer => {}
        }
    }
}

fn describe(message: &Message) -> String {
    let Message { from, to, body, .. } = message;
    let what = match body {
        Body::LinkEvent { link, event } => format!("{link} {event:?}"),
        Body::Event { stream, event } => format!("{stream} {event:?}"),
        Body::AgentCall { link, call } => format!("{link} {call:?}"),
        Body::Commit { epoch, seq, facts } => format!("commit {epoch} at {seq}: {facts:#?}"),
        other => format!("{other:?}"),
    };
    format!("{from:?} -> {to:?}: {what}")
}
