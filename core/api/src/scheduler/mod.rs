//! The package `mesos.v1.scheduler`: what frameworks and the master say to each other.
//!
//! [`Call`] is what travels: a type and a member per type, any of which may be absent. [`Call::into_command`] makes of it a
//! [`Command`] that cannot be incomplete; behind the HTTP layer nothing else is known.

mod call;
mod command;
mod constraints;
mod event;
#[cfg(test)]
mod tests;

pub use call::*;
pub use command::{Acknowledgement, Command, Invalid, OperationAcknowledgement};
pub use constraints::*;
pub use event::*;
