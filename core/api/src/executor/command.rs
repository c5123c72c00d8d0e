//! Calls as an agent's core knows them: complete by construction.

use bytes::Bytes;
use thiserror::Error;
use uuid::Uuid;

use super::{Call, CallType, Subscribe};
use crate::v1::{ExecutorId, FrameworkId, TaskState, TaskStatus, TaskStatusSource};

/// A call that is of its type's shape but breaks a rule. `Display` is the text of the response, word for word where Mesos has one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    /// A member that is demanded is absent (400).
    #[error("Failed to validate executor::Call: Expecting '{0}' to be present")]
    Absent(&'static str),
    /// A uuid is not 16 bytes (400).
    #[error("Failed to validate executor::Call: Not a valid UUID")]
    Uuid,
    /// The status is another executor's (400).
    #[error(
        "Failed to validate executor::Call: ExecutorID in Call: {call} does not match ExecutorID in TaskStatus: {status}"
    )]
    ExecutorIdDiffers {
        /// In the call.
        call: ExecutorId,
        /// In the status.
        status: ExecutorId,
    },
    /// The status does not say that it comes from an executor (400).
    #[error(
        "Failed to validate executor::Call: Received Call from executor {executor} of framework {framework} with invalid source, expecting 'SOURCE_EXECUTOR'"
    )]
    Source {
        /// In the call.
        executor: ExecutorId,
        /// In the call.
        framework: FrameworkId,
    },
    /// A state that only agents and masters tell (400).
    #[error(
        "Failed to validate executor::Call: Received {} from executor {executor} of framework {framework} which is not allowed", state.name()
    )]
    State {
        /// The state.
        state: TaskState,
        /// In the call.
        executor: ExecutorId,
        /// In the call.
        framework: FrameworkId,
    },
    /// The type is UNKNOWN (501).
    #[error("Received 'UNKNOWN' call")]
    UnknownType,
}

/// What an executor wants; the variants are explained at [`CallType`].
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// SUBSCRIBE.
    Subscribe(Subscribe),
    /// UPDATE; the status has a `uuid` of 16 bytes.
    Update(Box<TaskStatus>),
    /// MESSAGE.
    Message(Bytes),
    /// HEARTBEAT.
    Heartbeat,
}

impl Call {
    /// Checks the call, in Mesos's order.
    pub fn into_command(self) -> Result<(FrameworkId, ExecutorId, Command), Invalid> {
        let Call { executor_id, framework_id, r#type, subscribe, update, message } = self;
        let command = match r#type.ok_or(Invalid::Absent("type"))? {
            CallType::Subscribe => Command::Subscribe(subscribe.ok_or(Invalid::Absent("subscribe"))?),
            CallType::Update => {
                let status = update.ok_or(Invalid::Absent("update"))?.status;
                check_status(&framework_id, &executor_id, &status)?;
                Command::Update(Box::new(status))
            }
            CallType::Message => Command::Message(message.ok_or(Invalid::Absent("message"))?.data),
            CallType::Heartbeat => Command::Heartbeat,
            CallType::Unknown => return Err(Invalid::UnknownType),
        };
        Ok((framework_id, executor_id, command))
    }
}

/// What has to hold of a status that an executor tells, also of one that it repeats when it subscribes.
pub fn check_status(framework: &FrameworkId, executor: &ExecutorId, status: &TaskStatus) -> Result<(), Invalid> {
    let uuid = status.uuid.as_deref().ok_or(Invalid::Absent("uuid"))?;
    Uuid::from_slice(uuid).map_err(|_| Invalid::Uuid)?;
    if let Some(other) = status.executor_id.as_ref().filter(|other| *other != executor) {
        return Err(Invalid::ExecutorIdDiffers { call: executor.clone(), status: other.clone() });
    }
    if status.source != Some(TaskStatusSource::Executor) {
        return Err(Invalid::Source { executor: executor.clone(), framework: framework.clone() });
    }
    match status.state {
        TaskState::Starting
        | TaskState::Running
        | TaskState::Killing
        | TaskState::Finished
        | TaskState::Failed
        | TaskState::Killed
        | TaskState::Error
        | TaskState::Lost
        | TaskState::Dropped
        | TaskState::Gone => Ok(()),
        state @ (TaskState::Staging | TaskState::Unreachable | TaskState::GoneByOperator | TaskState::Unknown) => {
            Err(Invalid::State { state, executor: executor.clone(), framework: framework.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Update;
    use super::*;

    #[test]
    fn each_rule_has_its_words() {
        let status = || TaskStatus {
            task_id: "t".into(),
            state: TaskState::Running,
            source: Some(TaskStatusSource::Executor),
            uuid: Some(Bytes::from_static(&[7; 16])),
            ..TaskStatus::default()
        };
        let update = |status| Call {
            executor_id: "e".into(),
            framework_id: "f".into(),
            r#type: Some(CallType::Update),
            update: Some(Update { status }),
            ..Call::default()
        };
        let of_type = |r#type| Call { executor_id: "e".into(), framework_id: "f".into(), r#type, ..Call::default() };
        let cases = [
            (of_type(None), "Expecting 'type' to be present"),
            (of_type(Some(CallType::Subscribe)), "Expecting 'subscribe' to be present"),
            (of_type(Some(CallType::Update)), "Expecting 'update' to be present"),
            (of_type(Some(CallType::Message)), "Expecting 'message' to be present"),
            (update(TaskStatus { uuid: None, ..status() }), "Expecting 'uuid' to be present"),
            (update(TaskStatus { uuid: Some(Bytes::from_static(b"short")), ..status() }), "Not a valid UUID"),
            (
                update(TaskStatus { executor_id: Some("other".into()), ..status() }),
                "ExecutorID in Call: e does not match ExecutorID in TaskStatus: other",
            ),
            (
                update(TaskStatus { source: None, ..status() }),
                "Received Call from executor e of framework f with invalid source, expecting 'SOURCE_EXECUTOR'",
            ),
            (
                update(TaskStatus { state: TaskState::Staging, ..status() }),
                "Received TASK_STAGING from executor e of framework f which is not allowed",
            ),
        ];
        for (call, text) in cases {
            let refused = call.into_command().unwrap_err().to_string();
            assert_eq!(refused, format!("Failed to validate executor::Call: {text}"));
        }
        assert_eq!(of_type(Some(CallType::Unknown)).into_command(), Err(Invalid::UnknownType));
        let (framework, executor, command) = update(status()).into_command().unwrap();
        assert_eq!((framework.as_str(), executor.as_str()), ("f", "e"));
        assert_eq!(command, Command::Update(Box::new(status())));
    }
}
