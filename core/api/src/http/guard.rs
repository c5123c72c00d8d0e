//! Who may come in: the files behind [`crate::auth`], and the check that every request passes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use http::{Request, header};

use super::ClientName;
use super::reload::{Current, watch_files};
use crate::auth::{
    Acls, AclsError, Authenticators, Challenge, Credentials, CredentialsError, Principal, Realm, TokenKey, Viewer,
};

/// What a guard goes by.
#[derive(Debug, Clone, Default)]
pub struct GuardFiles {
    /// Names with passwords, for HTTP basic.
    pub credentials: Option<PathBuf>,
    /// The key that bearer tokens are signed with.
    pub token_key: Option<PathBuf>,
    /// Who may do what.
    pub acls: Option<AclsSource>,
}

/// Where rules are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AclsSource {
    /// In a file, which is watched.
    File(PathBuf),
    /// Given as they are.
    Inline(String),
}

impl FromStr for AclsSource {
    type Err = std::convert::Infallible;

    /// As Mesos's flag has it: JSON, a path, or `file://` and a path.
    fn from_str(text: &str) -> Result<AclsSource, Self::Err> {
        Ok(match text.trim_start().starts_with('{') {
            true => AclsSource::Inline(text.to_owned()),
            false => AclsSource::File(plain_path(text)),
        })
    }
}

/// A path, with Mesos's `file://` before it or not.
pub fn plain_path(text: &str) -> PathBuf {
    PathBuf::from(text.strip_prefix("file://").unwrap_or(text))
}

/// Why there can be no guard.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The credentials are not right.
    #[error("the credentials in {} cannot be used", path.display())]
    Credentials {
        /// Where they are.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CredentialsError,
    },
    /// The key is not right.
    #[error("the key in {} cannot be used: {reason}", path.display())]
    TokenKey {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The rules are not right.
    #[error("the access control lists cannot be used")]
    Acls(#[from] AclsError),
    /// A realm asks for something that nobody can have.
    #[error("nobody could prove anything in the realm `{}`: it needs {needs}", realm.name())]
    Nothing {
        /// The realm.
        realm: Realm,
        /// What would help.
        needs: &'static str,
    },
}

/// The credentials and rules in force; cheap to clone. They are read again when they change.
#[derive(Debug, Clone)]
pub struct Guard {
    required: Arc<BTreeSet<Realm>>,
    current: Current<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    authenticators: Authenticators,
    acls: Option<Arc<Acls>>,
}

/// Whether callers can be known by their certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// The listener asks for them.
    Asked,
    /// It does not.
    Ignored,
}

impl Guard {
    /// Reads the files, and watches them. These realms will let nobody in who does not prove a name.
    pub fn start(
        files: GuardFiles,
        required: impl IntoIterator<Item = Realm>,
        certificates: ClientCertificates,
    ) -> Result<Guard, GuardError> {
        let required: BTreeSet<Realm> = required.into_iter().collect();
        let watched = [files.credentials.clone(), files.token_key.clone(), files.acls.as_ref().and_then(file_of)];
        let current = watch_files("credentials and access control lists", watched.into_iter().flatten().collect(), {
            let required = required.clone();
            move || {
                let rules = Rules::read(&files)?;
                required.iter().try_for_each(|realm| rules.check(*realm, certificates))?;
                Ok::<_, GuardError>(rules)
            }
        })?;
        Ok(Guard { required: Arc::new(required), current })
    }

    /// Lets everyone do everything.
    pub fn open() -> Guard {
        let (_, current) = tokio::sync::watch::channel(Arc::new(Rules::default()));
        Guard { required: Arc::default(), current }
    }

