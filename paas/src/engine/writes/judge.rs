//! Whether the author of a write may do what follows from it, and what is written down of that.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::deployments::Draft;
use super::super::{
    Changes, Definition, Engine, GroupDefinition, KillMode, Origin, Refusal, Reply, TaskSelection, Write,
};
use crate::access::{AuditEntry, Caller, Lacking, Permission, Request, UserName, Verdict};
use crate::model::{DeploymentId, Group, RunSpec, RunSpecId, SecretSource};

/// What is to be written down of a write.
#[derive(Default)]
pub(super) struct Notes {
    /// The paths of what it touches.
    touched: BTreeSet<String>,
    /// What it changes, as JSON.
    changes: Option<String>,
}

impl Notes {
    fn touch(&mut self, path: impl Into<String>) {
        self.touched.insert(path.into());
    }

    /// The entry; none for what is not worth one: reports of programs, and what was refused for another reason than a permission.
    pub(super) fn entry(
        self,
        user: &UserName,
        write: &Write,
        origin: &Origin,
        outcome: &Result<Reply, Refusal>,
    ) -> Option<AuditEntry> {
        let mut touched: Vec<String> = self.touched.into_iter().collect();
        let verdict = match (outcome, write) {
            (_, Write::Acknowledge { .. } | Write::CallbackReached { .. }) => return None,
            (Ok(_), Write::Note { verdict, .. }) => verdict.clone(),
            (Ok(_), _) => Verdict::Done,
            (Err(Refusal::Forbidden(lacking)), _) => {
                touched = vec![lacking.path.clone()];
                Verdict::Forbidden(lacking.to_string())
            }
            (Err(_), _) => return None,
        };
        Some(AuditEntry {
            user: user.clone(),
            request: Request {
                method: origin.method.clone(),
                uri: origin.uri.clone(),
                address: origin.client_ip.clone(),
                forwarded_for: origin.forwarded_for.clone(),
            },
            verdict,
            deployment: deployment(write, outcome),
            touched,
            changes: self.changes,
        })
    }
}

/// The deployment that a write began, or was about.
fn deployment(write: &Write, outcome: &Result<Reply, Refusal>) -> Option<DeploymentId> {
    match (outcome, write) {
        (Ok(Reply::Deployed { deployment, .. }), _) => Some(*deployment),
        (Ok(_), Write::Cancel { id, .. } | Write::Hold { id, .. }) => Some(*id),
        (Ok(_) | Err(_), _) => None,
    }
}

impl Engine {
    /// Judges a write by what it names, before anything else is said about that: whoever may not touch something learns nothing of it.
    pub(super) fn judge_named(&self, write: &Write, caller: &Caller, notes: &mut Notes) -> Result<(), Lacking> {
        if caller.name().is_none() {
            return Ok(());
        }
        let mut need = |permission, path: &str| {
            notes.touch(path);
            caller.need(permission, path)
        };
        match write {
            Write::Put { changes, .. } => changes.iter().try_for_each(|change| {
                let exists = self.current(&change.id).is_some() && caller.may(Permission::View, change.id.as_str());
                need(permission_to_write(&change.to, exists), change.id.as_str())
            }),
            Write::Delete { id, .. } | Write::DeletePod { id, .. } => need(Permission::Delete, id.as_str()),
            Write::Restart { id, .. } | Write::ResetDelay { id } => need(Permission::Update, id.as_str()),
            // What they come to is judged when it is known.
            Write::PutGroup { id, .. } | Write::DeleteGroup { id, .. } if caller.sight().reaches(id) => {
                notes.touch(id.as_str());
                Ok(())
            }
            Write::PutGroup { id, to, .. } => {
                let permission = match to {
                    // As far as its author may know, there is none.
                    GroupDefinition::New(_) | GroupDefinition::Updated(_) => Permission::Create,
                    GroupDefinition::Stored(_) | GroupDefinition::Scaled(_) | GroupDefinition::Restored { .. } => {
                        Permission::Update
                    }
                };
                need(permission, id.as_str())
            }
            Write::DeleteGroup { id, .. } => need(Permission::Delete, id.as_str()),
            Write::KeepSecret { path, .. } => {
                let exists = self.state.secrets.contains_key(path) && caller.may(Permission::View, path.as_str());
                need(if exists { Permission::Update } else { Permission::Create }, path.as_str())
            }
            Write::RemoveSecret { path } => need(Permission::Delete, path.as_str()),
            Write::EnforceRole { group, .. } => need(Permission::Update, group.as_str()),
            Write::Kill { tasks, mode, .. } => {
                let paths: BTreeSet<RunSpecId> = self.run_specs_of(tasks, *mode);
                paths.iter().try_for_each(|id| need(Permission::Update, id.as_str()))
            }
            Write::Cancel { id, .. } | Write::Hold { id, .. } => {
                let changes = self.state.deployments.get(id).map(|deployment| &deployment.changes);
                changes.into_iter().flatten().try_for_each(|(id, _)| {
                    notes.touch(id.as_str());
                    caller.need_behind(Permission::Update, id.as_str())
                })
            }
            // These were judged before they came here.
            Write::User { .. }
            | Write::BeginSession(_)
            | Write::EndSession(_)
            | Write::AddCallback { .. }
            | Write::RemoveCallback { .. } => {
                notes.touch("/");
                Ok(())
            }
            Write::Note { path, .. } => {
                notes.touch(path);
                Ok(())
            }
            Write::Acknowledge { .. } | Write::CallbackReached { .. } => Ok(()),
        }
    }

