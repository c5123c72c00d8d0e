//! When which machines are not to be used.

use crate::message::{enumeration, message};
use crate::v1::{FrameworkId, MachineId, TimeInfo, Unavailability};

enumeration! {
    /// What a framework said when it was asked to leave a machine.
    pub enum InverseOfferAnswer {
        /// Nothing yet.
        Unknown "UNKNOWN" = 1,
        /// It will.
        Accept "ACCEPT" = 2,
        /// It will not.
        Decline "DECLINE" = 3,
    }
}

message! {
    /// Machines that are maintained together.
    pub struct Window {
        machine_ids: repeated MachineId = 1,
        unavailability: required Unavailability = 2,
    }
    /// All that is planned; a machine is in one window at most.
    pub struct Schedule {
        windows: repeated Window = 1,
    }
    /// What a framework said when it was asked to leave a machine.
    pub struct InverseOfferStatus {
        status: required InverseOfferAnswer = 1,
        framework_id: required FrameworkId = 2,
        timestamp: required TimeInfo = 3,
    }
    /// A machine whose maintenance is planned.
    pub struct DrainingMachine {
        id: required MachineId = 1,
        statuses: repeated InverseOfferStatus = 2,
    }
    /// Where the machines of the schedule stand.
    pub struct ClusterStatus {
        draining_machines: repeated DrainingMachine = 1,
        down_machines: repeated MachineId = 2,
    }
}
