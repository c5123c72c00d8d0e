use std::collections::BTreeMap;

use super::{Activity, Allocator, Attention, Capabilities, Capability, Client, ClientIndex, Demand, Framework, Offer};
use crate::bits::Bits;
use crate::{AgentKey, FrameworkKey, OfferKey, Role};

/// Why a number is not a weight.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a weight: it must be a number above 0 that is not infinite")]
pub struct InvalidWeight(pub f64);

impl Allocator {
    /// Adds a framework, active, that wants offers in each of `roles`.
    pub fn add_framework(&mut self, roles: impl IntoIterator<Item = Role>, capabilities: Capabilities) -> FrameworkKey {
        let framework = Framework {
            activity: Activity::Active,
            attention: Attention::Answers,
            capabilities,
            outstanding_offers: 0,
            clients: BTreeMap::new(),
        };
        let key = FrameworkKey(self.frameworks.insert(framework));
        for role in roles {
            self.enter_role(key, role);
        }
        key
    }

    /// Gives a framework other roles and capabilities. It wants offers in new roles; in those that it keeps nothing
    /// changes; what it uses in those it leaves, it goes on using.
    ///
    /// Returns the offers that are taken back: those in the roles it leaves, and all of them when it lost a
    /// capability.
    pub fn update_framework(
        &mut self,
        key: FrameworkKey,
        roles: impl IntoIterator<Item = Role>,
        capabilities: Capabilities,
    ) -> Vec<Offer> {
        let framework = &mut self.frameworks[key.0];
        let mut leaving = framework.clients.clone();
        let before = std::mem::replace(&mut framework.capabilities, capabilities);
        let wanted: Vec<Role> = roles.into_iter().collect();
        leaving.retain(|role, _| !wanted.contains(role));
        let lost = !capabilities.include(before);
        let withdrawn = self.withdraw_where(key, |client| lost || leaving.values().any(|left| *left == client));
        for client in leaving.into_values() {
            self.clients[client].demand = Demand::Left;
            self.forget_refusals_of(client);
            self.reconsider(client);
            self.drop_unused(client);
        }
        for role in wanted {
            self.enter_role(key, role);
        }
        if capabilities != before {
            self.woken = true;
            for client in self.clients_of(key) {
                self.note_capabilities(client, capabilities);
            }
        }
        withdrawn
    }

    /// Removes a framework with everything it has; what it used is free again.
    ///
    /// Returns the offers that are taken back.
    pub fn remove_framework(&mut self, key: FrameworkKey) -> Vec<Offer> {
        let withdrawn = self.deactivate_framework(key);
        for client in self.clients_of(key) {
            self.release_all(client);
            self.clients[client].demand = Demand::Left;
            self.drop_unused(client);
        }
        self.frameworks.remove(key.0);
        withdrawn
    }

    /// Lets a framework that was deactivated have offers again. It is taken to answer them.
    pub fn activate_framework(&mut self, key: FrameworkKey) {
        let framework = &mut self.frameworks[key.0];
        framework.activity = Activity::Active;
        framework.attention = Attention::Answers;
        self.reconsider_framework(key);
    }

    /// Stops offers to a framework, whose scheduler is gone for now, and forgets what it refused.
    ///
    /// Returns the offers that are taken back.
    pub fn deactivate_framework(&mut self, key: FrameworkKey) -> Vec<Offer> {
        self.frameworks[key.0].activity = Activity::Inactive;
        for client in self.clients_of(key) {
            self.forget_refusals_of(client);
        }
        self.reconsider_framework(key);
        self.withdraw_where(key, |_| true)
    }

    /// Stops offers to a framework in one role, until it is revived there. Its outstanding offers stay. No effect in a
    /// role that the framework is not in.
    pub fn suppress(&mut self, key: FrameworkKey, role: &Role) {
        if let Some(client) = self.member(key, role) {
            self.clients[client].demand = Demand::Suppressed;
            self.reconsider(client);
        }
    }

    /// Lets a framework have offers in one role again and forgets everything that it refused there. No effect in a
    /// role that the framework is not in.
    pub fn revive(&mut self, key: FrameworkKey, role: &Role) {
        if let Some(client) = self.member(key, role) {
            self.clients[client].demand = Demand::Offers;
            self.forget_refusals_of(client);
            self.heard_from(key);
            self.reconsider(client);
        }
    }

    /// True when the framework suppressed offers in `role`.
    #[must_use]
    pub fn is_suppressed(&self, key: FrameworkKey, role: &Role) -> bool {
        self.member(key, role).is_some_and(|client| self.clients[client].demand == Demand::Suppressed)
    }

    /// The client of a framework in `role`, made when there is none yet (tasks outlive a framework's membership).
    pub(super) fn client_for(&mut self, key: FrameworkKey, role: &Role) -> ClientIndex {
        if let Some(&client) = self.frameworks[key.0].clients.get(role) {
            return client;
        }
        let client = self.clients.insert(Client {
            framework: key,
            role: role.clone(),
            demand: Demand::Left,
            used_agents: 0,
            refused_agents: Bits::default(),
            barred_agents: Bits::default(),
            own_minimum: None,
        });
        self.shares.join(client, role);
        self.quotas.join(client, role);
        let framework = &mut self.frameworks[key.0];
        framework.clients.insert(role.clone(), client);
        let capabilities = framework.capabilities;
        self.note_capabilities(client, capabilities);
        client
    }

