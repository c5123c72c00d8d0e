use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_core_api::Now;

use super::super::deployments::{Conflict, Draft, Target};
use super::super::{Definition, Engine, Refusal, RunSpecChange, Violation};
use super::judge::judge_secrets;
use super::names::Names;
use super::roles::Rules;
use crate::access::Caller;
use crate::deployment::Cycle;
use crate::model::{Group, GroupId, RunSpec, RunSpecId, RunSpecUpdate, Shape, Version};
use crate::validate::limits::INSTANCES_MAX;

/// One run spec of a write, and where in the document it was written.
pub(super) struct Change {
    pub(super) change: RunSpecChange,
    /// `/groups(0)/apps(1)`; empty when it is the whole document.
    pub(super) place: String,
}

impl Engine {
    /// Creates and changes run specs in one deployment. What does not change gets no new version and no action.
    pub(super) fn draft_put(
        &self,
        now: Now,
        changes: &[RunSpecChange],
        conflict: Conflict,
        caller: &Caller,
    ) -> Result<Draft, Refusal> {
        let version = self.next_version(now, changes.iter().map(|change| &change.id));
        let place = |index| if changes.len() > 1 { format!("/apps({index})") } else { String::new() };
        let placed = |(index, change): (usize, &RunSpecChange)| Change { change: change.clone(), place: place(index) };
        let changes: Vec<Change> = changes.iter().enumerate().map(placed).collect();
        self.draft(version, &changes, BTreeSet::new(), BTreeMap::new(), conflict, caller)
    }

    /// What changes of run specs and groups come to, together.
    pub(super) fn draft(
        &self,
        version: Version,
        changes: &[Change],
        removed: BTreeSet<RunSpecId>,
        mut groups: BTreeMap<GroupId, Option<Group>>,
        conflict: Conflict,
        caller: &Caller,
    ) -> Result<Draft, Refusal> {
        let invalid = |violation| Refusal::Invalid(vec![violation]);
        let names = Names::after(self, changes.iter().map(|change| &change.change.id), &removed, &groups);
        groups.iter().filter(|(_, to)| to.is_some()).try_for_each(|(id, _)| names.check_group(id)).map_err(invalid)?;
        let rules = Rules { engine: self, groups: &groups, conflict };
        let definitions = self.definitions(changes, &names, &rules, version, caller)?;
        let changed = || definitions.iter().filter(|definition| self.needs_deployment(definition));
        self.add_enclosing(changed().map(|definition| &definition.id), &mut groups);
        groups.retain(|id, to| self.state.group(id) != to.as_ref());
        let kept = changed().map(|definition| Target { id: definition.id.clone(), to: Some(Arc::clone(definition)) });
        let mut targets: Vec<Target> = kept.collect();
        targets.extend(removed.into_iter().map(|id| Target { id, to: None }));
        let cyclic = |cycle: Cycle| invalid(Violation::new("/dependencies", cycle.to_string()));
        self.check_number(&targets).map_err(invalid)?;
        let layers = self.layers_with(&targets, &groups).map_err(cyclic)?;
        let superseded = self.admit(&targets, conflict)?;
        Ok(Draft { targets, groups, layers, superseded, requested: definitions, ..Draft::new(version) })
    }

    /// Refuses new apps beyond the number that there may be, in Marathon's words.
    fn check_number(&self, targets: &[Target]) -> Result<(), Violation> {
        let Some(limit) = self.config.apps_max else { return Ok(()) };
        let is_app = |definition: Option<&Arc<RunSpec>>| definition.is_some_and(|spec| spec.shape() == Shape::App);
        let (mut made, mut removed) = (0, 0);
        for Target { id, to } in targets {
            let (is, will_be) = (is_app(self.current(id)), is_app(to.as_ref()));
            made += usize::from(will_be && !is);
            removed += usize::from(is && !will_be);
        }
        if made > 0 && (self.apps + made).saturating_sub(removed) > limit {
            let error = format!(
                "This Marathon instance may only handle up to {limit} Apps!\n(Override with command line option --max_apps)"
            );
            return Err(Violation::new("/", error));
        }
        Ok(())
    }

