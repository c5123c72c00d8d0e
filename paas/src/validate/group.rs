//! Groups: their apps one by one, their ids from where they stand, and what must not be said together.

use std::collections::BTreeSet;

use attica_paas_api::AppUpdate;
use attica_paas_api::group::GroupUpdate as Written;

use super::{Faults, Rules, dependencies, limits};
use crate::engine::GroupUpdate;
use crate::model::{GroupId, InvalidId, RunSpecId, RunSpecUpdate, Version};

/// What a written group asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupIntent {
    /// To become like this.
    Update(GroupUpdate),
    /// To return to what it was at a version.
    Rollback(Version),
    /// To have so many times the instances.
    Scale(f64),
}

const ALONE: &str = "not allowed in conjunction with other properties";

/// Reads a group that was written to the path `around`; it may name itself relative to that.
///
/// # Errors
/// Every fault that was found, by path.
pub fn group(written: Written, around: &GroupId, rules: &Rules) -> Result<(GroupId, GroupIntent), Faults> {
    let id = match &written.id {
        Some(id) => absolute(id, around).map_err(|error| Faults::one("/id", error.to_string()))?,
        None => around.clone(),
    };
    if let Some(factor) = written.scale_by {
        return scale(&written, factor.0).map(|intent| (id, intent));
    }
    if let Some(version) = written.version.as_deref().filter(|_| !is_of_a_read(&written)) {
        return roll_back(&written, version).map(|intent| (id, intent));
    }
    let mut reading = Reading { rules, faults: Faults::default(), apps: 0, groups: 0 };
    let update = reading.group(written, id.clone(), "");
    if reading.apps > limits::APPS_MAX || reading.groups > limits::GROUPS_MAX {
        let text = format!("must not hold more than {} apps and {} groups", limits::APPS_MAX, limits::GROUPS_MAX);
        reading.faults.add(super::ROOT, text);
    }
    reading.faults.into_result((id, GroupIntent::Update(update)))
}

fn absolute(path: &str, around: &GroupId) -> Result<GroupId, InvalidId> {
    GroupId::parse(&dependencies::resolve(path, around.as_str()))
}

fn scale(written: &Written, factor: f64) -> Result<GroupIntent, Faults> {
    let alone = Written { id: written.id.clone(), scale_by: written.scale_by, ..Written::default() };
    if *written != alone {
        return Err(Faults::one("/scaleBy", ALONE));
    }
    if !(0.0..=limits::SCALE_MAX).contains(&factor) {
        return Err(Faults::one("/scaleBy", format!("must be between 0 and {}", limits::SCALE_MAX)));
    }
    Ok(GroupIntent::Scale(factor))
}

fn roll_back(written: &Written, version: &str) -> Result<GroupIntent, Faults> {
    let alone = Written { id: written.id.clone(), version: written.version.clone(), ..Written::default() };
    if *written != alone {
        return Err(Faults::one("/version", ALONE));
    }
    let version = Version::parse(version);
    version
        .map(GroupIntent::Rollback)
        .ok_or_else(|| Faults::one("/version", "is not a time such as 2015-06-12T23:03:31.512Z"))
}

/// A read shows all of these beside the version, and from Marathon 1.4 on pods as well.
fn is_of_a_read(written: &Written) -> bool {
    written.apps.is_some() && written.groups.is_some() && written.dependencies.is_some()
}

/// A tree of groups on its way.
struct Reading<'a> {
    rules: &'a Rules,
    faults: Faults,
    apps: usize,
    groups: usize,
}

impl Reading<'_> {
    fn group(&mut self, written: Written, id: GroupId, place: &str) -> GroupUpdate {
        self.groups += 1;
        if written.pods.as_ref().is_some_and(|pods| !pods.is_empty()) && !is_of_a_read(&written) {
            self.faults.add(format!("{place}/pods"), "pods are written at /v2/pods");
        }
        if written.enforce_role.is_some() && !id.is_top_level() {
            let text = format!("enforceRole can only be set for top-level groups, and {id} is not top-level");
            self.faults.add(format!("{place}/enforceRole"), text);
        }
        let apps = written.apps.map(|apps| self.apps(apps, &id, place));
        let dependencies = written.dependencies.map(|paths| self.dependencies(&paths, &id, place));
        let groups = written.groups.map(|groups| self.groups(groups, &id, place));
        let policy = super::policy::policy(written.deployment, place, &mut self.faults);
        GroupUpdate { id, apps, groups, dependencies, enforce_role: written.enforce_role, policy }
    }

    fn apps(&mut self, apps: Vec<AppUpdate>, group: &GroupId, place: &str) -> Vec<(RunSpecId, Box<RunSpecUpdate>)> {
        self.apps += apps.len();
        let mut read = Vec::with_capacity(apps.len());
        for (index, app) in apps.into_iter().enumerate() {
            let place = format!("{place}/apps({index})");
            let Some(written) = app.id.as_deref() else {
                self.faults.add(format!("{place}/id"), "error.path.missing");
                continue;
            };
            let id = match RunSpecId::parse(&dependencies::resolve(written, group.as_str())) {
                Ok(id) => id,
                Err(error) => {
                    self.faults.add(format!("{place}/id"), error.to_string());
                    continue;
                }
            };
            if GroupId::of(&id) != *group {
                self.faults.add(format!("{place}/id"), format!("App has to be child of group with parent id {group}"));
            }
            match super::update(app, &id, self.rules) {
                Ok(update) => read.push((id, Box::new(update))),
                Err(faults) => self.faults.append(faults.below(&place)),
            }
        }
        read
    }

    fn groups(&mut self, groups: Vec<Written>, around: &GroupId, place: &str) -> Vec<GroupUpdate> {
        let mut read = Vec::with_capacity(groups.len());
        let mut seen = BTreeSet::new();
        for (index, group) in groups.into_iter().enumerate() {
            let place = format!("{place}/groups({index})");
            if group.version.is_some() && !is_of_a_read(&group) {
                self.faults.add(format!("{place}/version"), ALONE);
            }
            if group.scale_by.is_some() {
                self.faults.add(format!("{place}/scaleBy"), ALONE);
            }
            let id = match group.id.as_deref().map(|id| absolute(id, around)) {
                Some(Ok(id)) => id,
                Some(Err(error)) => {
                    self.faults.add(format!("{place}/id"), error.to_string());
                    continue;
                }
                None => {
                    self.faults.add(format!("{place}/id"), "error.path.missing");
                    continue;
                }
            };
            if id.parent().as_ref() != Some(around) {
                let text = format!("Group has to be child of groups with parent id {around}");
                self.faults.add(format!("{place}/id"), text);
            } else if seen.insert(id.clone()) {
                read.push(self.group(group, id, &place));
            } else {
                self.faults.add(format!("{place}/id"), "is there twice");
            }
        }
        read
    }

    fn dependencies(&mut self, written: &[String], group: &GroupId, place: &str) -> Vec<String> {
        let mut paths = Vec::with_capacity(written.len());
        if written.len() > limits::DEPENDENCIES_MAX {
            let text = format!("must not have more than {} items", limits::DEPENDENCIES_MAX);
            self.faults.add(format!("{place}/dependencies"), text);
        }
        for (index, path) in written.iter().enumerate() {
            match absolute(path, group) {
                Ok(path) if path == *group => {
                    self.faults.add(format!("{place}/dependencies({index})"), "a group cannot depend on itself");
                }
                Ok(path) => paths.push(path.to_string()),
                Err(error) => self.faults.add(format!("{place}/dependencies({index})"), error.to_string()),
            }
        }
        paths
    }
}
