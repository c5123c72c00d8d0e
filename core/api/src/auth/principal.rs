//! Who somebody has proved to be.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::Claims;

/// An authenticated name, or claims of a token, or both.
///
/// What acts on the cluster needs a name (`value`): rules and reservations speak of names. A token gives one in its claim `sub`;
/// an executor's token has only claims and says which container it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Arc<str>>,
    /// What a token says.
    #[serde(skip_serializing_if = "Claims::is_empty")]
    pub claims: Claims,
}

impl Principal {
    /// A name without claims.
    pub fn named(name: impl Into<Arc<str>>) -> Principal {
        Principal { value: Some(name.into()), claims: Claims::new() }
    }

    /// What a token says; its name is the claim `sub`.
    pub fn claiming(claims: Claims) -> Principal {
        Principal { value: claims.get("sub").map(|name| Arc::from(name.as_str())), claims }
    }

    /// The name, unless there are only claims.
    pub fn name(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

/// As Mesos writes it in its messages: the bare name, or JSON when there are claims.
impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) if self.claims.is_empty() => formatter.write_str(value),
            Some(_) | None => formatter.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?),
        }
    }
}
