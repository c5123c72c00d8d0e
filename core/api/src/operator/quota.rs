//! How much a role gets for certain, and at most.

use crate::message::message;
use crate::v1::{Resource, Scalar};

message! {
    /// A guarantee, as it was set before limits were known.
    pub struct QuotaInfo {
        role: optional String = 1,
        principal: optional String = 2,
        guarantee: repeated Resource = 3,
    }
    /// A guarantee that is asked for.
    pub struct QuotaRequest {
        /// Whether the cluster may be too small for it.
        force: optional bool = 1,
        role: optional String = 2,
        guarantee: repeated Resource = 3,
    }
    /// Guarantees and limits of a role, by name of resource.
    pub struct QuotaConfig {
        role: required String = 1,
        guarantees: map Scalar = 2,
        limits: map Scalar = 3,
    }
    /// The quotas of all roles, in both forms.
    pub struct QuotaStatus {
        infos: repeated QuotaInfo = 1,
        configs: repeated QuotaConfig = 2,
    }
}
