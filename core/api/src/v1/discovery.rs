//! What service discovery learns of a task.

use super::Labels;
use crate::message::{enumeration, message};

enumeration! {
    /// Who may find a service.
    pub enum Visibility {
        /// The framework itself.
        Framework "FRAMEWORK" = 0,
        /// Everybody in the cluster.
        Cluster "CLUSTER" = 1,
        /// Everybody.
        External "EXTERNAL" = 2,
    }
}

message! {
    /// A port that a service listens on.
    pub struct Port {
        number: required u32 = 1,
        name: optional String = 2,
        protocol: optional String = 3,
        visibility: optional Visibility = 4,
        labels: optional Labels = 5,
    }
    /// Some ports.
    pub struct Ports {
        ports: repeated Port = 1,
    }
    /// How a task wants to be found.
    pub struct DiscoveryInfo {
        visibility: required Visibility = 1,
        name: optional String = 2,
        environment: optional String = 3,
        location: optional String = 4,
        version: optional String = 5,
        ports: optional Ports = 6,
        labels: optional Labels = 7,
    }
}
