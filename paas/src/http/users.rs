//! `/v2/users` and `/v2/session`: who there is, what they may do, and who asks.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use attica_core_api::Timestamp;
use attica_paas_api::access::{
    Grant, IssuedToken, NewToken, Permission, Session as ReadSession, SignIn, UserList, UserUpdate,
};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Request, StatusCode, header};
use uuid::Uuid;

use super::service::{Leading, Service};
use super::writes::{Asked, unexpected};
use super::{answer, body, guard, refusal};
use crate::access::{
    Caller, Digest, Grants, PasswordHash, Permissions, Secret, Token, TokenId, User, UserChange, UserName,
};
use crate::engine::{Reply, Write};
use crate::model::GroupId;
use crate::normalise;
use crate::validate::Faults;

/// The longest description of a token, in bytes.
const DESCRIPTION_MAX: usize = 1_024;
/// A token that is to expire does so within ten years.
const TOKEN_LIFE_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// GET of all users.
pub(super) fn list(leading: &Leading) -> Response {
    let users = leading.model.accounts(|accounts| accounts.users().cloned().collect::<Vec<_>>());
    answer::document(StatusCode::OK, &UserList { users: users.iter().map(|user| normalise::user(user)).collect() })
}

/// GET of one user.
pub(super) fn read(leading: &Leading, name: &str) -> Response {
    match find(leading, name) {
        Some(user) => answer::document(StatusCode::OK, &normalise::user(&user)),
        None => missing(name),
    }
}

fn find(leading: &Leading, name: &str) -> Option<Arc<User>> {
    let name = UserName::parse(name).ok()?;
    leading.model.accounts(|accounts| accounts.user(&name).cloned())
}

fn missing(name: &str) -> Response {
    answer::message(StatusCode::NOT_FOUND, format!("User '{name}' does not exist"))
}

/// PUT of a user.
pub(super) async fn put(service: &Service, leading: &Leading, request: Request<Body>, name: &str) -> Response {
    let asked = Asked::of(&request);
    let UserUpdate { password, grants } = match body::document(request.into_body()).await {
        Ok(update) => update,
        Err(refused) => return refused,
    };
    // Whoever may change a user because he is that user may not give himself more.
    if (grants.is_some() || find(leading, name).is_none())
        && let Err(lacking) = asked.origin.caller.need(Permission::Admin, "/")
    {
        return guard::lacking(&lacking);
    }
    let mut faults = Faults::default();
    let name = UserName::parse(name).map_err(|error| faults.add("/name", error.to_string())).ok();
    let grants = grants.map(|grants| read_grants(grants, &mut faults));
    if let Some(password) = &password
        && !(PasswordHash::PASSWORD_MIN..=PasswordHash::PASSWORD_MAX).contains(&password.len())
    {
        let (min, max) = (PasswordHash::PASSWORD_MIN, PasswordHash::PASSWORD_MAX);
        faults.add("/password", format!("must have between {min} and {max} bytes"));
    }
    let name = match faults.into_result(name) {
        Ok(Some(name)) => name,
        Ok(None) => return unexpected(),
        Err(faults) => return refusal::invalid(faults),
    };
    if service.sign_in.is_reserved(&name) {
        return answer::message(
            StatusCode::CONFLICT,
            format!("'{name}' is the admin that this server was started with"),
        );
    }
    let password = match password {
        Some(password) => match service.sign_in.hash(password).await {
            Ok(hash) => Some(hash),
            Err(refused) => return refused,
        },
        None => None,
    };
    change(service, leading, asked, name, UserChange::Put { password, grants }).await
}

fn read_grants(grants: Vec<Grant>, faults: &mut Faults) -> Grants {
    let mut all = Grants::default();
    for (index, Grant { path, permissions }) in grants.into_iter().enumerate() {
        match GroupId::parse(&path) {
            Ok(path) => all.grant(path, permissions.into_iter().collect()),
            Err(error) => faults.add(format!("/grants({index})/path"), error.to_string()),
        }
    }
    all
}

