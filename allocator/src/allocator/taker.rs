use super::lot::{Audience, Lot};
use super::quotas::{self, NodeIndex};
use super::shares::Search;
use super::{Activity, Agent, Allocator, Capabilities, ClientIndex};
use crate::bits::Bits;
use crate::{AgentKey, Name, Role, Scalar};

/// What looking for takers works with. It is kept for its memory alone.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    candidates: Bits,
    owed: Bits,
    /// What the last look found out: somebody got less of the agent, or nothing, only because of a quota.
    pub(super) rationed: bool,
}

/// On whose account a client may take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its role, or one above, has less than it was promised.
    Guarantees,
    /// It is its turn.
    Turns,
}

impl Allocator {
    /// Who is next to be offered something of an agent, and what: everything there that this client may have.
    pub(super) fn taker(&self, key: AgentKey, scratch: &mut Scratch) -> Option<(ClientIndex, Lot)> {
        scratch.rationed = false;
        let agent = &self.agents[key.0];
        let worth_it = is_worth_offering(&agent.free, &self.config.min_allocatable);
        if agent.activity == Activity::Inactive
            || agent.free.resources().is_empty()
            || !worth_it && self.with_own_minimum.is_empty()
        {
            return None;
        }
        let candidates = &mut scratch.candidates;
        candidates.copy_from(&self.eligible);
        if agent.gpus && self.config.gpus_for_capable_only {
            candidates.intersect(&self.with_gpus);
        }
        if agent.remote {
            candidates.intersect(&self.region_aware);
        }
        if !worth_it {
            candidates.intersect(&self.with_own_minimum);
        }
        candidates.subtract(&agent.barred);
        agent.refusals.subtract_from(candidates, agent.free.resources());
        let plain = match agent.free.audience() {
            Audience::Everybody => self.quotas.is_empty() && !candidates.meets(&self.with_own_minimum),
            Audience::Depends => false,
        };
        match plain {
            true => self.shares.first(candidates).map(|client| (client, agent.free.clone())),
            false => self.part_taker(agent, scratch),
        }
    }

    /// The same where it depends on the client what it may have.
    fn part_taker(&self, agent: &Agent, scratch: &mut Scratch) -> Option<(ClientIndex, Lot)> {
        if self.quotas.has_guarantees() {
            scratch.owed.copy_from(&scratch.candidates);
            scratch.owed.intersect(self.quotas.hungry());
            let mut search = PartSearch::new(self, agent, Stage::Guarantees);
            let found = self.shares.first_such(&scratch.owed, &mut search);
            scratch.rationed |= search.cut;
            if let Some(client) = found {
                return Some((client, search.part_of(client)));
            }
            // Whoever is owed something of this has just not taken it: the others may have what is beyond all guarantees.
            if let Some(beyond) = chopped(&agent.free, |name| Some(self.quotas.surplus(name))) {
                scratch.rationed = true;
                if !is_worth_offering(&beyond, &self.config.min_allocatable) && self.with_own_minimum.is_empty() {
                    return None;
                }
            }
        }
        match agent.free.audience() {
            Audience::Everybody if scratch.candidates.meets(self.quotas.sated()) => {
                scratch.rationed = true;
                if self.with_own_minimum.is_empty() {
                    scratch.candidates.subtract(self.quotas.sated());
                }
            }
            Audience::Everybody | Audience::Depends => {}
        }
        let mut search = PartSearch::new(self, agent, Stage::Turns);
        let found = self.shares.first_such(&scratch.candidates, &mut search);
        scratch.rationed |= search.cut;
        found.map(|client| (client, search.part_of(client)))
    }
}

/// Looks for the first client that may have, and does not refuse, a part of an agent of which not everybody may have
/// all.
struct PartSearch<'a> {
    allocator: &'a Allocator,
    agent: &'a Agent,
    stage: Stage,
    /// The role entered last, and from where up its quotas are.
    role: Option<Role>,
    home: Option<NodeIndex>,
    /// What that role may have.
    of_role: Lot,
    /// What its clients may have, by their capabilities.
    of_clients: Vec<(Capabilities, Lot)>,
    /// A quota has left somebody with less.
    cut: bool,
}

