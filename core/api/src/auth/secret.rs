//! Text that is nobody else's business.

use std::fmt;

use subtle::ConstantTimeEq;

/// A password or a token. It cannot be printed, and comparing it takes the same time wherever it differs.
#[derive(Clone)]
pub struct SecretText(Box<str>);

impl SecretText {
    /// Takes the text in.
    pub fn new(text: impl Into<Box<str>>) -> SecretText {
        SecretText(text.into())
    }

    /// Whether this is the secret. Only its length can be learnt from how long the answer takes.
    pub fn matches(&self, claimed: &str) -> bool {
        self.0.as_bytes().ct_eq(claimed.as_bytes()).into()
    }

    /// The text, for whoever has to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &SecretText) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretText(…)")
    }
}
