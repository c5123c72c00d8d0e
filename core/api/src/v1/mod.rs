//! The package `mesos.v1`: what the scheduler, executor and operator APIs share.
//!
//! Names follow the schema; a nested type takes its parent's name where its own would not say enough (`CommandInfo.URI` is
//! [`CommandUri`]). Fields of our own have numbers from 1001 up.

mod agent;
mod check;
mod command;
mod container;
mod discovery;
mod executor;
mod framework;
mod ids;
mod image;
mod limits;
mod master;
mod network;
mod offer;
mod operation;
mod operator;
mod process;
mod resource;
mod secret;
mod statistics;
mod status;
mod task;
mod time;
mod value;
mod volume;

pub use agent::*;
pub use check::*;
pub use command::*;
pub use container::*;
pub use discovery::*;
pub use executor::*;
pub use framework::*;
pub use ids::*;
pub use image::*;
pub use limits::*;
pub use master::*;
pub use network::*;
pub use offer::*;
pub use operation::*;
pub use operator::*;
pub use process::*;
pub use resource::*;
pub use secret::*;
pub use statistics::*;
pub use status::*;
pub use task::*;
pub use time::*;
pub use value::*;
pub use volume::*;
