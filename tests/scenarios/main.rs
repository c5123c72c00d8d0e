//! What people do with a cluster, from `attica up` to its stop.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../harness/mod.rs"]
mod harness;

mod backup;
mod bad_input;
mod client;
mod config;
mod console;
mod containers;
mod drop_in;
mod framework;
mod import;
mod masters;
mod newcomer;
mod preflight;
mod restart;
mod rollback;
mod secrets;
mod security;
mod services;
mod standbys;
mod terminals;
mod together;
mod users;
mod volumes;
