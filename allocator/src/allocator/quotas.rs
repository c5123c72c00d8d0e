use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::shares::ClientIndex;
use crate::bits::Bits;
use crate::{Guarantee, Name, Quantities, Quota, Resource, Resources, Role, Scalar};

/// The place of a role with a quota.
pub(super) type NodeIndex = u32;

/// Who may have how much of what is not reserved.
///
/// A role with a quota is a node, its parent the nearest role above that has one. What counts against a quota is what is
/// reserved for the role and for those below, in use or not, and what they use and are offered of unreserved resources that
/// cannot be taken back.
///
/// *Limits.* Nobody is offered more than the limits of its role and of those above leave.
///
/// *Guarantees.* What a node still lacks, or what those below it lack together if that is more, is kept free for it. So of
/// what is free, a client may have what the guarantees of its role and of those above still lack (its *credit*), and what
/// nobody's guarantee lacks (the *surplus*).
///
/// Everything is kept up to date change by change, in time that follows the depth of the tree; only when a quota itself
/// changes, everything is counted anew.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    nodes: Vec<Node>,
    by_role: FxHashMap<Role, NodeIndex>,
    /// The nearest role with a quota, of each client.
    homes: Vec<Option<NodeIndex>>,
    /// Clients with credit for something.
    hungry: Bits,
    /// Clients that a limit keeps from everything plain that is worth an offer.
    sated: Bits,
    /// What has to stay free for guarantees.
    required: Quantities,
    /// What is free of unreserved resources that cannot be taken back, on active agents. Kept only where there are guarantees.
    free: Quantities,
    guarantees: bool,
    /// Some client may be allowed more than when this was last asked.
    grown: bool,
}

#[derive(Debug)]
struct Node {
    quota: Quota,
    parent: Option<NodeIndex>,
    children: Vec<NodeIndex>,
    clients: Bits,
    charged: Quantities,
    /// What has to stay free for the children.
    below: Quantities,
    /// What has to stay free for this role and those below.
    required: Quantities,
    hungry: bool,
    sated: bool,
}

/// What counts against quotas: what is unreserved and cannot be taken back.
pub(super) fn is_rationed(resource: &Resource) -> bool {
    resource.reserved_role().is_none() && resource.guarantee() == Guarantee::Firm
}

/// The quantities of what counts against quotas.
pub(super) fn rationed(resources: &Resources) -> Quantities {
    resources.filter(is_rationed).quantities()
}

impl Quotas {
    /// The tree of these quotas, with nothing charged.
    pub(super) fn new(quotas: &BTreeMap<Role, Quota>) -> Quotas {
        let mut tree = Quotas { grown: true, ..Quotas::default() };
        // In this order, a role comes after those above it.
        for (role, quota) in quotas {
            let index = tree.nodes.len() as NodeIndex;
            let parent = role.parent().and_then(|above| tree.nearest(&above));
            if let Some(parent) = parent {
                tree.nodes[parent as usize].children.push(index);
            }
            tree.guarantees |= !quota.guarantees.is_zero();
            tree.nodes.push(Node {
                quota: quota.clone(),
                parent,
                children: Vec::new(),
                clients: Bits::default(),
                charged: Quantities::default(),
                below: Quantities::default(),
                required: Quantities::default(),
                hungry: false,
                sated: false,
            });
            tree.by_role.insert(role.clone(), index);
        }
        tree
    }

    /// True when no role has a quota.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// True when some role is promised something.
    pub(super) fn has_guarantees(&self) -> bool {
        self.guarantees
    }

    /// Clients that are owed something by their own or a higher role's guarantee.
    pub(super) fn hungry(&self) -> &Bits {
        &self.hungry
    }

    /// Clients that may have nothing plain that is worth an offer.
    pub(super) fn sated(&self) -> &Bits {
        &self.sated
    }

    /// True when somebody may be allowed more than when this was last asked.
    pub(super) fn take_grown(&mut self) -> bool {
        std::mem::take(&mut self.grown)
    }

    /// True when somebody may be allowed more than when [`take_grown`](Quotas::take_grown) was called last.
    pub(super) fn has_grown(&self) -> bool {
        self.grown
    }

