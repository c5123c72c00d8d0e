use std::cmp::Ordering;

use rustc_hash::FxHashMap;

use super::policy::{Policy, Sorting, Standing};
use super::ranking::{Rank, Ranking};
use crate::bits::Bits;
use crate::slab::Slab;
use crate::{Quantities, Role};

/// The number of a client: one framework in one of its roles. Numbers are dense, so that sets of clients are bits.
pub(super) type ClientIndex = u32;

type NodeIndex = u32;

/// Up to this many candidates are compared one by one at once.
const FEW: u32 = 32;

/// Who is next: the tree of roles, each with its share of the cluster, and the clients below their roles. Siblings are
/// ranked by weighted dominant share, so the fair order of all clients is the tree's order, parents' ranks first. A
/// role's own clients compete together, as one child beside the roles below it.
#[derive(Debug)]
pub(super) struct Shares {
    nodes: Slab<Node>,
    by_role: FxHashMap<Role, NodeIndex>,
    weights: FxHashMap<Role, f64>,
    clients: Vec<Option<ClientAccount>>,
    /// What shares are parts of.
    total: Quantities,
    /// Counts what ranks are settled by: joins and allocations.
    served: u64,
    /// How roles take turns, and how the frameworks in a role do.
    roles: Box<dyn Policy>,
    frameworks: Box<dyn Policy>,
}

#[derive(Debug)]
struct ClientAccount {
    node: NodeIndex,
    account: Account,
}

/// What a contender has, and where that puts it.
#[derive(Debug, Default)]
struct Account {
    allocated: Quantities,
    rank: Rank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Child {
    Own,
    Role(NodeIndex),
}

#[derive(Debug)]
struct Node {
    /// `None` for the root alone.
    role: Option<Role>,
    parent: NodeIndex,
    depth: u32,
    weight: f64,
    /// The role and everything below it; ranked among the parent's children.
    subtree: Account,
    /// The role's own clients; ranked among this node's children.
    own: Account,
    children: Ranking<Child>,
    clients: Ranking<ClientIndex>,
}

const ROOT: NodeIndex = 0;

/// What a client has to pass to be chosen, asked in the policy's order.
pub(super) trait Search {
    /// Is it worth asking the clients of `role`, of which `client` is one? Asked before any of them.
    fn enter(&mut self, role: &Role, client: ClientIndex) -> bool;

    /// Is it this client, of the role entered last?
    fn accept(&mut self, client: ClientIndex) -> bool;
}

/// Everybody passes.
struct Anyone;

impl Search for Anyone {
    fn enter(&mut self, _: &Role, _: ClientIndex) -> bool {
        true
    }

    fn accept(&mut self, _: ClientIndex) -> bool {
        true
    }
}

/// The walk through the tree has passed more contenders than there are candidates.
struct TooFar;

impl Shares {
    pub(super) fn new(roles: Sorting, frameworks: Sorting) -> Shares {
        let mut nodes = Slab::default();
        let root = nodes.insert(Node::new(None, ROOT, 0, 1.0));
        assert!(root == ROOT, "the first number that a slab gives out is 0");
        Shares {
            nodes,
            by_role: FxHashMap::default(),
            weights: FxHashMap::default(),
            clients: Vec::new(),
            total: Quantities::default(),
            served: 0,
            roles: roles.policy(),
            frameworks: frameworks.policy(),
        }
    }

    /// Lets `client` compete in `role`, behind the others that have as little as it.
    pub(super) fn join(&mut self, client: ClientIndex, role: &Role) {
        let node = self.node_of(role);
        let (own, account) = (self.next_served(), self.next_served());
        let home = &mut self.nodes[node];
        if home.clients.is_empty() {
            let rank = self.roles.join(own, 1.0, home.children.first_rank());
            home.own = Account { allocated: Quantities::default(), rank };
            home.children.insert(rank, Child::Own);
        }
        let rank = self.frameworks.join(account, 1.0, home.clients.first_rank());
        home.clients.insert(rank, client);
        let account = Account { allocated: Quantities::default(), rank };
        if self.clients.len() <= client as usize {
            self.clients.resize_with(client as usize + 1, || None);
        }
        self.clients[client as usize] = Some(ClientAccount { node, account });
    }

    /// Takes `client`, which has nothing any more, out of the competition.
    pub(super) fn leave(&mut self, client: ClientIndex) {
        let Some(ClientAccount { node, account }) = self.clients[client as usize].take() else {
            unreachable!("client {client} joined before it leaves")
        };
        assert!(account.allocated.is_zero(), "a client that leaves has nothing");
        let home = &mut self.nodes[node];
        home.clients.remove(account.rank, client);
        if home.clients.is_empty() {
            home.children.remove(home.own.rank, Child::Own);
            self.prune(node);
        }
    }

    /// Adds `quantities` to what `client` has.
    pub(super) fn charge(&mut self, client: ClientIndex, quantities: &Quantities) {
        self.change(client, |allocated| allocated.add(quantities), None);
    }