/// DELETE of a user.
pub(super) async fn remove(service: &Service, leading: &Leading, asked: Asked, name: &str) -> Response {
    let Ok(name) = UserName::parse(name) else { return missing(name) };
    let outcome = service.write(leading, Write::User { name, change: Box::new(UserChange::Remove) }, asked).await;
    super::writes::answer(outcome, done(|| StatusCode::NO_CONTENT.into_response()))
}

/// POST of permissions.
pub(super) async fn grant(service: &Service, leading: &Leading, request: Request<Body>, name: &str) -> Response {
    let asked = Asked::of(&request);
    let Grant { path, permissions } = match body::document(request.into_body()).await {
        Ok(grant) => grant,
        Err(refused) => return refused,
    };
    let Ok(name) = UserName::parse(name) else { return missing(name) };
    match GroupId::parse(&path) {
        Ok(path) => {
            let permissions: Permissions = permissions.into_iter().collect();
            change(service, leading, asked, name, UserChange::Grant { path, permissions }).await
        }
        Err(error) => refusal::invalid(Faults::one("/path", error.to_string())),
    }
}

/// DELETE of permissions.
pub(super) async fn revoke(service: &Service, leading: &Leading, asked: Asked, name: &str) -> Response {
    let Ok(name) = UserName::parse(name) else { return missing(name) };
    let path = asked.query.first("path").map(GroupId::parse).transpose();
    let path = match path {
        Ok(Some(path)) => path,
        Ok(None) => return refusal::invalid(Faults::one("/path", "error.path.missing")),
        Err(error) => return refusal::invalid(Faults::one("/path", error.to_string())),
    };
    let mut named = Vec::new();
    for written in asked.query.all("permission") {
        match Permission::ALL.into_iter().find(|permission| permission.as_str() == written) {
            Some(permission) => named.push(permission),
            None => return refusal::invalid(Faults::one("/permission", format!("'{written}' is none"))),
        }
    }
    let permissions =
        if named.is_empty() { Permission::ALL.into_iter().collect() } else { named.into_iter().collect() };
    change(service, leading, asked, name, UserChange::Revoke { path, permissions }).await
}

/// Changes a user, and answers with what it is then.
async fn change(service: &Service, leading: &Leading, asked: Asked, name: UserName, change: UserChange) -> Response {
    let outcome = service.write(leading, Write::User { name: name.clone(), change: Box::new(change) }, asked).await;
    super::writes::answer(outcome, done(|| read(leading, name.as_str())))
}

/// POST of a token.
pub(super) async fn add_token(service: &Service, leading: &Leading, request: Request<Body>, name: &str) -> Response {
    let asked = Asked::of(&request);
    let NewToken { description, expires_in_seconds } = match body::document(request.into_body()).await {
        Ok(token) => token,
        Err(refused) => return refused,
    };
    let Ok(name) = UserName::parse(name) else { return missing(name) };
    let mut faults = Faults::default();
    if description.len() > DESCRIPTION_MAX {
        faults.add("/description", format!("must not be longer than {DESCRIPTION_MAX} bytes"));
    }
    let life = expires_in_seconds.map(Duration::from_secs);
    if life.is_some_and(|life| life.is_zero() || life > TOKEN_LIFE_MAX) {
        faults.add("/expiresInSeconds", format!("must be between 1 and {}", TOKEN_LIFE_MAX.as_secs()));
    }
    if let Err(faults) = faults.into_result(()) {
        return refusal::invalid(faults);
    }
    let Ok(secret) = Secret::random() else { return answer::unavailable("The system has no randomness now") };
    let now = SystemTime::now();
    let token = Token {
        digest: secret.digest(),
        description,
        created_at: Timestamp::from(now),
        expires_at: life.map(|life| Timestamp::from(now + life)),
    };
    let id = TokenId(Uuid::new_v4());
    let issued = IssuedToken { token: secret.expose().to_owned(), kept: normalise::token(id, &token) };
    let outcome =
        service.write(leading, Write::User { name, change: Box::new(UserChange::AddToken { id, token }) }, asked).await;
    super::writes::answer(outcome, done(|| answer::document(StatusCode::CREATED, &issued)))
}

