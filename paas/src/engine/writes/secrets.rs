use attica_core_api::Now;

use super::super::{Effects, Engine, Fact, Refusal, Reply, Terms, Violation};
use crate::access::{Caller, Permission};
use crate::model::{KeptSecret, RunSpec, SecretPath, Version};

impl Engine {
    /// Keeps a secret, or another value of it. Nothing is restarted for that.
    pub(super) fn keep_secret(
        &mut self,
        now: Now,
        path: &SecretPath,
        secret: &KeptSecret,
        former: Option<Version>,
        terms: &Terms,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let present = self.state.secrets.get(path).map(|present| present.version);
        if present != former || present.is_some_and(|present| present >= secret.version) {
            return Err(Refusal::SecretChanged(path.clone()));
        }
        let limit = self.config.secrets_max;
        if present.is_none() && self.state.secrets.len() >= limit {
            return Err(Refusal::TooManySecrets { limit });
        }
        if !terms.dry_run {
            self.record(now, Fact::SecretKept { path: path.clone(), secret: secret.clone() }, out);
        }
        Ok(Reply::Done)
    }

    /// Keeps a secret no longer that nobody uses.
    pub(super) fn remove_secret(
        &mut self,
        now: Now,
        path: &SecretPath,
        terms: &Terms,
        caller: &Caller,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        if !self.state.secrets.contains_key(path) {
            return Err(Refusal::SecretMissing(path.clone()));
        }
        let users = self.state.users_of(path);
        if !users.is_empty() {
            let (users, others): (Vec<_>, Vec<_>) =
                users.into_iter().partition(|id| caller.may(Permission::View, id.as_str()));
            return Err(Refusal::SecretUsed { path: path.clone(), users, others: others.len() });
        }
        if !terms.dry_run {
            self.record(now, Fact::SecretRemoved { path: path.clone() }, out);
        }
        Ok(Reply::Done)
    }

    /// Whether the secrets of a definition are there.
    pub(super) fn check_secrets(&self, definition: &RunSpec) -> Result<(), Refusal> {
        if !definition.secrets.is_empty() && self.config.secrets_key.is_none() {
            let text = "secrets need a key: start the service layer and its agents with --secrets-key-file";
            return Err(Refusal::Invalid(vec![Violation::new("/secrets", text)]));
        }
        let missing = definition.secrets.iter().filter(|(_, source)| !self.state.secrets.contains_key(&source.path()));
        let violation = |(name, source): (&String, &crate::model::SecretSource)| {
            let text = format!("the secret '{}' does not exist: set it first", source.path());
            Violation::new(format!("/secrets/{name}/source"), text)
        };
        let violations: Vec<Violation> = missing.map(violation).collect();
        if violations.is_empty() { Ok(()) } else { Err(Refusal::Invalid(violations)) }
    }
}