    /// Adds `quantities` to what `client` has, as its turn: among those with equal shares it is now the last.
    pub(super) fn serve(&mut self, client: ClientIndex, quantities: &Quantities) {
        let served = self.next_served();
        self.change(client, |allocated| allocated.add(quantities), Some(served));
    }

    /// Takes `quantities` away from what `client` has.
    pub(super) fn refund(&mut self, client: ClientIndex, quantities: &Quantities) {
        self.change(client, |allocated| allocated.subtract(quantities), None);
    }

    /// Sets what a role's share is divided by.
    pub(super) fn set_weight(&mut self, role: &Role, weight: f64) {
        if weight == 1.0 {
            self.weights.remove(role);
        } else {
            self.weights.insert(role.clone(), weight);
        }
        if let Some(&index) = self.by_role.get(role) {
            let node = &mut self.nodes[index];
            node.weight = weight;
            let (old, new) = node.subtree.change(|_| {}, &*self.roles, &self.total, weight, None);
            let parent = node.parent;
            self.nodes[parent].children.shift(old, new, Child::Role(index));
        }
    }

    /// Measures shares against another total.
    pub(super) fn set_total(&mut self, total: &Quantities) {
        self.total.clone_from(total);
        let clients: Vec<ClientIndex> =
            (0..).zip(&self.clients).filter_map(|(index, client)| client.as_ref().map(|_| index)).collect();
        for client in clients {
            self.change(client, |_| {}, None);
        }
    }

    /// The dominant share of `role` with everything below it, divided by its weight; `None` when nobody competes
    /// there.
    pub(super) fn share(&self, role: &Role) -> Option<f64> {
        let node = &self.nodes[*self.by_role.get(role)?];
        Some(node.subtree.allocated.dominant_share(&self.total) / node.weight)
    }

    /// What `client` has.
    pub(super) fn allocated(&self, client: ClientIndex) -> &Quantities {
        &self.client(client).account.allocated
    }

    /// The first of `candidates` in the policy's order.
    pub(super) fn first(&self, candidates: &Bits) -> Option<ClientIndex> {
        self.first_such(candidates, &mut Anyone)
    }

    /// The first of `candidates` in the policy's order that passes the `search`.
    ///
    /// The tree holds that order, so where most are candidates the first is found at once. Where few are, it is quicker to
    /// compare them with each other: the walk is given up after as many steps as there are candidates.
    pub(super) fn first_such(&self, candidates: &Bits, search: &mut impl Search) -> Option<ClientIndex> {
        let count = candidates.count();
        let mut steps = if count <= FEW { 0 } else { count };
        match self.first_below(ROOT, candidates, search, &mut steps) {
            Ok(found) => found,
            Err(TooFar) => self.first_compared(candidates, search),
        }
    }

