//! Real processes in real cgroups: the launcher by itself, and an agent with a launcher against a master of the test's own.
//!
//! What needs root and cgroups prints a message and passes without them. Every test removes its cgroups, processes and
//! directories.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it finds something unexpected")]
#![allow(clippy::print_stdout, reason = "people read what was skipped or measured")]

mod agent;
mod checks;
mod controls;
mod daemon;
mod executors;
mod fetch;
mod graphs;
mod hostile;
mod images;
mod launcher;
mod machine;
mod master;
mod nested;
mod networks;
mod output;
#[path = "../../../tests/harness/ports.rs"]
mod ports;
mod quotas;
mod recordings;
mod recovery;
mod secrets;
mod starting;
mod storm;
mod support;
mod surroundings;
mod terminals;
mod volumes;
