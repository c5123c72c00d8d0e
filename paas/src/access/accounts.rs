use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use attica_core_api::Timestamp;

use super::{Digest, Session, TokenId, User, UserName};

/// Users and sessions, and what proves who somebody is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accounts {
    users: BTreeMap<UserName, Arc<User>>,
    /// Follows from `users`.
    tokens: HashMap<Digest, (UserName, TokenId)>,
    sessions: BTreeMap<Digest, Session>,
}

impl Accounts {
    /// So many users there may be.
    pub const USERS_MAX: usize = 10_000;
    /// So many sessions there may be.
    pub const SESSIONS_MAX: usize = 10_000;

    /// Puts a user in, in place of what it was before.
    pub fn put(&mut self, user: Arc<User>) {
        self.forget_tokens(&user.name);
        let tokens = user.tokens.iter().map(|(id, token)| (token.digest, (user.name.clone(), *id)));
        self.tokens.extend(tokens);
        self.users.insert(user.name.clone(), user);
    }

    /// Takes a user out.
    pub fn remove(&mut self, name: &UserName) {
        self.forget_tokens(name);
        self.users.remove(name);
    }

    fn forget_tokens(&mut self, name: &UserName) {
        let tokens = self.users.get(name).map(|user| user.tokens.values().map(|token| token.digest));
        for digest in tokens.into_iter().flatten().collect::<Vec<_>>() {
            self.tokens.remove(&digest);
        }
    }

    /// Somebody has signed in.
    pub fn begin(&mut self, session: Session) {
        self.sessions.insert(session.digest, session);
    }

    /// A session is over.
    pub fn end(&mut self, digest: &Digest) {
        self.sessions.remove(digest);
    }

    /// By name.
    #[must_use]
    pub fn user(&self, name: &UserName) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    /// All, by name.
    pub fn users(&self) -> impl ExactSizeIterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// All sessions.
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = &Session> {
        self.sessions.values()
    }

    /// Whose token this is, and until when, if it proves something at `now`.
    #[must_use]
    pub fn of_token(&self, digest: &Digest, now: Timestamp) -> Option<(&Arc<User>, Option<Timestamp>)> {
        let (name, id) = self.tokens.get(digest)?;
        let user = self.users.get(name)?;
        let expires_at = user.tokens.get(id)?.expires_at;
        expires_at.is_none_or(|end| now < end).then_some((user, expires_at))
    }

    /// The session of this cookie, whether it is over or not.
    #[must_use]
    pub fn session_of(&self, digest: &Digest) -> Option<&Session> {
        self.sessions.get(digest)
    }

    /// The session of this cookie, if it proves something at `now`.
    #[must_use]
    pub fn session(&self, digest: &Digest, now: Timestamp) -> Option<&Session> {
        self.sessions.get(digest).filter(|session| now < session.expires_at)
    }
}
