use super::lot::Lot;
use super::quotas::{self, Quotas};
use super::{Activity, Allocator, ClientIndex, InvalidWeight, Offer};
use crate::{Guarantee, OfferKey, Quantities, Quota, Resources, Role};

impl Allocator {
    /// Sets the weight of a role, by which its share is divided; 1 at first. The role need not be in use.
    ///
    /// # Errors
    /// A weight that is not a positive number.
    pub fn set_weight(&mut self, role: &Role, weight: f64) -> Result<(), InvalidWeight> {
        if !(weight.is_normal() && weight.is_sign_positive()) {
            return Err(InvalidWeight(weight));
        }
        self.shares.set_weight(role, weight);
        Ok(())
    }

    /// The dominant share of a role and those below it, used and offered, divided by its weight; 0 for a role not in
    /// use.
    #[must_use]
    pub fn share(&self, role: &Role) -> f64 {
        self.shares.share(role).unwrap_or(0.0)
    }

    /// Gives roles other quotas; a default one takes a role's quota away. Everything is counted anew.
    ///
    /// Returns the offers that are taken back, newest first: those beyond the new limits, and as many of those made beyond
    /// guarantees as it takes to have free what guarantees require.
    pub fn set_quotas(&mut self, changes: impl IntoIterator<Item = (Role, Quota)>) -> Vec<Offer> {
        for (role, quota) in changes {
            match quota.is_default() {
                true => self.quota_of.remove(&role),
                false => self.quota_of.insert(role, quota),
            };
        }
        self.quotas = self.counted_quotas();
        if self.quotas.is_empty() {
            return Vec::new();
        }
        let newest_first: Vec<OfferKey> = self.offers.keys().rev().copied().collect();
        newest_first.into_iter().filter_map(|key| self.withdraw_misfit(key)).collect()
    }

    /// What counts against the quota of `role`: everything reserved for it and for the roles below, in use or not, and
    /// what those use of unreserved resources that cannot be taken back. Looks at every agent.
    #[must_use]
    pub fn consumed(&self, role: &Role) -> Quantities {
        let mut consumed = Quantities::default();
        for (_, agent) in self.agents.iter() {
            let reserved = agent.total.filter(|one| {
                one.guarantee() == Guarantee::Firm && one.reserved_role().is_some_and(|owner| owner.is_within(role))
            });
            consumed.add(&reserved.quantities());
            let users = agent.used.iter().filter(|(client, _)| self.clients[**client].role.is_within(role));
            users.for_each(|(_, used)| consumed.add(&quotas::rationed(used)));
        }
        consumed
    }

    /// What all agents have that cannot be taken back. Looks at every agent.
    #[must_use]
    pub fn firm_total(&self) -> Quantities {
        let mut total = Quantities::default();
        for (_, agent) in self.agents.iter() {
            total.add(&agent.total.filter(|one| one.guarantee() == Guarantee::Firm).quantities());
        }
        total
    }

    /// The quotas with everything charged to them, counted from nothing.
    pub(super) fn counted_quotas(&self) -> Quotas {
        let mut quotas = Quotas::new(&self.quota_of);
        if quotas.is_empty() {
            return quotas;
        }
        let minima = &self.config.min_allocatable;
        for (index, client) in self.clients.iter() {
            quotas.join(index, &client.role);
        }
        for (_, agent) in self.agents.iter() {
            for (role, quantities) in reservations(&agent.total) {
                quotas.nearest(&role).into_iter().for_each(|node| quotas.charge(node, &quantities, minima));
            }
            for (client, used) in &agent.used {
                let home = quotas.home(*client);
                home.into_iter().for_each(|home| quotas.charge(home, &quotas::rationed(used), minima));
            }
            if quotas.has_guarantees() && agent.activity == Activity::Active {
                quotas.change_free(&Quantities::default(), &agent.free.rationed());
            }
        }
        for offer in self.offers.values() {
            let home = quotas.home(offer.client);
            home.into_iter().for_each(|home| quotas.charge(home, &offer.lot.rationed(), minima));
        }
        quotas.refresh(minima);
        quotas
    }

    fn withdraw_misfit(&mut self, key: OfferKey) -> Option<Offer> {
        let offer = self.offers.get(&key)?;
        let (home, quantities) = (self.quotas.home(offer.client), offer.lot.rationed());
        let beyond_limit = home.is_some_and(|home| self.quotas.exceeds(home, &quantities));
        let in_the_way = self.quotas.is_short() && self.quotas.relieves(home, &quantities);
        if beyond_limit || in_the_way { self.withdraw(key) } else { None }
    }

    /// A client has more from now on that counts against quotas.
    pub(super) fn charge_quota(&mut self, client: ClientIndex, lot: &Lot) {
        if let Some(home) = self.quotas.home(client) {
            self.quotas.charge(home, &lot.rationed(), &self.config.min_allocatable);
        }
    }

    /// A client has less from now on that counts against quotas.
    pub(super) fn refund_quota(&mut self, client: ClientIndex, lot: &Lot) {
        if let Some(home) = self.quotas.home(client) {
            self.quotas.refund(home, &lot.rationed(), &self.config.min_allocatable);
        }
    }

    /// Reservations count whether they are in use or not: an agent has these no longer, and those from now on.
    pub(super) fn change_reserved(&mut self, before: &Resources, after: &Resources) {
        if self.quotas.is_empty() {
            return;
        }
        self.quotas.note_windfall();
        let minima = &self.config.min_allocatable;
        for (role, quantities) in reservations(before) {
            let node = self.quotas.nearest(&role);
            node.into_iter().for_each(|node| self.quotas.refund(node, &quantities, minima));
        }
        for (role, quantities) in reservations(after) {
            let node = self.quotas.nearest(&role);
            node.into_iter().for_each(|node| self.quotas.charge(node, &quantities, minima));
        }
    }
}

/// What is reserved for whom.
fn reservations(resources: &Resources) -> std::collections::BTreeMap<Role, Quantities> {
    let mut by_role: std::collections::BTreeMap<Role, Quantities> = std::collections::BTreeMap::new();
    for resource in resources.iter().filter(|resource| resource.guarantee() == Guarantee::Firm) {
        if let Some(role) = resource.reserved_role() {
            by_role.entry(role.clone()).or_default().add(&Resources::from_iter([resource.clone()]).quantities());
        }
    }
    by_role
}
