//! Masters.

use super::{Address, DomainInfo};
use crate::message::{enumeration, message};

enumeration! {
    /// Something newer that a master understands.
    pub enum MasterCapabilityType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Agents that change.
        AgentUpdate "AGENT_UPDATE" = 1,
        /// Draining.
        AgentDraining "AGENT_DRAINING" = 2,
        /// Quota with limits.
        QuotaV2 "QUOTA_V2" = 3,
    }
}

message! {
    /// Something newer that a master understands.
    pub struct MasterCapability {
        r#type: optional MasterCapabilityType = 1,
    }
    /// A master as it introduces itself.
    pub struct MasterInfo {
        id: required String = 1,
        /// The IPv4 address in network byte order, read as a little-endian number; 0 when there is none.
        ip: required u32 = 2,
        port: required u32 = 3,
        /// `master@ip:port`.
        pid: optional String = 4,
        hostname: optional String = 5,
        version: optional String = 6,
        address: optional Address = 7,
        domain: optional DomainInfo = 8,
        capabilities: repeated MasterCapability = 9,
    }
}
