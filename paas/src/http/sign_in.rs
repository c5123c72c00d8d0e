//! Who asks: from what a request carries to a [`Caller`].
//!
//! A request may carry a password (HTTP basic), a token (`Bearer …`, or `token=…` as clients of DC/OS send), or the cookie of a browser in
//! which somebody has signed in. Where nobody has to sign in, nothing of it is looked at.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use attica_core_api::Timestamp;
use attica_core_api::auth::{Credential, SecretText};
use attica_core_api::http::reload::{Current, watch_files};
use attica_core_api::http::{CredentialFileError, credential_in};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::answer;
use super::passwords::{Attempt, Passwords, Unchecked};
use crate::access::{Accounts, Caller, Digest, Grants, PasswordHash, Session, User, UserName};
use crate::read_model::ReadModel;

/// The cookie of a session.
const COOKIE: &str = "attica-session";
/// Somebody stays signed in for so long.
const SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// Why a password is not checked, or not hashed, at this moment.
const BUSY: &str = "Too many passwords are being checked at this moment";
/// Sent by programs in a browser, which ask for a password themselves.
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
const FETCH_DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Why the admin's credential cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// It cannot be had from its file.
    #[error(transparent)]
    File(#[from] CredentialFileError),
    /// A user cannot be called so.
    #[error("the principal cannot be the name of a user")]
    Name(#[from] crate::access::InvalidUserName),
}

/// What callers have to show.
pub struct SignIn {
    required: bool,
    realm: String,
    /// Somebody who may do everything, whatever is stored of users.
    admin: Option<Current<Admin>>,
    /// Whether browsers reach this process by TLS alone.
    secure: bool,
    passwords: Passwords,
}

struct Admin {
    name: UserName,
    credential: Credential,
}

impl Admin {
    fn of(credential: Credential) -> Result<Self, AdminError> {
        Ok(Self { name: UserName::parse(&credential.principal)?, credential })
    }

    fn read(path: &Path) -> Result<Self, AdminError> {
        Self::of(credential_in(path)?)
    }

    fn caller(&self) -> Caller {
        Caller::named(self.name.clone(), Grants::everything())
    }

    /// What is kept of a session of the admin: it proves nothing any more once the admin's password is another one. What a cookie says
    /// is random and kept nowhere, so that nobody can guess the password from this.
    fn bind(&self, cookie: Digest) -> Digest {
        Digest::of(format!("{}\n{}", cookie.text(), self.credential.secret.expose()).as_bytes())
    }
}

/// Where the credential of the admin comes from that is there without being stored.
#[derive(Clone, Debug, Default)]
pub enum AdminSource {
    /// There is none.
    #[default]
    Nobody,
    /// From a file, which is read again when it changes.
    File(PathBuf),
    /// It is given as it is.
    Given(Credential),
}

/// By what a caller proved a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Proof {
    /// This is the admin's password.
    Admin(SecretText),
    /// This was the hash of the password.
    Password(UserName, PasswordHash),
    Token(Digest),
    /// What a cookie says.
    Session(Digest),
}

/// A caller with its proof.
#[derive(Clone, Debug, Default)]
pub(super) struct Proven {
    pub(super) caller: Caller,
    proof: Option<Proof>,
    session: Option<Session>,
}

impl Proven {
    /// The session in which somebody asks.
    pub(super) fn session(&self) -> Option<Digest> {
        self.session.as_ref().map(|session| session.digest)
    }
}

/// Why nobody is let in.
enum Refused {
    /// Nothing was shown.
    Nothing,
    /// What was shown proves nothing.
    Wrong,
    /// It was not looked at.
    Unchecked(Unchecked),
}

impl From<Unchecked> for Refused {
    fn from(unchecked: Unchecked) -> Self {
        Self::Unchecked(unchecked)
    }
}

