//! A scheduler's stream broke: its framework has `failover_timeout` to come back.

use attica_core_api::Timestamp;

use super::framework::Presence;
use super::subscribe::failover_ms;
use super::timers::Timer;
use super::{Effects, Kernel, Now, StreamId, View};
use crate::fact::Fact;

impl Kernel {
    pub(super) fn scheduler_closed(&mut self, now: Now, stream: &StreamId, out: &mut Effects) {
        let Some(id) = self.streams.remove(stream) else { return };
        self.stop_resends(&id);
        self.deactivate_framework(&id, out);
        let lenient_until = self.lenient_until;
        let framework = self.framework_mut(&id);
        let patience_ms = failover_ms(&framework.info);
        let deadline = now.tick.after(patience_ms).max(lenient_until);
        framework.presence = Presence::Away(deadline);
        self.timers.set(deadline, Timer::FrameworkAway(id.clone()));
        out.view.push(View::FrameworkDisconnected { framework: id.clone() });
        out.facts.push(Fact::FrameworkDisconnected {
            framework: id,
            deadline: Timestamp(now.wall.0.saturating_add_unsigned(patience_ms)),
            at: now.wall,
        });
    }
}
