//! What was defined when a backup was made, again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_core_api::Now;

use super::super::deployments::Regained;
use super::super::{Definition, Effects, Engine, Fact, Origin, Others, Refusal, RunSpecChange, Violation};
use super::group::Flat;
use super::put::Change;
use crate::access::Accounts;
use crate::backup::Backup;
use crate::model::{Callback, CallbackSecret, RunSpec, RunSpecId, SecretPath};
use crate::validate::limits::CALLBACKS_MAX;

impl Engine {
    /// Everything in a backup as it was, and what else there is as `others` says.
    pub(super) fn as_in(&self, backup: &Backup, others: Others) -> Result<Flat, Refusal> {
        self.check_secrets_of(backup)?;
        let whole = |(index, run_spec): (usize, &Arc<RunSpec>)| Change {
            change: RunSpecChange { id: run_spec.id.clone(), to: Definition::Whole(Arc::clone(run_spec)) },
            place: format!("/run_specs({index})"),
        };
        let changes: Vec<Change> = backup.run_specs.iter().enumerate().map(whole).collect();
        let mut flat = Flat { changes, ..Flat::default() };
        if others == Others::Go {
            let named: BTreeSet<&RunSpecId> = backup.run_specs.iter().map(|run_spec| &run_spec.id).collect();
            let there = self.state.run_specs.iter().filter(|(_, state)| state.current.is_some());
            flat.removed.extend(there.map(|(id, _)| id).filter(|id| !named.contains(id)).cloned());
            let said = self.state.groups.iter().filter(|(_, state)| state.current().is_some());
            flat.groups.extend(said.map(|(id, _)| (id.clone(), None)));
        }
        flat.groups.extend(backup.groups.iter().map(|(id, group)| (id.clone(), Some(group.clone()))));
        Ok(flat)
    }

    /// The secrets, users and callbacks of a backup that are not there any more.
    ///
    /// # Errors
    /// With them there would be too many.
    pub(super) fn gone_since(&self, backup: &Backup, events_behind: i64) -> Result<Regained, Refusal> {
        let gone = backup.secrets.iter().filter(|(path, _)| !self.state.secrets.contains_key(path));
        let secrets: BTreeMap<_, _> = gone.map(|(path, secret)| (path.clone(), secret.clone())).collect();
        let gone = backup.users.iter().filter(|user| self.state.accounts.user(&user.name).is_none());
        let users: Vec<_> = gone.cloned().collect();
        let gone = backup.callbacks.iter().filter(|(url, _)| !self.state.callbacks.contains_key(url));
        let callback = |secret: &Option<CallbackSecret>| Callback { secret: secret.clone(), position: events_behind };
        let callbacks: BTreeMap<_, _> = gone.map(|(url, secret)| (url.clone(), callback(secret))).collect();
        if self.state.secrets.len() + secrets.len() > self.config.secrets_max {
            return Err(Refusal::TooManySecrets { limit: self.config.secrets_max });
        }
        if self.state.accounts.users().len() + users.len() > Accounts::USERS_MAX {
            return Err(Refusal::TooMany { what: "users", limit: Accounts::USERS_MAX });
        }
        if self.state.callbacks.len() + callbacks.len() > CALLBACKS_MAX {
            return Err(Refusal::TooManyCallbacks { limit: CALLBACKS_MAX });
        }
        Ok(Regained { secrets, users, callbacks })
    }

    /// Puts back what was gone.
    pub(super) fn regain(&mut self, now: Now, regained: &Regained, origin: &Origin, out: &mut Effects) {
        for (path, secret) in regained.secrets.clone() {
            self.record(now, Fact::SecretKept { path, secret }, out);
        }
        for user in regained.users.clone() {
            self.record(now, Fact::UserStored { user }, out);
        }
        for (url, Callback { secret, position }) in regained.callbacks.clone() {
            let client_ip = origin.client_ip.clone();
            self.record(now, Fact::CallbackAdded { client_ip, url, secret, position }, out);
        }
    }

    /// Whether what the backup's definitions refer to is there, or comes with it.
    fn check_secrets_of(&self, backup: &Backup) -> Result<(), Refusal> {
        let mut violations = Vec::new();
        for (index, run_spec) in backup.run_specs.iter().enumerate() {
            let missing =
                |path: &SecretPath| !self.state.secrets.contains_key(path) && !backup.secrets.contains_key(path);
            let paths = run_spec.secrets.iter().map(|(name, source)| (name, source.path()));
            violations.extend(paths.filter(|(_, path)| missing(path)).map(|(name, path)| {
                let place = format!("/run_specs({index})/secrets/{name}/source");
                Violation::new(place, format!("the secret '{path}' does not exist: set it first"))
            }));
        }
        if violations.is_empty() { Ok(()) } else { Err(Refusal::Invalid(violations)) }
    }
}
