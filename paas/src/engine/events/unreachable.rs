use attica_core_api::{Now, Timestamp};

use super::super::timers::Timer;
use super::super::{Cause, Effects, Engine, Fact};
use crate::model::{Condition, InstanceId, Unreachable};

impl Engine {
    /// Looks how long an instance has been out of contact: for long enough to be replaced, or to be given up?
    pub(in super::super) fn check_unreachable(&mut self, now: Now, id: &InstanceId, out: &mut Effects) {
        let Some(instance) = self.state.instance(id).cloned() else { return };
        let Some(since) = instance.task.as_ref().and_then(|task| task.unreachable_since) else {
            return;
        };
        let policy =
            self.running_definition(&instance).map_or(Unreachable::Disabled, |definition| definition.unreachable);
        let Unreachable::After { inactive_ms, expunge_ms } = policy else { return };
        let inactive_at = Timestamp(since.0.saturating_add_unsigned(inactive_ms));
        let expunge_at = Timestamp(since.0.saturating_add_unsigned(expunge_ms));
        if now.wall < inactive_at {
            return self.timers.set_at(now, inactive_at, Timer::Unreachable(id.clone()));
        }
        if instance.condition == Condition::Unreachable {
            let mut instance = Box::new(instance);
            instance.condition = Condition::UnreachableInactive;
            self.record(now, Fact::InstanceChanged { instance, cause: Cause::Inactive }, out);
        }
        if now.wall < expunge_at {
            self.timers.set_at(now, expunge_at, Timer::Unreachable(id.clone()));
        } else {
            self.forget(now, id.clone(), Condition::Gone, out);
        }
    }
}
