//! Called by another name, through a symlink, the binary is the daemon of that name and takes that daemon's flags and variables, so
//! that existing scripts and unit files keep working. So far: `mesos-master`.
//!
//! Every documented flag does its job, or is accepted with one line in the log that says what takes its place, or is refused with
//! the reason: none is overlooked ([`mesos_master::FLAGS`] is the whole list).

mod flags;
mod master_plan;
mod mesos_master;
mod ssl;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

/// Does everything, when this program was called by the name of a daemon that it stands in for.
pub fn answer(called: Option<&OsStr>) -> Option<ExitCode> {
    let name = Path::new(called?).file_name()?;
    (name == "mesos-master").then(mesos_master::main)
}