    /// Who sends this request, and under which rules; or what to answer instead. Without a realm nobody is asked.
    pub fn admit<B>(&self, realm: Option<Realm>, request: &Request<B>) -> Result<Viewer, Challenge> {
        let rules = self.current.borrow().clone();
        let principal = match realm.filter(|realm| self.required.contains(realm)) {
            Some(realm) => Some(rules.principal(realm, request)?),
            None => None,
        };
        Ok(Viewer::new(principal, rules.acls.clone()))
    }

    /// The rules in force now.
    pub fn acls(&self) -> Option<Arc<Acls>> {
        self.current.borrow().acls.clone()
    }

    /// Waits until what is in force may have changed; for ever when it never will.
    pub async fn changed(&mut self) {
        if self.current.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Rules {
    fn read(files: &GuardFiles) -> Result<Rules, GuardError> {
        let basic = files.credentials.as_deref().map(|path| {
            let text = read(path)?;
            Credentials::parse(&text).map_err(|source| GuardError::Credentials { path: path.to_owned(), source })
        });
        let bearer = files.token_key.as_deref().map(token_key);
        let acls = files.acls.as_ref().map(|source| match source {
            AclsSource::Inline(text) => Ok(Acls::parse(text)?),
            AclsSource::File(path) => Ok::<_, GuardError>(Acls::parse(&read(path)?)?),
        });
        let authenticators = Authenticators { basic: basic.transpose()?, bearer: bearer.transpose()? };
        Ok(Rules { authenticators, acls: acls.transpose()?.map(Arc::new) })
    }

    /// An executor has a token of its agent and nothing else, so that its realm takes nothing else; agents may have certificates.
    fn check(&self, realm: Realm, certificates: ClientCertificates) -> Result<(), GuardError> {
        match realm {
            Realm::AgentExecutor if self.authenticators.bearer.is_none() => {
                Err(GuardError::Nothing { realm, needs: "a key for tokens" })
            }
            Realm::MasterAgent if certificates == ClientCertificates::Asked => Ok(()),
            Realm::MasterReadonly
            | Realm::MasterReadwrite
            | Realm::MasterScheduler
            | Realm::MasterAgent
            | Realm::AgentReadonly
            | Realm::AgentReadwrite
                if self.authenticators.is_empty() =>
            {
                Err(GuardError::Nothing { realm, needs: "credentials, or a key for tokens" })
            }
            Realm::MasterReadonly
            | Realm::MasterReadwrite
            | Realm::MasterScheduler
            | Realm::MasterAgent
            | Realm::AgentReadonly
            | Realm::AgentReadwrite
            | Realm::AgentExecutor => Ok(()),
        }
    }

    fn principal<B>(&self, realm: Realm, request: &Request<B>) -> Result<Principal, Challenge> {
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match realm {
            Realm::MasterAgent => {
                if let Some(name) = request.extensions().get::<ClientName>() {
                    return Ok(Principal::named(name.0.clone()));
                }
                self.authenticators.authenticate(realm, header, now_seconds())
            }
            Realm::AgentExecutor => {
                let tokens = Authenticators { basic: None, bearer: self.authenticators.bearer.clone() };
                tokens.authenticate(realm, header, now_seconds())
            }
            Realm::MasterReadonly
            | Realm::MasterReadwrite
            | Realm::MasterScheduler
            | Realm::AgentReadonly
            | Realm::AgentReadwrite => self.authenticators.authenticate(realm, header, now_seconds()),
        }
    }
}

/// The key in a file.
pub fn token_key(path: &Path) -> Result<TokenKey, GuardError> {
    let key = TokenKey::new(read(path)?.as_bytes());
    key.map_err(|error| GuardError::TokenKey { path: path.to_owned(), reason: error.to_string() })
}

fn file_of(source: &AclsSource) -> Option<PathBuf> {
    match source {
        AclsSource::File(path) => Some(path.clone()),
        AclsSource::Inline(_) => None,
    }
}

fn read(path: &Path) -> Result<String, GuardError> {
    std::fs::read_to_string(path).map_err(|source| GuardError::Read { path: path.to_owned(), source })
}

fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
