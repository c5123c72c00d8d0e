//! Which role a run spec may run in: the default one, or its top-level group's, which the group may enforce.

use std::collections::{BTreeMap, BTreeSet};

use super::super::deployments::Conflict;
use super::super::{Definition, EnforcedByDefault, Engine, Violation};
use crate::model::{Group, GroupId, RunSpec, RunSpecId};

/// The rules for roles, in the groups as a write leaves them.
pub(super) struct Rules<'a> {
    pub(super) engine: &'a Engine,
    pub(super) groups: &'a BTreeMap<GroupId, Option<Group>>,
    pub(super) conflict: Conflict,
}

impl Rules<'_> {
    /// The role of a run spec that names none.
    pub(super) fn default_of(&self, id: &RunSpecId) -> String {
        match GroupId::top_level_of(id) {
            Some(top) if self.enforces(&top) => top.name().to_owned(),
            _ => self.engine.config.role.clone(),
        }
    }

    /// Judges the role of a definition that was written. One that returns to what it was, or is only multiplied, keeps its role.
    pub(super) fn check(&self, to: &Definition, from: Option<&RunSpec>, definition: &RunSpec) -> Result<(), Violation> {
        match to {
            Definition::Stored(_) | Definition::Restored(_) | Definition::Scaled(_) | Definition::Whole(_) => {
                return Ok(());
            }
            Definition::New(_)
            | Definition::Replaced(_)
            | Definition::Merged(_)
            | Definition::Patched(_)
            | Definition::NewPod(_)
            | Definition::Pod(_) => {}
        }
        let role = &definition.role;
        let mut valid = BTreeSet::new();
        match GroupId::top_level_of(&definition.id) {
            None => drop(valid.insert(self.engine.config.role.clone())),
            Some(top) => {
                if !self.enforces(&top) {
                    valid.insert(self.engine.config.role.clone());
                }
                valid.insert(top.name().to_owned());
            }
        }
        valid.extend(from.map(|from| from.role.clone()));
        if !valid.contains(role) {
            let valid: Vec<String> = valid.into_iter().collect();
            return Err(Violation::new("/role", format!("got {role}, expected one of: [{}]", valid.join(", "))));
        }
        let former = from.map(|from| &from.role).filter(|former| *former != role);
        match former {
            Some(former) if definition.is_resident() && self.conflict == Conflict::Refuse => {
                Err(Violation::new("/role", kept(former, role)))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn enforces(&self, top: &GroupId) -> bool {
        let group = self.groups.get(top).map_or_else(|| self.engine.state.group(top), Option::as_ref);
        group.map_or_else(|| self.engine.new_group(top).enforce_role, |group| group.enforce_role)
    }
}

impl Engine {
    /// What is said of a group of which nothing was said yet.
    pub(super) fn new_group(&self, id: &GroupId) -> Group {
        let enforce_role = match self.config.enforced_by_default {
            EnforcedByDefault::Off => false,
            EnforcedByDefault::Top => id.is_top_level() && !self.state.group_exists(id),
        };
        Group { enforce_role, ..Group::default() }
    }
}

fn kept(former: &str, role: &str) -> String {
    format!(
        "what is reserved cannot change its role: the instances that are there stay in {former}, and only new ones run in {role}. \
         To go on, repeat this request with ?force=true"
    )
}
