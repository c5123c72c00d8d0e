//! What was defined when a backup was made, again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::{Definition, Engine, Others, Refusal, RunSpecChange, Violation};
use super::group::Flat;
use super::put::Change;
use crate::backup::Backup;
use crate::model::{KeptSecret, RunSpec, RunSpecId, SecretPath};

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

    /// The secrets of a backup that are not kept any more.
    pub(super) fn secrets_gone_since(&self, backup: &Backup) -> BTreeMap<SecretPath, KeptSecret> {
        let gone = |path: &SecretPath| !self.state.secrets.contains_key(path);
        let gone = backup.secrets.iter().filter(|(path, _)| gone(path));
        gone.map(|(path, secret)| (path.clone(), secret.clone())).collect()
    }

    /// Whether what the backup's definitions refer to is there, or comes with it, and there is room for all of that.
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
        let limit = self.config.secrets_max;
        if self.state.secrets.len() + self.secrets_gone_since(backup).len() > limit {
            return Err(Refusal::TooManySecrets { limit });
        }
        if violations.is_empty() { Ok(()) } else { Err(Refusal::Invalid(violations)) }
    }
}
