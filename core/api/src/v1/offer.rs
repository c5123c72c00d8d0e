//! Offers.

use super::{
    AgentAbilities, AgentId, AllocationInfo, Attribute, DomainInfo, ExecutorId, FrameworkId, OfferId, Resource,
    Unavailability, Url,
};
use crate::message::message;

message! {
    /// Resources of one agent, offered to one role of one framework.
    pub struct Offer {
        id: required OfferId = 1,
        framework_id: required FrameworkId = 2,
        agent_id: required AgentId = 3,
        hostname: required String = 4,
        url: optional Url = 8,
        domain: optional DomainInfo = 11,
        resources: repeated Resource = 5,
        attributes: repeated Attribute = 7,
        executor_ids: repeated ExecutorId = 6,
        unavailability: optional Unavailability = 9,
        allocation_info: optional AllocationInfo = 10,
        /// Ours: what the agent can do besides; absent, it does not say.
        abilities: optional Box<AgentAbilities> = 1002,
    }
    /// Asks a framework to give resources back before a maintenance.
    pub struct InverseOffer {
        id: required OfferId = 1,
        url: optional Url = 2,
        framework_id: required FrameworkId = 3,
        agent_id: optional AgentId = 4,
        unavailability: required Unavailability = 5,
        resources: repeated Resource = 6,
    }
}
