//! What goes wrong, and when.

use crate::network::Node;
use crate::random::Random;

/// One fault, struck at random.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// A master process dies; it is started again after a while.
    CrashMaster { master: usize, down_ms: u64 },
    /// A master process is stopped, and continued as if nothing had been.
    PauseMaster { master: usize, pause_ms: u64 },
    /// A process of the service layer dies; it is started again after a while.
    CrashPaas { paas: usize, down_ms: u64 },
    /// A process of the service layer is stopped, and continued as if nothing had been.
    PausePaas { paas: usize, pause_ms: u64 },
    /// A master's wall clock jumps.
    JumpClock { master: usize, skew_ms: i64 },
    /// An agent's daemon dies; its processes go on.
    CrashAgent { agent: usize, down_ms: u64 },
    /// An agent's machine restarts.
    RebootAgent { agent: usize, down_ms: u64 },
    /// An agent's machine comes back empty.
    ReplaceAgent { agent: usize, down_ms: u64 },
    /// Nothing gets from one node to another.
    CutOneWay { from: Node, to: Node },
    /// Nothing gets through between two nodes.
    Cut { one: Node, other: Node },
    /// All cuts are mended.
    Heal,
    /// Nothing gets through to the databases.
    LoseStores { down_ms: u64 },
    /// No fault: an operator promises a role so many processors, and limits it to so many, if to any.
    SetQuota { role: usize, cpus: u64, limit: Option<u64> },
    /// The connection of an agent or a scheduler to its master ends.
    BreakStream { node: Node },
    /// An operator has an agent drained.
    Drain { agent: usize },
    /// An operator lets an agent take part again.
    Reactivate { agent: usize },
}

/// What goes wrong in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Whatever can.
    Everything,
    /// The databases go away again and again, and connections break meanwhile. Everybody is well and tries to come back: nobody may
    /// be given up.
    Outages,
}

/// A time without databases.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outage {
    pub(crate) since: u64,
    pub(crate) until: u64,
}

/// By then a master has noticed that its database is away.
const NOTICED_MS: u64 = 6_000;

/// The sizes of the cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) masters: usize,
    pub(crate) agents: usize,
    pub(crate) schedulers: usize,
    /// Processes of the service layer; 0: there is none.
    pub(crate) paas: usize,
    pub(crate) clients: usize,
}

impl Size {
    /// Every third run has the service layer in it, and more room for what it runs.
    pub(crate) fn any(seed: u64, scenario: Scenario, random: &mut Random) -> Self {
        if scenario == Scenario::Outages {
            // Where there is no other master, the leader is never deposed.
            let masters = if random.percent(50) { 1 } else { 3 };
            return Self { masters, agents: 4, schedulers: 3, paas: 0, clients: 0 };
        }
        let masters = 3;
        if seed.is_multiple_of(3) {
            return Self { masters, agents: 3 + random.index(3), schedulers: random.index(2), paas: 2, clients: 2 };
        }
        Self { masters, agents: 2 + random.index(4), schedulers: 1 + random.index(3), paas: 0, clients: 0 }
    }
}

impl Fault {
    /// Any fault.
    pub(crate) fn any(size: Size, random: &mut Random) -> Self {
        let master = random.index(size.masters);
        let agent = random.index(size.agents);
        let down_ms = if random.percent(70) { random.within(100..4_000) } else { random.within(4_000..30_000) };
        if size.paas > 0 && random.percent(25) {
            return Self::of_paas(size, random);
        }
        match random.within(0..100) {
            0..14 => Self::CrashMaster { master, down_ms: down_ms.min(8_000) },
            14..24 => Self::PauseMaster { master, pause_ms: random.within(500..15_000) },
            24..28 => Self::JumpClock {
                master,
                skew_ms: i64::try_from(random.within(0..7_200_000)).expect("small") - 3_600_000,
            },
            28..40 => Self::CrashAgent { agent, down_ms },
            40..46 => Self::RebootAgent { agent, down_ms },
            46..48 => Self::ReplaceAgent { agent, down_ms },
            48..64 => {
                let (from, to) = pair(size, random);
                Self::CutOneWay { from, to }
            }
            64..76 => {
                let (one, other) = pair(size, random);
                Self::Cut { one, other }
            }
            76..79 => Self::LoseStores { down_ms },
            83..88 => {
                let (cpus, limit) = (random.within(0..3), random.within(3..10));
                Self::SetQuota { role: random.index(2), cpus, limit: (limit < 8).then_some(limit) }
            }
            79..83 => Self::BreakStream { node: any_peer(size, random) },
            // What the service layer keeps up may not be killed without its being asked; that is another story.
            88..91 if size.paas == 0 => Self::Drain { agent },
            91..95 if size.paas == 0 => Self::Reactivate { agent },
            _ => Self::Heal,
        }
    }

    /// What happens at this moment of the scenario [`Scenario::Outages`], if anything.
    pub(crate) fn of_outage(now: u64, outage: Outage, size: Size, random: &mut Random) -> Option<Self> {
        if now >= outage.until {
            return random.percent(40).then(|| Self::LoseStores { down_ms: random.within(1_000..25_000) });
        }
        let noticed = now >= outage.since + NOTICED_MS;
        noticed.then(|| Self::BreakStream { node: any_peer(size, random) })
    }

    fn of_paas(size: Size, random: &mut Random) -> Self {
        let paas = random.index(size.paas);
        match random.within(0..10) {
            0..4 => Self::CrashPaas { paas, down_ms: random.within(100..6_000) },
            4..6 => Self::PausePaas { paas, pause_ms: random.within(500..12_000) },
            6..8 => {
                let (from, to) = paas_pair(size, random);
                Self::CutOneWay { from, to }
            }
            _ => {
                let (one, other) = paas_pair(size, random);
                Self::Cut { one, other }
            }
        }
    }
}

/// An agent, or a scheduler.
fn any_peer(size: Size, random: &mut Random) -> Node {
    if size.schedulers > 0 && random.percent(40) {
        Node::Scheduler(random.index(size.schedulers))
    } else {
        Node::Agent(random.index(size.agents))
    }
}

/// A master, and something that it talks to, in either order.
fn pair(size: Size, random: &mut Random) -> (Node, Node) {
    let master = Node::Master(random.index(size.masters));
    let other = match random.within(0..10) {
        0..6 => Node::Agent(random.index(size.agents)),
        6..8 if size.schedulers > 0 => Node::Scheduler(random.index(size.schedulers)),
        _ => Node::Store,
    };
    if random.percent(50) { (master, other) } else { (other, master) }
}

/// A process of the service layer, and something that it talks to, in either order.
fn paas_pair(size: Size, random: &mut Random) -> (Node, Node) {
    let paas = Node::Paas(random.index(size.paas));
    let other = match random.within(0..10) {
        0..5 => Node::Master(random.index(size.masters)),
        5..8 => Node::PaasStore,
        8 => Node::Balancer,
        _ => Node::Client(random.index(size.clients)),
    };
    if random.percent(50) { (paas, other) } else { (other, paas) }
}
