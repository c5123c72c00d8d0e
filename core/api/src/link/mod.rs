//! The agent link: what an agent and the master say to each other, in protobuf.
//!
//! An agent opens the link with REGISTER (`POST /api/v1/agent`); the response is a RecordIO stream of [`Event`]s with the header
//! [`STREAM_ID_HEADER`]. Its other calls are requests of their own with that header: 202, or 409 when the stream is not the
//! agent's current one. Every message carries the leader's `epoch`; an agent keeps the highest it has seen and refuses lower
//! ones, so that a deposed master commands nothing.

mod call;
mod digest;
mod event;

pub use call::*;
pub use digest::TaskDigest;
pub use event::*;

use bytes::Bytes;

use crate::message::message;
use crate::v1::{ExecutorId, FrameworkId};

message! {
    /// Data between a framework and one of its executors, in either direction.
    pub struct Message {
        framework_id: required FrameworkId = 1,
        executor_id: required ExecutorId = 2,
        data: required Bytes = 3,
    }
}

/// The header that names an agent's stream.
pub const STREAM_ID_HEADER: &str = "Attica-Stream-Id";

/// How often an agent sends HEARTBEAT unless REGISTERED says otherwise.
pub const HEARTBEAT_DEFAULT_MS: u64 = 2_000;

/// After as many missed heartbeats an agent is unreachable, unless the master is told otherwise.
pub const MISSED_LIMIT_DEFAULT: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{AgentId, AgentInfo};

    /// The member of its type, and no other, beside what every message has.
    fn assert_member_of_type(message: &impl serde::Serialize, common: &[&str], without_member: &[&str]) {
        let json = serde_json::to_value(message).unwrap();
        let members = json.as_object().unwrap().keys().map(String::as_str);
        let members: Vec<_> = members.filter(|name| !common.contains(name)).collect();
        match json["type"].as_str().unwrap().to_lowercase() {
            member if without_member.contains(&member.as_str()) => {
                assert!(members.is_empty(), "{json}")
            }
            member => assert_eq!(members, [member], "{json}"),
        }
    }

    #[test]
    fn type_and_member_agree() {
        let agent = || AgentId::new("m-S1");
        let register = Register {
            agent_info: AgentInfo { id: Some(agent()), ..AgentInfo::default() },
            epoch: 7,
            task_digest: TaskDigest::default().to_bytes(),
            ..Register::default()
        };
        assert_eq!(register.digest(), Some(TaskDigest::default()));
        let calls = [
            Call::register(register),
            Call::heartbeat(agent(), 7),
            Call::statuses(agent(), 7, vec![]),
            Call::tasks(agent(), 7, vec![]),
            Call::message(agent(), 7, Message::default()),
            Call::executor_exited(agent(), 7, ExecutorExited::default()),
            Call::operation_status(agent(), 7, OperationStatus::default()),
        ];
        for call in calls {
            assert_eq!((call.agent_id.clone(), call.epoch), (Some(agent()), 7));
            assert_member_of_type(&call, &["type", "agent_id", "epoch"], &["heartbeat"]);
        }
        let events = [
            Event::registered(7, Registered::default()),
            Event::list_tasks(7),
            Event::run(7, Run::default()),
            Event::kill(7, Kill::default()),
            Event::acknowledge(7, Acknowledge::default()),
            Event::shutdown(7, "not wanted"),
            Event::heartbeat(7),
            Event::message(7, Message::default()),
            Event::shutdown_executor(7, ShutdownExecutor::default()),
            Event::operation(7, Operation::default()),
        ];
        for event in events {
            assert_eq!(event.epoch, 7);
            assert_member_of_type(&event, &["type", "epoch"], &["list_tasks", "heartbeat"]);
        }
    }
}
