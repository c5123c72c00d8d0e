//! The v1 wire types and clients for authors of frameworks and executors.
//!
//! Code map: [`v1`], [`scheduler`], [`executor`] and [`link`] are the messages; [`message`] is the notation they are written in, with
//! both codecs; [`recordio`] frames them on a stream; [`resources`] translates resources between the wire, text, and the
//! allocator; [`Timestamp`], [`Now`] and [`Entropy`] are what the pure cores get instead of clocks and randomness.
//!
//! Architecture invariants: a message has one struct, from which JSON and protobuf both come. Nothing in here computes with
//! resources (`attica_allocator` does), reads a clock or makes randomness. No input makes a decoder panic, recurse without bound, or
//! use memory out of proportion.
//!
//! Durable: nothing here; but facts and checkpoints hold messages in protobuf, so a field's number is for good.

pub mod client;
pub mod executor;
pub mod http;
pub mod link;
pub mod message;
pub mod recordio;
pub mod resources;
pub mod scheduler;
pub mod v1;

mod entropy;
mod time;

pub use attica_allocator::Scalar;
pub use entropy::Entropy;
pub use message::{DecodeError, decode_json, decode_proto, encode_json, encode_proto};
pub use time::{Now, Tick, Timestamp};
