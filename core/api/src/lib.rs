//! The v1 wire types and clients for authors of frameworks and executors.

pub mod http;
