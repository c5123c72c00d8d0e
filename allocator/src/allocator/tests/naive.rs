//! A deliberately naive allocator: it loops over everything every time and keeps nothing that could be computed. What quotas
//! allow is in [`quotas`](super::naive_quotas).

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::Name;
use crate::allocator::policy::random_wait;

const TIMEOUT_MS: u64 = 60_000;
pub(super) const NAMES: [Name; 5] = [Name::Cpus, Name::Mem, Name::Disk, Name::Gpus, Name::Ports];

/// Whoever competes with siblings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contender {
    Role(Role),
    OwnOf(Role),
    Client(FrameworkKey, Role),
}

pub(super) struct NaiveFramework {
    pub(super) active: bool,
    pub(super) silent: bool,
    pub(super) capabilities: Capabilities,
    /// True: wants offers, false: suppressed.
    pub(super) roles: BTreeMap<Role, bool>,
}

pub(super) struct NaiveAgent {
    pub(super) active: bool,
    pub(super) remote: bool,
    pub(super) total: Resources,
}

#[derive(Clone)]
pub(super) struct Use {
    pub(super) framework: FrameworkKey,
    pub(super) role: Role,
    pub(super) agent: AgentKey,
    pub(super) resources: Resources,
}

pub(super) struct Refused {
    pub(super) what: Use,
    pub(super) until: Tick,
}

#[derive(Default)]
pub(super) struct Naive {
    pub(super) sorting: Sorting,
    pub(super) frameworks: BTreeMap<FrameworkKey, NaiveFramework>,
    pub(super) agents: BTreeMap<AgentKey, NaiveAgent>,
    pub(super) used: Vec<Use>,
    pub(super) offers: BTreeMap<OfferKey, (Offer, Tick)>,
    pub(super) refused: Vec<Refused>,
    pub(super) weights: BTreeMap<Role, f64>,
    pub(super) quotas: BTreeMap<Role, Quota>,
    pub(super) barred: BTreeSet<(FrameworkKey, Role, AgentKey)>,
    pub(super) minima: BTreeMap<(FrameworkKey, Role), Vec<Quantities>>,
    /// When each contender was served last, or joined.
    pub(super) waiting_since: BTreeMap<Contender, u64>,
    /// When each contender's turn is in a random race.
    pub(super) turns: BTreeMap<Contender, f64>,
    pub(super) moments: u64,
    pub(super) next_offer: u64,
    /// What shares are measured against.
    pub(super) measure: BTreeMap<Name, i64>,
}

impl Naive {
    pub(super) fn moment(&mut self) -> u64 {
        self.moments += 1;
        self.moments
    }

