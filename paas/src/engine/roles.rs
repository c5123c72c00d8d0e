//! The roles of the framework: those that something here runs in, and those in which offers are wanted now.

use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::Now;

use super::{Effects, Engine, calls};
use crate::model::{GroupId, Instance, InstanceId, Reservation, RunSpec, RunSpecId};
use crate::placement::UNRESERVED;

/// What of an offer a run spec takes that does not say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum AcceptedByDefault {
    /// What is reserved for its role, and what is reserved for nobody.
    #[default]
    Any,
    /// What is reserved for nobody.
    Unreserved,
    /// What is reserved for its role.
    Reserved,
}

/// Which top-level groups enforce their role when nobody says whether they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum EnforcedByDefault {
    /// None.
    #[default]
    Off,
    /// New ones.
    Top,
}

/// What the master knows of our roles, and what it should know. Not durable.
#[derive(Debug, Default)]
pub(super) struct Roles {
    /// How many definitions and reservations need each.
    needed: BTreeMap<String, usize>,
    /// Those that the framework is subscribed in, as far as is known.
    subscribed: BTreeSet<String>,
    /// Those of them in which no offers are wanted, as the master was told.
    suppressed: BTreeSet<String>,
}

impl Roles {
    /// Something runs in this role.
    pub(super) fn add(&mut self, role: &str) {
        match self.needed.get_mut(role) {
            Some(count) => *count += 1,
            None => drop(self.needed.insert(role.to_owned(), 1)),
        }
    }

    /// It does no longer.
    pub(super) fn remove(&mut self, role: &str) {
        if let Some(count) = self.needed.get_mut(role) {
            *count -= 1;
            if *count == 0 {
                self.needed.remove(role);
            }
        }
    }

    /// A new stream to the master, who may have been told of other roles and has forgotten which offers are not wanted.
    pub(super) fn begin(&mut self, default: &str) {
        self.subscribed = BTreeSet::from([default.to_owned()]);
        self.suppressed.clear();
    }

    /// Whether anything is kept, or could be, that is reserved for a role.
    pub(super) fn any_reserves(&self) -> bool {
        self.needed.keys().chain(&self.subscribed).any(|role| role != UNRESERVED)
    }

    /// Whether the master was told that in one of these roles no offers are wanted.
    pub(super) fn any_suppressed(&self, roles: &BTreeSet<String>) -> bool {
        !self.suppressed.is_disjoint(roles)
    }
}

impl Engine {
    /// The roles that the framework is to subscribe in.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<String> {
        self.roles.needed.keys().chain([&self.config.role]).cloned().collect()
    }

    /// Makes the master's idea of our roles ours: which there are, and in which offers are wanted; in these they are asked for anew when
    /// `again`. True when they were.
    pub(super) fn tell_roles(&mut self, wanted: &BTreeSet<String>, again: bool, out: &mut Effects) -> bool {
        let mut all = self.roles();
        all.extend(wanted.iter().cloned());
        if all != self.roles.subscribed {
            self.roles.suppressed.retain(|role| all.contains(role));
            out.calls.push(calls::update_roles(&all, &self.roles.suppressed));
            self.roles.subscribed = all;
        }
        let Roles { subscribed, suppressed, .. } = &mut self.roles;
        let unwanted = |role: &&String| !wanted.contains(*role) && !suppressed.contains(*role);
        let idle: Vec<String> = subscribed.iter().filter(unwanted).cloned().collect();
        if !idle.is_empty() {
            out.calls.push(calls::suppress(idle.clone()));
            suppressed.extend(idle);
        }
        if again && !wanted.is_empty() {
            out.calls.push(calls::revive(wanted.iter().cloned().collect()));
            suppressed.retain(|role| !wanted.contains(role));
        }
        again
    }

    /// The roles in which offers are of use.
    pub(super) fn roles_wanted(&self, now: Now) -> BTreeSet<String> {
        if self.sweeping_until.is_some_and(|until| now.tick < until) {
            return self.roles();
        }
        let releasing = self.releasing.iter().filter_map(|id| Some(self.role_kept(id)?.to_owned()));
        let mut wanted: BTreeSet<String> = releasing.collect();
        for (_, id) in &self.queue {
            let Some(definition) = self.launchable(now, id) else { continue };
            let before = wanted.len();
            match definition.is_resident() {
                true => wanted.extend(self.roles_of_waiting(&definition)),
                false if wanted.contains(&definition.role) => {}
                false => drop(wanted.insert(definition.role.clone())),
            }
            // Those behind it in the queue can add nothing when all are wanted.
            if wanted.len() > before && self.roles.needed.keys().all(|role| wanted.contains(role)) {
                break;
            }
        }
        wanted
    }

    /// Those with a reservation wait for what they have, whatever their definition says by now.
    fn roles_of_waiting<'a>(&'a self, definition: &'a RunSpec) -> impl Iterator<Item = String> {
        let waiting = self.trackers.get(&definition.id).into_iter().flat_map(|tracker| &tracker.waiting);
        waiting.map(|id| self.role_kept(id).unwrap_or(&definition.role).to_owned())
    }

    /// The role that is reserved for what is kept for an instance.
    pub(super) fn role_kept(&self, id: &InstanceId) -> Option<&str> {
        self.state.instance(id).and_then(reserved_role)
    }

    /// Whether what lies in the top-level group of a run spec must use its role.
    pub(super) fn enforces_role(&self, id: &RunSpecId) -> bool {
        GroupId::top_level_of(id).and_then(|top| self.state.group(&top)).is_some_and(|group| group.enforce_role)
    }
}

/// The role of an instance's reservation, if it has one that says so.
pub(super) fn reserved_role(instance: &Instance) -> Option<&str> {
    instance.reservation.as_deref().and_then(Reservation::role)
}
