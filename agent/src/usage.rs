//! What the agent measures by and by, for those who look.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::launcher::protocol::ContainerId;

/// What the sandboxes of containers held when they were last looked at, in bytes.
#[derive(Debug, Default)]
pub(crate) struct DiskUsage(Mutex<BTreeMap<ContainerId, u64>>);

impl DiskUsage {
    /// Takes the place of all that was measured before.
    pub(crate) fn set(&self, measured: BTreeMap<ContainerId, u64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = measured;
    }

    pub(crate) fn of(&self, container: &ContainerId) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(container).copied()
    }
}

/// How the removal of old sandboxes goes.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed: AtomicU64,
    /// Of ended tasks, and not old enough.
    pub(crate) pending: AtomicU64,
}

impl Removals {
    /// A round is over.
    pub(crate) fn count(&self, succeeded: u64, failed: u64, pending: u64) {
        self.succeeded.fetch_add(succeeded, Ordering::Relaxed);
        self.failed.fetch_add(failed, Ordering::Relaxed);
        self.pending.store(pending, Ordering::Relaxed);
    }
}