    /// The nearest role with a quota, from `role` upwards.
    pub(super) fn nearest(&self, role: &Role) -> Option<NodeIndex> {
        if self.nodes.is_empty() {
            return None;
        }
        std::iter::successors(Some(role.clone()), Role::parent).find_map(|role| self.by_role.get(&role).copied())
    }

    /// The nearest role with a quota, from the client's own upwards.
    pub(super) fn home(&self, client: ClientIndex) -> Option<NodeIndex> {
        self.homes.get(client as usize).copied().flatten()
    }

    /// A client appears in `role`.
    pub(super) fn join(&mut self, client: ClientIndex, role: &Role) {
        let Some(home) = self.nearest(role) else { return };
        if self.homes.len() <= client as usize {
            self.homes.resize(client as usize + 1, None);
        }
        self.homes[client as usize] = Some(home);
        self.nodes[home as usize].clients.insert(client);
        if self.path(home).any(|node| node.hungry) {
            self.hungry.insert(client);
        }
        if self.path(home).any(|node| node.sated) {
            self.sated.insert(client);
        }
    }

    /// A client, which has nothing any more, is gone.
    pub(super) fn leave(&mut self, client: ClientIndex) {
        let Some(home) = self.home(client) else { return };
        self.homes[client as usize] = None;
        self.nodes[home as usize].clients.remove(client);
        self.hungry.remove(client);
        self.sated.remove(client);
    }

    /// Something counts against the quota of `node` and those above from now on.
    pub(super) fn charge(&mut self, node: NodeIndex, quantities: &Quantities, minima: &[Quantities]) {
        self.change(node, |charged| charged.add(quantities), minima);
    }

    /// Something does not count against the quota of `node` and those above any more.
    pub(super) fn refund(&mut self, node: NodeIndex, quantities: &Quantities, minima: &[Quantities]) {
        self.grown = true;
        self.change(node, |charged| charged.subtract(quantities), minima);
    }

    /// A role came by something otherwise than by an offer: what was kept free for it may be surplus now.
    pub(super) fn note_windfall(&mut self) {
        self.grown |= self.guarantees;
    }

    /// So much more (or less) is free on active agents.
    pub(super) fn change_free(&mut self, before: &Quantities, after: &Quantities) {
        self.free.subtract(before);
        self.free.add(after);
        self.grown |= !before.contains(after);
    }

    /// How much of `name` that is not reserved the clients of `node` may still be offered; `None`: as much as there is.
    pub(super) fn room(&self, node: Option<NodeIndex>, name: &Name) -> Option<Scalar> {
        let limits = node.into_iter().flat_map(|node| self.path(node)).filter_map(|node| node.room(name)).min();
        match self.guarantees {
            true => Some(self.surplus(name).plus(self.credit(node, name))).into_iter().chain(limits).min(),
            false => limits,
        }
    }

    /// How much of `name` is free beyond all guarantees.
    pub(super) fn surplus(&self, name: &Name) -> Scalar {
        minus(self.free.get(name), self.required.get(name))
    }

    /// How much of `name` the guarantees of `node` and those above still lack, apart from what other roles below them lack.
    pub(super) fn credit(&self, node: Option<NodeIndex>, name: &Name) -> Scalar {
        let path = node.into_iter().flat_map(|node| self.path(node));
        path.fold(Scalar::ZERO, |sum, node| sum.plus(minus(node.lacks(name), node.below.get(name))))
    }

    /// What has to stay free for guarantees is not.
    pub(super) fn is_short(&self) -> bool {
        self.guarantees && !self.free.contains(&self.required)
    }

    /// What of `quantities` belongs to names of which less is free than guarantees require, beyond what `node` is owed.
    pub(super) fn relieves(&self, node: Option<NodeIndex>, quantities: &Quantities) -> bool {
        let mut names = quantities.iter().map(|(name, _)| name);
        names.any(|name| self.free.get(&name) < self.required.get(&name) && self.credit(node, &name).is_zero())
    }

    /// True when `node` or one above it has more of one of `quantities` than its limit.
    pub(super) fn exceeds(&self, node: NodeIndex, quantities: &Quantities) -> bool {
        let beyond =
            |node: &Node, name: &Name| node.quota.limits.get(name).is_some_and(|most| node.charged.get(name) > most);
        quantities.iter().any(|(name, _)| self.path(node).any(|node| beyond(node, &name)))
    }

