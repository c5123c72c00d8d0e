//! The data path: requests and connections from clients to backends, by the route table in use.
//!
//! [`Switch`] holds the table in use and swaps it. A listener ([`listen`]) accepts connections; [`request`] takes a request from its head
//! to an answer, over connections that are kept with each [`upstream`]; [`tunnel`] passes bytes. Nothing here decides who serves: that
//! is the table's business.

mod answer;
mod balance;
mod body;
mod cookie;
mod head;
mod listen;
mod live;
mod ports;
mod request;
#[cfg(test)]
mod tests;
mod tunnel;
mod upstream;

pub(super) use listen::{Doors, bind};
pub(super) use live::{Live, Switch};
pub(super) use ports::Ports;

/// How a listener finds out which service is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// By host and path.
    Names,
    /// By the service port that it listens on.
    Port(u16),
}
