//! The REST API: requests become writes or reads, outcomes become answers. Nothing is decided here.
//!
//! [`route`] reads method and path, [`query`] the parameters, [`body`] the documents; [`writes`] and [`reads`] do what is asked,
//! [`events`] opens streams; [`answer`] and [`refusal`] say how it went, [`compression`] in fewer bytes. A process that does not lead
//! hands everything on to the one that does ([`proxy`]).

mod agents;
mod answer;
mod body;
mod callbacks;
mod compression;
mod events;
mod groups;
mod info;
mod logs;
mod metrics;
mod nulls;
mod pods;
mod proxy;
mod query;
mod reads;
mod refusal;
mod route;
mod secrets;
mod service;
mod sessions;
mod traffic;
mod writes;

pub use agents::Agents;
#[cfg(test)]
pub(crate) use body::decode;
pub use metrics::Metrics;
pub(crate) use metrics::Posted;
pub use service::{Leading, Pending, Service, WriteOutcome, router};
pub use sessions::Sessions;
pub use traffic::Traffic;