impl PartSearch<'_> {
    fn new<'a>(allocator: &'a Allocator, agent: &'a Agent, stage: Stage) -> PartSearch<'a> {
        PartSearch {
            allocator,
            agent,
            stage,
            role: None,
            home: None,
            of_role: Lot::default(),
            of_clients: Vec::new(),
            cut: false,
        }
    }

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

    /// Is something in it that the role is owed?
    fn is_owed(&self, part: &Lot) -> bool {
        let credit = |name: &Name| self.allocator.quotas.credit(self.home, name);
        part.rationed().iter().any(|(name, _)| !credit(&name).is_zero())
    }
}

impl Search for PartSearch<'_> {
    fn enter(&mut self, role: &Role, client: ClientIndex) -> bool {
        let allocator = self.allocator;
        if self.role.as_ref() != Some(role) {
            self.role = Some(role.clone());
            self.home = allocator.quotas.home(client);
            self.of_clients.clear();
            self.of_role = self.agent.free.part(|resource| match resource.reserved_role() {
                Some(reserved) => role.is_within(reserved),
                None => true,
            });
            if !allocator.quotas.is_empty()
                && let Some(less) = chopped(&self.of_role, |name| allocator.quotas.room(self.home, name))
            {
                self.cut = true;
                self.of_role = less;
            }
        }
        is_worth_offering(&self.of_role, &allocator.config.min_allocatable) || !allocator.with_own_minimum.is_empty()
    }

    fn accept(&mut self, client: ClientIndex) -> bool {
        let part = self.part_of(client);
        let minima = match &self.allocator.clients[client].own_minimum {
            Some(own) => own,
            None => &self.allocator.config.min_allocatable,
        };
        let owed = match self.stage {
            Stage::Guarantees => self.is_owed(&part),
            Stage::Turns => true,
        };
        owed && is_worth_offering(&part, minima) && !self.agent.refusals.block(client, part.resources())
    }
}

/// Does it hold one of the minima? Anything does when there are none.
fn is_worth_offering(lot: &Lot, minima: &[crate::Quantities]) -> bool {
    let enough = minima.is_empty() || minima.iter().any(|minimum| lot.quantities().contains(minimum));
    !lot.resources().is_empty() && enough
}

/// What is left of `lot` when of each quantity that counts against quotas only so much is in it as there is room for;
/// `None` when that is all of it. What is indivisible is in it as a whole or not at all, and so are graphics processors.
fn chopped(lot: &Lot, room: impl Fn(&Name) -> Option<Scalar>) -> Option<Lot> {
    let fits = |(name, quantity): (Name, Scalar)| room(&name).is_none_or(|room| quantity <= room);
    if lot.rationed().iter().all(fits) {
        return None;
    }
    let mut left: Vec<(Name, Option<Scalar>)> = Vec::new();
    let mut part = Vec::new();
    for resource in lot.resources().iter() {
        let crate::Value::Scalar(quantity) = resource.value() else {
            part.push(resource.clone());
            continue;
        };
        if !quotas::is_rationed(resource) {
            part.push(resource.clone());
            continue;
        }
        let name = resource.name();
        let index = left.iter().position(|(same, _)| same == name).unwrap_or_else(|| {
            left.push((name.clone(), room(name)));
            left.len() - 1
        });
        let Some(rest) = &mut left[index].1 else {
            part.push(resource.clone());
            continue;
        };
        let taken = match *quantity <= *rest {
            true => *quantity,
            false if resource.is_indivisible() => Scalar::ZERO,
            false if *name == Name::Gpus => rest.whole(),
            false => *rest,
        };
        *rest = rest.checked_minus(taken).unwrap_or(Scalar::ZERO);
        part.push(resource.with_value(crate::Value::Scalar(taken)));
    }
    Some(Lot::new(part.into_iter().collect()))
}
