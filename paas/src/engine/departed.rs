//! Removed run specs and groups are kept for a while, so that the groups around them can return to what they were.

use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::Now;

use super::{Effects, Engine, Fact, Snapshot};
use crate::model::{GroupId, RunSpecId, Version};

/// Those that are gone, by when they were removed.
#[derive(Debug, Default)]
pub(super) struct Departed {
    run_specs: BTreeSet<(Version, RunSpecId)>,
    since: BTreeMap<RunSpecId, Version>,
    groups: BTreeSet<(Version, GroupId)>,
    groups_since: BTreeMap<GroupId, Version>,
}

impl Departed {
    /// The removed groups of a snapshot. Removed run specs announce themselves when nothing is left of their instances.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut departed = Self::default();
        for (id, state) in snapshot.groups.iter().filter(|(_, state)| state.current().is_none()) {
            state.version().into_iter().for_each(|version| departed.group_gone(version, id.clone()));
        }
        departed
    }

    /// The last instance of a removed run spec is gone.
    pub(super) fn gone(&mut self, removed: Version, id: RunSpecId) {
        self.since.insert(id.clone(), removed);
        self.run_specs.insert((removed, id));
    }

    /// A run spec is there again.
    pub(super) fn back(&mut self, id: &RunSpecId) {
        if let Some(removed) = self.since.remove(id) {
            self.run_specs.remove(&(removed, id.clone()));
        }
    }

    /// A group was removed.
    pub(super) fn group_gone(&mut self, removed: Version, id: GroupId) {
        self.groups_since.insert(id.clone(), removed);
        self.groups.insert((removed, id));
    }

    /// A group is there, again or still.
    pub(super) fn group_back(&mut self, id: &GroupId) {
        if let Some(removed) = self.groups_since.remove(id) {
            self.groups.remove(&(removed, id.clone()));
        }
    }

    fn take_run_spec_beyond(&mut self, most: usize) -> Option<(Version, RunSpecId)> {
        let surplus = (self.run_specs.len() > most).then(|| self.run_specs.pop_first()).flatten()?;
        self.since.remove(&surplus.1);
        Some(surplus)
    }

    fn take_group_beyond(&mut self, most: usize) -> Option<(Version, GroupId)> {
        let surplus = (self.groups.len() > most).then(|| self.groups.pop_first()).flatten()?;
        self.groups_since.remove(&surplus.1);
        Some(surplus)
    }
}

impl Engine {
    /// Nothing is left of a removed run spec but its history. The oldest beyond the number that is kept lose that, too.
    pub(super) fn depart(&mut self, now: Now, id: &RunSpecId, out: &mut Effects) {
        match self.state.run_specs.get(id).and_then(|state| state.removals.last().copied()) {
            Some(removed) => self.departed.gone(removed, id.clone()),
            // It was removed by an earlier program, which kept no history.
            None => self.record(now, Fact::RunSpecForgotten { id: id.clone() }, out),
        }
        while let Some((removed, id)) = self.departed.take_run_spec_beyond(self.config.departed_max) {
            self.shorten_history(now, removed, out);
            self.record(now, Fact::RunSpecForgotten { id }, out);
        }
    }

    /// Forgets the oldest removed groups beyond the number that is kept.
    pub(super) fn forget_groups(&mut self, now: Now, out: &mut Effects) {
        while let Some((removed, id)) = self.departed.take_group_beyond(self.config.departed_max) {
            self.shorten_history(now, removed, out);
            self.record(now, Fact::GroupForgotten { id }, out);
        }
    }

    /// What was before `from` is not known in full any more.
    pub(super) fn shorten_history(&mut self, now: Now, from: Version, out: &mut Effects) {
        if self.state.history_from.is_none_or(|known| known < from) {
            self.record(now, Fact::HistoryShortened { from }, out);
        }
    }
}
