use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::{Activity, Agent, Allocator, Lot, NotFree, Offer, Refusals};
use crate::bits::Bits;
use crate::{AgentKey, Conversion, FrameworkKey, Quantities, Resources, Role};

/// An agent cannot be given a total that does not contain what is in use on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent's new resources {total} do not contain {used}, which is in use")]
pub struct ResourcesInUse {
    /// The total that was asked for.
    pub total: Resources,
    /// What is in use.
    pub used: Resources,
}

impl Allocator {
    /// Adds an agent, active, of which nothing is in use.
    pub fn add_agent(&mut self, total: Resources) -> AgentKey {
        self.total.add(&total.quantities());
        self.change_reserved(&Resources::new(), &total);
        let free = Lot::new(total.clone());
        let key = AgentKey(self.agents.insert(Agent {
            activity: Activity::Active,
            queued: false,
            gpus: !total.gpus().is_zero(),
            remote: false,
            barred: Bits::default(),
            free: Lot::default(),
            total,
            used: BTreeMap::new(),
            offers: SmallVec::new(),
            refusals: Refusals::default(),
            refusal_end: None,
        }));
        self.set_free(key, free);
        self.queue(key);
        key
    }

    /// Gives an agent other resources.
    ///
    /// Returns the offers that are taken back: all that were made of it.
    ///
    /// # Errors
    /// Resources that do not contain what is in use; nothing has changed then.
    pub fn update_agent(&mut self, key: AgentKey, total: Resources) -> Result<Vec<Offer>, ResourcesInUse> {
        let used = self.used(key);
        let shared = used.shared().distinct();
        let Some(free) = total.checked_minus(&used.exclusive()).filter(|_| total.contains(&shared)) else {
            return Err(ResourcesInUse { total, used });
        };
        let withdrawn = self.withdraw_from(key);
        let before = std::mem::replace(&mut self.agents[key.0].total, total.clone());
        self.total.subtract(&before.quantities());
        self.total.add(&total.quantities());
        self.change_reserved(&before, &total);
        self.agents[key.0].gpus = !total.gpus().is_zero();
        self.set_free(key, Lot::new(free));
        self.queue(key);
        Ok(withdrawn)
    }

    /// Turns free resources of an agent into others: a reservation or a volume is made or undone.
    ///
    /// # Errors
    /// When what the conversion takes is not free; nothing has changed then.
    pub fn convert(&mut self, key: AgentKey, conversion: &Conversion) -> Result<(), NotFree> {
        let Conversion { consumed, produced } = conversion;
        let agent = &self.agents[key.0];
        let shared = consumed.shared();
        let in_use = !shared.is_empty() && agent.used.values().any(|used| shared.meets(used));
        if in_use || !agent.free.resources().contains(consumed) || !agent.total.contains(consumed) {
            return Err(NotFree { wanted: consumed.clone(), free: agent.free.resources().clone() });
        }
        self.total.subtract(&consumed.quantities());
        self.total.add(&produced.quantities());
        self.change_reserved(consumed, produced);
        self.change_free(key, |free| {
            free.remove(consumed);
            free.add(produced);
        });
        let agent = &mut self.agents[key.0];
        agent.total.remove(consumed);
        agent.total.add(produced);
        self.queue(key);
        Ok(())
    }

    /// Removes an agent with everything that was in use there.
    ///
    /// Returns the offers that are taken back.
    pub fn remove_agent(&mut self, key: AgentKey) -> Vec<Offer> {
        let withdrawn = self.withdraw_from(key);
        let used = std::mem::take(&mut self.agents[key.0].used);
        for (client, resources) in used {
            let lot = Lot::new(resources);
            self.shares.refund(client, lot.quantities());
            self.refund_quota(client, &lot);
            self.clients[client].used_agents -= 1;
            self.drop_unused(client);
        }
        self.forget_refusals(key);
        self.set_free(key, Lot::default());
        self.open.remove(key.0);
        self.rationed.remove(key.0);
        for client in std::mem::take(&mut self.agents[key.0].barred).iter() {
            self.clients[client].barred_agents.remove(key.0);
        }
        let agent = self.agents.remove(key.0);
        if agent.queued {
            self.changed.retain(|changed| *changed != key);
        }
        self.total.subtract(&agent.total.quantities());
        self.change_reserved(&agent.total, &Resources::new());
        withdrawn
    }

