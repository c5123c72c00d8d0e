//! Who may do what: the rules of the calls, users with their permissions and tokens, sessions, and what is written down of writes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::PlannedChange;

/// What somebody may do to an app, a pod or a group. It is held at a path, and holds for everything at that path and below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// See it, its tasks and what they write. Whoever holds any permission may also do this.
    View,
    /// Make one.
    Create,
    /// Change, scale or restart it, kill its tasks, stop its deployments.
    Update,
    /// Remove it.
    Delete,
    /// Run programs within its tasks.
    Exec,
    /// All of the others, and reading what was done to it; at `/` also users and the leader.
    Admin,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::View, Self::Create, Self::Update, Self::Delete, Self::Exec, Self::Admin];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Exec => "exec",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a call asks of its caller, where callers have to sign in. The guard goes by this, and the description says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing, not even a name.
    Anyone,
    /// A name.
    SignedIn,
    /// A name; of what is read, only what the caller may view is there, and the rest is as if it did not exist (404).
    Viewing,
    /// Whatever follows from the call: `create` where something is made, `update` where it is changed, scaled, restarted or killed,
    /// `delete` where it is removed, each on the path of each app, pod and group that is touched.
    Changing,
    /// This on what the path of the call names, or on the app or pod of the task that it names. What the caller may not even view is as
    /// if it did not exist (404).
    On(Permission),
    /// This on `/`.
    OnRoot(Permission),
    /// This on the group that the parameter `path` names, or else on `/`.
    OnParameter(Permission),
    /// To be the user that the path names, or `admin` on `/`.
    Oneself,
}

impl fmt::Display for Rule {
    /// A sentence.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => formatter.write_str("Nobody has to sign in for this."),
            Self::SignedIn => formatter.write_str("Everybody who has signed in may do this."),
            Self::Viewing => {
                formatter.write_str("Shows what the caller may `view`; the rest is as if it did not exist.")
            }
            Self::Changing => formatter.write_str(
                "Needs `create`, `update` or `delete` on the path of everything that it makes, changes or removes.",
            ),
            Self::On(permission) => write!(formatter, "Needs `{permission}` on the path of what is named."),
            Self::OnRoot(permission) => write!(formatter, "Needs `{permission}` on `/`."),
            Self::OnParameter(permission) => write!(formatter, "Needs `{permission}` on `path`, without it on `/`."),
            Self::Oneself => formatter.write_str("Needs `admin` on `/`, or to be that user."),
        }
    }
}

/// Permissions that somebody holds at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// A group, an app or a pod; they hold for everything below it as well.
    pub path: String,
    /// Which.
    pub permissions: Vec<Permission>,
}

/// A user, as it is read. Neither password nor tokens are ever shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The name.
    pub name: String,
    /// Whether it can sign in with a password.
    pub has_password: bool,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// Its tokens.
    pub tokens: Vec<Token>,
}

/// `GET /v2/users`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserList {
    /// By name.
    pub users: Vec<User>,
}

/// Body of `PUT /v2/users/{user}`: what is named replaces what was there, what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserUpdate {
    /// At least 8 characters. A change ends the user's sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// All that the user may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<Grant>>,
}

/// A token, without what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Names it to whoever revokes it.
    pub id: String,
    /// What it is for.
    pub description: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; absent: it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Body of `POST /v2/users/{user}/tokens`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// It expires after so many seconds; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
}

/// The answer to it: the only time that the token is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuedToken {
    /// The token, for `Authorization: Bearer …` or `Authorization: token=…`.
    pub token: String,
    /// What is kept of it.
    #[serde(flatten)]
    pub kept: Token,
}

/// Body of `POST /v2/session`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The user's name.
    pub user: String,
    /// And password.
    pub password: String,
}

/// `GET /v2/session`: who the caller is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Whether callers have to sign in here. If not, everybody may do everything, and nobody has a name.
    pub sign_in_required: bool,
    /// The caller's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the caller may do.
    pub grants: Vec<Grant>,
}

/// `GET /v2/audit`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// The latest first.
    pub entries: Vec<AuditEntry>,
}

/// One write, done or refused for want of a permission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// When: RFC 3339.
    pub timestamp: String,
    /// Who.
    pub user: String,
    /// `PUT`, …
    pub method: String,
    /// Path and query of the request.
    pub uri: String,
    /// The address that it came from.
    pub address: String,
    /// Whom a trusted proxy named as its client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_for: Option<String>,
    /// What became of it.
    pub outcome: AuditOutcome,
    /// The permission that was missing, and where, when it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The deployment that it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// The paths of what it touched.
    pub touched: Vec<String>,
    /// What it changed, as a dry run would have foretold.
    pub changes: Vec<PlannedChange>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// A permission was missing: nothing was done.
    Forbidden,
}
