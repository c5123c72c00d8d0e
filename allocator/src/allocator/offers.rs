use super::refusals::end_of_refusal;
use super::{Allocator, Attention, ClientIndex, Lot, Offer};
use crate::{AgentKey, FrameworkKey, OfferKey, Resources, Role, Tick};

/// Resources cannot be used because they are not free on the agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent's free resources {free} do not contain {wanted}")]
pub struct NotFree {
    /// What was to be used.
    pub wanted: Resources,
    /// What is free.
    pub free: Resources,
}

impl Allocator {
    /// Ends an offer that its framework answers, by accepting or declining it. Its resources are free from now on, and
    /// out of everybody's reach until the next [`allocate`](Allocator::allocate): before that, the caller
    /// [uses](Allocator::use_resources) what was accepted and [declines](Allocator::decline) the rest.
    ///
    /// Returns `None` for an offer that is not outstanding (any more).
    pub fn take(&mut self, key: OfferKey) -> Option<Offer> {
        let offer = self.withdraw(key)?;
        self.heard_from(offer.framework);
        Some(offer)
    }

    /// Ends an offer on the master's own account, without an answer of the framework. Its resources are free.
    ///
    /// Returns `None` for an offer that is not outstanding (any more).
    pub fn withdraw(&mut self, key: OfferKey) -> Option<Offer> {
        let outstanding = self.offers.remove(&key)?;
        self.shares.refund(outstanding.client, outstanding.lot.quantities());
        self.refund_quota(outstanding.client, &outstanding.lot);
        let agent = &mut self.agents[outstanding.agent.0];
        agent.offers.retain(|offer| *offer != key);
        let free = agent.free.plus(&outstanding.lot);
        self.set_free(outstanding.agent, free);
        self.queue(outstanding.agent);
        let client = &self.clients[outstanding.client];
        let (framework, role) = (client.framework, client.role.clone());
        let owner = &mut self.frameworks[framework.0];
        owner.outstanding_offers -= 1;
        match owner.attention {
            Attention::Answers => {}
            Attention::Silent => self.reconsider_framework(framework),
        }
        Some(Offer { key, framework, role, agent: outstanding.agent, resources: outstanding.lot.resources().clone() })
    }

    /// Remembers that the framework of `offer` does not want `refused` (or less of it) on that agent, in that role,
    /// for `refuse_ms`. The refusal ends not before, and at most a sixteenth of its length later; 0 is no refusal.
    pub fn decline(&mut self, now: Tick, offer: &Offer, refused: &Resources, refuse_ms: u64) {
        if refuse_ms == 0 || refused.is_empty() {
            return;
        }
        let (framework, agents) = (self.frameworks.get(offer.framework.0), self.agents.get_mut(offer.agent.0));
        let client = framework.and_then(|framework| framework.clients.get(&offer.role)).copied();
        let (Some(client), Some(agent)) = (client, agents) else {
            return;
        };
        let displaced = agent.refusals.record(client, refused, end_of_refusal(now, refuse_ms));
        self.clients[client].refused_agents.insert(offer.agent.0);
        self.reschedule_refusals(offer.agent);
        if displaced {
            self.queue(offer.agent);
        }
    }

    /// Takes back every offer that was not answered in time, marks their frameworks as silent, and counts the offers
    /// as refused for another time-out.
    ///
    /// Returns the offers that are taken back.
    pub fn expire(&mut self, now: Tick) -> Vec<Offer> {
        let mut expired = Vec::new();
        let Some(timeout_ms) = self.config.offer_timeout_ms else {
            return expired;
        };
        while let Some((&key, _)) = self.offers.first_key_value().filter(|(_, offer)| offer.deadline <= now)
            && let Some(offer) = self.withdraw(key)
        {
            self.frameworks[offer.framework.0].attention = Attention::Silent;
            self.reconsider_framework(offer.framework);
            self.decline(now, &offer, &offer.resources, timeout_ms);
            expired.push(offer);
        }
        expired
    }

    /// To whom an outstanding offer was made; `None` when it is not outstanding (any more).
    #[must_use]
    pub fn offered_to(&self, key: OfferKey) -> Option<FrameworkKey> {
        let offer = self.offers.get(&key)?;
        Some(self.clients[offer.client].framework)
    }

    /// The offers that were not answered yet, oldest first.
    pub fn outstanding(&self) -> impl Iterator<Item = Offer> + '_ {
        self.offers.iter().map(|(key, offer)| {
            let client = &self.clients[offer.client];
            let (framework, role) = (client.framework, client.role.clone());
            Offer { key: *key, framework, role, agent: offer.agent, resources: offer.lot.resources().clone() }
        })
    }

    /// Notes that a framework uses resources of an agent in `role` (a task was launched, or came back with its agent).
    ///
    /// # Errors
    /// Resources that are not free on the agent; nothing has changed then.
    pub fn use_resources(
        &mut self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
        resources: &Resources,
    ) -> Result<(), NotFree> {
        let place = &self.agents[agent.0];
        let shared = resources.shared();
        // Shared resources are there for everybody, and stay free.
        let free =
            place.free.checked_minus(&resources.exclusive()).filter(|_| place.total.contains(&shared.distinct()));
        let Some(free) = free else {
            return Err(NotFree { wanted: resources.clone(), free: place.free.resources().clone() });
        };
        if resources.is_empty() {
            return Ok(());
        }
        self.set_free(agent, free);
        let client = self.client_for(framework, role);
        let used = self.agents[agent.0].used.entry(client).or_default();
        if used.is_empty() {
            self.clients[client].used_agents += 1;
        }
        used.add(resources);
        let lot = Lot::new(resources.clone());
        self.shares.charge(client, lot.quantities());
        self.charge_quota(client, &lot);
        self.quotas.note_windfall();
        Ok(())
    }

    /// Notes that a framework uses resources of an agent no longer (a task ended). They are free.
    ///
    /// # Panics
    /// When they were not in use by that framework in that role: tasks end once.
    pub fn release(&mut self, framework: FrameworkKey, role: &Role, agent: AgentKey, resources: &Resources) {
        if resources.is_empty() {
            return;
        }
        let Some(&client) = self.frameworks[framework.0].clients.get(role) else {
            panic!("framework {framework} uses nothing in role {role}")
        };
        self.stop_using(client, agent, resources);
        self.drop_unused(client);
    }

    pub(super) fn stop_using(&mut self, client: ClientIndex, key: AgentKey, resources: &Resources) {
        let agent = &mut self.agents[key.0];
        let rest = agent.used.get(&client).and_then(|used| used.checked_minus(resources));
        match rest {
            None => panic!("client {client} does not use {resources} on agent {key}"),
            Some(rest) if rest.is_empty() => {
                agent.used.remove(&client);
                self.clients[client].used_agents -= 1;
            }
            Some(rest) => drop(agent.used.insert(client, rest)),
        }
        let lot = Lot::new(resources.clone());
        let free = agent.free.plus(&Lot::new(resources.exclusive()));
        self.shares.refund(client, lot.quantities());
        self.refund_quota(client, &lot);
        self.set_free(key, free);
        self.queue(key);
    }
}
