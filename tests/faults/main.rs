//! Real processes killed at bad moments. What must hold: nothing acknowledged is lost, nothing runs twice, what runs is untouched.

#[path = "../harness/mod.rs"]
mod harness;

mod kill_each_role;
