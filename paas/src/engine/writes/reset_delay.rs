use attica_core_api::Now;

use super::super::{Effects, Engine, Fact, Refusal, Reply, Terms};
use crate::model::RunSpecId;

impl Engine {
    /// Forgets the delay of a run spec in the launch queue.
    pub(super) fn reset_delay(
        &mut self,
        now: Now,
        id: &RunSpecId,
        terms: &Terms,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let queued = self.trackers.get(id).is_some_and(|tracker| !tracker.waiting.is_empty());
        if !queued {
            return Err(Refusal::NotQueued(id.clone()));
        }
        if self.state.run_specs.get(id).is_some_and(|state| state.delay.is_some()) && !terms.dry_run {
            self.record(now, Fact::DelayChanged { id: id.clone(), delay: None }, out);
            self.delay_over(id);
        }
        Ok(Reply::Done)
    }
}
