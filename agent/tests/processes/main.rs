//! Real processes in real cgroups: the launcher by itself, and an agent with a launcher against a master of the test's own.
//!
//! What needs root and cgroups prints a message and passes without them. Every test removes its cgroups, processes and
//! directories.

mod agent;
mod launcher;
mod master;
mod support;
