//! What people do with a cluster, from `attica up` to its stop.

#[path = "../harness/mod.rs"]
mod harness;

mod newcomer;
mod preflight;
mod restart;
