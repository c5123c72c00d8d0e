use std::sync::Arc;

use attica_core_api::Now;

use super::super::{Changes, Effects, Engine, Fact, Forecast, PlannedUser, Refusal, Reply, Terms};
use super::judge::Notes;
use crate::access::{Accounts, Digest, Grants, Session, User, UserChange, UserName};
use crate::model::Version;

impl Engine {
    /// Makes, changes or removes a user. Whoever could still be signed in with what was taken away is signed out.
    pub(super) fn change_user(
        &mut self,
        now: Now,
        name: &UserName,
        change: &UserChange,
        terms: &Terms,
        notes: &mut Notes,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let known = self.state.accounts.user(name).cloned();
        let present = known.as_deref().cloned();
        let missing = || Refusal::UserMissing(name.clone());
        let user = match change {
            UserChange::Put { password, grants } => {
                if present.is_none() && self.state.accounts.users().len() >= Accounts::USERS_MAX {
                    return Err(Refusal::TooMany { what: "users", limit: Accounts::USERS_MAX });
                }
                let mut user = present.clone().unwrap_or_else(|| User::new(name.clone()));
                if password.is_some() {
                    user.password.clone_from(password);
                }
                if let Some(grants) = grants {
                    user.grants = grants.clone();
                }
                Some(user)
            }
            UserChange::Grant { path, permissions } => {
                let mut user = present.clone().ok_or_else(missing)?;
                user.grants.grant(path.clone(), *permissions);
                Some(user)
            }
            UserChange::Revoke { path, permissions } => {
                let mut user = present.clone().ok_or_else(missing)?;
                if !user.grants.revoke(path, *permissions) {
                    return Err(Refusal::GrantMissing(name.clone()));
                }
                Some(user)
            }
            UserChange::AddToken { id, token } => {
                let mut user = present.clone().ok_or_else(missing)?;
                if user.tokens.len() >= User::TOKENS_MAX {
                    return Err(Refusal::TooMany { what: "tokens of one user", limit: User::TOKENS_MAX });
                }
                user.tokens.insert(*id, token.clone());
                Some(user)
            }
            UserChange::RemoveToken(id) => {
                let mut user = present.clone().ok_or_else(missing)?;
                user.tokens.remove(id).ok_or_else(|| Refusal::TokenMissing(name.clone()))?;
                Some(user)
            }
            UserChange::Remove => {
                present.as_ref().ok_or_else(missing)?;
                None
            }
        };
        if user.as_ref().is_some_and(|user| user.grants.paths() > Grants::PATHS_MAX) {
            return Err(Refusal::TooMany { what: "paths in the permissions of one user", limit: Grants::PATHS_MAX });
        }
        let planned = PlannedUser { name: name.clone(), from: known, to: user.clone().map(Arc::new) };
        let changes = Changes { users: vec![planned], ..Changes::default() };
        if terms.dry_run {
            let version = Version(now.wall);
            return Ok(Reply::Planned(Box::new(Forecast { version, changes, steps: Vec::new(), placement: None })));
        }
        self.note_changes(&changes, notes);
        let keeps_password = user.as_ref().map(|user| &user.password) == present.as_ref().map(|user| &user.password);
        if !keeps_password {
            self.end_sessions(now, |session| session.user == *name, out);
        }
        if user != present {
            let changed = match user {
                Some(user) => Fact::UserStored { user: Arc::new(user) },
                None => Fact::UserRemoved { name: name.clone() },
            };
            self.record(now, changed, out);
        }
        Ok(Reply::Done)
    }

    /// Lets somebody in who has proved a name, and forgets the sessions that are over.
    pub(super) fn begin_session(&mut self, now: Now, session: &Session, out: &mut Effects) -> Result<Reply, Refusal> {
        self.end_sessions(now, |session| session.expires_at <= now.wall, out);
        if self.state.accounts.sessions().len() >= Accounts::SESSIONS_MAX {
            return Err(Refusal::TooMany { what: "sessions", limit: Accounts::SESSIONS_MAX });
        }
        self.record(now, Fact::SessionBegan { session: session.clone() }, out);
        Ok(Reply::Done)
    }

    /// Signs somebody out. It may have happened already.
    pub(super) fn end_session(&mut self, now: Now, digest: &Digest, out: &mut Effects) -> Result<Reply, Refusal> {
        self.end_sessions(now, |session| session.digest == *digest, out);
        Ok(Reply::Done)
    }

    fn end_sessions(&mut self, now: Now, which: impl Fn(&Session) -> bool, out: &mut Effects) {
        let ended = self.state.accounts.sessions().filter(|session| which(session));
        let sessions: Vec<Digest> = ended.map(|session| session.digest).collect();
        if !sessions.is_empty() {
            self.record(now, Fact::SessionsEnded { sessions }, out);
        }
    }
}
