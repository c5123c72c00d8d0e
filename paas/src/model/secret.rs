use std::fmt;
use std::sync::Arc;

use attica_core_api::secrets::Sealed;
use serde::{Deserialize, Serialize};

use super::Version;

/// Under which a secret is kept: `/db/password`. Absolute, without a trailing slash, never the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretPath(Arc<str>);

/// A text that is not the path of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be names of letters, digits, '.', '_' and '-' with slashes between them, in {} characters",
    SecretPath::LENGTH_MAX
)]
pub struct InvalidSecretPath;

/// A secret that is kept. What it says only the key tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSecret {
    /// When it was written.
    pub version: Version,
    /// Its value, sealed for this path and version.
    pub sealed: Sealed,
}

/// Where a run spec has a secret from, as it was written: `db/password` is `/db/password`, and stays what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretSource(String);

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EnvValue {
    /// The value itself.
    Text(String),
    /// That of a secret.
    Secret {
        /// Its name in the run spec.
        secret: String,
    },
}

impl SecretPath {
    /// The longest path, slashes included.
    pub const LENGTH_MAX: usize = 255;

    /// Reads a path, relative ones from the root.
    ///
    /// # Errors
    /// The root, `.` and `..`, other characters, more than [`SecretPath::LENGTH_MAX`] of them.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretPath> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = |name: &str| !matches!(name, "." | "..") && name.bytes().all(allowed);
        let path = Self::absolute(text);
        let is_path = path.0.len() > 1 && path.0.len() <= Self::LENGTH_MAX && path.0.split('/').all(is_name);
        if is_path { Ok(path) } else { Err(InvalidSecretPath) }
    }

    fn absolute(text: &str) -> Self {
        let names: Vec<&str> = text.split('/').filter(|name| !name.is_empty()).collect();
        Self(format!("/{}", names.join("/")).into())
    }

    /// The path with its leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for SecretPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretPath({})", self.0)
    }
}

impl SecretSource {
    /// Reads where a secret is.
    ///
    /// # Errors
    /// As for [`SecretPath::parse`].
    pub fn parse(text: String) -> Result<Self, InvalidSecretPath> {
        SecretPath::parse(&text).map(|_| Self(text))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> SecretPath {
        SecretPath::absolute(&self.0)
    }
}

impl From<String> for EnvValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for EnvValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_can_be_in_a_request_line() {
        for (text, path) in
            [("a", "/a"), ("/db/Pass_word.1", "/db/Pass_word.1"), ("//db//x/", "/db/x"), ("...", "/...")]
        {
            assert_eq!(SecretPath::parse(text).unwrap().as_str(), path);
            assert_eq!(SecretSource::parse(text.to_owned()).unwrap().path().as_str(), path);
        }
        for wrong in ["", "/", "a b", "/a/../b", "/./a", "ä", "/a?b", &"x".repeat(255)] {
            assert!(SecretPath::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn variables_are_stored_as_they_were_before_there_were_secrets() {
        let both: Vec<EnvValue> = serde_json::from_str(r#"["text", {"secret": "name"}]"#).unwrap();
        assert_eq!(both, [EnvValue::from("text"), EnvValue::Secret { secret: "name".to_owned() }]);
        assert_eq!(serde_json::to_string(&both).unwrap(), r#"["text",{"secret":"name"}]"#);
    }
}
