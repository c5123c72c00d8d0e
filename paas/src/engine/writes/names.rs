//! A path names one thing: a run spec or a group.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::super::{Engine, Violation};
use crate::model::{Group, GroupId, RunSpecId};

/// What there will be after a write.
pub(super) struct Names<'a> {
    engine: &'a Engine,
    /// Run specs that the write names.
    written: BTreeSet<RunSpecId>,
    /// Run specs that it removes.
    removed: &'a BTreeSet<RunSpecId>,
    /// Groups that it changes.
    groups: &'a BTreeMap<GroupId, Option<Group>>,
}

impl<'a> Names<'a> {
    pub(super) fn after<'w>(
        engine: &'a Engine,
        written: impl IntoIterator<Item = &'w RunSpecId>,
        removed: &'a BTreeSet<RunSpecId>,
        groups: &'a BTreeMap<GroupId, Option<Group>>,
    ) -> Self {
        Self { engine, written: written.into_iter().cloned().collect(), removed, groups }
    }

    /// What is wrong with the name of a run spec.
    pub(super) fn check(&self, id: &RunSpecId) -> Result<(), Violation> {
        let taken = id.ancestors().any(|group| self.has_run_spec(&group)) || self.has_group(id);
        if taken {
            return Err(Violation::new("/id", "Groups and Applications may not have the same identifier."));
        }
        Ok(())
    }

    /// What is wrong with the name of a group.
    pub(super) fn check_group(&self, id: &GroupId) -> Result<(), Violation> {
        match id.and_around().filter_map(|group| group.as_run_spec()).find(|path| self.has_run_spec(path)) {
            Some(_) => Err(Violation::new("/id", "Groups and Applications may not have the same identifier.")),
            None => Ok(()),
        }
    }

    fn has_run_spec(&self, id: &RunSpecId) -> bool {
        self.written.contains(id) || (self.engine.current(id).is_some() && !self.removed.contains(id))
    }

    fn has_group(&self, id: &RunSpecId) -> bool {
        let group = GroupId::at(id);
        let prefix = group.prefix();
        let lies_in = |other: &RunSpecId| other.as_str().starts_with(&prefix);
        let written = self.written.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded)).next();
        let mut present = self.engine.state.within(&group);
        let said = match self.groups.get(&group) {
            Some(after) => after.is_some(),
            None => self.engine.state.group(&group).is_some(),
        };
        said || written.is_some_and(lies_in)
            || present.any(|(id, state)| state.current.is_some() && !self.removed.contains(id))
    }
}