    /// The groups around what is new are there from then on, whatever becomes of it.
    fn add_enclosing<'a>(
        &self,
        written: impl Iterator<Item = &'a RunSpecId>,
        groups: &mut BTreeMap<GroupId, Option<Group>>,
    ) {
        let new = written.filter(|id| self.current(id).is_none()).map(GroupId::of);
        let said: Vec<GroupId> = groups.iter().filter(|(_, to)| to.is_some()).map(|(id, _)| id.clone()).collect();
        for group in new.chain(said).flat_map(|group| group.and_around().collect::<Vec<_>>()) {
            if !group.is_root() && self.state.group(&group).is_none() {
                let new = self.new_group(&group);
                groups.entry(group).or_insert(None).get_or_insert(new);
            }
        }
    }

    /// The whole definitions that the changes lead to, checked and with service ports.
    fn definitions(
        &self,
        changes: &[Change],
        names: &Names<'_>,
        rules: &Rules<'_>,
        version: Version,
        caller: &Caller,
    ) -> Result<Vec<Arc<RunSpec>>, Refusal> {
        let mut taken = BTreeSet::new();
        let mut named = BTreeSet::new();
        let mut definitions = Vec::with_capacity(changes.len());
        for Change { change, place } in changes {
            let twice = || Violation::new("/id", "is named twice in one request");
            let name = if named.insert(&change.id) { names.check(&change.id) } else { Err(twice()) };
            let name = name.map_err(|violation| Refusal::Invalid(vec![violation]));
            let definition = name.and_then(|()| self.definition(change, rules, version, &mut taken, caller));
            let definition = definition.map_err(|refusal| match refusal {
                Refusal::Invalid(violations) => Refusal::Invalid(within(place, violations)),
                refusal => refusal,
            })?;
            definitions.push(Arc::new(definition));
        }
        Ok(definitions)
    }

    fn definition(
        &self,
        change: &RunSpecChange,
        rules: &Rules<'_>,
        version: Version,
        taken: &mut BTreeSet<u16>,
        caller: &Caller,
    ) -> Result<RunSpec, Refusal> {
        let id = &change.id;
        let current = self.current(id);
        check_shape(change, current)?;
        let mut merged = match &change.to {
            Definition::NewPod(_) if current.is_some() => return Err(Refusal::PodExists(id.clone())),
            Definition::NewPod(pod) | Definition::Pod(pod) => RunSpec::clone(pod),
            Definition::Whole(whole) => RunSpec::clone(whole),
            Definition::New(_) if current.is_some() => return Err(Refusal::Exists(id.clone())),
            Definition::Patched(_) if current.is_none() => {
                return Err(Refusal::Missing(id.clone()));
            }
            Definition::New(update) | Definition::Replaced(update) => merged(id, None, update, rules)?,
            Definition::Merged(update) | Definition::Patched(update) => merged(id, current, update, rules)?,
            Definition::Stored(stored) => {
                current.ok_or_else(|| Refusal::Missing(id.clone()))?;
                self.stored(id, *stored)?
            }
            Definition::Restored(stored) => self.stored(id, *stored)?,
            Definition::Scaled(factor) => scaled(current.ok_or_else(|| Refusal::Missing(id.clone()))?, *factor)?,
        };
        if merged.role.is_empty() {
            merged.role = rules.default_of(id);
        }
        let former = current.map(Arc::as_ref);
        rules.check(&change.to, former, &merged).map_err(|violation| Refusal::Invalid(vec![violation]))?;
        (self.config.border.validate)(&merged).map_err(Refusal::Invalid)?;
        if let Some(current) = current {
            (self.config.border.validate_change)(current, &merged).map_err(Refusal::Invalid)?;
        }
        judge_secrets(caller, current.map(Arc::as_ref), &merged)?;
        // Those of a backup may come with it.
        if !matches!(change.to, Definition::Whole(_)) {
            self.check_secrets(&merged)?;
        }
        self.give_ports(&mut merged, current.map(Arc::as_ref), taken)?;
        let keep_generation = matches!(change.to, Definition::Stored(_) | Definition::Restored(_));
        Ok(versioned(merged, current.map(Arc::as_ref), version, keep_generation))
    }

    fn stored(&self, id: &RunSpecId, version: Version) -> Result<RunSpec, Refusal> {
        let stored = self.state.run_specs.get(id).and_then(|state| state.versions.get(&version));
        stored.map(|stored| RunSpec::clone(stored)).ok_or_else(|| Refusal::VersionMissing { id: id.clone(), version })
    }

    /// The current definition of a run spec, if it is of this shape.
    pub(in super::super) fn current_of(&self, id: &RunSpecId, shape: Shape) -> Option<&Arc<RunSpec>> {
        self.current(id).filter(|current| current.shape() == shape)
    }

    /// The current definition of a run spec.
    pub(in super::super) fn current(&self, id: &RunSpecId) -> Option<&Arc<RunSpec>> {
        self.state.run_specs.get(id)?.definition()
    }

    /// True for a new version, and for the old one when instances of other generations are about (a deployment was stopped half-way).
    fn needs_deployment(&self, definition: &RunSpec) -> bool {
        let changed = self.current(&definition.id).is_none_or(|current| current.version != definition.version);
        let tracker = self.trackers.get(&definition.id).filter(|tracker| tracker.lock.is_none());
        changed || tracker.is_some_and(|tracker| tracker.standing_of_others(definition.generation).active() > 0)
    }

    /// Gives a definition the service ports that it lacks; `taken` are those given before in the same write.
    pub(super) fn give_ports(
        &self,
        run_spec: &mut RunSpec,
        former: Option<&RunSpec>,
        taken: &mut BTreeSet<u16>,
    ) -> Result<(), Refusal> {
        self.service_ports.allocate(run_spec, former, taken).map_err(|_exhausted| {
            let (first, last) = (self.config.service_port_first, self.config.service_port_last);
            let text =
                format!("no service port is free between {first} and {last}: remove apps, or name the port yourself");
            Refusal::Invalid(vec![Violation::new("/portDefinitions", text)])
        })
    }
}

