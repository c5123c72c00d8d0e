//! Which offer an instance takes, and what is launched from it.
//!
//! Identical instances are matched as a group: [`place`] looks once through a [`Stock`] of offers for all waiting instances of a run
//! spec. Static rules are checked once per offer; rules that depend on what is placed already, again for each instance.

mod abilities;
mod attributes;
mod constraints;
mod container;
mod disks;
mod environment;
mod executor;
mod matcher;
mod operations;
mod pod;
mod ports;
mod reason;
mod reserved;
mod resident;
mod secrets;
mod stock;
mod task_info;
#[cfg(test)]
mod tests;

pub(crate) use abilities::{Ability, AppNeeds, Need, has_graph};
pub use abilities::{Able, Needs};
pub(crate) use attributes::scalar_text;
pub use attributes::{agent_of, domain_of};
pub use constraints::{Ledger, Verdict};
pub(crate) use disks::UNRESERVED;
pub use environment::Surroundings;
pub use executor::executor_id;
pub use matcher::{GpuScheduling, Order, Outcome, Placed, Rejected, place};
pub(crate) use matcher::{SECRETS, accepted};
pub use operations::{Launch, Operations, launch};
pub use reason::{RejectReason, RejectRow, Rejections};
#[cfg(test)]
pub(crate) use reserved::owner_of;
pub use reserved::{Holding, Mark, Owner};
pub use resident::{Awaited, place_held};
pub use secrets::kept;
pub use stock::{Candidate, Stock};
pub use task_info::{process_graph, task_info};
