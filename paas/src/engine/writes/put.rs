use std::collections::BTreeSet;
use std::sync::Arc;

use attica_core_api::Now;

use super::super::deployments::{Conflict, Target};
use super::super::{Definition, Effects, Engine, Fact, Origin, Refusal, Reply, RunSpecChange, Violation};
use crate::model::{RunSpec, RunSpecId, RunSpecUpdate, Shape, Version};

impl Engine {
    /// Creates and changes run specs in one deployment. What does not change gets no new version and no action.
    pub(super) fn put(
        &mut self,
        now: Now,
        changes: &[RunSpecChange],
        conflict: Conflict,
        origin: &Origin,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let version = self.next_version(now, changes.iter().map(|change| &change.id));
        let definitions = self.definitions(changes, version)?;
        let is_changed = |definition: &&Arc<RunSpec>| self.needs_deployment(definition);
        let targets: Vec<Target> = definitions
            .iter()
            .filter(is_changed)
            .map(|definition| Target { id: definition.id.clone(), to: Some(Arc::clone(definition)) })
            .collect();
        let cyclic = |_| Refusal::Invalid(vec![Violation::new("/dependencies", crate::deployment::Cycle.to_string())]);
        let layers = self.layers_with(&targets).map_err(cyclic)?;
        let superseded = match self.admit(&targets, conflict) {
            Ok(superseded) => superseded,
            Err(refusal) => return Err(self.refused(now, &changes[0].id, version, refusal, out)),
        };
        let is_new = |definition: &&Arc<RunSpec>| self.current(&definition.id).is_none();
        let created = definitions.iter().filter(is_new).cloned().collect();
        for run_spec in definitions {
            let Origin { client_ip, uri } = origin.clone();
            self.record(now, Fact::Requested { client_ip, uri, run_spec }, out);
        }
        let deployment = self.deploy(now, version, targets, &layers, superseded, out);
        Ok(Reply::Deployed { version, deployment, created })
    }

    /// The whole definitions that the changes lead to, checked and with service ports.
    fn definitions(&self, changes: &[RunSpecChange], version: Version) -> Result<Vec<Arc<RunSpec>>, Refusal> {
        let mut taken = BTreeSet::new();
        let mut named = BTreeSet::new();
        let mut definitions = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            let checked = self.check_name(&change.id, &mut named);
            let definition = checked.and_then(|()| self.definition(change, version, &mut taken));
            let definition = definition.map_err(|refusal| match refusal {
                Refusal::Invalid(violations) if changes.len() > 1 => Refusal::Invalid(within(index, violations)),
                refusal => refusal,
            })?;
            definitions.push(Arc::new(definition));
        }
        Ok(definitions)
    }

    /// A path names one thing: no run spec twice in a write, and none that is also a group, because another one lies within it.
    fn check_name<'a>(&self, id: &'a RunSpecId, named: &mut BTreeSet<&'a RunSpecId>) -> Result<(), Refusal> {
        let invalid = |message: &str| Err(Refusal::Invalid(vec![Violation::new("/id", message)]));
        if !named.insert(id) {
            return invalid("is named twice in one request");
        }
        let exists = |other: &RunSpecId| named.contains(other) || self.current(other).is_some();
        let group_taken = id.ancestors().any(|group| exists(&group));
        let is_group = self.within(id).any(|other| self.current(other).is_some())
            || named.iter().any(|other| other.is_within(id.as_str()));
        if group_taken || is_group {
            return invalid("Groups and Applications may not have the same identifier.");
        }
        Ok(())
    }

    fn definition(
        &self,
        change: &RunSpecChange,
        version: Version,
        taken: &mut BTreeSet<u16>,
    ) -> Result<RunSpec, Refusal> {
        let id = &change.id;
        let current = self.current(id);
        check_shape(change, current)?;
        let mut merged = match &change.to {
            Definition::NewPod(_) if current.is_some() => return Err(Refusal::PodExists(id.clone())),
            Definition::NewPod(pod) | Definition::Pod(pod) => RunSpec::clone(pod),
            Definition::New(_) if current.is_some() => return Err(Refusal::Exists(id.clone())),
            Definition::Patched(_) if current.is_none() => {
                return Err(Refusal::Missing(id.clone()));
            }
            Definition::New(update) | Definition::Replaced(update) => self.merged(id, None, update)?,
            Definition::Merged(update) | Definition::Patched(update) => self.merged(id, current, update)?,
            Definition::Stored(stored) => self.stored(id, *stored)?,
        };
        (self.config.border.validate)(&merged).map_err(Refusal::Invalid)?;
        self.give_ports(&mut merged, current.map(Arc::as_ref), taken)?;
        let keep_generation = matches!(change.to, Definition::Stored(_));
        Ok(versioned(merged, current.map(Arc::as_ref), version, keep_generation))
    }

    fn merged(
        &self,
        id: &RunSpecId,
        current: Option<&Arc<RunSpec>>,
        update: &RunSpecUpdate,
    ) -> Result<RunSpec, Refusal> {
        let merged = update.apply(current.map(Arc::as_ref), id, &self.config.role);
        merged.map_err(|error| Refusal::Invalid(vec![Violation::new("/", error.to_string())]))
    }

    fn stored(&self, id: &RunSpecId, version: Version) -> Result<RunSpec, Refusal> {
        let state = self.state.run_specs.get(id).filter(|state| state.current.is_some());
        let state = state.ok_or_else(|| Refusal::Missing(id.clone()))?;
        let stored = state.versions.get(&version);
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

/// What is an app stays one, and so does a pod.
fn check_shape(change: &RunSpecChange, current: Option<&Arc<RunSpec>>) -> Result<(), Refusal> {
    let shape = match &change.to {
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

/// Violations of one element of a list.
fn within(index: usize, violations: Vec<Violation>) -> Vec<Violation> {
    let path = |path: &str| {
        if path == "/" { format!("/apps({index})") } else { format!("/apps({index}){path}") }
    };
    violations.into_iter().map(|violation| Violation::new(path(&violation.path), violation.message)).collect()
}
