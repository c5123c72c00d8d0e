//! The v1 wire types and clients, for authors of frameworks and executors and for every other part of this house.
//!
//! Code map: [`v1`], [`scheduler`], [`executor`], [`operator`], [`agent`] and [`link`] are the messages; [`message`] is the notation they are written
//! in, with both codecs; [`recordio`] frames them on a stream; [`resources`] translates resources between the wire, text and
//! the allocator; [`processes`] says what a graph of processes has to be like; [`auth`] decides who somebody is and what they may do; [`http`] serves and calls, [`client`] is the library for
//! frameworks, [`zookeeper`] tells who leads, [`secrets`] keeps values from being read, [`logging`] how much is logged; [`Now`], [`Timestamp`] and [`Entropy`]
//! are what the pure cores are handed instead of clocks and randomness.
//!
//! Architecture invariants: a message is written down once, and JSON and protobuf both come from that. Nothing here computes
//! with resources (`attica_allocator` does). Outside [`http`], [`client`], [`secrets`] and [`zookeeper`] nothing waits, reads a clock or makes randomness.
//! No input makes a decoder panic, recurse without bound, or use memory out of proportion.
//!
//! Durable: nothing here; but facts and checkpoints hold messages in protobuf, so the number of a field is for good.

pub mod agent;
pub mod auth;
pub mod client;
pub mod executor;
pub mod http;
pub mod link;
pub mod logging;
pub mod message;
pub mod operator;
pub mod processes;
pub mod recordio;
pub mod resources;
pub mod scheduler;
pub mod secrets;
pub mod v1;
pub mod zookeeper;

mod entropy;
mod time;

/// The version of Mesos whose APIs are spoken; clients compare it to decide what they may use.
pub const MESOS_VERSION: &str = "1.12.0";

pub use attica_allocator::{Role, Scalar};
pub use entropy::Entropy;
pub use message::{DecodeError, decode_json, decode_proto, encode_json, encode_proto};
pub use time::{InvalidDuration, Now, Tick, Timestamp, parse_duration};
