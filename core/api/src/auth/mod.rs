//! Who somebody is, and what they may do: decided here, from values alone.
//!
//! [`Credentials`] are names with passwords, [`TokenKey`] signs and checks bearer tokens. Together they make [`Authenticators`],
//! which turn an `Authorization` header into a [`Principal`], or into the [`Challenge`] to answer with. [`Acls`] say which
//! principal may do which [`Action`] to what; a [`Viewer`] is a principal with the rules in force, and answers both whether it
//! may act and what it may see. The formats, rules and texts are Mesos's; what differs is said where it does.
//!
//! Nothing here reads a file, a clock or the network: [`crate::http::guard`] does. No `Debug`, `Display` or error of this module
//! shows a password, a key or a token.

mod acls;
mod authenticate;
mod credentials;
mod principal;
mod realm;
mod secret;
#[cfg(test)]
mod tests;
mod token;
mod viewer;

pub use acls::{Acls, AclsError, Action, Object};
pub use authenticate::{Authenticators, Challenge};
pub use credentials::{Credential, Credentials, CredentialsError};
pub use principal::Principal;
pub use realm::Realm;
pub use secret::SecretText;
pub use token::{Claims, TokenError, TokenKey};
pub use viewer::Viewer;
