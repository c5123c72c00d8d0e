//! How a client proves who it is, and whom it believes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use rustls::ClientConfig;

use super::reload::{Current, watch_files};
use crate::auth::{Credential, CredentialsError};

/// What a [`Client`](super::Client) brings along; nothing by default. Cheap to clone. It never shows what is secret.
#[derive(Clone, Default)]
pub struct Security {
    /// Encrypts, and knows whom to believe.
    pub tls: Option<ClientTls>,
    /// The value of `Authorization`.
    authorization: Option<Current<HeaderValue>>,
    /// The name that is proved, as far as it is known here.
    principal: Option<Arc<str>>,
}

/// The client's side of TLS: whom it believes, and its own certificate. Read again when the files change.
#[derive(Clone)]
pub struct ClientTls(pub(super) Current<ClientConfig>);

/// A credential that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialFileError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no credential.
    #[error("the credential in {} cannot be used", path.display())]
    Credential {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: CredentialsError,
    },
    /// A header cannot hold it.
    #[error("the token in {} has characters that no HTTP header can have", path.display())]
    Token {
        /// Which.
        path: PathBuf,
    },
}

impl Security {
    /// Proves a name with its secret (HTTP basic).
    pub fn with_credential(mut self, credential: &Credential) -> Security {
        let (_, current) = tokio::sync::watch::channel(Arc::new(basic(credential)));
        self.authorization = Some(current);
        self.principal = Some(Arc::clone(&credential.principal));
        self
    }

    /// Proves what a file holds, and follows it when it changes: a credential in Mesos's JSON, `{"principal": …, "secret": …}`, or
    /// else a bearer token.
    pub fn with_credential_file(mut self, path: &Path) -> Result<Security, CredentialFileError> {
        let file = path.to_owned();
        self.principal = principal(path)?;
        self.authorization = Some(watch_files("credential", vec![path.to_owned()], move || authorization(&file))?);
        Ok(self)
    }

    /// Encrypts.
    pub fn with_tls(mut self, tls: Option<ClientTls>) -> Security {
        self.tls = tls;
        self
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The name that is proved; none without a credential, or when a token stands for it.
    pub fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.as_ref().map(|current| HeaderValue::clone(&current.borrow()))
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Security")
            .field("tls", &self.tls.is_some())
            .field("authorization", &self.authorization.is_some())
            .finish()
    }
}

/// What a file proves an identity with.
enum Proof {
    Credential(Credential),
    Token(String),
}

fn proof(path: &Path) -> Result<Proof, CredentialFileError> {
    let text = text_of(path)?;
    if !text.trim_start().starts_with('{') {
        return Ok(Proof::Token(text.trim().to_owned()));
    }
    parsed(path, &text).map(Proof::Credential)
}

/// The credential in a file, as Mesos writes it.
///
/// # Errors
/// The file cannot be read, or it is no credential.
pub fn credential_in(path: &Path) -> Result<Credential, CredentialFileError> {
    parsed(path, &text_of(path)?)
}

fn text_of(path: &Path) -> Result<String, CredentialFileError> {
    std::fs::read_to_string(path).map_err(|source| CredentialFileError::Read { path: path.to_owned(), source })
}

fn parsed(path: &Path, text: &str) -> Result<Credential, CredentialFileError> {
    Credential::parse(text).map_err(|source| CredentialFileError::Credential { path: path.to_owned(), source })
}

fn principal(path: &Path) -> Result<Option<Arc<str>>, CredentialFileError> {
    Ok(match proof(path)? {
        Proof::Credential(credential) => Some(credential.principal),
        Proof::Token(_) => None,
    })
}

fn authorization(path: &Path) -> Result<HeaderValue, CredentialFileError> {
    let token = match proof(path)? {
        Proof::Credential(credential) => return Ok(basic(&credential)),
        Proof::Token(token) => token,
    };
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| CredentialFileError::Token { path: path.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

fn basic(credential: &Credential) -> HeaderValue {
    let pair = format!("{}:{}", credential.principal, credential.secret.expose());
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
    let Ok(mut value) = value else { unreachable!("base64 is allowed in a header") };
    value.set_sensitive(true);
    value
}
