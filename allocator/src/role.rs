use std::fmt;
use std::sync::Arc;

/// A role: `*`, or a path such as `eng/web`. What is reserved for a role may be offered to it and to roles below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(Arc<str>);

/// Why a text is not a role. The rules are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRole {
    /// No characters at all.
    #[error("a role must not be empty")]
    Empty,
    /// More than [`Role::MAX_BYTES`].
    #[error("a role must not be longer than {} bytes", Role::MAX_BYTES)]
    TooLong,
    /// A slash at the begin or end, or two in a row.
    #[error("role '{0}' must not begin or end with a slash or have two in a row")]
    EmptyComponent(String),
    /// A component that is `.`, `..` or `*`.
    #[error("role '{role}' must not have '{component}' as a component")]
    ReservedComponent {
        /// The whole text.
        role: String,
        /// The offending part.
        component: String,
    },
    /// A component that begins with a hyphen.
    #[error("role '{role}' must not have the component '{component}', which begins with a hyphen")]
    LeadingHyphen {
        /// The whole text.
        role: String,
        /// The offending part.
        component: String,
    },
    /// White space or a control character.
    #[error("role {0:?} must not contain white space or control characters")]
    WhiteSpace(String),
}

impl Role {
    /// The longest role, in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// The role `*`, to which unreserved resources are said to belong and in which frameworks are by default.
    #[must_use]
    pub fn any() -> Role {
        Role(Arc::from("*"))
    }

    /// Checks and takes a role's name.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn new(role: &str) -> Result<Role, InvalidRole> {
        match role {
            "" => return Err(InvalidRole::Empty),
            "*" => return Ok(Role::any()),
            _ if role.len() > Self::MAX_BYTES => return Err(InvalidRole::TooLong),
            _ if role.contains(|character: char| character.is_whitespace() || character.is_control()) => {
                return Err(InvalidRole::WhiteSpace(role.to_owned()));
            }
            _ => {}
        }
        for component in role.split('/') {
            match component {
                "" => return Err(InvalidRole::EmptyComponent(role.to_owned())),
                "." | ".." | "*" => {
                    let component = component.to_owned();
                    return Err(InvalidRole::ReservedComponent { role: role.to_owned(), component });
                }
                _ if component.starts_with('-') => {
                    let component = component.to_owned();
                    return Err(InvalidRole::LeadingHyphen { role: role.to_owned(), component });
                }
                _ => {}
            }
        }
        Ok(Role(Arc::from(role)))
    }

    /// The role's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `*`.
    #[must_use]
    pub fn is_any(&self) -> bool {
        &*self.0 == "*"
    }

    /// The role above: `eng` for `eng/web`, none for `eng` and `*`.
    #[must_use]
    pub fn parent(&self) -> Option<Role> {
        self.0.rsplit_once('/').map(|(parent, _)| Role(Arc::from(parent)))
    }

    /// True when this role is `above` or lies below it: `eng/web` is within `eng` and within `eng/web`.
    #[must_use]
    pub fn is_within(&self, above: &Role) -> bool {
        match self.0.strip_prefix(&*above.0) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
