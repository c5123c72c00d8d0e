//! Frameworks.

use super::{AgentId, FrameworkId, Labels, Resource, Scalar};
use crate::message::{enumeration, message};

enumeration! {
    /// Something newer that a framework understands; decides what it is offered and sent.
    pub enum FrameworkCapabilityType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Takes resources that may be taken back.
        RevocableResources "REVOCABLE_RESOURCES" = 1,
        /// Knows TASK_KILLING.
        TaskKillingState "TASK_KILLING_STATE" = 2,
        /// Wants agents with GPUs.
        GpuResources "GPU_RESOURCES" = 3,
        /// Knows shared volumes.
        SharedResources "SHARED_RESOURCES" = 4,
        /// Knows the states that replaced TASK_LOST.
        PartitionAware "PARTITION_AWARE" = 5,
        /// Has any number of roles.
        MultiRole "MULTI_ROLE" = 6,
        /// Knows the stack of reservations.
        ReservationRefinement "RESERVATION_REFINEMENT" = 7,
        /// Wants agents of other regions.
        RegionAware "REGION_AWARE" = 8,
    }
}

message! {
    /// Something newer that a framework understands.
    pub struct FrameworkCapability {
        r#type: optional FrameworkCapabilityType = 1,
    }
    /// A framework as it introduces itself.
    pub struct FrameworkInfo {
        user: required String = 1,
        name: required String = 2,
        id: optional FrameworkId = 3,
        /// How long its tasks live on without it.
        failover_timeout: default f64 = 4 (0.0),
        checkpoint: default bool = 5 (false),
        /// The only role of a framework without MULTI_ROLE; unset means `*`.
        role: optional String = 6,
        roles: repeated String = 12,
        hostname: optional String = 7,
        principal: optional String = 8,
        webui_url: optional String = 9,
        capabilities: repeated FrameworkCapability = 10,
        labels: optional Labels = 11,
        /// By role.
        offer_filters: map OfferFilters = 13,
    }
    /// Amounts by name of resource.
    pub struct ResourceQuantities {
        quantities: map Scalar = 1,
    }
    /// An offer has to reach one of these.
    pub struct MinAllocatableResources {
        quantities: repeated ResourceQuantities = 1,
    }
    /// Which offers are worth making for a role.
    pub struct OfferFilters {
        min_allocatable_resources: optional MinAllocatableResources = 1,
    }
    /// How long what was refused or left over is not offered again.
    pub struct Filters {
        refuse_seconds: default f64 = 1 (5.0),
    }
    /// A wish for resources.
    pub struct Request {
        agent_id: optional AgentId = 1,
        resources: repeated Resource = 2,
    }
}

impl FrameworkInfo {
    /// Whether the framework has declared `capability`.
    pub fn has_capability(&self, capability: FrameworkCapabilityType) -> bool {
        self.capabilities.iter().any(|declared| declared.r#type == Some(capability))
    }
}
