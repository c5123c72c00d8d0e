//! Writes that are only meant for a certain version of what they change.

use super::super::{Engine, Refusal, TaskSelection, Terms, Write};
use crate::model::{GroupId, RunSpecId, Shape, Version};

impl Engine {
    /// Refuses a write whose object is at another version than its author has seen.
    pub(super) fn check_precondition(&self, write: &Write, terms: &Terms) -> Result<(), Refusal> {
        let Some(wanted) = &terms.if_match else { return Ok(()) };
        let (what, present) = match write {
            Write::Put { changes, .. } => match changes.as_slice() {
                [one] => self.state_of(&one.id),
                _ => return Err(Refusal::NoPrecondition),
            },
            Write::Delete { id, .. }
            | Write::DeletePod { id, .. }
            | Write::Restart { id, .. }
            | Write::ResetDelay { id } => self.state_of(id),
            Write::Kill { tasks, .. } => match tasks {
                TaskSelection::All { run_spec }
                | TaskSelection::OnHost { run_spec, .. }
                | TaskSelection::OfPod { run_spec, .. }
                | TaskSelection::One { run_spec, .. } => self.state_of(run_spec),
                TaskSelection::These(_) => return Err(Refusal::NoPrecondition),
            },
            Write::PutGroup { id, .. } | Write::DeleteGroup { id, .. } | Write::EnforceRole { group: id, .. } => {
                self.state_of_group(id)
            }
            Write::KeepSecret { path, .. } | Write::RemoveSecret { path } => {
                (format!("Secret '{path}'"), self.state.secrets.get(path).map(|secret| secret.version))
            }
            Write::Cancel { .. }
            | Write::Hold { .. }
            | Write::Acknowledge { .. }
            | Write::User { .. }
            | Write::BeginSession(_)
            | Write::EndSession(_)
            | Write::Note { .. }
            | Write::AddCallback { .. }
            | Write::RemoveCallback { .. }
            | Write::CallbackReached { .. } => {
                return Err(Refusal::NoPrecondition);
            }
        };
        let holds = match wanted {
            super::super::Wanted::Any => present.is_some(),
            super::super::Wanted::These(versions) => present.is_some_and(|present| versions.contains(&present)),
        };
        if holds { Ok(()) } else { Err(Refusal::Precondition { what, present }) }
    }

    fn state_of(&self, id: &RunSpecId) -> (String, Option<Version>) {
        let current = self.current(id);
        let what = match current.map(|current| current.shape()) {
            Some(Shape::Pod) => "Pod",
            Some(Shape::App) | None => "App",
        };
        (format!("{what} '{id}'"), current.map(|current| current.version))
    }

    fn state_of_group(&self, id: &GroupId) -> (String, Option<Version>) {
        let version = self.state.group_exists(id).then(|| self.state.group_version(id).unwrap_or_else(Version::never));
        (format!("Group '{id}'"), version)
    }
}
