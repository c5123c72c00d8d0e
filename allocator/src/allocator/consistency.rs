use super::{Activity, Agent, Allocator, Scratch, lot};
use crate::{AgentKey, Quantities, Resources};

impl Allocator {
    /// Checks everything that must always hold, looking at everything there is.
    ///
    /// # Panics
    /// When something does not hold: of each agent, offers + used + free = total, with no port or item given out
    /// twice; each client's account is the sum of what it uses and is offered; what is derived (sums, quotas, who is eligible,
    /// when refusals end) agrees with what it is derived from; and no agent is overlooked: unless it is queued, nobody
    /// wants anything of it that it may have, least of all whoever has less than was promised.
    pub fn assert_consistent(&self) {
        let mut total = Quantities::default();
        for (index, agent) in self.agents.iter() {
            total.add(&agent.total.quantities());
            self.assert_agent(AgentKey(index), agent);
        }
        assert!(total == self.total, "the total {} is not the sum of the agents, {total}", self.total);
        self.assert_clients();
        self.quotas.assert_equal(&self.counted_quotas());
        for (index, framework) in self.frameworks.iter() {
            let offers = self.offers.values().filter(|offer| self.clients[offer.client].framework.0 == index).count();
            assert!(offers == framework.outstanding_offers, "framework {index} has {offers} offers");
        }
        let ends = self.agents.iter().filter_map(|(index, agent)| Some((agent.refusals.next_end()?, AgentKey(index))));
        assert!(
            ends.collect::<std::collections::BTreeSet<_>>() == self.refusal_ends,
            "an end of refusals is not noted"
        );
    }

    fn assert_agent(&self, key: AgentKey, agent: &Agent) {
        let offers = agent.offers.iter().map(|offer| match self.offers.get(offer) {
            Some(offer) if offer.agent == key => offer.lot.resources(),
            Some(_) | None => panic!("agent {key} lists offer {offer}, which is not one of it"),
        });
        let mut sum = Resources::new();
        for part in offers.chain([agent.free.resources()]) {
            assert!(sum.is_disjoint(part), "agent {key}: {part} and {sum} overlap");
            sum.add(part);
        }
        for used in agent.used.values() {
            let exclusive = used.exclusive();
            assert!(sum.is_disjoint(&exclusive), "agent {key}: {used} and {sum} overlap");
            sum.add(&exclusive);
            let shared = used.shared().distinct();
            assert!(agent.total.contains(&shared), "agent {key}: {shared} is in use, but it has {}", agent.total);
        }
        assert!(sum == agent.total, "agent {key}: offers + used + free = {sum}, but it has {}", agent.total);
        assert!(agent.queued == self.changed.contains(&key), "agent {key} is queued as it says");
        let open = agent.activity == Activity::Active && !agent.free.resources().is_empty();
        if !agent.queued {
            assert!(self.open.contains(key.0) == open, "agent {key} is open when it has something free");
            let taker = self.taker(key, &mut Scratch::default());
            let noted = self.woken || self.quotas.has_grown() && self.rationed.contains(key.0);
            assert!(noted || taker.is_none(), "agent {key} is overlooked: {taker:?}");
        }
    }

    fn assert_clients(&self) {
        for (index, client) in self.clients.iter() {
            let uses: Vec<_> = self.agents.iter().filter_map(|(_, agent)| agent.used.get(&index)).collect();
            assert!(uses.len() == client.used_agents, "client {index} counts its agents");
            let offered = self.offers.values().filter(|offer| offer.client == index).map(|offer| offer.lot.resources());
            let mut allocated = Quantities::default();
            uses.into_iter().chain(offered).for_each(|resources| allocated.add(&lot::quantities(resources)));
            let account = self.shares.allocated(index);
            assert!(allocated == *account, "client {index} has {allocated}, but its account says {account}");
            assert!(self.eligible.contains(index) == self.may_have_offers(index), "client {index} is eligible by rule");
        }
        self.shares.assert_consistent();
    }
}
