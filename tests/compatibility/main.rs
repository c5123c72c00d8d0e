//! Clients and definitions of other projects, unchanged.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../harness/mod.rs"]
mod harness;

mod definitions;
mod frameworks;
mod marathon;
mod programs;
mod prometheus;
mod schedulers;