/// DELETE of a token.
pub(super) async fn remove_token(
    service: &Service,
    leading: &Leading,
    asked: Asked,
    name: &str,
    token: &str,
) -> Response {
    let Ok(name) = UserName::parse(name) else { return missing(name) };
    let Ok(id) = Uuid::try_parse(token) else {
        return answer::message(StatusCode::NOT_FOUND, format!("User '{name}' has no such token"));
    };
    let write = Write::User { name, change: Box::new(UserChange::RemoveToken(TokenId(id))) };
    let outcome = service.write(leading, write, asked).await;
    super::writes::answer(outcome, done(|| StatusCode::NO_CONTENT.into_response()))
}

fn done(show: impl FnOnce() -> Response) -> impl FnOnce(Reply) -> Response {
    |reply| match reply {
        Reply::Done => show(),
        Reply::Deployed { .. } | Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled => unexpected(),
    }
}

/// GET of who asks.
pub(super) fn who(service: &Service, caller: &Caller) -> Response {
    answer::document(StatusCode::OK, &session(service, caller))
}

fn session(service: &Service, caller: &Caller) -> ReadSession {
    ReadSession {
        sign_in_required: service.sign_in.is_required(),
        user: caller.name().map(ToString::to_string),
        grants: normalise::grants(caller.grants().unwrap_or(&Grants::everything())),
    }
}

/// POST of a name and a password, from a browser.
pub(super) async fn sign_in(service: &Service, leading: &Leading, request: Request<Body>) -> Response {
    let headers: HeaderMap = request.headers().clone();
    let address = guard::address(&request, &service.trusted_proxies);
    let by_tls = guard::came_by_tls(&request, &service.trusted_proxies);
    let asked = Asked::of(&request);
    let SignIn { user, password } = match body::document(request.into_body()).await {
        Ok(sign_in) => sign_in,
        Err(refused) => return refused,
    };
    if !service.sign_in.is_required() {
        return answer::message(StatusCode::CONFLICT, "Nobody has to sign in here");
    }
    let caller = match service.sign_in.check(&leading.model, &user, &password, &headers, address).await {
        Ok(caller) => caller,
        Err(refused) => return refused,
    };
    let (Ok(secret), Some(name)) = (Secret::random(), caller.name()) else {
        return answer::unavailable("The system has no randomness now");
    };
    let (cookie, expires_at) = service.sign_in.cookie(secret.expose(), by_tls);
    let begun = service.sign_in.begun(name, secret.digest(), expires_at);
    let outcome = service.write(leading, Write::BeginSession(begun), asked.by(caller.clone())).await;
    super::writes::answer(
        outcome,
        done(|| {
            let mut response = answer::document(StatusCode::OK, &session(service, &caller));
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }),
    )
}

/// DELETE of the session in which somebody asks. Without one there is nothing to end.
pub(super) async fn sign_out(service: &Service, leading: &Leading, asked: Asked, session: Option<Digest>) -> Response {
    let signed_out = || {
        let mut response = StatusCode::NO_CONTENT.into_response();
        response.headers_mut().insert(header::SET_COOKIE, service.sign_in.no_cookie());
        response
    };
    match session {
        Some(digest) => {
            let outcome = service.write(leading, Write::EndSession(digest), asked).await;
            super::writes::answer(outcome, done(signed_out))
        }
        None => signed_out(),
    }
}

#[cfg(test)]
mod tests {
    use attica_paas_api::access::User as ReadUser;

    use super::*;

    #[test]
    fn neither_passwords_nor_tokens_are_shown() {
        let secret = Secret::random().unwrap();
        let token =
            Token { digest: secret.digest(), description: "ci".into(), created_at: Timestamp(0), expires_at: None };
        let mut user = User::new(UserName::parse("ann").unwrap());
        user.password = Some(PasswordHash::of("correct horse").unwrap());
        user.tokens.insert(TokenId(Uuid::nil()), token);
        let shown: ReadUser = normalise::user(&user);
        let text = normalise::json(&shown) + &format!("{user:?} {secret:?}");
        for hidden in [secret.expose(), &secret.digest().text(), "argon2", "correct"] {
            assert!(!text.contains(hidden), "{text}");
        }
        assert!(shown.has_password && shown.tokens.len() == 1);
    }
}
