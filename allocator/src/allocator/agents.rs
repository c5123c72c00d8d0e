use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::{Activity, Agent, Allocator, Lot, NotFree, Offer, Refusals};
use crate::{AgentKey, Conversion, FrameworkKey, Resources, Role};

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
        let key = AgentKey(self.agents.insert(Agent {
            activity: Activity::Active,
            queued: false,
            gpus: !total.gpus().is_zero(),
            free: Lot::new(total.clone()),
            total,
            used: BTreeMap::new(),
            offers: SmallVec::new(),
            refusals: Refusals::default(),
            refusal_end: None,
        }));
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
        let Some(free) = total.checked_minus(&used) else {
            return Err(ResourcesInUse { total, used });
        };
        let withdrawn = self.withdraw_from(key);
        let agent = &mut self.agents[key.0];
        self.total.subtract(&agent.total.quantities());
        self.total.add(&total.quantities());
        agent.gpus = !total.gpus().is_zero();
        agent.total = total;
        agent.free = Lot::new(free);
        self.queue(key);
        Ok(withdrawn)
    }

    /// Turns free resources of an agent into others: a reservation or a volume is made or undone.
    ///
    /// # Errors
    /// When what the conversion takes is not free; nothing has changed then.
    pub fn convert(&mut self, key: AgentKey, conversion: &Conversion) -> Result<(), NotFree> {
        let agent = &mut self.agents[key.0];
        let converted = agent.free.resources().converted(conversion);
        let (Some(free), Some(total)) = (converted, agent.total.converted(conversion)) else {
            return Err(NotFree { wanted: conversion.consumed.clone(), free: agent.free.resources().clone() });
        };
        self.total.subtract(&agent.total.quantities());
        self.total.add(&total.quantities());
        agent.total = total;
        agent.free = Lot::new(free);
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
            self.shares.refund(client, &resources.quantities());
            self.clients[client].used_agents -= 1;
            self.drop_unused(client);
        }
        self.forget_refusals(key);
        self.open.remove(key.0);
        let agent = self.agents.remove(key.0);
        if agent.queued {
            self.changed.retain(|changed| *changed != key);
        }
        self.total.subtract(&agent.total.quantities());
        withdrawn
    }

    /// Lets an agent that was deactivated be offered again.
    pub fn activate_agent(&mut self, key: AgentKey) {
        self.agents[key.0].activity = Activity::Active;
        self.queue(key);
    }

    /// Stops offers of an agent. What is in use there stays so.
    ///
    /// Returns the offers that are taken back.
    pub fn deactivate_agent(&mut self, key: AgentKey) -> Vec<Offer> {
        self.agents[key.0].activity = Activity::Inactive;
        self.open.remove(key.0);
        self.withdraw_from(key)
    }

    /// Forgets every refusal of an agent, because something about it changed that frameworks decide by.
    pub fn forget_refusals(&mut self, key: AgentKey) {
        if self.agents[key.0].refusals.clear() {
            self.reschedule_refusals(key);
            self.queue(key);
        }
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
