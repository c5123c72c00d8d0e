//! Calls as the master's core knows them: complete by construction.

use thiserror::Error;
use uuid::Uuid;

use super::{
    Accept, AcceptInverseOffers, Acknowledge, AcknowledgeOperationStatus, Call, CallType, Decline,
    DeclineInverseOffers, Kill, Message, Reconcile, ReconcileOperations, Request, Shutdown, Subscribe, UpdateFramework,
};
use crate::v1::{AgentId, FrameworkId, FrameworkInfo, OperationId, ResourceProviderId, TaskId};

/// A call that is of its type's shape but breaks a rule. `Display` is the text of the response, word for word.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    /// A member that the type demands is absent (400).
    #[error("Failed to validate scheduler::Call: Expecting '{0}' to be present")]
    Absent(&'static str),
    /// The framework's id is given twice, and differently (400).
    #[error("Failed to validate scheduler::Call: 'framework_id' differs from '{0}.framework_info.id'")]
    FrameworkIdDiffers(&'static str),
    /// A uuid is not 16 bytes (400).
    #[error("Failed to validate scheduler::Call: Not a valid UUID")]
    Uuid,
}

/// A framework acknowledges that it has dealt with a task's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The agent that the status came from.
    pub agent_id: AgentId,
    /// The task.
    pub task_id: TaskId,
    /// The status's `uuid`.
    pub uuid: Uuid,
}

/// A framework acknowledges that it has dealt with an operation's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationAcknowledgement {
    /// The agent that the status came from.
    pub agent_id: Option<AgentId>,
    /// The resource provider that the status came from.
    pub resource_provider_id: Option<ResourceProviderId>,
    /// The operation.
    pub operation_id: OperationId,
    /// The status's `uuid`.
    pub uuid: Uuid,
}

/// What a framework wants; the variants are explained at [`CallType`].
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// SUBSCRIBE. The framework's id is in `framework_info.id`, and absent for a new framework.
    Subscribe(Subscribe),
    /// TEARDOWN.
    Teardown,
    /// ACCEPT.
    Accept(Accept),
    /// DECLINE.
    Decline(Decline),
    /// ACCEPT_INVERSE_OFFERS.
    AcceptInverseOffers(AcceptInverseOffers),
    /// DECLINE_INVERSE_OFFERS.
    DeclineInverseOffers(DeclineInverseOffers),
    /// REVIVE.
    Revive {
        /// None: all of the framework's.
        roles: Vec<String>,
    },
    /// KILL.
    Kill(Kill),
    /// SHUTDOWN.
    Shutdown(Shutdown),
    /// ACKNOWLEDGE.
    Acknowledge(Acknowledgement),
    /// ACKNOWLEDGE_OPERATION_STATUS.
    AcknowledgeOperationStatus(OperationAcknowledgement),
    /// RECONCILE.
    Reconcile(Reconcile),
    /// RECONCILE_OPERATIONS.
    ReconcileOperations(ReconcileOperations),
    /// MESSAGE.
    Message(Message),
    /// REQUEST.
    Request(Request),
    /// SUPPRESS.
    Suppress {
        /// None: all of the framework's.
        roles: Vec<String>,
    },
    /// UPDATE_FRAMEWORK.
    UpdateFramework(UpdateFramework),
    /// UNKNOWN: nothing is done, and who asks is looked at before that is said.
    Unknown,
}

