//! Tasks as frameworks describe them, and as the master remembers them.

use bytes::Bytes;

use super::{
    AgentId, CheckInfo, CommandInfo, ContainerInfo, DiscoveryInfo, DurationInfo, ExecutorId, ExecutorInfo, FrameworkId,
    HealthCheck, KillPolicy, Labels, ProcessGraph, Resource, Scalar, TaskId, TaskState, TaskStatus,
};
use crate::message::message;

message! {
    /// A task to be run: by its `executor`, or as a `command` of its own.
    pub struct TaskInfo {
        name: required String = 1,
        task_id: required TaskId = 2,
        agent_id: required AgentId = 3,
        resources: repeated Resource = 4,
        executor: optional Box<ExecutorInfo> = 5,
        command: optional CommandInfo = 7,
        container: optional Box<ContainerInfo> = 9,
        /// The agent kills the task when this check fails too often.
        health_check: optional HealthCheck = 8,
        check: optional CheckInfo = 13,
        kill_policy: optional KillPolicy = 12,
        data: optional Bytes = 6,
        labels: optional Labels = 10,
        discovery: optional DiscoveryInfo = 11,
        max_completion_time: optional DurationInfo = 14,
        /// Upper bounds by name of resource, above what is reserved in `resources`.
        limits: map Scalar = 15,
        /// Ours: checks whose verdict the framework takes. The agent probes and reports
        /// ([`TaskStatus::health_results`]), it never kills for them.
        health_checks: repeated HealthCheck = 1001,
        /// Ours: what runs in the place of a value of `command`, which says as whom and in which environment.
        processes: optional Box<ProcessGraph> = 1002,
    }
    /// Tasks that start and end together.
    pub struct TaskGroupInfo {
        tasks: repeated TaskInfo = 1,
    }
    /// A task as the master remembers it.
    pub struct Task {
        name: required String = 1,
        task_id: required TaskId = 2,
        framework_id: required FrameworkId = 3,
        executor_id: optional ExecutorId = 4,
        agent_id: required AgentId = 5,
        /// The latest state known.
        state: required TaskState = 6,
        resources: repeated Resource = 7,
        statuses: repeated TaskStatus = 8,
        /// The state that the framework was told last.
        status_update_state: optional TaskState = 9,
        status_update_uuid: optional Bytes = 10,
        labels: optional Labels = 11,
        discovery: optional DiscoveryInfo = 12,
        container: optional Box<ContainerInfo> = 13,
        health_check: optional HealthCheck = 15,
        kill_policy: optional KillPolicy = 16,
        user: optional String = 14,
        limits: map Scalar = 17,
    }
}
