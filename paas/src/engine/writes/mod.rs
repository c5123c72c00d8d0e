//! One file per write.

mod acknowledge;
mod cancel;
mod delete;
mod kill;
mod put;
mod reset_delay;
mod restart;

use attica_core_api::Now;

use super::deployments::Conflict;
use super::{Effects, Engine, Fact, Origin, Refusal, Reply, Write};
use crate::model::{RunSpecId, Version};

impl Engine {
    /// Does a write, or refuses it and leaves everything as it is.
    pub(super) fn write(
        &mut self,
        now: Now,
        write: Write,
        origin: &Origin,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        match write {
            Write::Put { changes, force } => self.put(now, &changes, conflict(force), origin, out),
            Write::Delete { id, force } => self.delete(now, id, conflict(force), out),
            Write::DeletePod { id, force } => self.delete_pod(now, id, conflict(force), origin, out),
            Write::Restart { id, force } => self.restart(now, &id, conflict(force), out),
            Write::Kill { tasks, mode, force } => self.kill(now, &tasks, mode, conflict(force), out),
            Write::Cancel { id, mode } => self.cancel(now, id, mode, out),
            Write::ResetDelay { id } => self.reset_delay(now, id, out),
            Write::Acknowledge { consumer, seen } => self.acknowledge(now, consumer, seen, out),
        }
    }

    /// Lets subscribers know of a write that running deployments stood in the way of, and hands the refusal on.
    fn refused(&mut self, now: Now, id: &RunSpecId, version: Version, refusal: Refusal, out: &mut Effects) -> Refusal {
        if matches!(refusal, Refusal::Locked { .. }) {
            let group = id.parent().to_owned();
            self.record(now, Fact::ChangeRefused { group, version, reason: refusal.to_string() }, out);
        }
        refusal
    }
}

fn conflict(force: bool) -> Conflict {
    if force { Conflict::TakeOver } else { Conflict::Refuse }
}
