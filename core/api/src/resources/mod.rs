//! Resources between the wire, text, and the allocator.
//!
//! [`from_wire`] and [`to_wire`] translate lists of [`Resource`](crate::v1::Resource) into the allocator's bags and back;
//! [`parse`] and [`parse_attributes`] read what people write on command lines. In which role resources are *allocated* is no part of
//! a bag: [`allocation_role`] reads it off the wire, [`to_wire`] writes it.

mod error;
mod from_wire;
#[cfg(test)]
mod tests;
mod text;
mod to_wire;

pub use error::{InvalidResource, ResourceProblem, TextError, TextProblem};
pub use from_wire::{MixedRoles, allocation_role, from_wire};
pub use text::{parse, parse_attributes};
pub use to_wire::{ReservationFormat, to_wire};
