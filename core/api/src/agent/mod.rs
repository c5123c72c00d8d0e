//! The package `mesos.v1.agent`: what operators and an agent say to each other.
//!
//! As in [`operator`](crate::operator), [`Call`] is what travels and [`Command`] what cannot be incomplete; what both packages have in
//! the same form is that package's. [`ProcessIo`] is what flows to and from the programs of containers.

mod call;
mod command;
mod process_io;
mod response;
#[cfg(test)]
mod tests;

pub use call::*;
pub use command::{Command, Invalid, NESTING_MAX};
pub use process_io::*;
pub use response::*;
