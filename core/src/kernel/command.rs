//! Which call it is, and whether its sender may make it.

use attica_core_api::scheduler::Command;
use attica_core_api::v1::FrameworkId;

use super::framework::Presence;
use super::{Effects, Kernel, Now, Refusal, StreamId};

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
            Command::Accept(accept) => return self.accept(now, framework, accept, out),
            Command::Decline(decline) => self.decline(now, framework, &decline, out),
            Command::Revive { roles } => self.revive(framework, &roles, out),
            Command::Suppress { roles } => self.suppress(framework, &roles, out),
            Command::Kill(kill) => self.kill(now, framework, kill, out),
            Command::Acknowledge(acknowledge) => self.acknowledge(now, framework, &acknowledge, out),
            Command::Reconcile(reconcile) => self.reconcile(now, framework, &reconcile, out),
            Command::Subscribe(_) => return Err(Refusal::NotSupported("A second SUBSCRIBE on a stream")),
            Command::Shutdown(_) => return Err(Refusal::NotSupported("The call SHUTDOWN")),
            Command::AcknowledgeOperationStatus(_) => {
                return Err(Refusal::NotSupported("The call ACKNOWLEDGE_OPERATION_STATUS"));
            }
            Command::ReconcileOperations(_) => return Err(Refusal::NotSupported("The call RECONCILE_OPERATIONS")),
            Command::Message(_) => return Err(Refusal::NotSupported("The call MESSAGE")),
            Command::Request(_) => return Err(Refusal::NotSupported("The call REQUEST")),
            Command::AcceptInverseOffers(_) => return Err(Refusal::NotSupported("The call ACCEPT_INVERSE_OFFERS")),
            Command::DeclineInverseOffers(_) => return Err(Refusal::NotSupported("The call DECLINE_INVERSE_OFFERS")),
            Command::UpdateFramework(_) => return Err(Refusal::NotSupported("The call UPDATE_FRAMEWORK")),
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
