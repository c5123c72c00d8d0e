//! Executors.

use bytes::Bytes;

use super::{CommandInfo, ContainerInfo, DiscoveryInfo, DurationInfo, ExecutorId, FrameworkId, Labels, Resource};
use crate::message::{enumeration, message};

enumeration! {
    /// Whose program the executor is.
    pub enum ExecutorType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// The agent's own, for task groups.
        Default "DEFAULT" = 1,
        /// The framework's.
        Custom "CUSTOM" = 2,
    }
}

message! {
    /// A program on an agent that runs a framework's tasks.
    pub struct ExecutorInfo {
        r#type: optional ExecutorType = 15,
        executor_id: required ExecutorId = 1,
        framework_id: optional FrameworkId = 8,
        command: optional CommandInfo = 7,
        container: optional Box<ContainerInfo> = 11,
        resources: repeated Resource = 5,
        name: optional String = 9,
        source: optional String = 10,
        data: optional Bytes = 4,
        discovery: optional DiscoveryInfo = 12,
        shutdown_grace_period: optional DurationInfo = 13,
        labels: optional Labels = 14,
    }
}
