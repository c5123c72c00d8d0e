//! The allocator against the naive one: on random small clusters with random events both make the same offers in the
//! same order, and everything that must always hold does.

use proptest::prelude::*;

use super::naive::{Naive, NaiveAgent, NaiveFramework, Use};
use super::*;
use crate::Conversion;

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
    SetQuota { role: usize, cpus: (u8, u8), mem: (u8, u8) },
    SetQuotas(usize),
    Bar(usize, usize, u64),
    SetMinimum(usize, usize, usize),
    ToggleRemote(usize),
    Convert(usize),
    Accept { offer: usize, part: usize, refuse_ms: u64 },
    Decline { offer: usize, refuse_ms: u64 },
    Withdraw(usize),
    Release(usize),
    Wait(u64),
    WaitForWake,
    Allocate,
}

fn event() -> impl Strategy<Value = Event> {
    let any = || 0..64_usize;
    let many = proptest::num::u64::ANY;
    let refuse_ms = || prop_oneof![Just(0_u64), Just(5_000), Just(7_777), Just(365 * 24 * 3_600_000)];
    prop_oneof![
        4 => any().prop_map(Event::AddAgent),
        1 => any().prop_map(Event::RemoveAgent),
        1 => (any(), any()).prop_map(|(agent, kind)| Event::UpdateAgent(agent, kind)),
        1 => any().prop_map(Event::ToggleAgent),
        1 => any().prop_map(Event::ForgetRefusals),
        3 => (any(), 0..32_u8).prop_map(|(roles, capabilities)| Event::AddFramework(roles, capabilities)),
        1 => any().prop_map(Event::RemoveFramework),
        1 => (any(), any(), 0..32_u8).prop_map(|(key, roles, capabilities)| Event::UpdateFramework(key, roles, capabilities)),
        1 => any().prop_map(Event::ToggleFramework),
        1 => (any(), any()).prop_map(|(key, role)| Event::Suppress(key, role)),
        2 => (any(), any()).prop_map(|(key, role)| Event::Revive(key, role)),
        1 => (any(), 1..8_u8).prop_map(|(role, weight)| Event::Weight(role, weight)),
        2 => (any(), (0..6_u8, 0..7_u8), (0..6_u8, 0..7_u8)).prop_map(|(role, cpus, mem)| Event::SetQuota { role, cpus, mem }),
        1 => any().prop_map(Event::SetQuotas),
        1 => (any(), any(), many).prop_map(|(key, role, agents)| Event::Bar(key, role, agents)),
        1 => (any(), any(), any()).prop_map(|(key, role, kind)| Event::SetMinimum(key, role, kind)),
        1 => any().prop_map(Event::ToggleRemote),
        1 => any().prop_map(Event::Convert),
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
            scalar("cpus", 1),
            shared_volume("a", 40),
            scalar("mem", 40).with_identity(shared()),
        ]),
        6 => bag([scalar("mem", 31), ports(1, 5)]),
        7 => bag([scalar("disk", 500).with_identity(reserved(&["c"])), scalar("cpus", 2)]),
        _ => unreachable!(),
    }
}

fn role_list(index: usize) -> Vec<Role> {
    let lists: [&[&str]; 8] =
        [&["*"], &["*"], &["a"], &["a/b"], &["a", "c"], &["a/b", "a", "*"], &["c"], &["a/b/d", "a/e"]];
    lists[index % lists.len()].iter().map(|name| role(name)).collect()
}

fn some_role(index: usize) -> Role {
    let names = ["*", "a", "a/b", "c", "a/b/d", "a/e"];
    role(names[index % names.len()])
}