fn merged(
    id: &RunSpecId,
    current: Option<&Arc<RunSpec>>,
    update: &RunSpecUpdate,
    rules: &Rules<'_>,
) -> Result<RunSpec, Refusal> {
    let merged = update.apply(current.map(Arc::as_ref), id, &rules.default_of(id));
    merged.map_err(|error| Refusal::Invalid(vec![Violation::new("/", error.to_string())]))
}

/// What is an app stays one, and so does a pod.
fn check_shape(change: &RunSpecChange, current: Option<&Arc<RunSpec>>) -> Result<(), Refusal> {
    let shape = match &change.to {
        // It stays what it is, or becomes again what it was.
        Definition::Scaled(_) | Definition::Restored(_) | Definition::Whole(_) => return Ok(()),
        Definition::NewPod(_) | Definition::Pod(_) => Shape::Pod,
        Definition::New(_)
        | Definition::Merged(_)
        | Definition::Patched(_)
        | Definition::Replaced(_)
        | Definition::Stored(_) => Shape::App,
    };
    match current {
        Some(current) if current.shape() != shape => {
            let error = "Applications and Pods may not share the same id";
            Err(Refusal::Invalid(vec![Violation::new("/id", error)]))
        }
        Some(_) | None => Ok(()),
    }
}

/// A definition with its versions: the current one itself when nothing changes.
pub(super) fn versioned(
    mut definition: RunSpec,
    current: Option<&RunSpec>,
    version: Version,
    keep_generation: bool,
) -> RunSpec {
    let restored = definition.generation;
    definition.version = version;
    let Some(current) = current else {
        definition.last_scaling_at = version;
        definition.last_config_change_at = version;
        definition.generation = version;
        return definition;
    };
    let same = definition.same_configuration(current);
    if same && definition.instances == current.instances {
        return current.clone();
    }
    definition.last_scaling_at =
        if definition.instances == current.instances { current.last_scaling_at } else { version };
    definition.last_config_change_at = if same { current.last_config_change_at } else { version };
    definition.generation = match (same, keep_generation) {
        (true, _) => current.generation,
        (false, true) => restored,
        (false, false) => version,
    };
    definition
}

/// A definition with its number of instances multiplied, and rounded up.
fn scaled(current: &RunSpec, factor: f64) -> Result<RunSpec, Refusal> {
    let instances = (f64::from(current.instances) * factor).ceil();
    if instances > f64::from(INSTANCES_MAX) {
        let text = format!("{} would have more than {INSTANCES_MAX} instances", current.id);
        return Err(Refusal::Invalid(vec![Violation::new("/", text)]));
    }
    Ok(RunSpec { instances: instances as u32, ..current.clone() })
}

/// Violations of one element of a document.
fn within(place: &str, violations: Vec<Violation>) -> Vec<Violation> {
    if place.is_empty() {
        return violations;
    }
    let path = |path: &str| if path == "/" { place.to_owned() } else { format!("{place}{path}") };
    violations.into_iter().map(|violation| Violation::new(path(&violation.path), violation.message)).collect()
}
