//! What Marathon's own integration tests assert, over HTTP and the event stream. Each test has a cluster, each scenario apps of its own.
//!
//! A1, G1, … are the names of the scenarios in the list of what was read there: A apps, G groups, H health, K kills, P pods, Q the launch queue.
//! Those that need more than one process of each role, or options of their own, bear their names elsewhere: those of several leaders (A8, L1),
//! of backups (L2) and of persistent pods (P3) among the scenarios; those of a leader that dies in a deployment (R1) and of agents that are
//! cut off (U1 to U3) among the faults.

mod applications;
mod client;
mod failures;
mod groups;
mod health;
mod operator;
mod plans;
mod pods;
mod roles;