fn some_capabilities(bits: u8) -> Capabilities {
    use Capability::{GpuResources, RegionAware, ReservationRefinement, RevocableResources, SharedResources};
    let all = [RevocableResources, SharedResources, GpuResources, ReservationRefinement, RegionAware];
    all.into_iter().enumerate().filter(|(index, _)| bits & 1 << index != 0).map(|(_, capability)| capability).collect()
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
        pick(self.naive.offers.values().map(|(offer, _)| offer.clone()), index)
    }

    /// Lets `event` happen to both; `None` when there is nothing for it to happen to.
    fn apply(&mut self, event: &Event) -> Option<()> {
        match *event {
            Event::AddAgent(kind) => {
                let key = self.real.add_agent(agent_kind(kind));
                self.naive.agents.insert(key, NaiveAgent { active: true, remote: false, total: agent_kind(kind) });
            }
            Event::RemoveAgent(index) => {
                let key = self.agent(index)?;
                self.naive.agents.remove(&key);
                self.naive.used.retain(|used| used.agent != key);
                self.naive.refused.retain(|refused| refused.what.agent != key);
                self.naive.barred.retain(|(_, _, agent)| *agent != key);
                assert_eq!(self.real.remove_agent(key), self.naive.withdraw(|offer| offer.agent == key));
                self.naive.leave();
            }
            Event::UpdateAgent(index, kind) => {
                let key = self.agent(index)?;
                let used = self.naive.used.iter().filter(|used| used.agent == key);
                let used = used.fold(Resources::new(), |sum, used| sum.plus(&used.resources));
                let updated = self.real.update_agent(key, agent_kind(kind));
                let fits = used.exclusive().plus(&used.shared().distinct());
                assert_eq!(updated.is_ok(), agent_kind(kind).contains(&fits));
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
                    assert_eq!(self.real.deactivate_agent(key), self.naive.withdraw(|offer| offer.agent == key));
                }
            }
            Event::ForgetRefusals(index) => {
                let key = self.agent(index)?;
                self.real.forget_refusals(key);
                self.naive.refused.retain(|refused| refused.what.agent != key);
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
                self.real.set_weight(&some_role(role), f64::from(weight)).unwrap();
                self.naive.weights.insert(some_role(role), f64::from(weight));
            }
            Event::SetQuota { .. }
            | Event::SetQuotas(_)
            | Event::Bar(..)
            | Event::SetMinimum(..)
            | Event::ToggleRemote(_) => {
                return self.apply_to_rules(event);
            }
            Event::Accept { .. }
            | Event::Decline { .. }
            | Event::Withdraw(_)
            | Event::Release(_)
            | Event::Convert(_) => {
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
                let wanted = role_list(roles).into_iter().map(|role| (role, true)).collect();
                let framework = NaiveFramework { active: true, silent: false, capabilities, roles: wanted };
                self.naive.frameworks.insert(key, framework);
                role_list(roles).iter().for_each(|role| self.naive.join(key, role));
            }
            Event::RemoveFramework(index) => {
                let key = self.framework(index)?;
                self.naive.frameworks.remove(&key);
                self.naive.used.retain(|used| used.framework != key);
                assert_eq!(self.real.remove_framework(key), self.naive.withdraw(|offer| offer.framework == key));
                self.naive.leave();
            }
            Event::UpdateFramework(index, roles, bits) => {
                let (key, capabilities) = (self.framework(index)?, some_capabilities(bits));
                let wanted = role_list(roles);
                let withdrawn = self.real.update_framework(key, wanted.clone(), capabilities);
                let framework = self.naive.frameworks.get_mut(&key)?;
                let lost = (0..5)
                    .map(|bit| some_capabilities(1 << bit))
                    .any(|one| framework.capabilities.include(one) && !capabilities.include(one));
                framework.capabilities = capabilities;
                let left: Vec<Role> = framework.roles.keys().filter(|role| !wanted.contains(role)).cloned().collect();
                framework.roles.retain(|role, _| wanted.contains(role));
                assert_eq!(
                    withdrawn,
                    self.naive.withdraw(|offer| offer.framework == key && (lost || left.contains(&offer.role)))
                );
                left.iter().for_each(|role| self.naive.forget(key, Some(role)));
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

    fn apply_to_rules(&mut self, event: &Event) -> Option<()> {
        match *event {
            Event::SetQuota { role, cpus, mem } => {
                let quota = quota_of(&[("cpus", cpus, 1), ("mem", mem, 512)]);
                self.set_quotas(vec![(some_role(role), quota)]);
            }
            Event::SetQuotas(index) => {
                let all = (0..6).map(|role| {
                    let amount = ((index / 3 + role) % 4) as u8;
                    (some_role(role), quota_of(&[("cpus", (amount, amount + 1), 1), ("gpus", (0, amount), 1)]))
                });
                self.set_quotas(all.filter(|(role, _)| index % 3 > 0 || role.parent().is_none()).collect());
            }
            Event::Bar(index, role, agents) => {
                let (key, role) = (self.framework(index)?, some_role(role));
                let barred = |agent: AgentKey| agents >> (agent.0 % 64) & 1 == 1;
                self.real.bar_framework(key, &role, barred);
                self.naive.frameworks[&key].roles.get(&role)?;
                self.naive.barred.retain(|(framework, other, _)| (*framework, other) != (key, &role));
                let agents = self.naive.agents.keys().copied().filter(|agent| barred(*agent));
                self.naive.barred.extend(agents.map(|agent| (key, role.clone(), agent)));
            }
            Event::SetMinimum(index, role, kind) => {
                let (key, role) = (self.framework(index)?, some_role(role));
                let kinds = [
                    None,
                    Some(vec![]),
                    Some(vec![quantities(&[("cpus", 2), ("mem", 64)]), quantities(&[("disk", 1)])]),
                ];
                let minimum = kinds[kind % 3].clone();
                self.real.set_minimum(key, &role, minimum.clone());
                self.naive.frameworks[&key].roles.get(&role)?;
                match minimum {
                    Some(minimum) => self.naive.minima.insert((key, role), minimum),
                    None => self.naive.minima.remove(&(key, role)),
                };
            }
            Event::ToggleRemote(index) => {
                let key = self.agent(index)?;
                let agent = self.naive.agents.get_mut(&key)?;
                agent.remote = !agent.remote;
                self.real.set_remote(key, agent.remote);
            }
            _ => unreachable!(),
        }
        Some(())
    }

    fn set_quotas(&mut self, quotas: Vec<(Role, Quota)>) {
        let withdrawn = self.real.set_quotas(quotas.clone());
        self.naive.quotas.extend(quotas);
        self.naive.quotas.retain(|_, quota| !quota.is_default());
        assert_eq!(withdrawn, self.naive.withdraw_misfits());
    }

    fn apply_to_offer(&mut self, event: &Event) -> Option<()> {
        match *event {
            Event::Accept { offer, part, refuse_ms } => {
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
                        let Offer { framework, role, agent, .. } = offer.clone();
                        self.real.use_resources(framework, &role, agent, task).unwrap();
                        self.naive.used.push(Use { framework, role, agent, resources: task.clone() });
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
                self.real.decline(self.now, &offer, &offer.resources, refuse_ms);
                self.naive.decline(self.now, &offer, &offer.resources, refuse_ms);
            }
            Event::Convert(offer) => {
                let offer = self.offer(offer)?;
                self.answer(&offer);
                let plain = offer.resources.filter(Resource::is_plain);
                let reserve = |one: &Resource| one.clone().with_identity(reserved(&[offer.role.as_str()]));
                let produced = plain.iter().filter(|_| !offer.role.is_any()).map(reserve).collect();
                let consumed = if offer.role.is_any() { Resources::new() } else { plain };
                let conversion = Conversion { consumed, produced };
                self.real.convert(offer.agent, &conversion).unwrap();
                let agent = self.naive.agents.get_mut(&offer.agent)?;
                agent.total = agent.total.converted(&conversion).unwrap();
            }
            Event::Withdraw(offer) => {
                let offer = self.offer(offer)?;
                assert_eq!(self.real.withdraw(offer.key), Some(offer.clone()));
                self.naive.offers.remove(&offer.key);
            }
            Event::Release(index) => {
                let index = (!self.naive.used.is_empty()).then(|| index % self.naive.used.len())?;
                let Use { framework, role, agent, resources } = self.naive.used.remove(index);
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
        self.naive.frameworks.get_mut(&offer.framework).unwrap().silent = false;
    }

    fn wait_until(&mut self, now: Tick) {
        self.now = now;
        assert_eq!(self.real.expire(now), self.naive.expire(now));
    }
}

/// So much guaranteed and at most so much, of each; the most that there can be is no limit.
fn quota_of(all: &[(&str, (u8, u8), u32)]) -> Quota {
    let mut quota = Quota::default();
    for (name, (guarantee, limit), unit) in all {
        let guarantee = u32::from(*guarantee.min(limit)) * unit;
        quota.guarantees = quota.guarantees.with(*name, Scalar::units(guarantee));
        if *limit < 6 {
            quota.limits = quota.limits.with(*name, Scalar::units(u32::from(*limit) * unit));
        }
    }
    quota
}

fn sorting() -> impl Strategy<Value = Sorting> {
    prop_oneof![3 => Just(Sorting::Fair), 1 => Just(Sorting::Random { seed: 7 }), 1 => Just(Sorting::Priority)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn random_events_give_the_same_offers(sorting in sorting(), events in proptest::collection::vec(event(), 1..120)) {
        let config = Config { roles: sorting, frameworks: sorting, ..Config::default() };
        let mut pair = Pair { real: Allocator::new(config), naive: Naive { sorting, ..Naive::default() }, now: NOW };
        for event in &events {
            pair.apply(event);
            pair.real.assert_consistent();
            assert_eq!(pair.real.next_wake(), pair.naive.next_wake(), "after {event:?}");
        }
    }
}
