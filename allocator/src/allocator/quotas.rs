use super::{Allocator, Offer};
use crate::{Guarantee, Quantities, Quota, Role};

impl Allocator {
    /// Gives roles other quotas; a default one takes a role's quota away.
    ///
    /// Returns the offers that are taken back because they do not go with the new quotas.
    pub fn set_quotas(&mut self, quotas: impl IntoIterator<Item = (Role, Quota)>) -> Vec<Offer> {
        for (role, quota) in quotas {
            match quota.is_default() {
                true => self.quotas.remove(&role),
                false => self.quotas.insert(role, quota),
            };
        }
        Vec::new()
    }

    /// What counts against the quota of `role`: everything reserved for it and for the roles below, in use or not, and
    /// what those use of unreserved resources that cannot be taken back. Looks at every agent.
    #[must_use]
    pub fn consumed(&self, role: &Role) -> Quantities {
        let mut consumed = Quantities::default();
        for (_, agent) in self.agents.iter() {
            let reserved = agent.total.filter(|one| one.reserved_role().is_some_and(|owner| owner.is_within(role)));
            consumed.add(&reserved.quantities());
            for (client, used) in &agent.used {
                if self.clients[*client].role.is_within(role) {
                    let counted =
                        used.filter(|one| one.reserved_role().is_none() && one.guarantee() == Guarantee::Firm);
                    consumed.add(&counted.quantities());
                }
            }
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
}