    /// Checks that these quotas, kept change by change, are what they are when everything is counted.
    pub(super) fn assert_equal(&self, counted: &Quotas) {
        for (role, index) in &self.by_role {
            let (kept, fresh) = (&self.nodes[*index as usize], &counted.nodes[counted.by_role[role] as usize]);
            let same = kept.charged == fresh.charged && kept.below == fresh.below && kept.required == fresh.required;
            assert!(same, "role {role}: {kept:?} is charged, but counted it is {fresh:?}");
        }
        for (kept, fresh) in [(&self.hungry, &counted.hungry), (&self.sated, &counted.sated)] {
            assert!(kept.iter().eq(fresh.iter()), "clients {kept:?} are noted, but counted they are {fresh:?}");
        }
        let same = self.required == counted.required && self.free == counted.free;
        assert!(
            same,
            "{} of {} is required, counted {} of {}",
            self.required, self.free, counted.required, counted.free
        );
    }

    /// The node and those above it.
    fn path(&self, node: NodeIndex) -> impl Iterator<Item = &Node> + '_ {
        let at = |index: NodeIndex| &self.nodes[index as usize];
        std::iter::successors(Some(at(node)), move |node| node.parent.map(at))
    }

    fn change(&mut self, node: NodeIndex, change: impl Fn(&mut Quantities), minima: &[Quantities]) {
        let mut turned = None;
        let mut next = Some(node);
        while let Some(index) = next {
            let node = &mut self.nodes[index as usize];
            change(&mut node.charged);
            let before = (node.hungry, node.sated);
            let required = node.refresh(minima);
            if before != (node.hungry, node.sated) {
                turned = Some(index);
            }
            next = node.parent;
            let now = node.required.clone();
            let above = match next {
                Some(parent) => &mut self.nodes[parent as usize].below,
                None => &mut self.required,
            };
            above.subtract(&required);
            above.add(&now);
        }
        if let Some(highest) = turned {
            self.mark_below(highest);
        }
    }

    /// Brings `hungry` and `sated` up to date for the clients of a role and of those below.
    fn mark_below(&mut self, top: NodeIndex) {
        let hungry = self.path(top).any(|node| node.hungry);
        let sated = self.path(top).any(|node| node.sated);
        let mut open = vec![(top, hungry, sated)];
        while let Some((index, hungry, sated)) = open.pop() {
            let node = &self.nodes[index as usize];
            for client in node.clients.iter() {
                self.hungry.set(client, hungry);
                self.sated.set(client, sated);
            }
            let below = |child: &NodeIndex| {
                let node = &self.nodes[*child as usize];
                (*child, hungry || node.hungry, sated || node.sated)
            };
            open.extend(node.children.iter().map(below));
        }
    }

    /// Marks every client anew, after everything has been charged.
    pub(super) fn refresh(&mut self, minima: &[Quantities]) {
        for index in 0..self.nodes.len() {
            self.change(index as NodeIndex, |_| {}, minima);
            self.mark_below(index as NodeIndex);
        }
    }
}

impl Node {
    fn lacks(&self, name: &Name) -> Scalar {
        minus(self.quota.guarantees.get(name), self.charged.get(name))
    }

    /// What its own limit leaves.
    fn room(&self, name: &Name) -> Option<Scalar> {
        self.quota.limits.get(name).map(|most| minus(most, self.charged.get(name)))
    }

    /// Derives the rest from what is charged, and tells what was required before.
    fn refresh(&mut self, minima: &[Quantities]) -> Quantities {
        let mut lacks = self.quota.guarantees.clone();
        lacks.subtract(&self.charged);
        self.hungry = !self.below.contains(&lacks);
        let too_small = |name: Name, least: Scalar| self.room(&name).is_some_and(|room| room < least);
        let blocked = |minimum: &Quantities| minimum.iter().any(|(name, least)| too_small(name, least));
        self.sated = !minima.is_empty() && !self.quota.limits.is_empty() && minima.iter().all(blocked);
        std::mem::replace(&mut self.required, self.below.max(&lacks))
    }
}

fn minus(from: Scalar, what: Scalar) -> Scalar {
    from.checked_minus(what).unwrap_or(Scalar::ZERO)
}
