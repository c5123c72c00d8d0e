use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use attica_core_api::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Digest, Grants, PasswordHash, Permissions};
use crate::model::{GroupId, serial};

/// The name of a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserName(Arc<str>);

/// A text that is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {} letters, digits, '.', '_', '-', '+' or '@'", UserName::LENGTH_MAX)]
pub struct InvalidUserName;

impl UserName {
    /// The longest name.
    pub const LENGTH_MAX: usize = 128;

    /// Reads a name.
    ///
    /// # Errors
    /// Empty, longer than [`UserName::LENGTH_MAX`], or with other characters than ASCII letters, digits, `.`, `_`, `-`, `+` and `@`.
    pub fn parse(text: &str) -> Result<Self, InvalidUserName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+@".contains(&byte);
        let is_name = (1..=Self::LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed);
        if is_name { Ok(Self(text.into())) } else { Err(InvalidUserName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Somebody who can prove a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: UserName,
    /// Of its password; none: it has tokens only.
    pub password: Option<PasswordHash>,
    /// What it may do.
    pub grants: Grants,
    /// Its tokens.
    pub tokens: BTreeMap<TokenId, Token>,
}

impl User {
    /// So many tokens may one user have.
    pub const TOKENS_MAX: usize = 100;

    /// Somebody new, who may do nothing.
    #[must_use]
    pub fn new(name: UserName) -> Self {
        Self { name, password: None, grants: Grants::default(), tokens: BTreeMap::new() }
    }
}

/// Names a token to whoever revokes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub Uuid);

impl fmt::Display for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a program proves a user's name with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Of what is shown once.
    pub digest: Digest,
    /// What it is for.
    pub description: String,
    /// When it was made.
    #[serde(with = "serial::milliseconds")]
    pub created_at: Timestamp,
    /// From when on it proves nothing; none: never.
    #[serde(with = "serial::milliseconds::optional")]
    pub expires_at: Option<Timestamp>,
}

/// A browser in which somebody has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Of its cookie.
    pub digest: Digest,
    /// Who.
    pub user: UserName,
    /// From when on it proves nothing.
    #[serde(with = "serial::milliseconds")]
    pub expires_at: Timestamp,
}

/// What is to become of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// It is made, or what is named is changed.
    Put {
        /// Its password.
        password: Option<PasswordHash>,
        /// All that it may do.
        grants: Option<Grants>,
    },
    /// It may do more.
    Grant {
        /// Where.
        path: GroupId,
        /// What.
        permissions: Permissions,
    },
    /// It may do less.
    Revoke {
        /// Where.
        path: GroupId,
        /// What.
        permissions: Permissions,
    },
    /// It has one more token.
    AddToken {
        /// Its id.
        id: TokenId,
        /// The token.
        token: Token,
    },
    /// A token proves nothing any more.
    RemoveToken(TokenId),
    /// It is removed.
    Remove,
}
