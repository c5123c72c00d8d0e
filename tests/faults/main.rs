//! Real processes killed at bad moments. What must hold: nothing acknowledged is lost, nothing runs twice, what runs is untouched.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../takeover/mod.rs"]
mod takeover;

mod database_away;
mod elections;
mod kill_each_role;
mod partition;
mod paused_leader;
mod phases;
mod under_fire;
mod victims;
