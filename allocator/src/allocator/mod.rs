//! Who gets what: see [`Allocator`].

mod agents;
mod capabilities;
mod consistency;
mod cycle;
mod frameworks;
mod lot;
mod offers;
mod policy;
mod quotas;
mod ranking;
mod refusals;
mod restrictions;
mod roles;
mod shares;
mod taker;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use crate::bits::Bits;
use crate::slab::Slab;
use crate::{AgentKey, FrameworkKey, Name, OfferKey, Quantities, Quota, Resources, Role, Scalar, Tick};
use lot::Lot;
use quotas::Quotas;
use refusals::Refusals;
use shares::{ClientIndex, Shares};
use taker::Scratch;

pub use agents::ResourcesInUse;
pub use capabilities::{Capabilities, Capability};
pub use frameworks::InvalidWeight;
pub use offers::NotFree;
pub use policy::Sorting;

/// What an allocator is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// An offer is taken back when it was not answered for so long; `None`: never.
    pub offer_timeout_ms: Option<u64>,
    /// An offer holds at least one of these; when the list is empty, anything is worth an offer.
    pub min_allocatable: Vec<Quantities>,
    /// How roles take turns.
    pub roles: Sorting,
    /// How the frameworks of a role take turns.
    pub frameworks: Sorting,
    /// What does not count when shares are compared.
    pub unshared: Vec<Name>,
    /// Agents with graphics processors are offered only to frameworks that say they can deal with them.
    pub gpus_for_capable_only: bool,
}

impl Default for Config {
    /// Offers end after a minute; at least 0.01 processors or 32 MB of memory, as in Mesos.
    fn default() -> Config {
        let cpus = match Scalar::from_thousandths(10) {
            Ok(cpus) => cpus,
            Err(_) => unreachable!("0.01 is a quantity"),
        };
        Config {
            offer_timeout_ms: Some(60_000),
            min_allocatable: vec![
                Quantities::default().with("cpus", cpus),
                Quantities::default().with("mem", Scalar::units(32)),
            ],
            roles: Sorting::Fair,
            frameworks: Sorting::Fair,
            unshared: Vec::new(),
            gpus_for_capable_only: true,
        }
    }
}

/// Resources of one agent that a framework may use, in one of its roles, until the offer is answered or taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its key.
    pub key: OfferKey,
    /// To whom.
    pub framework: FrameworkKey,
    /// In which of the framework's roles.
    pub role: Role,
    /// Where.
    pub agent: AgentKey,
    /// What; never empty.
    pub resources: Resources,
}

/// Decides which framework is offered which agent's free resources.
///
/// *Policy.* Dominant resource fairness over the tree of roles: of the children of a role the one with the smallest
/// weighted share of the cluster is first; among the frameworks in a role likewise; among equals whoever waits
/// longest. The first client in that order that may have something of an agent, and has not refused it, is offered all
/// of that. A reservation is offered only to its role and those below. Shares count what is used and what is offered,
/// and follow every single offer. [`Sorting`] puts another rule in the place of fair shares.
///
/// *Quotas* come before shares. Of each agent, those whose role has less than it was promised are asked first; the others may
/// have what is free beyond what all promises still lack. Nobody is offered more than the limits of its role, and of those
/// above, leave. Quotas cut what is offered of unreserved resources that cannot be taken back; everything else is offered
/// whole.
///
/// *Shared* resources stay free while they are used, for whoever may use them as well; only an offer takes them away for its
/// time. They count neither for shares nor as used.
///
/// *Events.* Every change notes the agents it concerns, and [`allocate`](Allocator::allocate) looks at those alone.
/// That is enough, because an agent that nobody wanted stays so until its free resources grow, one of its refusals
/// ends, or some client becomes willing or able to take more; the last of these looks at the agents that have
/// something free, or, when quotas allow more than before, at those of which quotas had held something back.
///
/// *Silence.* A framework that lets an offer expire is offered one agent at a time until it answers, and each expired
/// offer counts as refused for another time-out. So the silent cannot starve those who answer.
///
/// Every method that takes a key panics when the key's owner was removed: keys come from the kernel, never from
/// outside.
#[derive(Debug)]
pub struct Allocator {
    config: Config,
    frameworks: Slab<Framework>,
    /// The competition; everything here with a `ClientIndex` is a member of it.
    shares: Shares,
    clients: Slab<Client>,
    agents: Slab<Agent>,
    offers: BTreeMap<OfferKey, Outstanding>,
    next_offer: OfferKey,
    /// The quotas that are not the default, and what follows from them.
    quota_of: BTreeMap<Role, Quota>,
    quotas: Quotas,
    /// The sum of all agents' resources.
    total: Quantities,
    /// What that was when shares were last measured against it.
    measured: Quantities,
    /// Clients that want offers and may get them now.
    eligible: Bits,
    /// Clients that may be offered agents with graphics processors.
    with_gpus: Bits,
    /// Clients that may be offered agents of other regions.
    region_aware: Bits,
    /// Clients for which other minima than the general ones hold.
    with_own_minimum: Bits,
    /// Agents to look at in the next cycle, each once.
    changed: Vec<AgentKey>,
    /// Some client became willing or able to take more since the last cycle.
    woken: bool,
    /// Active agents that have something free which nobody took when they were last looked at.
    open: Bits,
    /// Those of them of which somebody would have got more but for a quota.
    rationed: Bits,
    /// When the next refusal ends, for each agent that has any.
    refusal_ends: BTreeSet<(Tick, AgentKey)>,
    /// Kept between cycles for its memory alone.
    scratch: Scratch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    Active,
    Inactive,
}