    /// The run specs whose tasks these are: those that are named, and those that lie behind the tasks.
    fn run_specs_of(&self, tasks: &TaskSelection, mode: KillMode) -> BTreeSet<RunSpecId> {
        match tasks {
            TaskSelection::All { run_spec }
            | TaskSelection::OnHost { run_spec, .. }
            | TaskSelection::OfPod { run_spec, .. }
            | TaskSelection::One { run_spec, .. } => [run_spec.clone()].into(),
            TaskSelection::These(_) => {
                let instances = self.selected(tasks, mode).unwrap_or_default();
                instances.into_iter().map(|instance| instance.id.run_spec).collect()
            }
        }
    }

    /// Judges a draft by what it changes: each run spec, each group that is more than a place, and each deployment that has to give way.
    pub(super) fn judge(&self, draft: &Draft, caller: &Caller) -> Result<(), Refusal> {
        if caller.name().is_none() {
            return Ok(());
        }
        for target in &draft.targets {
            let permission = match (self.current(&target.id), &target.to) {
                (_, None) => Permission::Delete,
                (None, Some(_)) => Permission::Create,
                (Some(_), Some(_)) => Permission::Update,
            };
            caller.need_behind(permission, target.id.as_str())?;
            if let Some(to) = &target.to {
                judge_secrets(caller, self.current(&target.id).map(Arc::as_ref), to)?;
            }
        }
        for (id, to) in &draft.groups {
            let permission = match (self.state.group(id), to) {
                (_, None) => Permission::Delete,
                // It is there because something lies in it: whoever may make that may have it so.
                (None, Some(group)) if *group == Group::default() => continue,
                (None, Some(_)) => Permission::Create,
                (Some(_), Some(_)) => Permission::Update,
            };
            caller.need_behind(permission, id.as_str())?;
        }
        let superseded = draft.superseded.iter().filter_map(|id| self.state.deployments.get(id));
        for id in superseded.flat_map(|deployment| deployment.changes.keys()) {
            if !draft.targets.iter().any(|target| target.id == *id) {
                caller.need_behind(Permission::Update, id.as_str())?;
            }
        }
        Ok(())
    }

    /// Notes what a draft is about to change.
    pub(super) fn note(&self, draft: &Draft, notes: &mut Notes) {
        let run_specs = draft.targets.iter().map(|target| target.id.to_string());
        let secrets = draft.regained.secrets.keys().map(ToString::to_string);
        let groups = draft.groups.keys().map(ToString::to_string);
        notes.touched.extend(run_specs.chain(groups).chain(secrets));
        self.note_changes(&self.changes(draft), notes);
    }

    /// Notes what is about to change.
    pub(super) fn note_changes(&self, changes: &Changes, notes: &mut Notes) {
        notes.changes = Some((self.config.border.render_changes)(changes));
    }
}

/// Whoever says what a task does can have it tell its secrets: none is given to it that its author might not set.
///
/// # Errors
/// The first of the new ones that the author may not set.
pub(super) fn judge_secrets(caller: &Caller, present: Option<&RunSpec>, to: &RunSpec) -> Result<(), Lacking> {
    let mut new =
        to.secrets.values().map(SecretSource::path).filter(|path| !present.is_some_and(|it| it.refers_to(path)));
    new.try_for_each(|path| caller.need(Permission::Update, path.as_str()))
}

/// What it takes to write this definition of a run spec that exists, or does not as far as its author may know.
fn permission_to_write(to: &Definition, exists: bool) -> Permission {
    match to {
        Definition::New(_) | Definition::NewPod(_) => Permission::Create,
        Definition::Patched(_) | Definition::Stored(_) | Definition::Scaled(_) => Permission::Update,
        Definition::Merged(_)
        | Definition::Replaced(_)
        | Definition::Pod(_)
        | Definition::Restored(_)
        | Definition::Whole(_) => match exists {
            true => Permission::Update,
            false => Permission::Create,
        },
    }
}