    /// Forgets a client that left its role and has nothing there any more.
    pub(super) fn drop_unused(&mut self, index: ClientIndex) {
        let client = &self.clients[index];
        if client.demand != Demand::Left || !self.shares.allocated(index).is_zero() || client.used_agents > 0 {
            return;
        }
        self.forget_refusals_of(index);
        self.forget_barred(index);
        self.shares.leave(index);
        self.quotas.leave(index);
        self.eligible.remove(index);
        self.with_gpus.remove(index);
        self.region_aware.remove(index);
        self.with_own_minimum.remove(index);
        let Client { framework, role, .. } = self.clients.remove(index);
        self.frameworks[framework.0].clients.remove(&role);
    }

    /// The framework gave a sign of life.
    pub(super) fn heard_from(&mut self, key: FrameworkKey) {
        let framework = &mut self.frameworks[key.0];
        match std::mem::replace(&mut framework.attention, Attention::Answers) {
            Attention::Answers => {}
            Attention::Silent => self.reconsider_framework(key),
        }
    }

    /// Decides anew which clients of a framework may get offers now.
    pub(super) fn reconsider_framework(&mut self, key: FrameworkKey) {
        for client in self.clients_of(key) {
            self.reconsider(client);
        }
    }

    fn reconsider(&mut self, index: ClientIndex) {
        if !self.may_have_offers(index) {
            self.eligible.remove(index);
        } else if self.eligible.insert(index) {
            self.woken = true;
        }
    }

    /// The rule that `eligible` follows.
    pub(super) fn may_have_offers(&self, index: ClientIndex) -> bool {
        let client = &self.clients[index];
        let framework = &self.frameworks[client.framework.0];
        let active = match framework.activity {
            Activity::Active => true,
            Activity::Inactive => false,
        };
        let heard = match framework.attention {
            Attention::Answers => true,
            Attention::Silent => framework.outstanding_offers == 0,
        };
        let wanted = match client.demand {
            Demand::Offers => true,
            Demand::Suppressed | Demand::Left => false,
        };
        active && heard && wanted
    }

    fn enter_role(&mut self, key: FrameworkKey, role: Role) {
        let index = self.client_for(key, &role);
        let client = &mut self.clients[index];
        match client.demand {
            Demand::Left => client.demand = Demand::Offers,
            Demand::Offers | Demand::Suppressed => {}
        }
        self.reconsider(index);
    }

    fn note_capabilities(&mut self, client: ClientIndex, capabilities: Capabilities) {
        self.with_gpus.set(client, capabilities.contains(Capability::GpuResources));
        self.region_aware.set(client, capabilities.contains(Capability::RegionAware));
    }

    fn forget_refusals_of(&mut self, client: ClientIndex) {
        let refused_agents = std::mem::take(&mut self.clients[client].refused_agents);
        for agent in refused_agents.iter().map(AgentKey) {
            if let Some(refuser) = self.agents.get_mut(agent.0) {
                refuser.refusals.forget(client);
                self.reschedule_refusals(agent);
                self.queue(agent);
            }
        }
    }

    fn release_all(&mut self, client: ClientIndex) {
        if self.clients[client].used_agents == 0 {
            return;
        }
        let using =
            self.agents.iter().filter_map(|(index, agent)| Some((AgentKey(index), agent.used.get(&client)?.clone())));
        let used: Vec<_> = using.collect();
        for (agent, resources) in used {
            self.stop_using(client, agent, &resources);
        }
    }

    /// Takes back the outstanding offers of a framework for which `chosen` holds. Looks at every outstanding offer of
    /// the cluster: frameworks go and change rarely.
    fn withdraw_where(&mut self, key: FrameworkKey, chosen: impl Fn(ClientIndex) -> bool) -> Vec<Offer> {
        if self.frameworks[key.0].outstanding_offers == 0 {
            return Vec::new();
        }
        let theirs =
            self.offers.iter().filter(|(_, offer)| self.clients[offer.client].framework == key && chosen(offer.client));
        let keys: Vec<OfferKey> = theirs.map(|(key, _)| *key).collect();
        keys.into_iter().filter_map(|key| self.withdraw(key)).collect()
    }

    /// The client of a framework in a role that it is in.
    pub(super) fn member(&self, key: FrameworkKey, role: &Role) -> Option<ClientIndex> {
        let client = self.frameworks[key.0].clients.get(role).copied()?;
        match self.clients[client].demand {
            Demand::Offers | Demand::Suppressed => Some(client),
            Demand::Left => None,
        }
    }

    fn clients_of(&self, key: FrameworkKey) -> Vec<ClientIndex> {
        self.frameworks[key.0].clients.values().copied().collect()
    }
}