    fn first_below(
        &self,
        node: NodeIndex,
        candidates: &Bits,
        search: &mut impl Search,
        steps: &mut u32,
    ) -> Result<Option<ClientIndex>, TooFar> {
        let node = &self.nodes[node];
        for child in node.children.iter() {
            let found = match child {
                Child::Role(below) => {
                    *steps = steps.checked_sub(1).ok_or(TooFar)?;
                    self.first_below(below, candidates, search, steps)?
                }
                Child::Own => self.first_of_own(node, candidates, search, steps)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn first_of_own(
        &self,
        node: &Node,
        candidates: &Bits,
        search: &mut impl Search,
        steps: &mut u32,
    ) -> Result<Option<ClientIndex>, TooFar> {
        let Some(role) = &node.role else { return Ok(None) };
        let mut entered = false;
        for client in node.clients.iter() {
            *steps = steps.checked_sub(1).ok_or(TooFar)?;
            if !candidates.contains(client) {
                continue;
            }
            if !entered && !search.enter(role, client) {
                return Ok(None);
            }
            entered = true;
            if search.accept(client) {
                return Ok(Some(client));
            }
        }
        Ok(None)
    }

    /// The same, without the tree.
    fn first_compared(&self, candidates: &Bits, search: &mut impl Search) -> Option<ClientIndex> {
        let first = candidates.iter().min_by(|a, b| self.compare(*a, *b))?;
        let role = |client: ClientIndex| self.nodes[self.client(client).node].role.as_ref();
        let mut passes = |client, role| search.enter(role, client) && search.accept(client);
        if passes(first, role(first)?) {
            return Some(first);
        }
        let mut rest: Vec<ClientIndex> = candidates.iter().filter(|client| *client != first).collect();
        rest.sort_unstable_by(|a, b| self.compare(*a, *b));
        rest.into_iter().find(|client| role(*client).is_some_and(|role| passes(*client, role)))
    }

    /// The policy's order of two clients: that of their ranks below the first role that they have in common.
    fn compare(&self, a: ClientIndex, b: ClientIndex) -> Ordering {
        let (a, b) = (self.client(a), self.client(b));
        if a.node == b.node {
            return a.account.rank.cmp(&b.account.rank);
        }
        let start = |client: &ClientAccount| (client.node, self.nodes[client.node].own.rank);
        let climb = |node: NodeIndex| (self.nodes[node].parent, self.nodes[node].subtree.rank);
        let (mut left, mut right) = (start(a), start(b));
        while left.0 != right.0 {
            match self.nodes[left.0].depth.cmp(&self.nodes[right.0].depth) {
                Ordering::Greater => left = climb(left.0),
                Ordering::Less => right = climb(right.0),
                Ordering::Equal => (left, right) = (climb(left.0), climb(right.0)),
            }
        }
        left.1.cmp(&right.1)
    }

    /// Checks that every account is the sum of those below it, and every contender ranked as its account says.
    pub(super) fn assert_consistent(&self) {
        for (index, node) in self.nodes.iter() {
            let mut own = Quantities::default();
            for client in node.clients.iter() {
                own.add(self.allocated(client));
                assert!(self.client(client).node == index, "client {client} competes in its own role");
            }
            assert!(own == node.own.allocated, "role {:?}: its clients have {own}", node.role);
            let mut subtree = own;
            for child in node.children.iter() {
                match child {
                    Child::Role(below) => subtree.add(&self.nodes[below].subtree.allocated),
                    Child::Own => {
                        assert!(!node.clients.is_empty(), "role {:?} has clients", node.role)
                    }
                }
            }
            assert!(index == ROOT || subtree == node.subtree.allocated, "role {:?}: it has {subtree}", node.role);
        }
    }

    fn change(&mut self, client: ClientIndex, mut change: impl FnMut(&mut Quantities), served: Option<u64>) {
        let Some(Some(ClientAccount { node, account })) = self.clients.get_mut(client as usize) else {
            unreachable!("client {client} has joined")
        };
        let mut index = *node;
        let (old, new) = account.change(&mut change, &*self.frameworks, &self.total, 1.0, served);
        let node = &mut self.nodes[index];
        node.clients.shift(old, new, client);
        let (old, new) = node.own.change(&mut change, &*self.roles, &self.total, 1.0, served);
        node.children.shift(old, new, Child::Own);
        while index != ROOT {
            let node = &mut self.nodes[index];
            let (old, new) = node.subtree.change(&mut change, &*self.roles, &self.total, node.weight, served);
            let parent = node.parent;
            self.nodes[parent].children.shift(old, new, Child::Role(index));
            index = parent;
        }
    }

    fn client(&self, client: ClientIndex) -> &ClientAccount {
        match self.clients.get(client as usize) {
            Some(Some(account)) => account,
            Some(None) | None => unreachable!("client {client} has joined"),
        }
    }

    /// The node of `role`, made together with those above it when nobody competes there yet.
    fn node_of(&mut self, role: &Role) -> NodeIndex {
        if let Some(&index) = self.by_role.get(role) {
            return index;
        }
        let parent = role.parent().map_or(ROOT, |above| self.node_of(&above));
        let depth = self.nodes[parent].depth + 1;
        let weight = self.weights.get(role).copied().unwrap_or(1.0);
        let served = self.next_served();
        let rank = self.roles.join(served, weight, self.nodes[parent].children.first_rank());
        let mut node = Node::new(Some(role.clone()), parent, depth, weight);
        node.subtree.rank = rank;
        let index = self.nodes.insert(node);
        self.nodes[parent].children.insert(rank, Child::Role(index));
        self.by_role.insert(role.clone(), index);
        index
    }

    /// Removes `index` and the nodes above it as far as nobody competes there.
    fn prune(&mut self, mut index: NodeIndex) {
        while index != ROOT && self.nodes[index].children.is_empty() {
            let node = self.nodes.remove(index);
            self.nodes[node.parent].children.remove(node.subtree.rank, Child::Role(index));
            if let Some(role) = &node.role {
                self.by_role.remove(role);
            }
            index = node.parent;
        }
    }

    fn next_served(&mut self) -> u64 {
        self.served += 1;
        self.served
    }
}

impl Node {
    fn new(role: Option<Role>, parent: NodeIndex, depth: u32, weight: f64) -> Node {
        Node {
            role,
            parent,
            depth,
            weight,
            subtree: Account::default(),
            own: Account::default(),
            children: Ranking::default(),
            clients: Ranking::default(),
        }
    }
}

impl Account {
    /// Changes what is allocated, and tells the rank before and after.
    fn change(
        &mut self,
        change: impl FnOnce(&mut Quantities),
        policy: &dyn Policy,
        total: &Quantities,
        weight: f64,
        served: Option<u64>,
    ) -> (Rank, Rank) {
        let old = self.rank;
        change(&mut self.allocated);
        let standing = Standing { allocated: &self.allocated, total, weight, rank: old };
        self.rank = policy.rank(&standing, served);
        (old, self.rank)
    }
}
