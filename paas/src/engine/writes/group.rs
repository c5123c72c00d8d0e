use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::Now;

use super::super::deployments::{Conflict, Draft};
use super::super::{
    Definition, Effects, Engine, Fact, GroupDefinition, GroupUpdate, Refusal, Reply, RunSpecChange, RunSpecState,
    Terms, Violation,
};
use super::judge::Notes;
use super::put::Change;
use crate::access::{Caller, Lacking, Permission};
use crate::model::{Group, GroupId, RunSpecId, Shape, Version};

/// What a write of a group comes to, run spec by run spec.
#[derive(Default)]
pub(super) struct Flat {
    pub(super) changes: Vec<Change>,
    pub(super) removed: BTreeSet<RunSpecId>,
    pub(super) groups: BTreeMap<GroupId, Option<Group>>,
}

impl Engine {
    /// Creates a group, changes it with everything in it, scales it, or returns to what it was.
    pub(super) fn draft_group(
        &self,
        now: Now,
        id: &GroupId,
        to: &GroupDefinition,
        conflict: Conflict,
        caller: &Caller,
    ) -> Result<Draft, Refusal> {
        let flat = match to {
            GroupDefinition::New(update) => {
                self.check_new(id)?;
                self.flat(update)
            }
            GroupDefinition::Updated(update) => {
                self.check_enforcement(id, update)?;
                self.flat(update)
            }
            GroupDefinition::Scaled(factor) => self.scaled(id, *factor)?,
            GroupDefinition::Stored(version) => self.as_it_was(id, *version)?,
            GroupDefinition::Restored { backup, others, events_behind } => {
                let draft = self.draft_flat(now, id, self.as_in(backup, *others)?, conflict, caller)?;
                return Ok(Draft { regained: self.gone_since(backup, *events_behind)?, ..draft });
            }
        };
        self.draft_flat(now, id, flat, conflict, caller)
    }

    /// Removes a group and everything in it.
    pub(super) fn draft_group_removal(
        &self,
        now: Now,
        id: &GroupId,
        conflict: Conflict,
        caller: &Caller,
    ) -> Result<Draft, Refusal> {
        if !self.state.group_exists(id) {
            return Err(Refusal::GroupMissing(id.clone()));
        }
        let mut flat = Flat::default();
        self.remove_group(id, &mut flat);
        self.draft_flat(now, id, flat, conflict, caller)
    }

    /// Says whether run specs in a group must use its own role. Those that are there already stay as they are.
    pub(super) fn enforce_role(
        &mut self,
        now: Now,
        id: &GroupId,
        enforced: bool,
        terms: &Terms,
        notes: &mut Notes,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        if !self.state.group_exists(id) {
            return Err(Refusal::GroupMissing(id.clone()));
        }
        let group = self.state.group(id).cloned().unwrap_or_default();
        if group.enforce_role == enforced && !terms.dry_run {
            return Ok(Reply::Done);
        }
        let latest = self.state.group_version(id);
        let version = latest.map_or(Version(now.wall), |latest| latest.next(now.wall));
        let groups = BTreeMap::from([(id.clone(), Some(Group { enforce_role: enforced, ..group }))]);
        let draft = Draft { groups, ..Draft::new(version) };
        if terms.dry_run {
            return Ok(Reply::Planned(Box::new(self.forecast(now, draft, None))));
        }
        self.note_changes(&self.changes(&draft), notes);
        self.record(now, Fact::GroupChanged { groups: vec![id.to_string()], version }, out);
        self.store_groups(now, version, draft.groups, out);
        Ok(Reply::Done)
    }

    fn draft_flat(
        &self,
        now: Now,
        id: &GroupId,
        flat: Flat,
        conflict: Conflict,
        caller: &Caller,
    ) -> Result<Draft, Refusal> {
        self.judge_flat(&flat, caller)?;
        let latest = self.state.group_version(id);
        let after = |version: Option<Version>| version.map_or(Version(now.wall), |version| version.next(now.wall));
        let named = flat.changes.iter().map(|change| &change.change.id).chain(&flat.removed);
        let version = after(latest).max(self.next_version(now, named));
        let Flat { changes, removed, groups } = flat;
        let draft = self.draft(version, &changes, removed, groups, conflict, caller)?;
        Ok(Draft { subject: Some(id.clone()), requested: Vec::new(), ..draft })
    }

    /// Whoever may not view something learns nothing of it by writing a group that it lies in.
    fn judge_flat(&self, flat: &Flat, caller: &Caller) -> Result<(), Lacking> {
        let hidden = |path: &str| !caller.may(Permission::View, path);
        let changed = flat.changes.iter().map(|change| change.change.id.as_str());
        let removed = flat.removed.iter().map(RunSpecId::as_str);
        let differs = |(id, to): &(&GroupId, &Option<Group>)| {
            self.state.group(id) != to.as_ref() && to.as_ref().is_none_or(|to| *to != Group::default())
        };
        let groups = flat.groups.iter().filter(differs).map(|(id, _)| id.as_str());
        let mut behind = changed.chain(removed).chain(groups).filter(|path| hidden(path));
        behind.try_for_each(|path| caller.need_behind(Permission::Update, path))
    }