impl Call {
    /// Checks the rules that need no knowledge of the cluster, in Mesos's order, and gives the typed command.
    ///
    /// The id is that of the call, `None` only for SUBSCRIBE of a new framework.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn into_command(self) -> Result<(Option<FrameworkId>, Command), Invalid> {
        let kind = self.r#type.ok_or(Invalid::Absent("type"))?;
        if kind == CallType::Subscribe {
            return self.into_subscribe();
        }
        let framework_id = self.framework_id.clone().ok_or(Invalid::Absent("framework_id"))?;
        let command = match kind {
            CallType::Unknown => Command::Unknown,
            CallType::Subscribe => unreachable!("dealt with above"),
            CallType::Teardown => Command::Teardown,
            CallType::Accept => Command::Accept(present("accept", self.accept)?),
            CallType::Decline => Command::Decline(present("decline", self.decline)?),
            CallType::AcceptInverseOffers => {
                Command::AcceptInverseOffers(present("accept_inverse_offers", self.accept_inverse_offers)?)
            }
            CallType::DeclineInverseOffers => {
                Command::DeclineInverseOffers(present("decline_inverse_offers", self.decline_inverse_offers)?)
            }
            CallType::Revive => Command::Revive { roles: self.revive.unwrap_or_default().roles },
            CallType::Kill => Command::Kill(present("kill", self.kill)?),
            CallType::Shutdown => Command::Shutdown(present("shutdown", self.shutdown)?),
            CallType::Acknowledge => Command::Acknowledge(present("acknowledge", self.acknowledge)?.try_into()?),
            CallType::AcknowledgeOperationStatus => Command::AcknowledgeOperationStatus(
                present("acknowledge_operation_status", self.acknowledge_operation_status)?.try_into()?,
            ),
            CallType::Reconcile => Command::Reconcile(present("reconcile", self.reconcile)?),
            CallType::ReconcileOperations => {
                Command::ReconcileOperations(present("reconcile_operations", self.reconcile_operations)?)
            }
            CallType::Message => Command::Message(present("message", self.message)?),
            CallType::Request => Command::Request(present("request", self.request)?),
            CallType::Suppress => Command::Suppress { roles: self.suppress.unwrap_or_default().roles },
            CallType::UpdateFramework => {
                let update = present("update_framework", self.update_framework)?;
                if !same_framework(&update.framework_info, Some(&framework_id)) {
                    return Err(Invalid::FrameworkIdDiffers("update_framework"));
                }
                Command::UpdateFramework(update)
            }
        };
        Ok((Some(framework_id), command))
    }

    fn into_subscribe(self) -> Result<(Option<FrameworkId>, Command), Invalid> {
        let subscribe = present("subscribe", self.subscribe)?;
        if !same_framework(&subscribe.framework_info, self.framework_id.as_ref()) {
            return Err(Invalid::FrameworkIdDiffers("subscribe"));
        }
        Ok((self.framework_id, Command::Subscribe(subscribe)))
    }
}

fn present<T>(name: &'static str, member: Option<T>) -> Result<T, Invalid> {
    member.ok_or(Invalid::Absent(name))
}

/// An empty id counts as none, as it does in Mesos.
fn same_framework(info: &FrameworkInfo, id: Option<&FrameworkId>) -> bool {
    let text = |id: Option<&FrameworkId>| id.map(FrameworkId::to_string).unwrap_or_default();
    text(info.id.as_ref()) == text(id)
}

impl TryFrom<Acknowledge> for Acknowledgement {
    type Error = Invalid;

    fn try_from(acknowledge: Acknowledge) -> Result<Self, Invalid> {
        let Acknowledge { agent_id, task_id, uuid } = acknowledge;
        let uuid = Uuid::from_slice(&uuid).map_err(|_| Invalid::Uuid)?;
        Ok(Self { agent_id, task_id, uuid })
    }
}

impl TryFrom<AcknowledgeOperationStatus> for OperationAcknowledgement {
    type Error = Invalid;

    fn try_from(acknowledge: AcknowledgeOperationStatus) -> Result<Self, Invalid> {
        let AcknowledgeOperationStatus { agent_id, resource_provider_id, uuid, operation_id } = acknowledge;
        let uuid = Uuid::from_slice(&uuid).map_err(|_| Invalid::Uuid)?;
        Ok(Self { agent_id, resource_provider_id, operation_id, uuid })
    }
}
