use super::lot::{Audience, Lot};
use super::shares::Search;
use super::{Activity, Agent, Allocator, Attention, Capabilities, ClientIndex, Offer, Outstanding};
use crate::bits::Bits;
use crate::{AgentKey, OfferKey, Quantities, Role, Tick};

/// Shares are measured against a total that is renewed when the true one departs from it by more than a hundredth in
/// any resource, since renewing it costs a look at every client. All clients are measured alike in between.
const DRIFT: i128 = 100;

impl Allocator {
    /// Offers what is free to those who are next, and appends the offers to `offers`: agents in the order of their
    /// keys, each until nobody wants more of it. Costs nothing when nothing changed.
    pub fn allocate(&mut self, now: Tick, offers: &mut Vec<Offer>) {
        self.end_refusals(now);
        if self.woken {
            self.woken = false;
            let open: Vec<AgentKey> = self.open.iter().map(AgentKey).collect();
            open.into_iter().for_each(|agent| self.queue(agent));
        }
        if drifted(self.shares.total(), &self.total) {
            self.shares.set_total(&self.total);
        }
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        let mut candidates = std::mem::take(&mut self.candidates);
        for agent in changed.drain(..) {
            self.agents[agent.0].queued = false;
            while let Some((client, lot)) = self.taker(agent, &mut candidates) {
                offers.push(self.offer(now, client, agent, lot));
            }
            let place = &self.agents[agent.0];
            if place.activity == Activity::Active && !place.free.resources().is_empty() {
                self.open.insert(agent.0);
            } else {
                self.open.remove(agent.0);
            }
        }
        self.candidates = candidates;
        self.changed = changed;
    }

    /// Who is next to be offered something of an agent, and what: everything there that this client may have.
    pub(super) fn taker(&self, key: AgentKey, candidates: &mut Bits) -> Option<(ClientIndex, Lot)> {
        let agent = &self.agents[key.0];
        if agent.activity == Activity::Inactive || !self.is_worth_offering(&agent.free) {
            return None;
        }
        candidates.copy_from(&self.eligible);
        if agent.gpus {
            candidates.intersect(&self.with_gpus);
        }
        agent.refusals.subtract_from(candidates, agent.free.resources());
        match agent.free.audience() {
            Audience::Everybody => {
                let client = self.shares.first(candidates)?;
                Some((client, agent.free.clone()))
            }
            Audience::Depends => {
                let mut search = PartSearch { allocator: self, agent, of_role: Lot::default(), of_clients: Vec::new() };
                let client = self.shares.first_such(candidates, &mut search)?;
                Some((client, search.part_of(client)))
            }
        }
    }

    fn offer(&mut self, now: Tick, client: ClientIndex, agent: AgentKey, lot: Lot) -> Offer {
        let key = self.next_offer;
        self.next_offer = OfferKey(key.0 + 1);
        let place = &mut self.agents[agent.0];
        place.free = match place.free.checked_minus(lot.resources()) {
            Some(rest) => rest,
            None => unreachable!("what is offered is a part of what is free"),
        };
        place.offers.push(key);
        self.shares.serve(client, lot.quantities());
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

    fn is_worth_offering(&self, lot: &Lot) -> bool {
        let mut minima = self.config.min_allocatable.iter();
        let anything = self.config.min_allocatable.is_empty();
        !lot.resources().is_empty() && (anything || minima.any(|minimum| lot.quantities().contains(minimum)))
    }

    fn end_refusals(&mut self, now: Tick) {
        while let Some(&(_, agent)) = self.refusal_ends.first().filter(|(end, _)| *end <= now) {
            self.agents[agent.0].refusals.expire(now);
            self.reschedule_refusals(agent);
            self.queue(agent);
        }
    }
}

/// Looks for the first client that may have, and does not refuse, a part of an agent of which not everybody may have
/// all.
struct PartSearch<'a> {
    allocator: &'a Allocator,
    agent: &'a Agent,
    /// What the role entered last may have.
    of_role: Lot,
    /// What its clients may have, by their capabilities.
    of_clients: Vec<(Capabilities, Lot)>,
}

impl PartSearch<'_> {
    fn part_of(&mut self, client: ClientIndex) -> Lot {
        let framework = self.allocator.clients[client].framework;
        let capabilities = self.allocator.frameworks[framework.0].capabilities;
        if let Some((_, part)) = self.of_clients.iter().find(|(same, _)| *same == capabilities) {
            return part.clone();
        }
        let part = self.of_role.part(|resource| capabilities.admit(resource));
        self.of_clients.push((capabilities, part.clone()));
        part
    }
}

impl Search for PartSearch<'_> {
    fn enter(&mut self, role: &Role) -> bool {
        self.of_role = self.agent.free.part(|resource| match resource.reserved_role() {
            Some(reserved) => role.is_within(reserved),
            None => true,
        });
        self.of_clients.clear();
        self.allocator.is_worth_offering(&self.of_role)
    }

    fn accept(&mut self, client: ClientIndex) -> bool {
        let part = self.part_of(client);
        self.allocator.is_worth_offering(&part) && !self.agent.refusals.block(client, part.resources())
    }
}

/// True when `total` departs from `reference` by more than a hundredth of it in any resource.
fn drifted(reference: &Quantities, total: &Quantities) -> bool {
    let far = |before: i64, after: i64| (i128::from(after) - i128::from(before)).abs() * DRIFT > i128::from(before);
    let names = reference.iter().chain(total.iter()).map(|(name, _)| name);
    names.into_iter().any(|name| far(reference.get(&name).thousandths(), total.get(&name).thousandths()))
}