    fn check_new(&self, id: &GroupId) -> Result<(), Refusal> {
        if id.as_run_spec().is_some_and(|path| self.current(&path).is_some()) {
            return Err(Refusal::PathTaken(id.clone()));
        }
        if self.state.group_exists(id) {
            return Err(Refusal::GroupExists(id.clone()));
        }
        Ok(())
    }

    /// Whether roles are enforced is not changed along with the run specs that it concerns.
    fn check_enforcement(&self, id: &GroupId, update: &GroupUpdate) -> Result<(), Refusal> {
        let present = self.state.group(id).is_some_and(|group| group.enforce_role);
        let differs = update.enforce_role.is_some_and(|wanted| wanted != present);
        let modifies = update.apps.is_some() || update.groups.is_some();
        if differs && modifies && self.state.group_exists(id) {
            let text = "enforceRole cannot be modified in a request that adds, removes or modifies services; please make \
                        these changes in separate requests.";
            return Err(Refusal::Invalid(vec![Violation::new("/enforceRole", text)]));
        }
        Ok(())
    }

    fn flat(&self, update: &GroupUpdate) -> Flat {
        let mut flat = Flat::default();
        self.flatten(update, "", &mut flat);
        flat
    }

    /// What is named replaces what was there; what is not named stays.
    fn flatten(&self, update: &GroupUpdate, place: &str, flat: &mut Flat) {
        let current = self.state.group(&update.id).cloned().unwrap_or_else(|| self.new_group(&update.id));
        let group = Group {
            dependencies: update.dependencies.clone().unwrap_or(current.dependencies),
            enforce_role: update.enforce_role.unwrap_or(current.enforce_role),
            policy: update.policy.or(current.policy),
        };
        flat.groups.insert(update.id.clone(), Some(group));
        if let Some(apps) = &update.apps {
            let listed: BTreeSet<&RunSpecId> = apps.iter().map(|(id, _)| id).collect();
            let is_app = |state: &RunSpecState| state.definition().is_some_and(|spec| spec.shape() == Shape::App);
            let there = self.state.within(&update.id).filter(|(_, state)| is_app(state)).map(|(id, _)| id);
            let directly = there.filter(|id| GroupId::of(id) == update.id);
            flat.removed.extend(directly.filter(|id| !listed.contains(id)).cloned());
            for (index, (id, app)) in apps.iter().enumerate() {
                let change = RunSpecChange { id: id.clone(), to: Definition::Replaced(app.clone()) };
                flat.changes.push(Change { change, place: format!("{place}/apps({index})") });
            }
        }
        if let Some(groups) = &update.groups {
            let listed: BTreeSet<&GroupId> = groups.iter().map(|group| &group.id).collect();
            for below in self.groups_directly_in(&update.id) {
                if !listed.contains(&below) {
                    self.remove_group(&below, flat);
                }
            }
            for (index, group) in groups.iter().enumerate() {
                self.flatten(group, &format!("{place}/groups({index})"), flat);
            }
        }
    }

    fn groups_directly_in(&self, group: &GroupId) -> BTreeSet<GroupId> {
        let said = self.state.groups_within(group).filter(|(_, state)| state.current().is_some());
        let said = said.map(|(id, _)| id.clone());
        let around =
            self.state.within(group).filter(|(_, state)| state.current.is_some()).map(|(id, _)| GroupId::of(id));
        let directly = |id: GroupId| id.and_around().find(|id| id.parent().as_ref() == Some(group));
        said.chain(around).filter_map(directly).collect()
    }

    fn remove_group(&self, id: &GroupId, flat: &mut Flat) {
        let there = self.state.within(id).filter(|(_, state)| state.current.is_some());
        flat.removed.extend(there.map(|(id, _)| id.clone()));
        let said = self.state.groups_within(id).filter(|(_, state)| state.current().is_some());
        flat.groups.extend(said.map(|(id, _)| (id.clone(), None)));
    }

    /// Everything in a group with its number of instances multiplied.
    fn scaled(&self, id: &GroupId, factor: f64) -> Result<Flat, Refusal> {
        if !self.state.group_exists(id) {
            return Err(Refusal::GroupMissing(id.clone()));
        }
        let there = self.state.within(id).filter(|(_, state)| state.current.is_some());
        let scaled = there.map(|(id, _)| Change {
            change: RunSpecChange { id: id.clone(), to: Definition::Scaled(factor) },
            place: "/scaleBy".to_owned(),
        });
        Ok(Flat { changes: scaled.collect(), ..Flat::default() })
    }

    /// A group with everything in it, as it was at a version.
    fn as_it_was(&self, id: &GroupId, version: Version) -> Result<Flat, Refusal> {
        if !self.state.group_exists(id) {
            return Err(Refusal::GroupMissing(id.clone()));
        }
        if !self.state.group_versions(id).contains(&version) {
            return Err(Refusal::GroupVersionMissing { id: id.clone(), version });
        }
        let mut flat = Flat::default();
        for (id, state) in self.state.within(id) {
            match state.past().at(version) {
                Some(definition) => flat.changes.push(Change {
                    change: RunSpecChange { id: id.clone(), to: Definition::Restored(definition.version) },
                    place: "/version".to_owned(),
                }),
                None if state.current.is_some() => drop(flat.removed.insert(id.clone())),
                None => {}
            }
        }
        for (id, state) in self.state.groups_within(id) {
            flat.groups.insert(id.clone(), state.at(version).cloned());
        }
        Ok(flat)
    }
}
