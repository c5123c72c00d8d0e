//! The service layer: it keeps what people asked for running on agents that come and go. It is a framework like any other: it
//! speaks to the master over the public v1 scheduler API, and to people over Marathon's `/v2` API and its event stream.
//!
//! **Code map.** [`model`] is what there is: run specs (apps and pods), their groups, instances, deployments and the policies of these,
//! secrets, in a form of our own that no wire format dictates. [`engine`] decides: writes and scheduler events come in, facts, calls
//! and replies go out. [`placement`] matches instances with offers, and reserves for those with persistent volumes what stays theirs.
//! [`deployment`] plans the way from one set of definitions to another, and says what may be started and killed now. [`access`] says who
//! may do what. Around them lies the border: [`http`] takes requests, [`validate`] reads definitions and [`normalise`] writes them,
//! [`read_model`] and [`events`] show what is committed, [`callbacks`] posts events to who asked for that, [`tables`] keeps it, and
//! [`backup`] takes it elsewhere; [`fuzz`] is what fuzzers call. [`run`] is the role that holds all of
//! it together. Secrets are sealed where they come in, in [`http`], and again for each task where it goes out, in the shell: nothing
//! in between can read them.
//! [`lb`] is a role of its own, the load balancer: a client of the event stream that uses nothing of the above but the names of things.
//!
//! **Architecture invariants.** The engine is synchronous and has no clock, no randomness and no IO: time and entropy come in. It
//! changes its durable state only by recording a [`Fact`](engine::Fact) and folding it into its [`Snapshot`](engine::Snapshot), so
//! that the fold of the journal is that state. Nothing is launched before its task id is durable. What one input costs does not
//! grow with the number of run specs or of other run specs' instances. The engine knows no JSON of `/v2`; the border does.
//!
//! **Durable** are the framework's id, run specs and groups with their versions, instances with their tasks, health and reservations,
//! delays after failures, latest failures, deployments, secrets, sealed, users with their tokens and sessions, who did what, and who has
//! events posted to it. Not durable: offers and their statistics, kills in flight (a sentenced task is; its kill is asked for again),
//! and the connection.

pub mod access;
pub mod backup;
pub mod callbacks;
pub mod deployment;
pub mod engine;
pub mod events;
pub mod fuzz;
pub mod http;
pub mod lb;
pub mod model;
pub mod normalise;
pub mod placement;
pub mod read_model;
mod shell;
pub mod tables;
pub mod validate;

pub use shell::{Args, Error, LeaderError, run};