impl SignIn {
    /// Nobody, or everybody, has to sign in. `secure`: browsers come by TLS.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub fn start(required: bool, realm: String, admin: AdminSource, secure: bool) -> Result<Self, AdminError> {
        let admin = match admin {
            AdminSource::Nobody => None,
            AdminSource::Given(credential) => {
                let (_, current) = tokio::sync::watch::channel(Arc::new(Admin::of(credential)?));
                Some(current)
            }
            AdminSource::File(path) => {
                Some(watch_files("credential of the admin", vec![path.clone()], move || Admin::read(&path))?)
            }
        };
        Ok(Self { required, realm, admin, secure, passwords: Passwords::default() })
    }

    /// Whether callers have to sign in.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Whether anybody could sign in who may make users.
    #[must_use]
    pub fn has_admin(&self, accounts: &Accounts) -> bool {
        let is_admin = |grants: &Grants| grants.allow(crate::access::Permission::Admin, "/");
        self.admin.is_some() || accounts.users().any(|user| is_admin(&user.grants))
    }

    /// Whether this is the name of the admin who is not stored.
    pub(super) fn is_reserved(&self, name: &UserName) -> bool {
        self.admin.as_ref().is_some_and(|admin| admin.borrow().name == *name)
    }

    /// Who sends this, from this address.
    ///
    /// # Errors
    /// The answer, 401, 429 or 503, when nobody has proved anything.
    pub(super) async fn caller(
        &self,
        model: &ReadModel,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Proven, Response> {
        if !self.required {
            return Ok(Proven::default());
        }
        let proof = match headers.get(header::AUTHORIZATION) {
            Some(value) => self.by_header(model, value, address).await,
            None => cookie(headers).map_or(Err(Refused::Nothing), |digest| Ok(Proof::Session(digest))),
        };
        let proven = proof.and_then(|proof| self.still(model, proof).ok_or(Refused::Wrong));
        proven.map_err(|refused| self.refuse(&refused, headers))
    }

    /// The caller that this proof is of at this moment.
    fn still(&self, model: &ReadModel, proof: Proof) -> Option<Proven> {
        let now = Timestamp::from(SystemTime::now());
        let stored = |user: &User| Caller::named(user.name.clone(), user.grants.clone());
        let (caller, session) = model.accounts(|accounts| match &proof {
            Proof::Admin(secret) => {
                let admin = self.admin.as_ref()?.borrow().clone();
                (admin.credential.secret == *secret).then(|| (admin.caller(), None))
            }
            Proof::Password(name, hash) => {
                let user = accounts.user(name).filter(|user| user.password.as_ref() == Some(hash))?;
                Some((stored(user), None))
            }
            Proof::Token(digest) => accounts.of_token(digest, now).map(|(user, _)| (stored(user), None)),
            Proof::Session(cookie) => match accounts.session(cookie, now) {
                Some(session) => {
                    // Who was a user when he signed in is not the admin because that is called the same by now.
                    let user = accounts.user(&session.user).filter(|user| !self.is_reserved(&user.name))?;
                    Some((stored(user), Some(session.clone())))
                }
                None => {
                    let admin = self.admin.as_ref()?.borrow().clone();
                    let session = accounts.session(&admin.bind(*cookie), now)?;
                    (session.user == admin.name).then(|| (admin.caller(), Some(session.clone())))
                }
            },
        })?;
        Some(Proven { caller, proof: Some(proof), session })
    }

    /// What is kept of the session of whoever has just signed in and gets this cookie.
    pub(super) fn begun(&self, name: &UserName, cookie: Digest, expires_at: Timestamp) -> Session {
        let admin = self.admin.as_ref().map(|admin| admin.borrow().clone()).filter(|admin| admin.name == *name);
        let digest = admin.map_or(cookie, |admin| admin.bind(cookie));
        Session { digest, user: name.clone(), expires_at }
    }

    async fn by_header(&self, model: &ReadModel, value: &HeaderValue, address: IpAddr) -> Result<Proof, Refused> {
        let text = value.to_str().map_err(|_| Refused::Wrong)?.trim();
        if let Some(token) = after_scheme(text, "token=").or_else(|| after_scheme(text, "Bearer ")) {
            return Ok(Proof::Token(Digest::of(token.as_bytes())));
        }
        let pair = after_scheme(text, "Basic ").and_then(|encoded| STANDARD.decode(encoded).ok());
        let pair = pair.and_then(|pair| String::from_utf8(pair).ok()).ok_or(Refused::Wrong)?;
        let (name, password) = pair.split_once(':').ok_or(Refused::Wrong)?;
        self.by_password(model, name, password, address).await
    }

    /// Whose password this is. A name that nobody has takes as long as any other.
    async fn by_password(
        &self,
        model: &ReadModel,
        name: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<Proof, Refused> {
        let attempt = Attempt::of(address, name);
        // Who is refused is not to learn from how long it took whether this is the admin's name.
        let mut is_admin = false;
        if let Some(admin) = &self.admin {
            let admin = admin.borrow().clone();
            if *admin.credential.principal == *name {
                self.passwords.admit(&attempt)?;
                if admin.credential.secret.matches(password) {
                    return Ok(Proof::Admin(admin.credential.secret.clone()));
                }
                is_admin = true;
            }
        }
        let name = UserName::parse(name).map_err(|_| Refused::Wrong)?;
        let hash = model.accounts(|accounts| accounts.user(&name).and_then(|user| user.password.clone()));
        let hash = hash.filter(|_| !is_admin);
        if self.passwords.check(attempt, hash.as_ref(), password).await?
            && let Some(hash) = hash
        {
            return Ok(Proof::Password(name, hash));
        }
        tracing::warn!(user = %name, %address, "somebody was not let in: a wrong password");
        Err(Refused::Wrong)
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// The answer, 503, when it cannot be made now.
    pub(super) async fn hash(&self, password: String) -> Result<PasswordHash, Response> {
        match self.passwords.hash(password).await {
            Some(hash) => hash.map_err(|error| answer::unavailable(error.to_string())),
            None => Err(answer::unavailable(BUSY)),
        }
    }

    /// Whose name and password these are.
    ///
    /// # Errors
    /// The answer, 401, 429 or 503.
    pub(super) async fn check(
        &self,
        model: &ReadModel,
        name: &str,
        password: &str,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Caller, Response> {
        let proof = self.by_password(model, name, password, address).await;
        let proven = proof.and_then(|proof| self.still(model, proof).ok_or(Refused::Wrong));
        proven.map(|proven| proven.caller).map_err(|refused| self.refuse(&refused, headers))
    }

    /// Resolves when this proof is worth less or more than it was; never for those who showed nothing.
    pub(super) async fn changed(&self, model: Arc<ReadModel>, proven: Proven) {
        let mut changes = model.accounts_changes();
        let Some(proof) = proven.proof else { return std::future::pending().await };
        let now = Timestamp::from(SystemTime::now());
        let end = model.accounts(|accounts| match &proof {
            Proof::Token(digest) => accounts.of_token(digest, now).and_then(|(_, end)| end),
            Proof::Session(_) => proven.session.as_ref().map(|session| session.expires_at),
            Proof::Admin(_) | Proof::Password(..) => None,
        });
        let expired = async {
            match end {
                Some(end) => tokio::time::sleep(Duration::from_millis(u64::try_from(end.0 - now.0).unwrap_or(0))).await,
                None => std::future::pending().await,
            }
        };
        let mut admin = self.admin.clone();
        let mut admin_changes = async || {
            if let Some(admin) = &mut admin
                && admin.changed().await.is_ok()
            {
                return;
            }
            // It never does.
            std::future::pending().await
        };
        let changed = async {
            loop {
                tokio::select! {
                    change = changes.changed() => if change.is_err() { return },
                    () = admin_changes() => {}
                }
                let still = self.still(&model, proof.clone());
                if still.is_none_or(|still| still.caller != proven.caller) {
                    return;
                }
            }
        };
        tokio::select! {
            () = expired => {}
            () = changed => {}
        }
    }

    /// The header that has a browser keep a session, and when that ends. `by_tls`: a proxy ended TLS before this process.
    pub(super) fn cookie(&self, secret: &str, by_tls: bool) -> (HeaderValue, Timestamp) {
        let end = Timestamp::from(SystemTime::now() + SESSION_LIFE);
        (set_cookie(secret, SESSION_LIFE.as_secs(), self.secure || by_tls), end)
    }

    /// The header that has a browser forget it.
    pub(super) fn no_cookie(&self) -> HeaderValue {
        set_cookie("", 0, self.secure)
    }

    fn refuse(&self, refused: &Refused, headers: &HeaderMap) -> Response {
        let text = match refused {
            Refused::Nothing => "Sign in first: this cluster asks for a name and a password, or for a token",
            Refused::Wrong => "What was sent proves no name here: wrong, expired, or revoked",
            Refused::Unchecked(Unchecked::Busy) => return answer::unavailable(BUSY),
            Refused::Unchecked(Unchecked::Guessed(wait)) => {
                let text = "Too many wrong passwords were sent for this name: wait before the next one";
                let mut response = answer::message(StatusCode::TOO_MANY_REQUESTS, text);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
                return response;
            }
        };
        let mut response = answer::message(StatusCode::UNAUTHORIZED, text);
        // A browser would put its own window before the console's.
        let is_program = headers.contains_key(REQUESTED_WITH)
            || headers.get(FETCH_DESTINATION).is_some_and(|destination| destination == "empty");
        let scheme = if is_program { "Bearer" } else { "Basic" };
        let realm: String = self.realm.chars().filter(|character| !"\"\\".contains(*character)).collect();
        if let Ok(challenge) = HeaderValue::try_from(format!("{scheme} realm=\"{realm}\"")) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// What stands behind the name of the scheme, which is written in any case.
fn after_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let found = text.get(..scheme.len())?;
    found.eq_ignore_ascii_case(scheme).then(|| text[scheme.len()..].trim())
}

fn set_cookie(value: &str, seconds: u64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let Ok(mut value) = HeaderValue::try_from(text) else { unreachable!("a secret is base64") };
    value.set_sensitive(true);
    value
}

/// The session that a browser names.
fn cookie(headers: &HeaderMap) -> Option<Digest> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, secret) = pairs.find(|(name, _)| *name == COOKIE)?;
    Some(Digest::of(secret.as_bytes()))
}