    /// Lets an agent that was deactivated be offered again.
    pub fn activate_agent(&mut self, key: AgentKey) {
        self.set_activity(key, Activity::Active);
        self.queue(key);
    }

    /// Stops offers of an agent. What is in use there stays so.
    ///
    /// Returns the offers that are taken back.
    pub fn deactivate_agent(&mut self, key: AgentKey) -> Vec<Offer> {
        self.set_activity(key, Activity::Inactive);
        self.open.remove(key.0);
        self.rationed.remove(key.0);
        self.withdraw_from(key)
    }

    /// What is free of an inactive agent is free for nobody's guarantee.
    fn set_activity(&mut self, key: AgentKey, activity: Activity) {
        let before = std::mem::replace(&mut self.agents[key.0].activity, activity);
        if before == activity || !self.quotas.has_guarantees() {
            return;
        }
        let free = self.agents[key.0].free.rationed();
        match activity {
            Activity::Active => self.quotas.change_free(&Quantities::default(), &free),
            Activity::Inactive => self.quotas.change_free(&free, &Quantities::default()),
        }
    }

    /// Forgets every refusal of an agent, because something about it changed that frameworks decide by.
    pub fn forget_refusals(&mut self, key: AgentKey) {
        if self.agents[key.0].refusals.clear() {
            self.reschedule_refusals(key);
            self.queue(key);
        }
    }

    /// The agents that may be offered.
    pub fn active_agents(&self) -> impl Iterator<Item = AgentKey> + '_ {
        let active = self.agents.iter().filter(|(_, agent)| agent.activity == Activity::Active);
        active.map(|(index, _)| AgentKey(index))
    }

    /// Everything that an agent has.
    #[must_use]
    pub fn agent_total(&self, key: AgentKey) -> &Resources {
        &self.agents[key.0].total
    }

    /// What of an agent is neither in use nor offered.
    #[must_use]
    pub fn free(&self, key: AgentKey) -> &Resources {
        self.agents[key.0].free.resources()
    }

    /// What of an agent is in use.
    #[must_use]
    pub fn used(&self, key: AgentKey) -> Resources {
        sum(self.agents[key.0].used.values())
    }

    /// What of an agent is in use by a framework in one role.
    #[must_use]
    pub fn used_by(&self, framework: FrameworkKey, role: &Role, agent: AgentKey) -> Resources {
        let client = self.frameworks[framework.0].clients.get(role);
        client.and_then(|client| self.agents[agent.0].used.get(client)).cloned().unwrap_or_default()
    }

    /// What of an agent is offered.
    #[must_use]
    pub fn offered(&self, key: AgentKey) -> Resources {
        sum(self.agents[key.0]
            .offers
            .iter()
            .filter_map(|offer| self.offers.get(offer))
            .map(|offer| offer.lot.resources()))
    }

    /// Keeps `refusal_ends` true to the agent's refusals.
    pub(super) fn reschedule_refusals(&mut self, key: AgentKey) {
        let agent = &mut self.agents[key.0];
        let end = agent.refusals.next_end();
        let before = std::mem::replace(&mut agent.refusal_end, end);
        if before != end {
            before.map(|before| self.refusal_ends.remove(&(before, key)));
            end.map(|end| self.refusal_ends.insert((end, key)));
        }
    }

    fn withdraw_from(&mut self, key: AgentKey) -> Vec<Offer> {
        let offers = self.agents[key.0].offers.clone();
        offers.into_iter().filter_map(|offer| self.withdraw(offer)).collect()
    }
}

fn sum<'a>(bags: impl Iterator<Item = &'a Resources>) -> Resources {
    bags.fold(Resources::new(), |sum, bag| sum.plus(bag))
}
