//! HTTP as the roles need it: a listener for HTTP/1.1 and h2c on one port, bodies that are limited in size and time,
//! event streams that a stalled reader cannot inflate, and a small client for calls and streams.
//!
//! [`Server`] runs any tower service (an axum `Router` is one) and hands it requests whose body is a [`RequestBody`]:
//! limits are enforced there, for every route alike. [`tls`] encrypts both, [`guard`] checks who a request comes from. [`media`] holds the
//! negotiation rules of the v1 APIs, [`jsonp`] says how documents become scripts, [`stream`] is the body of a long response. [`Client`] is what the framework library, agents and schedulers call with.
//!
//! Nothing here knows a v1 message; nothing here is durable.

#[cfg(feature = "clap")]
mod args;
mod body;
mod client;
pub mod guard;
pub mod jsonp;
mod limits;
pub mod media;
mod ready;
pub mod reload;
mod security;
mod server;
pub mod stream;
pub mod tls;

#[cfg(feature = "clap")]
pub use args::TlsArgs;
pub use body::{BodyError, BodyPatience, RequestBody, read_body};
pub use client::{Client, ClientError, Protocol, ResponseBody};
pub use limits::Limits;
pub use media::MediaType;
pub use ready::{ReadyFileError, write_ready_file};
pub use security::{ClientTls, CredentialFileError, Security, credential_in};
pub use server::{Connection, PeerAddress, Server};
pub use tls::{ClientName, ServerTls, Tls};

/// An error of somebody else's body or service.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[cfg(test)]
mod tests;
