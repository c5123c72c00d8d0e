//! Who may do what: decided here, from values alone.
//!
//! A [`User`] holds [`Grants`]: permissions at paths, each for everything at its path and below. What proves who somebody is ([`Secret`]s of
//! tokens and sessions, hashes of passwords) is kept in [`Accounts`], which is the fold of the facts about users. A [`Caller`] is somebody
//! who has proved a name, with what that name may do, or anybody, where nobody has to sign in; it answers both whether it may do something
//! ([`Caller::need`]) and what it may see ([`Sight`]). Requests are judged by the rule of their call before anything is done, and writes once
//! more by the engine, run spec by run spec, when it is known what would follow from them.
//!
//! No `Debug` and no error of this module shows a password, a token, or the hash of one.

mod accounts;
mod audit;
mod caller;
mod grants;
mod secret;
mod sight;
#[cfg(test)]
mod tests;
mod user;

pub use accounts::Accounts;
pub use attica_paas_api::access::{Permission, Rule};
pub use audit::{AuditEntry, Request, Verdict};
pub use caller::{Caller, Lacking};
pub use grants::{Grants, Permissions};
pub use secret::{Digest, NotHashed, PasswordHash, Secret};
pub use sight::{Scope, Sight};
pub use user::{InvalidUserName, Session, Token, TokenId, User, UserChange, UserName};
