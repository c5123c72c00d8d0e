//! Resources as they travel. Computing with them is `attica_allocator`'s business; [`crate::resources`] translates.

use super::{Labels, Ranges, ResourceProviderId, Scalar, Set, ValueType, Volume};
use crate::message::{enumeration, message};

enumeration! {
    /// Who made a reservation.
    pub enum ReservationType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// The agent's configuration.
        Static "STATIC" = 1,
        /// A framework or an operator, at run time.
        Dynamic "DYNAMIC" = 2,
    }
    /// Where disk space comes from.
    pub enum DiskSourceType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// A directory that can be shared out.
        Path "PATH" = 1,
        /// A file system that is given away whole.
        Mount "MOUNT" = 2,
        /// A block device.
        Block "BLOCK" = 3,
        /// Space not yet formatted.
        Raw "RAW" = 4,
    }
}

message! {
    /// To which role a resource is allocated.
    pub struct AllocationInfo {
        role: optional String = 1,
    }
    /// For whom a resource is reserved.
    pub struct ReservationInfo {
        r#type: optional ReservationType = 4,
        role: optional String = 3,
        principal: optional String = 1,
        labels: optional Labels = 2,
    }
    /// Identity of a persistent volume.
    pub struct DiskPersistence {
        /// Unique per role and agent.
        id: required String = 1,
        principal: optional String = 2,
    }
    /// A directory that can be shared out.
    pub struct DiskSourcePath {
        root: optional String = 1,
    }
    /// A file system that is given away whole.
    pub struct DiskSourceMount {
        root: optional String = 1,
    }
    /// Where disk space comes from.
    pub struct DiskSource {
        r#type: required DiskSourceType = 1,
        path: optional DiskSourcePath = 2,
        mount: optional DiskSourceMount = 3,
        vendor: optional String = 7,
        id: optional String = 4,
        metadata: optional Labels = 5,
        profile: optional String = 6,
    }
    /// More about a disk resource.
    pub struct DiskInfo {
        persistence: optional DiskPersistence = 1,
        volume: optional Volume = 2,
        source: optional DiskSource = 3,
    }
    /// Marks a resource that can be taken back at any time.
    pub struct RevocableInfo {}
    /// Marks a resource that several tasks may use at once.
    pub struct SharedInfo {}
    /// An amount of something, with whom it is reserved for and allocated to.
    pub struct Resource {
        provider_id: optional ResourceProviderId = 12,
        name: required String = 1,
        r#type: required ValueType = 2,
        scalar: optional Scalar = 3,
        ranges: optional Ranges = 4,
        set: optional Set = 5,
        /// The old way to name the role of the only reservation; `*` (the default) means none.
        role: optional String = 6,
        allocation_info: optional AllocationInfo = 11,
        /// The old way to describe the only, dynamic, reservation.
        reservation: optional ReservationInfo = 8,
        /// The stack of reservations, the most refined last.
        reservations: repeated ReservationInfo = 13,
        disk: optional Box<DiskInfo> = 7,
        revocable: optional RevocableInfo = 9,
        shared: optional SharedInfo = 10,
    }
    /// Several of them.
    pub struct ResourceList {
        resources: repeated Resource = 1,
    }
}
