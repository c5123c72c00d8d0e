//! The REST API: requests become writes or reads, outcomes become answers. Nothing is decided here.
//!
//! [`route`] reads method and path, [`query`] the parameters, [`body`] the documents, of which
//! [`misshapen`] says what is wrong with them; [`writes`] and [`reads`] do what is asked,
//! [`events`] opens streams; [`answer`] and [`refusal`] say how it went, [`compression`] in fewer bytes. A process that does not lead
//! hands everything on to the one that does ([`proxy`]). Before anything else, [`same_origin`] turns pages of other sites away,
//! but for reads that [`cors`] allows them; [`sign_in`] finds out who asks ([`passwords`]), and [`guard`] applies the rule of the call to that.
//! [`metrics`] counts what passes, [`logging`] says how much of it is logged.

mod agents;
mod answer;
mod audit;
mod backup;
mod body;
mod callbacks;
mod compression;
mod cors;
mod events;
mod full_plans;
mod groups;
mod guard;
mod info;
mod logging;
mod logs;
mod metrics;
mod misshapen;
mod nulls;
mod passwords;
mod pods;
mod proxy;
mod query;
mod reads;
mod refusal;
mod route;
mod same_origin;
mod secrets;
mod service;
mod sessions;
mod sign_in;
mod traffic;
mod users;
mod writes;

pub use agents::Agents;
pub(crate) use body::decode;
pub use cors::{AllowedOrigins, parse_origin};
pub use logging::Loggers;
pub use metrics::Metrics;
pub(crate) use metrics::Posted;
pub use same_origin::Names;
pub use service::{Leading, Pending, Service, WriteOutcome, router};
pub use sessions::Sessions;
pub use sign_in::{AdminError, AdminSource, SignIn};
pub use traffic::Traffic;
