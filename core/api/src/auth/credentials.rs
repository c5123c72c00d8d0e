//! Names with passwords, in the JSON of Mesos's `--credentials` and `--credential` files.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::SecretText;

/// The most that a file may name; far beyond any real one.
const CREDENTIALS_MAX: usize = 100_000;

/// One name and what proves it.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The name.
    pub principal: Arc<str>,
    /// What proves it.
    pub secret: SecretText,
}

/// Who may come in.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    secrets: HashMap<Arc<str>, SecretText>,
}

/// What is wrong with a file of credentials. It says where, and never what is written there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Not JSON.
    #[error("not JSON: syntax error at line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON of another shape.
    #[error("{0}")]
    Shape(String),
    /// A name that occurs twice: which secret counts would be a matter of luck.
    #[error("the principal `{0}` occurs more than once")]
    Twice(String),
}

impl Credential {
    /// Reads `{"principal": …, "secret": …}`.
    pub fn parse(text: &str) -> Result<Credential, CredentialsError> {
        Credential::of(&json(text)?, "the file")
    }

    fn of(value: &Value, what: &str) -> Result<Credential, CredentialsError> {
        let member = |name: &str| {
            let found = value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            found.ok_or_else(|| CredentialsError::Shape(format!("{what} needs a string `{name}` that is not empty")))
        };
        let principal = member("principal")?;
        if principal.contains(':') {
            let text = format!("the principal `{principal}` has a colon, which HTTP cannot carry in a name");
            return Err(CredentialsError::Shape(text));
        }
        Ok(Credential { principal: principal.into(), secret: SecretText::new(member("secret")?) })
    }
}

impl Credentials {
    /// Reads `{"credentials": [{"principal": …, "secret": …}, …]}`.
    pub fn parse(text: &str) -> Result<Credentials, CredentialsError> {
        let value = json(text)?;
        let listed = value.get("credentials").and_then(Value::as_array);
        let listed = listed.ok_or_else(|| CredentialsError::Shape("the file needs a list `credentials`".to_owned()))?;
        if listed.len() > CREDENTIALS_MAX {
            return Err(CredentialsError::Shape(format!("more than {CREDENTIALS_MAX} credentials")));
        }
        let mut secrets = HashMap::with_capacity(listed.len());
        for (index, value) in listed.iter().enumerate() {
            let Credential { principal, secret } = Credential::of(value, &format!("`credentials[{index}]`"))?;
            if secrets.insert(principal.clone(), secret).is_some() {
                return Err(CredentialsError::Twice(principal.to_string()));
            }
        }
        Ok(Credentials { secrets })
    }

    /// The name as it is kept, when the secret is right.
    pub fn check(&self, principal: &str, secret: &str) -> Option<Arc<str>> {
        let (name, known) = self.secrets.get_key_value(principal)?;
        known.matches(secret).then(|| name.clone())
    }
}

/// The parser's own words could quote the file, so only the place of the error is kept.
fn json(text: &str) -> Result<Value, CredentialsError> {
    serde_json::from_str(text).map_err(|error| CredentialsError::Syntax { line: error.line(), column: error.column() })
}
