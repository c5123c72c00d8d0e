//! What quotas allow, computed from nothing each time.

use super::naive::{NAMES, Naive};
use super::*;
use crate::{Name, Value};

impl Naive {
    /// What counts against the quota of `role`, in thousandths.
    fn charged(&self, role: &Role, name: &Name) -> i64 {
        let mut charged = 0;
        for agent in self.agents.values() {
            let reserved = |one: &Resource| one.reserved_role().is_some_and(|owner| owner.is_within(role));
            charged += firm(&agent.total, name, reserved);
        }
        for (_, owner, resources) in self.holdings() {
            if owner.is_within(role) {
                charged += firm(resources, name, |one| one.reserved_role().is_none());
            }
        }
        charged
    }

    fn guarantee(&self, role: &Role, name: &Name) -> i64 {
        self.quotas.get(role).map_or(0, |quota| quota.guarantees.get(name).thousandths())
    }

    /// What has to stay free for `role` and those below it.
    fn required(&self, role: &Role, name: &Name) -> i64 {
        (self.guarantee(role, name) - self.charged(role, name)).max(0).max(self.required_below(role, name))
    }

    /// The same for the nearest roles below with a quota together.
    fn required_below(&self, role: &Role, name: &Name) -> i64 {
        let children = self.quotas.keys().filter(|child| self.above(child).as_ref() == Some(role));
        children.map(|child| self.required(child, name)).sum()
    }

    /// The nearest role above with a quota.
    fn above(&self, role: &Role) -> Option<Role> {
        std::iter::successors(role.parent(), Role::parent).find(|above| self.quotas.contains_key(above))
    }

    /// The roles with quotas from `role` upwards.
    fn line(&self, role: &Role) -> Vec<Role> {
        let all = std::iter::successors(Some(role.clone()), Role::parent);
        all.filter(|role| self.quotas.contains_key(role)).collect()
    }

    fn credit(&self, role: &Role, name: &Name) -> i64 {
        let lacks = |role: &Role| (self.guarantee(role, name) - self.charged(role, name)).max(0);
        self.line(role).iter().map(|role| (lacks(role) - self.required_below(role, name)).max(0)).sum()
    }

    fn free_firm(&self, name: &Name) -> i64 {
        let active = self.agents.iter().filter(|(_, agent)| agent.active);
        active.map(|(key, _)| firm(&self.free(*key), name, |one| one.reserved_role().is_none())).sum()
    }

    fn required_of_all(&self, name: &Name) -> i64 {
        let tops = self.quotas.keys().filter(|role| self.above(role).is_none());
        tops.map(|role| self.required(role, name)).sum()
    }

    fn has_guarantees(&self) -> bool {
        self.quotas.values().any(|quota| !quota.guarantees.is_zero())
    }

    /// How much more unreserved `name` a client in `role` may be offered.
    fn room(&self, role: &Role, name: &Name) -> i64 {
        let limit = |role: &Role| {
            let most = self.quotas[role].limits.get(name)?;
            Some((most.thousandths() - self.charged(role, name)).max(0))
        };
        let limits = self.line(role).iter().filter_map(limit).min().unwrap_or(i64::MAX);
        if !self.has_guarantees() {
            return limits;
        }
        let surplus = (self.free_firm(name) - self.required_of_all(name)).max(0);
        limits.min(surplus + self.credit(role, name))
    }

    /// As much of `resources` as quotas allow `role` to be offered.
    pub(super) fn allowed(&self, role: &Role, resources: &Resources) -> Resources {
        let mut rooms: Vec<(Name, i64)> = NAMES.map(|name| (name.clone(), self.room(role, &name))).to_vec();
        let mut allowed = Resources::new();
        for resource in resources.iter() {
            let Value::Scalar(quantity) = resource.value() else {
                allowed.add_resource(resource.clone());
                continue;
            };
            if resource.reserved_role().is_some() || resource.guarantee() == Guarantee::Revocable {
                allowed.add_resource(resource.clone());
                continue;
            }
            let room = rooms.iter_mut().find(|(name, _)| name == resource.name()).unwrap();
            let mut taken = quantity.thousandths().min(room.1);
            if taken < quantity.thousandths() && resource.is_indivisible() {
                taken = 0;
            }
            if *resource.name() == Name::Gpus && taken < quantity.thousandths() {
                taken -= taken % 1000;
            }
            room.1 -= taken;
            let taken = Scalar::from_thousandths(taken).unwrap();
            allowed.add_resource(resource.with_value(Value::Scalar(taken)));
        }
        allowed
    }

    /// Is something in `part` that `role`, or one above it, was promised and lacks?
    pub(super) fn is_owed(&self, role: &Role, part: &Resources) -> bool {
        NAMES
            .iter()
            .any(|name| self.credit(role, name) > 0 && firm(part, name, |one| one.reserved_role().is_none()) > 0)
    }

    /// The offers that do not go with the quotas, newest first.
    pub(super) fn withdraw_misfits(&mut self) -> Vec<Offer> {
        let offers: Vec<Offer> = self.offers.values().rev().map(|(offer, _)| offer.clone()).collect();
        let mut withdrawn = Vec::new();
        for offer in offers {
            let holds = |name: &Name| firm(&offer.resources, name, |one| one.reserved_role().is_none()) > 0;
            let beyond = |role: &Role, name: &Name| {
                self.quotas[role].limits.get(name).is_some_and(|most| self.charged(role, name) > most.thousandths())
            };
            let line = self.line(&offer.role);
            let over = NAMES.iter().any(|name| holds(name) && line.iter().any(|role| beyond(role, name)));
            let short = |name: &Name| self.has_guarantees() && self.free_firm(name) < self.required_of_all(name);
            let in_the_way = NAMES.iter().any(|name| holds(name) && short(name) && self.credit(&offer.role, name) == 0);
            if over || in_the_way {
                self.offers.remove(&offer.key);
                withdrawn.push(offer);
            }
        }
        withdrawn
    }
}

/// The sum of `name` that cannot be taken back and for which `counts` holds, in thousandths.
fn firm(resources: &Resources, name: &Name, counts: impl Fn(&Resource) -> bool) -> i64 {
    let counted = resources.filter(|one| one.guarantee() == Guarantee::Firm && counts(one));
    counted.scalar(name).thousandths()
}
