//! Secrets of tasks. None is opened here: each goes on as it came, to where it is used.

use attica_core_api::secrets::{Enclosed, Unreadable};
use attica_core_api::v1::{CommandInfo, Secret, TaskId, VariableType};

use super::Config;
use super::accept::{Refusal, variables};
use crate::launcher::hidden::Hidden;
use crate::launcher::protocol::SecretVariable;

/// Whom secrets are sealed for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holder<'a> {
    /// This task.
    Task(&'a TaskId),
    /// Nobody: they come as they are, or not at all.
    Other,
}

/// The variables of a command whose values are secrets.
pub(super) fn of_command(
    config: &Config,
    holder: Holder<'_>,
    command: Option<&CommandInfo>,
) -> Result<Vec<SecretVariable>, Refusal> {
    let secret = |variable: &attica_core_api::v1::Variable| match variable.r#type {
        VariableType::Value | VariableType::Unknown => None,
        VariableType::Secret => {
            let secret = variable.secret.as_ref().ok_or_else(|| Refusal::VariableType(variable.name.clone()));
            let value = secret.and_then(|secret| hidden(config, holder, secret));
            Some(value.map(|value| SecretVariable { name: variable.name.clone(), value }))
        }
    };
    command.into_iter().flat_map(variables).filter_map(secret).collect()
}

/// What a part of a container has: the whole's secrets, but for the variables that its own command says otherwise of, and that command's.
pub(super) fn with(
    of_whole: Vec<SecretVariable>,
    command: Option<&CommandInfo>,
    own: Vec<SecretVariable>,
) -> Vec<SecretVariable> {
    let is_named = |name: &str| command.into_iter().flat_map(variables).any(|variable| variable.name == name);
    of_whole.into_iter().filter(|variable| !is_named(&variable.name)).chain(own).collect()
}

/// One secret, for where it is used.
pub(super) fn hidden(config: &Config, holder: Holder<'_>, secret: &Secret) -> Result<Hidden, Refusal> {
    match (Enclosed::of(secret)?, holder) {
        (Enclosed::Value(value), _) => Ok(Hidden::plain(&value)),
        (Enclosed::Sealed(sealed), Holder::Task(task)) => {
            let key_file = config.secrets_key_file.clone().ok_or(Refusal::NoSecretsKey)?;
            Ok(Hidden::Sealed { sealed, task: task.clone(), key_file })
        }
        (Enclosed::Sealed(_), Holder::Other) => {
            Err(Unreadable::Reference("attica.sealed of another task".to_owned()).into())
        }
    }
}
