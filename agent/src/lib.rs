//! The agent: registers a machine with the master, runs tasks on it in cgroups, probes them, and tells how they fare.
//!
//! Code map: [`launcher`] is the small second process that owns the tasks' processes (`isolation` in it the cgroups, `sys` the
//! system calls, `terminal` those of tasks, `hidden` what is opened there alone); `supervisor` decides, without IO; `checkpoint` is
//! what is written down, in a `journal`; `shell` feeds the supervisor and does what it wants done (the links to master and launcher, the
//! prober); `http` shows state and sandbox files; `daemon` is the other containerizer, which works through a Docker daemon; `fetch`
//! brings files into sandboxes, `image` makes roots of images, `unpack` is how archives are unpacked safely; `network` gives containers
//! networks of their own; `rotation` keeps what tasks write within limits; `machine` and `sandbox` are what their names say.
//!
//! Architecture invariants: the supervisor knows neither clock, nor files, nor sockets. What is sent was written down before.
//! A task's process never depends on the agent's, nor on the launcher's. Nothing is obeyed in part: what this agent does not
//! implement it refuses by name. `unsafe` occurs in `launcher::sys` alone.
//!
//! Durable: `<work_dir>/meta` (identity and tasks, see `checkpoint`) and the launcher's records; both survive killed processes, a
//! restart of the machine ends all tasks anyhow. Sandboxes stay until they are old or the disk is full.

mod args;
mod checkpoint;
mod children;
mod contained;
mod daemon;
mod devices;
pub mod fetch;
mod http;
pub mod image;
mod isolators;
mod journal;
pub mod launcher;
mod machine;
mod network;
pub mod quota;
pub mod rotation;
mod sandbox;
mod seal;
mod shell;
mod supervisor;
mod unpack;
mod usage;
mod volumes;

pub use args::{Args, ContainerizerKind};
pub use devices::DeviceError;
pub use machine::ResourcesError;
pub use shell::{Error, run};
pub use supervisor::ReconfigurationPolicy;

/// An error with its causes on one line.
fn error_chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
