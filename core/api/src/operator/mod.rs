//! The package `mesos.v1.master`: what operators and the master say to each other; with `mesos.v1.maintenance` and `mesos.v1.quota`,
//! which nobody else speaks of.
//!
//! [`Call`] is what travels: a type and a member per type, any of which may be absent. [`Call::into_command`] makes of it a
//! [`Command`] that cannot be incomplete.

mod call;
mod command;
mod event;
mod maintenance;
mod quota;
mod response;
#[cfg(test)]
mod tests;

pub use call::*;
pub use command::{Command, Invalid};
pub use event::*;
pub use maintenance::*;
pub use quota::*;
pub use response::*;
