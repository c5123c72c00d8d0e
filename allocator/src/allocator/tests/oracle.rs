//! The allocator against a deliberately naive one, which loops over everything every time and keeps nothing that could be
//! computed: on random small clusters with random events both make the same offers in the same order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const TIMEOUT_MS: u64 = 60_000;
const NAMES: [Name; 5] = [Name::Cpus, Name::Mem, Name::Disk, Name::Gpus, Name::Ports];

use crate::Name;

/// Whoever competes with siblings: its key is the path from the top, so that siblings have the same length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Contender {
    Role(Role),
    OwnOf(Role),
    Client(FrameworkKey, Role),
}

struct NaiveFramework {
    active: bool,
    silent: bool,
    capabilities: Capabilities,
    /// True: wants offers, false: suppressed.
    roles: BTreeMap<Role, bool>,
}

struct NaiveAgent {
    active: bool,
    total: Resources,
}

#[derive(Clone)]
struct Use {
    framework: FrameworkKey,
    role: Role,
    agent: AgentKey,
    resources: Resources,
}

struct Refused {
    what: Use,
    until: Tick,
}

#[derive(Default)]
struct Naive {
    frameworks: BTreeMap<FrameworkKey, NaiveFramework>,
    agents: BTreeMap<AgentKey, NaiveAgent>,
    used: Vec<Use>,
    offers: BTreeMap<OfferKey, (Offer, Tick)>,
    refused: Vec<Refused>,
    weights: BTreeMap<Role, f64>,
    /// When each contender was served last, or joined.
    waiting_since: BTreeMap<Contender, u64>,
    moments: u64,
    next_offer: u64,
    /// What shares are measured against.
    measure: BTreeMap<Name, i64>,
}

impl Naive {
    fn moment(&mut self) -> u64 {
        self.moments += 1;
        self.moments
    }

