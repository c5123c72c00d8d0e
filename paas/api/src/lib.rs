//! The JSON types of the service layer's REST API under `/v2`: what a client may send, what it reads back, and the OpenAPI
//! description that is generated from both. The server, the configuration language and the web UI's TypeScript all start here.
//!
//! Code map: [`app`] is the definition as it is read, [`update`] the same definition as it is written (every field optional, older
//! spellings and later capabilities known by name), [`container`], [`check`] and [`health`] what is in it of containers and checks,
//! [`readiness`] what deployments wait for, [`process`] what more than one process consists of; [`pod`] is the definition of several
//! containers, and how its instances are shown; [`group`] is the tree and its writes; [`policy`] is what is asked of deployments,
//! [`deployment`] how far they are; [`task`], [`queue`], [`agent`], [`info`], [`secret`] and [`logging`] are what else is read;
//! [`session`] is what flows to and from programs that are run within a task by hand; [`consumer`] and [`traffic`] are what load
//! balancers say, [`event`] and [`callback`] what is told to those who listen; [`access`] is who may do what, and who did; [`error`] is
//! the body of every refusal; [`number`] is how numbers are written; [`operations`] lists the calls and [`openapi`] describes them.
//!
//! Architecture invariants: serde and schema derives only, no logic beyond the JSON form of a value (validation and defaults that
//! depend on another field belong to the server). No type of the kernel appears here. An unknown field of a written document is an
//! error, never ignored. What reads carry beyond Marathon's fields is added to them, so that its clients read the rest unchanged.
//!
//! Durable: nothing. The committed `openapi.json` beside this crate's manifest is the description as last generated; a test fails when
//! it differs.

pub mod access;
pub mod agent;
pub mod app;
pub mod callback;
pub mod check;
pub mod consumer;
pub mod container;
pub mod deployment;
pub mod error;
pub mod event;
pub mod group;
pub mod health;
pub mod info;
pub mod logging;
pub mod number;
pub mod openapi;
pub mod operations;
pub mod pod;
pub mod policy;
pub mod process;
pub mod queue;
pub mod readiness;
pub mod secret;
pub mod session;
pub mod task;
pub mod traffic;
pub mod update;

pub use app::{App, AppInfo, AppList, AppWrapper};
pub use error::ErrorBody;
pub use number::Number;
pub use update::AppUpdate;
