//! Called by another name, through a symlink, the binary is the daemon of that name and takes that daemon's flags and variables, so
//! that existing scripts and unit files keep working: `mesos-master`, `mesos-agent`, which was once called `mesos-slave`, and `marathon`.
//!
//! Every documented flag does its job, or is accepted with one line in the log that says what takes its place, or is refused with
//! the reason: none is overlooked ([`mesos_master::FLAGS`], [`mesos_agent::FLAGS`] and [`marathon::FLAGS`] are the whole lists).

mod agent_plan;
mod flags;
mod marathon;
mod marathon_plan;
mod master_plan;
mod mesos_agent;
mod mesos_master;
mod ssl;
mod translate;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

/// Does everything, when this program was called by the name of a daemon that it stands in for.
pub fn answer(called: Option<&OsStr>) -> Option<ExitCode> {
    let name = Path::new(called?).file_name()?;
    match name.to_str()? {
        "mesos-master" => Some(mesos_master::main()),
        "mesos-agent" | "mesos-slave" => Some(mesos_agent::main()),
        "marathon" => Some(marathon::main()),
        _ => None,
    }
}
