//! A deliberately naive allocator: it loops over everything every time and keeps nothing that could be computed.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::Name;

const TIMEOUT_MS: u64 = 60_000;
const NAMES: [Name; 5] = [Name::Cpus, Name::Mem, Name::Disk, Name::Gpus, Name::Ports];

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
    pub(super) frameworks: BTreeMap<FrameworkKey, NaiveFramework>,
    pub(super) agents: BTreeMap<AgentKey, NaiveAgent>,
    pub(super) used: Vec<Use>,
    pub(super) offers: BTreeMap<OfferKey, (Offer, Tick)>,
    pub(super) refused: Vec<Refused>,
    pub(super) weights: BTreeMap<Role, f64>,
    /// When each contender was served last, or joined.
    pub(super) waiting_since: BTreeMap<Contender, u64>,
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
        let mut line: Vec<Role> = std::iter::successors(Some(role.clone()), Role::parent).collect();
        line.reverse();
        let roles = line.into_iter().map(Contender::Role);
        for contender in roles.chain([Contender::OwnOf(role.clone()), Contender::Client(framework, role.clone())]) {
            let moment = self.moment();
            self.waiting_since.entry(contender).or_insert(moment);
        }
    }

    pub(super) fn leave(&mut self) {
        let clients = self.clients();
        self.waiting_since.retain(|contender, _| match contender {
            Contender::Role(role) => clients.iter().any(|(_, other)| other.is_within(role)),
            Contender::OwnOf(role) => clients.iter().any(|(_, other)| other == role),
            Contender::Client(framework, role) => clients.contains(&(*framework, role.clone())),
        });
        self.refused.retain(|refused| clients.contains(&(refused.what.framework, refused.what.role.clone())));
    }

    pub(super) fn free(&self, agent: AgentKey) -> Resources {
        let mut free = self.agents[&agent].total.clone();
        for used in self.used.iter().filter(|used| used.agent == agent) {
            free = free.checked_minus(&used.resources).unwrap();
        }
        for (offer, _) in self.offers.values().filter(|(offer, _)| offer.agent == agent) {
            free = free.checked_minus(&offer.resources).unwrap();
        }
        free
    }

    /// The dominant share of everything that the clients for whom `counts` holds use and are offered.
    pub(super) fn share(&self, counts: impl Fn(FrameworkKey, &Role) -> bool) -> f64 {
        let used = self.used.iter().map(|used| (used.framework, &used.role, &used.resources));
        let offered = self.offers.values().map(|(offer, _)| (offer.framework, &offer.role, &offer.resources));
        let theirs: Vec<_> = used.chain(offered).filter(|(framework, role, _)| counts(*framework, role)).collect();
        let mut share: f64 = 0.0;
        for name in NAMES {
            let have: i64 = theirs.iter().map(|(_, _, resources)| resources.scalar(&name).thousandths()).sum();
            let all = self.measure.get(&name).copied().unwrap_or(0);
            share = share.max(if all == 0 { 0.0 } else { have as f64 / all as f64 });
        }
        share
    }

    /// All clients below `above` (`None`: all) in fair order.
    pub(super) fn fair_order(&self, above: Option<&Role>) -> Vec<(FrameworkKey, Role)> {
        let waiting = |contender: &Contender| self.waiting_since[contender];
        let mut children: Vec<(f64, u64, Contender)> = Vec::new();
        for contender in self.waiting_since.keys() {
            let share = match contender {
                Contender::Role(role) if role.parent().as_ref() == above => {
                    self.share(|_, other| other.is_within(role)) / self.weights.get(role).unwrap_or(&1.0)
                }
                Contender::OwnOf(role) if Some(role) == above => self.share(|_, other| other == role),
                Contender::Role(_) | Contender::OwnOf(_) | Contender::Client(..) => continue,
            };
            children.push((share, waiting(contender), contender.clone()));
        }
        children.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let mut order = Vec::new();
        for (_, _, child) in children {
            match child {
                Contender::Role(role) => order.extend(self.fair_order(Some(&role))),
                Contender::OwnOf(role) => {
                    let mut own: Vec<_> = self.clients().into_iter().filter(|(_, other)| *other == role).collect();
                    own.sort_by(|(a, _), (b, _)| {
                        let rank = |key: FrameworkKey| {
                            let share = self.share(|framework, other| framework == key && *other == role);
                            (share, waiting(&Contender::Client(key, role.clone())))
                        };
                        rank(*a).partial_cmp(&rank(*b)).unwrap()
                    });
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
        let gpus = !self.agents[&agent].total.gpus().is_zero();
        if gpus && !one.capabilities.contains(Capability::GpuResources) {
            return None;
        }
        let has = |capability| one.capabilities.contains(capability);
        let part: Resources = self
            .free(agent)
            .iter()
            .filter(|resource| {
                resource.reserved_role().is_none_or(|reserved| role.is_within(reserved))
                    && (resource.guarantee() == Guarantee::Firm || has(Capability::RevocableResources))
                    && (resource.sharing() == Sharing::Exclusive || has(Capability::SharedResources))
                    && (resource.reservations().len() < 2 || has(Capability::ReservationRefinement))
            })
            .cloned()
            .collect();
        let enough = part.cpus().thousandths() >= 10 || part.mem() >= Scalar::units(32);
        let refused = self.refused.iter().any(|refused| {
            let what = &refused.what;
            (what.framework, &what.role, what.agent) == (framework, role, agent) && what.resources.contains(&part)
        });
        (enough && !refused).then_some(part)
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
            let next = |naive: &Naive| {
                let order = naive.fair_order(None).into_iter();
                order
                    .filter_map(|(framework, role)| Some((naive.offerable(framework, &role, agent)?, framework, role)))
                    .next()
            };
            while let Some((resources, framework, role)) = next(self) {
                let offer = Offer { key: OfferKey(self.next_offer), framework, role, agent, resources };
                self.next_offer += 1;
                let moment = self.moment();
                let mut line: Vec<_> =
                    std::iter::successors(Some(offer.role.clone()), Role::parent).map(Contender::Role).collect();
                line.push(Contender::OwnOf(offer.role.clone()));
                line.push(Contender::Client(framework, offer.role.clone()));
                for contender in line {
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