/// Does a framework answer its offers?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attention {
    Answers,
    /// It let an offer expire and has answered none since.
    Silent,
}

#[derive(Debug)]
struct Framework {
    activity: Activity,
    attention: Attention,
    capabilities: Capabilities,
    outstanding_offers: usize,
    clients: BTreeMap<Role, ClientIndex>,
}

/// What a framework wants in one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    /// Offers.
    Offers,
    /// No offers for now.
    Suppressed,
    /// Nothing: it left the role (or was never in it), but still uses resources there.
    Left,
}

#[derive(Debug)]
struct Client {
    framework: FrameworkKey,
    role: Role,
    demand: Demand,
    /// On how many agents it uses resources.
    used_agents: usize,
    /// Agents that may have a refusal of this client; more than do have one.
    refused_agents: Bits,
    /// Agents that it must not be offered.
    barred_agents: Bits,
    /// What its offers have to hold instead of the general minima.
    own_minimum: Option<Vec<Quantities>>,
}

#[derive(Debug)]
struct Agent {
    activity: Activity,
    /// Is it among the `changed` ones?
    queued: bool,
    /// Has it graphics processors?
    gpus: bool,
    /// Is it in another region than the master?
    remote: bool,
    /// Clients that must not be offered it.
    barred: Bits,
    total: Resources,
    free: Lot,
    used: BTreeMap<ClientIndex, Resources>,
    offers: SmallVec<[OfferKey; 2]>,
    refusals: Refusals,
    /// Under what it stands in `refusal_ends`.
    refusal_end: Option<Tick>,
}

/// An offer that was not answered yet.
#[derive(Debug)]
struct Outstanding {
    client: ClientIndex,
    agent: AgentKey,
    lot: Lot,
    /// The end of time when offers have no time-out.
    deadline: Tick,
}

impl Allocator {
    /// An allocator of a cluster without agents and frameworks.
    #[must_use]
    pub fn new(config: Config) -> Allocator {
        Allocator {
            shares: Shares::new(config.roles, config.frameworks),
            config,
            frameworks: Slab::default(),
            clients: Slab::default(),
            agents: Slab::default(),
            offers: BTreeMap::new(),
            next_offer: OfferKey(0),
            quota_of: BTreeMap::new(),
            quotas: Quotas::default(),
            total: Quantities::default(),
            measured: Quantities::default(),
            eligible: Bits::default(),
            with_gpus: Bits::default(),
            region_aware: Bits::default(),
            with_own_minimum: Bits::default(),
            changed: Vec::new(),
            woken: false,
            open: Bits::default(),
            rationed: Bits::default(),
            refusal_ends: BTreeSet::new(),
            scratch: Scratch::default(),
        }
    }

    /// The sum of all agents' resources.
    #[must_use]
    pub fn total(&self) -> &Quantities {
        &self.total
    }

    /// When time alone changes something: an offer or a refusal ends. The caller then calls
    /// [`expire`](Allocator::expire) and [`allocate`](Allocator::allocate).
    #[must_use]
    pub fn next_wake(&self) -> Option<Tick> {
        let offer = self
            .offers
            .first_key_value()
            .map(|(_, offer)| offer.deadline)
            .filter(|_| self.config.offer_timeout_ms.is_some());
        let refusal = self.refusal_ends.first().map(|(end, _)| *end);
        offer.into_iter().chain(refusal).min()
    }

    /// Has the agent looked at in the next cycle.
    fn queue(&mut self, key: AgentKey) {
        let agent = &mut self.agents[key.0];
        if !agent.queued {
            agent.queued = true;
            self.changed.push(key);
        }
    }
}