    fn clients(&self) -> Vec<(FrameworkKey, Role)> {
        let members = self
            .frameworks
            .iter()
            .flat_map(|(key, one)| one.roles.keys().map(|role| (*key, role.clone())));
        let users = self
            .used
            .iter()
            .map(|used| (used.framework, used.role.clone()));
        members
            .chain(users)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn join(&mut self, framework: FrameworkKey, role: &Role) {
        let mut line: Vec<Role> = std::iter::successors(Some(role.clone()), Role::parent).collect();
        line.reverse();
        let roles = line.into_iter().map(Contender::Role);
        for contender in roles.chain([
            Contender::OwnOf(role.clone()),
            Contender::Client(framework, role.clone()),
        ]) {
            let moment = self.moment();
            self.waiting_since.entry(contender).or_insert(moment);
        }
    }

    fn leave(&mut self) {
        let clients = self.clients();
        self.waiting_since.retain(|contender, _| match contender {
            Contender::Role(role) => clients.iter().any(|(_, other)| other.is_within(role)),
            Contender::OwnOf(role) => clients.iter().any(|(_, other)| other == role),
            Contender::Client(framework, role) => clients.contains(&(*framework, role.clone())),
        });
        self.refused.retain(|refused| {
            clients.contains(&(refused.what.framework, refused.what.role.clone()))
        });
    }

    fn free(&self, agent: AgentKey) -> Resources {
        let mut free = self.agents[&agent].total.clone();
        for used in self.used.iter().filter(|used| used.agent == agent) {
            free = free.checked_minus(&used.resources).unwrap();
        }
        for (offer, _) in self
            .offers
            .values()
            .filter(|(offer, _)| offer.agent == agent)
        {
            free = free.checked_minus(&offer.resources).unwrap();
        }
        free
    }

    /// The dominant share of everything that the clients for whom `counts` holds use and are offered.
    fn share(&self, counts: impl Fn(FrameworkKey, &Role) -> bool) -> f64 {
        let used = self
            .used
            .iter()
            .map(|used| (used.framework, &used.role, &used.resources));
        let offered = self
            .offers
            .values()
            .map(|(offer, _)| (offer.framework, &offer.role, &offer.resources));
        let theirs: Vec<_> = used
            .chain(offered)
            .filter(|(framework, role, _)| counts(*framework, role))
            .collect();
        let mut share: f64 = 0.0;
        for name in NAMES {
            let have: i64 = theirs
                .iter()
                .map(|(_, _, resources)| resources.scalar(&name).thousandths())
                .sum();
            let all = self.measure.get(&name).copied().unwrap_or(0);
            share = share.max(if all == 0 {
                0.0
            } else {
                have as f64 / all as f64
            });
        }
        share
    }

    /// All clients below `above` (`None`: all) in fair order.
    fn fair_order(&self, above: Option<&Role>) -> Vec<(FrameworkKey, Role)> {
        let waiting = |contender: &Contender| self.waiting_since[contender];
        let mut children: Vec<(f64, u64, Contender)> = Vec::new();
        for contender in self.waiting_since.keys() {
            let share = match contender {
                Contender::Role(role) if role.parent().as_ref() == above => {
                    self.share(|_, other| other.is_within(role))
                        / self.weights.get(role).unwrap_or(&1.0)
                }
                Contender::OwnOf(role) if Some(role) == above => {
                    self.share(|_, other| other == role)
                }
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
                    let mut own: Vec<_> = self
                        .clients()
                        .into_iter()
                        .filter(|(_, other)| *other == role)
                        .collect();
                    own.sort_by(|(a, _), (b, _)| {
                        let rank = |key: FrameworkKey| {
                            let share =
                                self.share(|framework, other| framework == key && *other == role);
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

    fn offerable(
        &self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
    ) -> Option<Resources> {
        let one = &self.frameworks[&framework];
        let waiting = self
            .offers
            .values()
            .filter(|(offer, _)| offer.framework == framework)
            .count();
        if !one.active
            || !self.agents[&agent].active
            || one.roles.get(role) != Some(&true)
            || one.silent && waiting > 0
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
                resource
                    .reserved_role()
                    .is_none_or(|reserved| role.is_within(reserved))
                    && (resource.guarantee() == Guarantee::Firm
                        || has(Capability::RevocableResources))
                    && (resource.sharing() == Sharing::Exclusive
                        || has(Capability::SharedResources))
                    && (resource.reservations().len() < 2 || has(Capability::ReservationRefinement))
            })
            .cloned()
            .collect();
        let enough = part.cpus().thousandths() >= 10 || part.mem() >= Scalar::units(32);
        let refused = self.refused.iter().any(|refused| {
            let what = &refused.what;
            (what.framework, &what.role, what.agent) == (framework, role, agent)
                && what.resources.contains(&part)
        });
        (enough && !refused).then_some(part)
    }

    fn allocate(&mut self, now: Tick) -> Vec<Offer> {
        self.refused.retain(|refused| refused.until > now);
        let total = |name: &Name| {
            self.agents
                .values()
                .map(|agent| agent.total.scalar(name).thousandths())
                .sum::<i64>()
        };
        let totals: BTreeMap<Name, i64> = NAMES
            .into_iter()
            .map(|name| (name.clone(), total(&name)))
            .collect();
        let measured = |name: &Name| self.measure.get(name).copied().unwrap_or(0);
        if totals
            .iter()
            .any(|(name, total)| (total - measured(name)).abs() * 100 > measured(name))
        {
            self.measure = totals;
        }
        let mut made = Vec::new();
        for agent in self.agents.keys().copied().collect::<Vec<_>>() {
            let next = |naive: &Naive| {
                let order = naive.fair_order(None).into_iter();
                order
                    .filter_map(|(framework, role)| {
                        Some((naive.offerable(framework, &role, agent)?, framework, role))
                    })
                    .next()
            };
            while let Some((resources, framework, role)) = next(self) {
                let offer = Offer {
                    key: OfferKey(self.next_offer),
                    framework,
                    role,
                    agent,
                    resources,
                };
                self.next_offer += 1;
                let moment = self.moment();
                let mut line: Vec<_> =
                    std::iter::successors(Some(offer.role.clone()), Role::parent)
                        .map(Contender::Role)
                        .collect();
                line.push(Contender::OwnOf(offer.role.clone()));
                line.push(Contender::Client(framework, offer.role.clone()));
                for contender in line {
                    self.waiting_since.insert(contender, moment);
                }
                self.offers
                    .insert(offer.key, (offer.clone(), now.after(TIMEOUT_MS)));
                made.push(offer);
            }
        }
        made
    }

    fn decline(&mut self, now: Tick, offer: &Offer, resources: &Resources, refuse_ms: u64) {
        if refuse_ms == 0 || resources.is_empty() {
            return;
        }
        let mut step = 1;
        while step * 2 <= refuse_ms / 16 {
            step *= 2;
        }
        let until = Tick((now.0 + refuse_ms).div_ceil(step) * step);
        let (framework, role, agent) = (offer.framework, offer.role.clone(), offer.agent);
        self.refused.push(Refused {
            what: Use {
                framework,
                role,
                agent,
                resources: resources.clone(),
            },
            until,
        });
    }

    fn withdraw(&mut self, chosen: impl Fn(&Offer) -> bool) -> Vec<Offer> {
        let offers: Vec<Offer> = self
            .offers
            .values()
            .map(|(offer, _)| offer)
            .filter(|offer| chosen(offer))
            .cloned()
            .collect();
        self.offers.retain(|_, (offer, _)| !chosen(offer));
        offers
    }

    fn forget(&mut self, framework: FrameworkKey, role: Option<&Role>) {
        self.refused.retain(|refused| {
            refused.what.framework != framework
                || role.is_some_and(|role| refused.what.role != *role)
        });
    }

    fn expire(&mut self, now: Tick) -> Vec<Offer> {
        let late: Vec<OfferKey> = self
            .offers
            .iter()
            .filter(|(_, (_, deadline))| *deadline <= now)
            .map(|(key, _)| *key)
            .collect();
        let expired = self.withdraw(|offer| late.contains(&offer.key));
        for offer in &expired {
            self.frameworks.get_mut(&offer.framework).unwrap().silent = true;
            self.decline(now, offer, &offer.resources, TIMEOUT_MS);
        }
        expired
    }

    fn next_wake(&self) -> Option<Tick> {
        self.offers
            .values()
            .map(|(_, deadline)| *deadline)
            .chain(self.refused.iter().map(|refused| refused.until))
            .min()
    }
}

/// Something that happens. Numbers choose among what there is at that point.
#[derive(Clone, Debug)]
enum Event {
    AddAgent(usize),
    RemoveAgent(usize),
    UpdateAgent(usize, usize),
    ToggleAgent(usize),
    ForgetRefusals(usize),
    AddFramework(usize, u8),
    RemoveFramework(usize),
    UpdateFramework(usize, usize, u8),
    ToggleFramework(usize),
    Suppress(usize, usize),
    Revive(usize, usize),
    Weight(usize, u8),
    Accept {
        offer: usize,
        part: usize,
        refuse_ms: u64,
    },
    Decline {
        offer: usize,
        refuse_ms: u64,
    },
    Withdraw(usize),
    Release(usize),
    Wait(u64),
    WaitForWake,
    Allocate,
}

fn event() -> impl Strategy<Value = Event> {
    let any = || 0..64_usize;
    let refuse_ms = || {
        prop_oneof![
            Just(0_u64),
            Just(5_000),
            Just(7_777),
            Just(365 * 24 * 3_600_000)
        ]
    };
    prop_oneof![
        4 => any().prop_map(Event::AddAgent),
        1 => any().prop_map(Event::RemoveAgent),
        1 => (any(), any()).prop_map(|(agent, kind)| Event::UpdateAgent(agent, kind)),
        1 => any().prop_map(Event::ToggleAgent),
        1 => any().prop_map(Event::ForgetRefusals),
        3 => (any(), 0..16_u8).prop_map(|(roles, capabilities)| Event::AddFramework(roles, capabilities)),
        1 => any().prop_map(Event::RemoveFramework),
        1 => (any(), any(), 0..16_u8).prop_map(|(key, roles, capabilities)| Event::UpdateFramework(key, roles, capabilities)),
        1 => any().prop_map(Event::ToggleFramework),
        1 => (any(), any()).prop_map(|(key, role)| Event::Suppress(key, role)),
        2 => (any(), any()).prop_map(|(key, role)| Event::Revive(key, role)),
        1 => (any(), 1..8_u8).prop_map(|(role, weight)| Event::Weight(role, weight)),
        6 => (any(), any(), refuse_ms()).prop_map(|(offer, part, refuse_ms)| Event::Accept { offer, part, refuse_ms }),
        6 => (any(), refuse_ms()).prop_map(|(offer, refuse_ms)| Event::Decline { offer, refuse_ms }),
        1 => any().prop_map(Event::Withdraw),
        4 => any().prop_map(Event::Release),
        1 => (0..40_000_u64).prop_map(Event::Wait),
        1 => Just(Event::WaitForWake),
        12 => Just(Event::Allocate),
    ]
}

/// One of a few agents, chosen so that every rule about what may be offered matters now and then.
fn agent_kind(index: usize) -> Resources {
    match index % 8 {
        0 | 1 => machine(4),
        2 => machine(2).plus(&bag([
            scalar("cpus", 1).with_identity(reserved(&["a"])),
            scalar("mem", 99).with_identity(reserved(&["a/b"])),
        ])),
        3 => machine(1).plus(&bag([scalar("cpus", 4).with_identity(revocable())])),
        4 => machine(3).plus(&bag([scalar("gpus", 2)])),
        5 => bag([
            scalar("mem", 50).with_identity(reserved(&["a", "a/b"])),
            scalar("mem", 40).with_identity(shared()),
        ]),
        6 => bag([scalar("mem", 31), ports(1, 5)]),
        7 => bag([
            scalar("disk", 500).with_identity(reserved(&["c"])),
            scalar("cpus", 2),
        ]),
        _ => unreachable!(),
    }
}

fn role_list(index: usize) -> Vec<Role> {
    let lists: [&[&str]; 8] = [
        &["*"],
        &["*"],
        &["a"],
        &["a/b"],
        &["a", "c"],
        &["a/b", "a", "*"],
        &["c"],
        &["a/b/d", "a/e"],
    ];
    lists[index % lists.len()]
        .iter()
        .map(|name| role(name))
        .collect()
}

fn some_role(index: usize) -> Role {
    let names = ["*", "a", "a/b", "c", "a/b/d", "a/e"];
    role(names[index % names.len()])
}

fn some_capabilities(bits: u8) -> Capabilities {
    use Capability::{GpuResources, ReservationRefinement, RevocableResources, SharedResources};
    let all = [
        RevocableResources,
        SharedResources,
        GpuResources,
        ReservationRefinement,
    ];
    all.into_iter()
        .enumerate()
        .filter(|(index, _)| bits & 1 << index != 0)
        .map(|(_, capability)| capability)
        .collect()
}

fn pick<T: Clone>(mut all: impl Iterator<Item = T>, index: usize) -> Option<T> {
    let all: Vec<T> = all.by_ref().collect();
    (!all.is_empty()).then(|| all[index % all.len()].clone())
}

struct Pair {
    real: Allocator,
    naive: Naive,
    now: Tick,
}

impl Pair {
    fn agent(&self, index: usize) -> Option<AgentKey> {
        pick(self.naive.agents.keys().copied(), index)
    }

    fn framework(&self, index: usize) -> Option<FrameworkKey> {
        pick(self.naive.frameworks.keys().copied(), index)
    }

    fn offer(&self, index: usize) -> Option<Offer> {
        pick(
            self.naive.offers.values().map(|(offer, _)| offer.clone()),
            index,
        )
    }

    /// Lets `event` happen to both; `None` when there is nothing for it to happen to.
    fn apply(&mut self, event: &Event) -> Option<()> {
        match *event {
            Event::AddAgent(kind) => {
                let key = self.real.add_agent(agent_kind(kind));
                self.naive.agents.insert(
                    key,
                    NaiveAgent {
                        active: true,
                        total: agent_kind(kind),
                    },
                );
            }
            Event::RemoveAgent(index) => {
                let key = self.agent(index)?;
                self.naive.agents.remove(&key);
                self.naive.used.retain(|used| used.agent != key);
                self.naive
                    .refused
                    .retain(|refused| refused.what.agent != key);
                assert_eq!(
                    self.real.remove_agent(key),
                    self.naive.withdraw(|offer| offer.agent == key)
                );
                self.naive.leave();
            }
            Event::UpdateAgent(index, kind) => {
                let key = self.agent(index)?;
                let used = self.naive.used.iter().filter(|used| used.agent == key);
                let used = used.fold(Resources::new(), |sum, used| sum.plus(&used.resources));
                let updated = self.real.update_agent(key, agent_kind(kind));
                assert_eq!(updated.is_ok(), agent_kind(kind).contains(&used));
                if let Ok(withdrawn) = updated {
                    assert_eq!(withdrawn, self.naive.withdraw(|offer| offer.agent == key));
                    self.naive.agents.get_mut(&key)?.total = agent_kind(kind);
                }
            }
            Event::ToggleAgent(index) => {
                let key = self.agent(index)?;
                let agent = self.naive.agents.get_mut(&key)?;
                agent.active = !agent.active;
                if agent.active {
                    self.real.activate_agent(key);
                } else {
                    assert_eq!(
                        self.real.deactivate_agent(key),
                        self.naive.withdraw(|offer| offer.agent == key)
                    );
                }
            }
            Event::ForgetRefusals(index) => {
                let key = self.agent(index)?;
                self.real.forget_refusals(key);
                self.naive
                    .refused
                    .retain(|refused| refused.what.agent != key);
            }
            Event::AddFramework(..)
            | Event::RemoveFramework(_)
            | Event::UpdateFramework(..)
            | Event::ToggleFramework(_) => {
                return self.apply_to_framework(event);
            }
            Event::Suppress(index, role) => {
                let (key, role) = (self.framework(index)?, some_role(role));
                self.real.suppress(key, &role);
                *self.naive.frameworks.get_mut(&key)?.roles.get_mut(&role)? = false;
            }
            Event::Revive(index, role) => {
                let (key, role) = (self.framework(index)?, some_role(role));
                self.real.revive(key, &role);
                let framework = self.naive.frameworks.get_mut(&key)?;
                *framework.roles.get_mut(&role)? = true;
                framework.silent = false;
                self.naive.forget(key, Some(&role));
            }
            Event::Weight(role, weight) => {
                self.real
                    .set_weight(&some_role(role), f64::from(weight))
                    .unwrap();
                self.naive
                    .weights
                    .insert(some_role(role), f64::from(weight));
            }
            Event::Accept { .. }
            | Event::Decline { .. }
            | Event::Withdraw(_)
            | Event::Release(_) => {
                return self.apply_to_offer(event);
            }
            Event::Wait(delay_ms) => self.wait_until(self.now.after(delay_ms)),
            Event::WaitForWake => self.wait_until(self.naive.next_wake()?.max(self.now)),
            Event::Allocate => {
                let mut offers = Vec::new();
                self.real.allocate(self.now, &mut offers);
                assert_eq!(offers, self.naive.allocate(self.now));
            }
        }
        Some(())
    }

    fn apply_to_framework(&mut self, event: &Event) -> Option<()> {
        match *event {
            Event::AddFramework(roles, bits) => {
                let capabilities = some_capabilities(bits);
                let key = self.real.add_framework(role_list(roles), capabilities);
                let wanted = role_list(roles)
                    .into_iter()
                    .map(|role| (role, true))
                    .collect();
                let framework = NaiveFramework {
                    active: true,
                    silent: false,
                    capabilities,
                    roles: wanted,
                };
                self.naive.frameworks.insert(key, framework);
                role_list(roles)
                    .iter()
                    .for_each(|role| self.naive.join(key, role));
            }
            Event::RemoveFramework(index) => {
                let key = self.framework(index)?;
                self.naive.frameworks.remove(&key);
                self.naive.used.retain(|used| used.framework != key);
                assert_eq!(
                    self.real.remove_framework(key),
                    self.naive.withdraw(|offer| offer.framework == key)
                );
                self.naive.leave();
            }
            Event::UpdateFramework(index, roles, bits) => {
                let (key, capabilities) = (self.framework(index)?, some_capabilities(bits));
                let wanted = role_list(roles);
                let withdrawn = self
                    .real
                    .update_framework(key, wanted.clone(), capabilities);
                let framework = self.naive.frameworks.get_mut(&key)?;
                let lost = (0..4)
                    .map(|bit| some_capabilities(1 << bit))
                    .any(|one| framework.capabilities.include(one) && !capabilities.include(one));
                framework.capabilities = capabilities;
                let left: Vec<Role> = framework
                    .roles
                    .keys()
                    .filter(|role| !wanted.contains(role))
                    .cloned()
                    .collect();
                framework.roles.retain(|role, _| wanted.contains(role));
                assert_eq!(
                    withdrawn,
                    self.naive.withdraw(
                        |offer| offer.framework == key && (lost || left.contains(&offer.role))
                    )
                );
                left.iter()
                    .for_each(|role| self.naive.forget(key, Some(role)));
                self.naive.leave();
                for role in &wanted {
                    let roles = &mut self.naive.frameworks.get_mut(&key)?.roles;
                    roles.entry(role.clone()).or_insert(true);
                    self.naive.join(key, role);
                }
            }
            Event::ToggleFramework(index) => {
                let key = self.framework(index)?;
                let framework = self.naive.frameworks.get_mut(&key)?;
                framework.active = !framework.active;
                if framework.active {
                    framework.silent = false;
                    self.real.activate_framework(key);
                } else {
                    assert_eq!(
                        self.real.deactivate_framework(key),
                        self.naive.withdraw(|offer| offer.framework == key)
                    );
                    self.naive.forget(key, None);
                }
            }
            _ => unreachable!(),
        }
        Some(())
    }

    fn apply_to_offer(&mut self, event: &Event) -> Option<()> {
        match *event {
            Event::Accept {
                offer,
                part,
                refuse_ms,
            } => {
                let offer = self.offer(offer)?;
                let tasks = [
                    bag([scalar("cpus", 1)]),
                    bag([scalar("mem", 40)]),
                    bag([ports(31000, 31001)]),
                    offer.resources.clone(),
                ];
                let task = &tasks[part % tasks.len()];
                self.answer(&offer);
                let rest = match offer.resources.checked_minus(task) {
                    Some(rest) => {
                        let Offer {
                            framework,
                            role,
                            agent,
                            ..
                        } = offer.clone();
                        self.real
                            .use_resources(framework, &role, agent, task)
                            .unwrap();
                        self.naive.used.push(Use {
                            framework,
                            role,
                            agent,
                            resources: task.clone(),
                        });
                        rest
                    }
                    None => offer.resources.clone(),
                };
                self.real.decline(self.now, &offer, &rest, refuse_ms);
                self.naive.decline(self.now, &offer, &rest, refuse_ms);
            }
            Event::Decline { offer, refuse_ms } => {
                let offer = self.offer(offer)?;
                self.answer(&offer);
                self.real
                    .decline(self.now, &offer, &offer.resources, refuse_ms);
                self.naive
                    .decline(self.now, &offer, &offer.resources, refuse_ms);
            }
            Event::Withdraw(offer) => {
                let offer = self.offer(offer)?;
                assert_eq!(self.real.withdraw(offer.key), Some(offer.clone()));
                self.naive.offers.remove(&offer.key);
            }
            Event::Release(index) => {
                let index = (!self.naive.used.is_empty()).then(|| index % self.naive.used.len())?;
                let Use {
                    framework,
                    role,
                    agent,
                    resources,
                } = self.naive.used.remove(index);
                self.real.release(framework, &role, agent, &resources);
                self.naive.leave();
            }
            _ => unreachable!(),
        }
        Some(())
    }

    fn answer(&mut self, offer: &Offer) {
        assert_eq!(self.real.take(offer.key).as_ref(), Some(offer));
        self.naive.offers.remove(&offer.key);
        self.naive
            .frameworks
            .get_mut(&offer.framework)
            .unwrap()
            .silent = false;
    }

    fn wait_until(&mut self, now: Tick) {
        self.now = now;
        assert_eq!(self.real.expire(now), self.naive.expire(now));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn random_events_give_the_same_offers(events in proptest::collection::vec(event(), 1..120)) {
        let mut pair = Pair { real: Allocator::new(Config::default()), naive: Naive::default(), now: NOW };
        for event in &events {
            pair.apply(event);
            pair.real.assert_consistent();
            assert_eq!(pair.real.next_wake(), pair.naive.next_wake(), "after {event:?}");
        }
    }
}