    pub(super) fn clients(&self) -> Vec<(FrameworkKey, Role)> {
        let members = self.frameworks.iter().flat_map(|(key, one)| one.roles.keys().map(|role| (*key, role.clone())));
        let users = self.used.iter().map(|used| (used.framework, used.role.clone()));
        members.chain(users).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn join(&mut self, framework: FrameworkKey, role: &Role) {
        if self.waiting_since.contains_key(&Contender::Client(framework, role.clone())) {
            return;
        }
        let mut line: Vec<Role> = std::iter::successors(Some(role.clone()), Role::parent).collect();
        line.reverse();
        let roles = line.into_iter().map(Contender::Role);
        for contender in roles.chain([Contender::OwnOf(role.clone()), Contender::Client(framework, role.clone())]) {
            // A turn is counted for a contender's own clients whether it was there or not.
            let counted = !matches!(contender, Contender::Role(_));
            if self.waiting_since.contains_key(&contender) && !counted {
                continue;
            }
            let moment = self.moment();
            if !self.waiting_since.contains_key(&contender) {
                let siblings = self.siblings(&contender);
                let first = siblings.iter().map(|sibling| self.turns[sibling]).fold(f64::INFINITY, f64::min);
                let now = if first.is_finite() { first } else { 0.0 };
                self.turns.insert(contender.clone(), now + self.wait(&contender, moment));
                self.waiting_since.insert(contender, moment);
            }
        }
    }

    fn siblings(&self, of: &Contender) -> Vec<Contender> {
        let parent = |contender: &Contender| match contender {
            Contender::Role(role) => (0, role.parent()),
            Contender::OwnOf(role) => (0, Some(role.clone())),
            Contender::Client(_, role) => (1, Some(role.clone())),
        };
        self.waiting_since.keys().filter(|other| parent(other) == parent(of)).cloned().collect()
    }

    fn weight(&self, contender: &Contender) -> f64 {
        match contender {
            Contender::Role(role) => self.weights.get(role).copied().unwrap_or(1.0),
            Contender::OwnOf(_) | Contender::Client(..) => 1.0,
        }
    }

    fn wait(&self, contender: &Contender, moment: u64) -> f64 {
        match self.sorting {
            Sorting::Random { seed } => random_wait(seed, moment, self.weight(contender)),
            Sorting::Fair | Sorting::Priority => 0.0,
        }
    }

    pub(super) fn leave(&mut self) {
        let clients = self.clients();
        self.waiting_since.retain(|contender, _| match contender {
            Contender::Role(role) => clients.iter().any(|(_, other)| other.is_within(role)),
            Contender::OwnOf(role) => clients.iter().any(|(_, other)| other == role),
            Contender::Client(framework, role) => clients.contains(&(*framework, role.clone())),
        });
        let there = &self.waiting_since;
        self.turns.retain(|contender, _| there.contains_key(contender));
        self.refused.retain(|refused| clients.contains(&(refused.what.framework, refused.what.role.clone())));
        self.barred.retain(|(framework, role, _)| clients.contains(&(*framework, role.clone())));
        self.minima.retain(|client, _| clients.contains(client));
    }

    pub(super) fn free(&self, agent: AgentKey) -> Resources {
        let mut free = self.agents[&agent].total.clone();
        for used in self.used.iter().filter(|used| used.agent == agent) {
            free = free.checked_minus(&used.resources.exclusive()).unwrap();
        }
        for (offer, _) in self.offers.values().filter(|(offer, _)| offer.agent == agent) {
            free = free.checked_minus(&offer.resources).unwrap();
        }
        free
    }

    /// What every client has, one use or offer at a time.
    pub(super) fn holdings(&self) -> Vec<(FrameworkKey, &Role, &Resources)> {
        let used = self.used.iter().map(|used| (used.framework, &used.role, &used.resources));
        let offered = self.offers.values().map(|(offer, _)| (offer.framework, &offer.role, &offer.resources));
        used.chain(offered).collect()
    }

    /// The dominant share of everything that the clients for whom `counts` holds use and are offered.
    pub(super) fn share(&self, counts: impl Fn(FrameworkKey, &Role) -> bool) -> f64 {
        let mut theirs = self.holdings();
        theirs.retain(|(framework, role, _)| counts(*framework, role));
        let mut share: f64 = 0.0;
        for name in NAMES {
            let have: i64 =
                theirs.iter().map(|(_, _, resources)| resources.exclusive().scalar(&name).thousandths()).sum();
            let all = self.measure.get(&name).copied().unwrap_or(0);
            share = share.max(if all == 0 { 0.0 } else { have as f64 / all as f64 });
        }
        share
    }

    /// What decides a contender's place among its siblings, smallest first.
    fn rank(&self, contender: &Contender) -> (f64, f64, u64) {
        let share = match contender {
            Contender::Role(role) => self.share(|_, other| other.is_within(role)),
            Contender::OwnOf(role) => self.share(|_, other| other == role),
            Contender::Client(key, role) => self.share(|framework, other| framework == *key && other == role),
        };
        let (weight, since) = (self.weight(contender), self.waiting_since[contender]);
        match self.sorting {
            Sorting::Fair => (0.0, share / weight, since),
            Sorting::Random { .. } => (0.0, self.turns[contender], since),
            Sorting::Priority => (-weight, f64::from(share as f32), since),
        }
    }

    /// All clients below `above` (`None`: all) in the policy's order.
    pub(super) fn order(&self, above: Option<&Role>) -> Vec<(FrameworkKey, Role)> {
        let mut children: Vec<_> = self.waiting_since.keys().cloned().collect();
        children.retain(|contender| match contender {
            Contender::Role(role) => role.parent().as_ref() == above,
            Contender::OwnOf(role) => Some(role) == above,
            Contender::Client(..) => false,
        });
        children.sort_by(|a, b| self.rank(a).partial_cmp(&self.rank(b)).unwrap());
        let mut order = Vec::new();
        for child in children {
            match child {
                Contender::Role(role) => order.extend(self.order(Some(&role))),
                Contender::OwnOf(role) => {
                    let mut own: Vec<_> = self.clients().into_iter().filter(|(_, other)| *other == role).collect();
                    let rank = |key: FrameworkKey| self.rank(&Contender::Client(key, role.clone()));
                    own.sort_by(|(a, _), (b, _)| rank(*a).partial_cmp(&rank(*b)).unwrap());
                    order.extend(own);
                }
                Contender::Client(..) => unreachable!(),
            }
        }
        order
    }

    pub(super) fn offerable(&self, framework: FrameworkKey, role: &Role, agent: AgentKey) -> Option<Resources> {
        let one = &self.frameworks[&framework];
        let waiting = self.offers.values().filter(|(offer, _)| offer.framework == framework).count();
        if !one.active || !self.agents[&agent].active || one.roles.get(role) != Some(&true) || one.silent && waiting > 0
        {
            return None;
        }
        let has = |capability| one.capabilities.contains(capability);
        let gpus = !self.agents[&agent].total.gpus().is_zero();
        if gpus && !has(Capability::GpuResources) || self.agents[&agent].remote && !has(Capability::RegionAware) {
            return None;
        }
        if self.barred.contains(&(framework, role.clone(), agent)) {
            return None;
        }
        let for_role = self.allowed(
            role,
            &self
                .free(agent)
                .filter(|resource| resource.reserved_role().is_none_or(|reserved| role.is_within(reserved))),
        );
        let part = for_role.filter(|resource| {
            (resource.guarantee() == Guarantee::Firm || has(Capability::RevocableResources))
                && (resource.sharing() == Sharing::Exclusive || has(Capability::SharedResources))
                && (resource.reservations().len() < 2 || has(Capability::ReservationRefinement))
        });
        let cost = part.exclusive();
        let enough = match self.minima.get(&(framework, role.clone())) {
            None => cost.cpus().thousandths() >= 10 || cost.mem() >= Scalar::units(32),
            Some(minima) => minima.is_empty() || minima.iter().any(|minimum| cost.quantities().contains(minimum)),
        };
        let refused = self.refused.iter().any(|refused| {
            let what = &refused.what;
            (what.framework, &what.role, what.agent) == (framework, role, agent) && what.resources.contains(&part)
        });
        (!part.is_empty() && enough && !refused).then_some(part)
    }

    /// Who is next of an agent: first those whose role is owed something of it, then everybody.
    pub(super) fn next(&self, agent: AgentKey) -> Option<(FrameworkKey, Role, Resources)> {
        let order = self.order(None);
        let offerable = |(framework, role): &(FrameworkKey, Role)| {
            Some((*framework, role.clone(), self.offerable(*framework, role, agent)?))
        };
        let owed = order.iter().filter_map(offerable).find(|(_, role, part)| self.is_owed(role, part));
        owed.or_else(|| order.iter().find_map(offerable))
    }

    pub(super) fn allocate(&mut self, now: Tick) -> Vec<Offer> {
        self.refused.retain(|refused| refused.until > now);
        let total = |name: &Name| self.agents.values().map(|agent| agent.total.scalar(name).thousandths()).sum::<i64>();
        let totals: BTreeMap<Name, i64> = NAMES.into_iter().map(|name| (name.clone(), total(&name))).collect();
        let measured = |name: &Name| self.measure.get(name).copied().unwrap_or(0);
        if totals.iter().any(|(name, total)| (total - measured(name)).abs() * 100 > measured(name)) {
            self.measure = totals;
        }
        let mut made = Vec::new();
        for agent in self.agents.keys().copied().collect::<Vec<_>>() {
            while let Some((framework, role, resources)) = self.next(agent) {
                let offer = Offer { key: OfferKey(self.next_offer), framework, role, agent, resources };
                self.next_offer += 1;
                let moment = self.moment();
                let mut line: Vec<_> =
                    std::iter::successors(Some(offer.role.clone()), Role::parent).map(Contender::Role).collect();
                line.push(Contender::OwnOf(offer.role.clone()));
                line.push(Contender::Client(framework, offer.role.clone()));
                for contender in line {
                    let wait = self.wait(&contender, moment);
                    *self.turns.get_mut(&contender).unwrap() += wait;
                    self.waiting_since.insert(contender, moment);
                }
                self.offers.insert(offer.key, (offer.clone(), now.after(TIMEOUT_MS)));
                made.push(offer);
            }
        }
        made
    }

    pub(super) fn decline(&mut self, now: Tick, offer: &Offer, resources: &Resources, refuse_ms: u64) {
        if refuse_ms == 0 || resources.is_empty() {
            return;
        }
        let mut step = 1;
        while step * 2 <= refuse_ms / 16 {
            step *= 2;
        }
        let until = Tick((now.0 + refuse_ms).div_ceil(step) * step);
        let (framework, role, agent) = (offer.framework, offer.role.clone(), offer.agent);
        self.refused.push(Refused { what: Use { framework, role, agent, resources: resources.clone() }, until });
    }

    pub(super) fn withdraw(&mut self, chosen: impl Fn(&Offer) -> bool) -> Vec<Offer> {
        let offers: Vec<Offer> =
            self.offers.values().map(|(offer, _)| offer).filter(|offer| chosen(offer)).cloned().collect();
        self.offers.retain(|_, (offer, _)| !chosen(offer));
        offers
    }

    pub(super) fn forget(&mut self, framework: FrameworkKey, role: Option<&Role>) {
        self.refused.retain(|refused| {
            refused.what.framework != framework || role.is_some_and(|role| refused.what.role != *role)
        });
    }

    pub(super) fn expire(&mut self, now: Tick) -> Vec<Offer> {
        let late: Vec<OfferKey> =
            self.offers.iter().filter(|(_, (_, deadline))| *deadline <= now).map(|(key, _)| *key).collect();
        let expired = self.withdraw(|offer| late.contains(&offer.key));
        for offer in &expired {
            self.frameworks.get_mut(&offer.framework).unwrap().silent = true;
            self.decline(now, offer, &offer.resources, TIMEOUT_MS);
        }
        expired
    }

    pub(super) fn next_wake(&self) -> Option<Tick> {
        self.offers
            .values()
            .map(|(_, deadline)| *deadline)
            .chain(self.refused.iter().map(|refused| refused.until))
            .min()
    }
}
