//! Whom or what a rule is about.

use super::Object;

/// The behaviour of roles with `/%` at their end: they mean everything beneath.
const RECURSIVE: &str = "/%";

/// One side of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entity {
    /// Everyone, or everything.
    Any,
    /// No one: the rule matches, and refuses.
    Nobody,
    /// Exactly these.
    Some(Vec<String>),
    /// These roles, and everything beneath the ones (without their `%`) of the second list.
    Roles(Vec<String>, Vec<String>),
}

impl Entity {
    /// These roles; `a/%` means all roles beneath `a`.
    pub(super) fn roles(values: Vec<String>) -> Entity {
        let (recursive, plain): (Vec<_>, Vec<_>) = values.into_iter().partition(|value| value.ends_with(RECURSIVE));
        let beneath = recursive.into_iter().map(|role| role[..role.len() - 1].to_owned()).collect();
        Entity::Roles(plain, beneath)
    }

    /// Whether the rule speaks of it.
    pub(super) fn matches(&self, asked: Object<'_>) -> bool {
        match self {
            Entity::Any | Entity::Nobody => true,
            Entity::Some(_) | Entity::Roles(..) => self.names(asked),
        }
    }

    /// Whether the rule, if it matches, permits it.
    pub(super) fn allows(&self, asked: Object<'_>) -> bool {
        match self {
            Entity::Any => true,
            Entity::Nobody => false,
            Entity::Some(_) | Entity::Roles(..) => self.names(asked),
        }
    }

    /// Everything at once is never among named ones.
    fn names(&self, asked: Object<'_>) -> bool {
        match (self, asked) {
            (Entity::Some(values), Object::Value(value)) => values.iter().any(|known| known == value),
            (Entity::Roles(plain, beneath), Object::Value(role)) => {
                plain.iter().any(|known| known == role)
                    || beneath.iter().any(|parent| role.starts_with(parent.as_str()))
            }
            (_, Object::Any) | (Entity::Any | Entity::Nobody, _) => false,
        }
    }
}
