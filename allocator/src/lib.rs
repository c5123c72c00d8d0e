//! Resource arithmetic, and who gets what.
mod keys;
mod quantities;
mod ranges;
mod resource;
mod resources;
mod role;
mod scalar;
mod tick;

pub use keys::{AgentKey, FrameworkKey, OfferKey};
pub use quantities::Quantities;
pub use ranges::{InvalidRange, Range, Ranges};
pub use resource::{
    Disk, DiskKind, DiskSource, Guarantee, Identity, Label, Name, Persistence, Reservation, ReservationKind, Resource,
    Set, Sharing, Value, Volume, VolumeMode,
};
pub use resources::Resources;
pub use role::{InvalidRole, Role};
pub use scalar::{InvalidScalar, Scalar};
pub use tick::Tick;
