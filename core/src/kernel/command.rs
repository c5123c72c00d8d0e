//! Which call it is, and whether its sender may make it.

use attica_core_api::scheduler::Command;
use attica_core_api::v1::FrameworkId;

use super::framework::Presence;
use super::{Answer, Effects, Kernel, Now, Refusal, StreamId};

impl Kernel {
    /// A scheduler's call, in Mesos's order of checks: the framework, its connection, the stream.
    pub(super) fn command(
        &mut self,
        now: Now,
        framework: &FrameworkId,
        stream: Option<StreamId>,
        command: Command,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        self.check_sender(framework, stream)?;
        match command {
            Command::Teardown => self.teardown(now, framework, out),
            Command::Accept(accept) => self.accept(now, framework, accept, out),
            Command::Decline(decline) => self.decline(now, framework, &decline, out),
            Command::Revive { roles } => self.revive(framework, &roles, out),
            Command::Suppress { roles } => self.suppress(framework, &roles, out),
            Command::Kill(kill) => self.kill(now, framework, kill, out),
            Command::Acknowledge(acknowledge) => self.acknowledge(now, framework, &acknowledge, out),
            Command::Reconcile(reconcile) => self.reconcile(now, framework, &reconcile, out),
            Command::Subscribe(_) => {
                return Err(Refusal::Invalid("SUBSCRIBE opens a stream, and is not a call on one".to_owned()));
            }
            Command::Shutdown(shutdown) => self.shutdown_executor(framework, shutdown, out),
            Command::AcknowledgeOperationStatus(acknowledge) => {
                self.acknowledge_operation(framework, &acknowledge, out);
            }
            Command::ReconcileOperations(reconcile) => self.reconcile_operations(framework, &reconcile, out),
            Command::Message(message) => self.message_to_executor(framework, message, out),
            // A wish only: the allocator follows what schedulers do with offers, as Mesos's does.
            Command::Request(_) => {}
            Command::AcceptInverseOffers(accept) => {
                let (ids, filters) = (&accept.inverse_offer_ids, accept.filters.as_ref());
                self.answer_inverse(now, framework, ids, filters, Answer::Accepted, out);
            }
            Command::DeclineInverseOffers(decline) => {
                let (ids, filters) = (&decline.inverse_offer_ids, decline.filters.as_ref());
                self.answer_inverse(now, framework, ids, filters, Answer::Declined, out);
            }
            Command::UpdateFramework(update) => return self.update_framework(now, framework, update, out),
            Command::Unknown => return Err(Refusal::NotImplemented),
        }
        Ok(())
    }

    fn check_sender(&self, id: &FrameworkId, claimed: Option<StreamId>) -> Result<(), Refusal> {
        let framework = self.frameworks.get(id).ok_or(Refusal::FrameworkUnknown)?;
        let stream = match &framework.presence {
            Presence::Connected(stream) => stream,
            Presence::Away(_) => return Err(Refusal::FrameworkNotSubscribed),
            Presence::Removed => return Err(Refusal::FrameworkUnknown),
        };
        match claimed {
            None => Err(Refusal::StreamMissing),
            Some(claimed) if claimed != *stream => Err(Refusal::StreamMismatch { claimed, framework: id.clone() }),
            Some(_) => Ok(()),
        }
    }
}
