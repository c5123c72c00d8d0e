//! What can be done with an offer, and how it went.

use super::{
    AgentId, DiskSourceType, ExecutorInfo, FrameworkId, OperationId, Resource, ResourceProviderId, Scalar,
    TaskGroupInfo, TaskInfo, Uuid,
};
use crate::message::{enumeration, message};

enumeration! {
    /// What is to be done.
    pub enum OfferOperationType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Start tasks.
        Launch "LAUNCH" = 1,
        /// Start tasks together.
        LaunchGroup "LAUNCH_GROUP" = 6,
        /// Reserve resources.
        Reserve "RESERVE" = 2,
        /// Undo a reservation.
        Unreserve "UNRESERVE" = 3,
        /// Make persistent volumes.
        Create "CREATE" = 4,
        /// Destroy persistent volumes.
        Destroy "DESTROY" = 5,
        /// Make a volume bigger.
        GrowVolume "GROW_VOLUME" = 11,
        /// Make a volume smaller.
        ShrinkVolume "SHRINK_VOLUME" = 12,
        /// Format raw disk space.
        CreateDisk "CREATE_DISK" = 13,
        /// Undo that.
        DestroyDisk "DESTROY_DISK" = 14,
    }
    /// How an operation stands.
    pub enum OperationState {
        /// A state that the receiver does not know.
        Unsupported "OPERATION_UNSUPPORTED" = 0,
        /// Under way.
        Pending "OPERATION_PENDING" = 1,
        /// Done.
        Finished "OPERATION_FINISHED" = 2,
        /// Tried without success.
        Failed "OPERATION_FAILED" = 3,
        /// Refused.
        Error "OPERATION_ERROR" = 4,
        /// Lost before it took effect.
        Dropped "OPERATION_DROPPED" = 5,
        /// Its agent is unreachable.
        Unreachable "OPERATION_UNREACHABLE" = 6,
        /// Its agent was declared gone.
        GoneByOperator "OPERATION_GONE_BY_OPERATOR" = 7,
        /// Its agent has not come back yet.
        Recovering "OPERATION_RECOVERING" = 8,
        /// Nobody knows of it.
        Unknown "OPERATION_UNKNOWN" = 9,
    }
}

message! {
    /// Start tasks.
    pub struct LaunchOperation {
        task_infos: repeated TaskInfo = 1,
    }
    /// Start tasks together under one executor.
    pub struct LaunchGroupOperation {
        executor: required ExecutorInfo = 1,
        task_group: required TaskGroupInfo = 2,
    }
    /// Reserve resources.
    pub struct ReserveOperation {
        /// What is reserved at present, when a reservation is changed.
        source: repeated Resource = 2,
        resources: repeated Resource = 1,
    }
    /// Undo a reservation.
    pub struct UnreserveOperation {
        resources: repeated Resource = 1,
    }
    /// Make persistent volumes.
    pub struct CreateOperation {
        volumes: repeated Resource = 1,
    }
    /// Destroy persistent volumes.
    pub struct DestroyOperation {
        volumes: repeated Resource = 1,
    }
    /// Make a volume bigger.
    pub struct GrowVolumeOperation {
        volume: required Resource = 1,
        addition: required Resource = 2,
    }
    /// Make a volume smaller.
    pub struct ShrinkVolumeOperation {
        volume: required Resource = 1,
        subtract: required Scalar = 2,
    }
    /// Format raw disk space.
    pub struct CreateDiskOperation {
        source: required Resource = 1,
        target_type: required DiskSourceType = 2,
        target_profile: optional String = 3,
    }
    /// Undo that.
    pub struct DestroyDiskOperation {
        source: required Resource = 1,
    }
    /// What is to be done with the resources of an offer; the member of the type is set.
    pub struct OfferOperation {
        r#type: optional OfferOperationType = 1,
        /// Set when the framework wants to hear how it went.
        id: optional OperationId = 12,
        launch: optional LaunchOperation = 2,
        launch_group: optional Box<LaunchGroupOperation> = 7,
        reserve: optional ReserveOperation = 3,
        unreserve: optional UnreserveOperation = 4,
        create: optional CreateOperation = 5,
        destroy: optional DestroyOperation = 6,
        grow_volume: optional Box<GrowVolumeOperation> = 13,
        shrink_volume: optional Box<ShrinkVolumeOperation> = 14,
        create_disk: optional Box<CreateDiskOperation> = 15,
        destroy_disk: optional Box<DestroyDiskOperation> = 16,
    }
    /// How an operation stands.
    pub struct OperationStatus {
        operation_id: optional OperationId = 1,
        state: required OperationState = 2,
        message: optional String = 3,
        converted_resources: repeated Resource = 4,
        /// Set when the status has to be acknowledged.
        uuid: optional Uuid = 5,
        agent_id: optional AgentId = 6,
        resource_provider_id: optional ResourceProviderId = 7,
    }
    /// An operation with its history.
    pub struct Operation {
        framework_id: optional FrameworkId = 1,
        agent_id: optional AgentId = 2,
        info: required OfferOperation = 3,
        latest_status: required OperationStatus = 4,
        statuses: repeated OperationStatus = 5,
        uuid: required Uuid = 6,
    }
}
