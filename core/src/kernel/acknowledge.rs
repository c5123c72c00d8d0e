//! ACKNOWLEDGE: the scheduler has a status update and will not get it again.

use attica_core_api::scheduler::Acknowledgement;
use attica_core_api::v1::FrameworkId;
use bytes::Bytes;

use super::{Effects, Kernel, Now};
use crate::fact::Fact;

impl Kernel {
    /// Counts only for the status that is in flight; anything else is a repetition and changes nothing.
    pub(super) fn acknowledge(
        &mut self,
        now: Now,
        framework: &FrameworkId,
        acknowledge: &Acknowledgement,
        out: &mut Effects,
    ) {
        let id = &acknowledge.task_id;
        let Some(task) = self.framework_mut(framework).tasks.get(id) else { return };
        let oldest = task.outbox.as_ref().and_then(|outbox| outbox.statuses.front());
        let in_flight =
            oldest.is_some_and(|status| status.uuid.as_deref() == Some(acknowledge.uuid.as_bytes().as_slice()));
        if !in_flight || task.agent != acknowledge.agent_id {
            return;
        }
        let uuid = Bytes::copy_from_slice(acknowledge.uuid.as_bytes());
        out.facts.push(Fact::UpdateAcknowledged { framework: framework.clone(), task: id.clone(), uuid });
        let none_left = self.dequeue(now, framework, id, out);
        if none_left && self.task_mut(framework, id).is_terminal() {
            self.complete(now, framework, id, out);
        }
    }
}
