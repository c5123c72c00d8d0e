//! Backoff: a run spec whose tasks fail is launched again more and more slowly.

use attica_core_api::{Now, Timestamp};

use super::timers::Timer;
use super::{Delay, Effects, Engine, Fact, RunSpecState};
use crate::model::{RunSpec, RunSpecId};

impl RunSpecState {
    /// Until when failures of this very configuration hold launches back; none: they do not, at `now`.
    #[must_use]
    pub fn delayed_until(&self, definition: &RunSpec, now: Timestamp) -> Option<Timestamp> {
        let delay = self.delay.filter(|delay| delay.config == definition.last_config_change_at)?;
        (delay.until > now).then_some(delay.until)
    }
}

impl Engine {
    /// A task of this definition has failed, or ended when it should have gone on.
    pub(super) fn slow_down(&mut self, now: Now, failed: &RunSpec, out: &mut Effects) {
        let Some(state) = self.state.run_specs.get(&failed.id) else { return };
        let is_latest =
            state.definition().is_some_and(|current| current.last_config_change_at == failed.last_config_change_at);
        if !is_latest {
            return;
        }
        let backoff = failed.backoff;
        // After a quiet time as long as the longest delay, it begins anew.
        let fresh = |delay: &Delay| now.wall.0 <= delay.until.0.saturating_add_unsigned(backoff.max_ms);
        let same = state.delay.filter(|delay| delay.config == failed.last_config_change_at).filter(fresh);
        let delay_ms = match same {
            Some(delay) => ((delay.delay_ms as f64 * backoff.factor) as u64).max(backoff.first_ms),
            None => backoff.first_ms,
        };
        let delay_ms = delay_ms.min(backoff.max_ms);
        let until = Timestamp(now.wall.0.saturating_add_unsigned(delay_ms));
        let delay = Delay { config: failed.last_config_change_at, delay_ms, until };
        self.timers.set_at(now, until, Timer::Delay(failed.id.clone()));
        self.record(now, Fact::DelayChanged { id: failed.id.clone(), delay: Some(delay) }, out);
    }

    /// A delay may be over: offers that were declined meanwhile are of use again.
    pub(super) fn delay_over(&mut self, id: &RunSpecId) {
        if self.trackers.get(id).is_some_and(|tracker| !tracker.waiting.is_empty()) {
            self.revive_wanted = true;
            self.touch(id);
        }
    }
}
