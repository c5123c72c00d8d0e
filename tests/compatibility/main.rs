//! Clients and definitions of other projects, unchanged.

#[path = "../harness/mod.rs"]
mod harness;

mod definitions;
mod schedulers;
