use super::lot::Lot;
use super::{Activity, Allocator, Attention, ClientIndex, Offer, Outstanding};
use crate::{AgentKey, Name, OfferKey, Quantities, Resources, Scalar, Tick};

/// Shares are measured against a total that is renewed when the true one departs from it by more than a hundredth in
/// any resource, since renewing it costs a look at every client. All clients are measured alike in between.
const DRIFT: i128 = 100;

impl Allocator {
    /// Offers what is free to those who are next, and appends the offers to `offers`: agents in the order of their
    /// keys, each until nobody wants more of it. Costs nothing when nothing changed.
    pub fn allocate(&mut self, now: Tick, offers: &mut Vec<Offer>) {
        self.end_refusals(now);
        self.queue_concerned();
        if drifted(&self.measured, &self.total) {
            self.measure();
        }
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        let mut scratch = std::mem::take(&mut self.scratch);
        for agent in changed.drain(..) {
            self.agents[agent.0].queued = false;
            while let Some((client, lot)) = self.taker(agent, &mut scratch) {
                offers.push(self.offer(now, client, agent, lot));
            }
            let place = &self.agents[agent.0];
            let open = place.activity == Activity::Active && !place.free.resources().is_empty();
            self.open.set(agent.0, open);
            self.rationed.set(agent.0, open && scratch.rationed);
        }
        self.scratch = scratch;
        self.changed = changed;
    }

    /// Has those agents looked at that were left alone only because of who the clients were, or how little quotas allowed.
    fn queue_concerned(&mut self) {
        let grown = self.quotas.take_grown();
        if std::mem::take(&mut self.woken) {
            let open: Vec<AgentKey> = self.open.iter().map(AgentKey).collect();
            open.into_iter().for_each(|agent| self.queue(agent));
        } else if grown {
            let rationed: Vec<AgentKey> = self.rationed.iter().map(AgentKey).collect();
            rationed.into_iter().for_each(|agent| self.queue(agent));
        }
    }

    /// Measures shares against what there is now.
    fn measure(&mut self) {
        let without = |total: Quantities, name: &Name| total.with(name.clone(), Scalar::ZERO);
        self.measured = self.total.clone();
        self.shares.set_total(&self.config.unshared.iter().fold(self.total.clone(), without));
    }

    fn offer(&mut self, now: Tick, client: ClientIndex, agent: AgentKey, lot: Lot) -> Offer {
        let key = self.next_offer;
        self.next_offer = OfferKey(key.0 + 1);
        let Some(rest) = self.agents[agent.0].free.checked_minus(lot.resources()) else {
            unreachable!("what is offered is a part of what is free")
        };
        self.set_free(agent, rest);
        self.agents[agent.0].offers.push(key);
        self.shares.serve(client, lot.quantities());
        self.charge_quota(client, &lot);
        let resources = lot.resources().clone();
        let deadline = self.config.offer_timeout_ms.map_or(Tick(u64::MAX), |timeout_ms| now.after(timeout_ms));
        self.offers.insert(key, Outstanding { client, agent, lot, deadline });
        let client = &self.clients[client];
        let (framework, role) = (client.framework, client.role.clone());
        let owner = &mut self.frameworks[framework.0];
        owner.outstanding_offers += 1;
        match owner.attention {
            Attention::Answers => {}
            Attention::Silent => self.reconsider_framework(framework),
        }
        Offer { key, framework, role, agent, resources }
    }

    fn end_refusals(&mut self, now: Tick) {
        while let Some(&(_, agent)) = self.refusal_ends.first().filter(|(end, _)| *end <= now) {
            self.agents[agent.0].refusals.expire(now);
            self.reschedule_refusals(agent);
            self.queue(agent);
        }
    }

    /// Everything that changes what is free of an agent comes here, or to [`change_free`](Allocator::change_free).
    pub(super) fn set_free(&mut self, key: AgentKey, free: Lot) {
        let agent = &mut self.agents[key.0];
        let before = std::mem::replace(&mut agent.free, free);
        if self.quotas.has_guarantees() && agent.activity == Activity::Active {
            self.quotas.change_free(&before.rationed(), &agent.free.rationed());
        }
    }

    /// Changes what is free of an agent in place: a large bag is not copied.
    pub(super) fn change_free(&mut self, key: AgentKey, change: impl FnOnce(&mut Resources)) {
        let agent = &mut self.agents[key.0];
        let counts = self.quotas.has_guarantees() && agent.activity == Activity::Active;
        let before = counts.then(|| agent.free.rationed());
        let mut free = std::mem::take(&mut agent.free).into_resources();
        change(&mut free);
        agent.free = Lot::new(free);
        if let Some(before) = before {
            self.quotas.change_free(&before, &agent.free.rationed());
        }
    }
}

/// True when `total` departs from `reference` by more than a hundredth of it in any resource.
fn drifted(reference: &Quantities, total: &Quantities) -> bool {
    let far = |before: i64, after: i64| (i128::from(after) - i128::from(before)).abs() * DRIFT > i128::from(before);
    let names = reference.iter().chain(total.iter()).map(|(name, _)| name);
    names.into_iter().any(|name| far(reference.get(&name).thousandths(), total.get(&name).thousandths()))
}
