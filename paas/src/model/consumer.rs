use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a consumer of the event stream that is waited for, or of a load balancer that reports: of its own choice, unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConsumerName(Arc<str>);

/// A text that is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {} letters, digits, '.', '_' or '-'", ConsumerName::LENGTH_MAX)]
pub struct InvalidName;

impl ConsumerName {
    /// The longest name.
    pub const LENGTH_MAX: usize = 128;

    /// Reads a name.
    ///
    /// # Errors
    /// Empty, longer than [`ConsumerName::LENGTH_MAX`], or with other characters than ASCII letters, digits, `.`, `_` and `-`.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = (1..=Self::LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed);
        if is_name { Ok(Self(text.into())) } else { Err(InvalidName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConsumerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
