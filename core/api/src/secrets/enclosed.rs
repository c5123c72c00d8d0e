use super::Sealed;
use crate::v1::{Secret, SecretReference, SecretType};

/// The name of a reference whose key is a sealed value. References are what agents without the key refuse, whoever made them.
const SEALED: &str = "attica.sealed";

/// What a [`Secret`] of a task holds, as far as agents here can have it.
#[derive(Clone, PartialEq, Eq)]
pub enum Enclosed {
    /// The value itself, in clear: its framework did not care.
    Value(super::ClearText),
    /// The value, sealed for the task.
    Sealed(Sealed),
}

/// A secret whose value nobody here can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Neither a value nor a reference, or both.
    #[error("it has to have either a `value`, with the type VALUE, or a `reference`, with the type REFERENCE")]
    Shape,
    /// It is to be looked up elsewhere.
    #[error("the reference `{0}` leads to nothing that is known here")]
    Reference(String),
}

impl Enclosed {
    /// What `secret` holds.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn of(secret: &Secret) -> Result<Enclosed, Unreadable> {
        match (secret.r#type, &secret.value, &secret.reference) {
            (Some(SecretType::Value), Some(value), None) => {
                Ok(Enclosed::Value(super::ClearText::new(value.data.to_vec())))
            }
            (Some(SecretType::Reference), None, Some(reference)) => {
                let unknown = || Unreadable::Reference(reference.name.clone());
                let key = reference.key.as_deref().filter(|_| reference.name == SEALED).ok_or_else(unknown)?;
                Sealed::from_text(key).map(Enclosed::Sealed).ok_or_else(unknown)
            }
            (_, _, _) => Err(Unreadable::Shape),
        }
    }
}

impl std::fmt::Debug for Enclosed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Enclosed::Value(_) => formatter.write_str("Value(…)"),
            Enclosed::Sealed(sealed) => sealed.fmt(formatter),
        }
    }
}

/// A sealed value as tasks carry it.
#[must_use]
pub fn in_reference(sealed: &Sealed) -> Secret {
    let reference = SecretReference { name: SEALED.to_owned(), key: Some(sealed.to_text()) };
    Secret { r#type: Some(SecretType::Reference), reference: Some(reference), value: None }
}
