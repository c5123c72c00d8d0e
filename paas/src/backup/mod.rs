//! Backups: what people have defined, at one position of the history, in a file that can be put back.
//!
//! A backup holds the definitions of all apps and pods, what is said of groups, the secrets, sealed as they are, the users with what they
//! may do and what proves their names, and the callbacks. What runs is not in it: that is another thing by the time a backup is used; nor
//! are earlier versions, events and the record of who did what: a dump of the database has those. To restore one is a
//! deployment from what is defined then to what was defined: like any other it can be tried dry, follows dependencies, is one version
//! of the root, and can be rolled back. What the backup knows nothing of stays, unless its end is asked for. Secrets, users and callbacks
//! that are gone come back; those that have another value by now keep it, for the world outside has it, too. Callbacks that come back are
//! posted what happens from then on.
//!
//! [`file`](mod@file) is the format, [`place`](mod@place) says which files an operator lets clients name.

pub mod file;
pub mod place;

use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_store::Position;
use serde::{Deserialize, Serialize};

use crate::access::User;
use crate::engine::Snapshot;
use crate::model::{CallbackSecret, CallbackUrl, Group, GroupId, KeptSecret, RunSpec, SecretPath};

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    /// Every fact up to here is in it.
    pub position: i64,
    /// The definitions of apps and pods.
    pub run_specs: Vec<Arc<RunSpec>>,
    /// What is said of groups.
    pub groups: BTreeMap<GroupId, Group>,
    /// The secrets. Nobody reads them without the key.
    pub secrets: BTreeMap<SecretPath, KeptSecret>,
    /// The users; backups of earlier programs have none.
    #[serde(default)]
    pub users: Vec<Arc<User>>,
    /// Where events are posted to, and what signs them; backups of earlier programs have none.
    #[serde(default)]
    pub callbacks: BTreeMap<CallbackUrl, Option<CallbackSecret>>,
}

impl Backup {
    /// A backup of what is defined at a position.
    #[must_use]
    pub fn of(position: Position, snapshot: &Snapshot) -> Self {
        let run_specs = snapshot.run_specs.values().filter_map(|state| state.definition().cloned());
        let groups = snapshot.groups.iter().filter_map(|(id, state)| Some((id.clone(), state.current()?.clone())));
        let callbacks = snapshot.callbacks.iter();
        Self {
            position: position.0,
            run_specs: run_specs.collect(),
            groups: groups.collect(),
            secrets: snapshot.secrets.clone(),
            users: snapshot.accounts.users().cloned().collect(),
            callbacks: callbacks.map(|(url, callback)| (url.clone(), callback.secret.clone())).collect(),
        }
    }
}
