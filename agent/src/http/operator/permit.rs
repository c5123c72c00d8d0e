//! Whether an operator may make a call. Calls that show something are answered with what of it the caller may see; whose containers and
//! files somebody may touch is asked where they are known.

use attica_core_api::agent::Command;
use attica_core_api::auth::{Action, Object, Viewer};

use super::Rejection;

/// An error is the answer.
pub(super) fn check(viewer: &Viewer, command: &Command) -> Result<(), Rejection> {
    match needed(command) {
        Some(action) if !viewer.may(action, Object::Any) => Err(Rejection::Forbidden),
        Some(_) | None => Ok(()),
    }
}

fn needed(command: &Command) -> Option<Action> {
    match command {
        Command::GetHealth
        | Command::GetVersion
        | Command::GetMetrics(_)
        | Command::GetLoggingLevel
        | Command::ListFiles(_)
        | Command::ReadFile(_)
        | Command::GetState
        | Command::GetContainers(_)
        | Command::GetFrameworks
        | Command::GetExecutors
        | Command::GetOperations
        | Command::GetTasks
        | Command::GetAgent
        | Command::GetResourceProviders
        | Command::LaunchContainer(_)
        | Command::WaitContainer(..)
        | Command::KillContainer(_)
        | Command::RemoveContainer(_)
        | Command::LaunchNestedContainerSession(_)
        | Command::AttachContainerInput(_)
        | Command::AttachContainerOutput(_)
        | Command::ResourceProviders(_) => None,
        Command::GetFlags => Some(Action::ViewFlags),
        Command::SetLoggingLevel(_) => Some(Action::SetLogLevel),
        Command::PruneImages(_) => Some(Action::PruneImages),
    }
}
