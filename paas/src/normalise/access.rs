use attica_core_api::Timestamp;
use attica_paas_api::access::{AuditEntry as ReadEntry, AuditOutcome, Grant, Token as ReadToken, User as ReadUser};

use crate::access::{AuditEntry, Grants, Token, TokenId, User, Verdict};
use crate::model::rfc3339;

/// A user, without what proves who it is.
#[must_use]
pub fn user(user: &User) -> ReadUser {
    ReadUser {
        name: user.name.to_string(),
        has_password: user.password.is_some(),
        grants: grants(&user.grants),
        tokens: user.tokens.iter().map(|(id, kept)| token(*id, kept)).collect(),
    }
}

/// What somebody may do, by path.
#[must_use]
pub fn grants(grants: &Grants) -> Vec<Grant> {
    let grant = |(path, permissions): (&crate::model::GroupId, crate::access::Permissions)| Grant {
        path: path.to_string(),
        permissions: permissions.iter().collect(),
    };
    grants.iter().map(grant).collect()
}

/// A token, without what it proves itself by.
#[must_use]
pub fn token(id: TokenId, token: &Token) -> ReadToken {
    ReadToken {
        id: id.to_string(),
        description: token.description.clone(),
        created_at: rfc3339(token.created_at),
        expires_at: token.expires_at.map(rfc3339),
    }
}

/// An entry of the audit log.
#[must_use]
pub fn audit_entry(at: Timestamp, entry: &AuditEntry) -> ReadEntry {
    let (outcome, reason) = match &entry.verdict {
        Verdict::Done => (AuditOutcome::Done, None),
        Verdict::Forbidden(reason) => (AuditOutcome::Forbidden, Some(reason.clone())),
    };
    let changes = entry.changes.as_deref().map(serde_json::from_str).transpose();
    ReadEntry {
        timestamp: rfc3339(at),
        user: entry.user.to_string(),
        method: entry.request.method.clone(),
        uri: entry.request.uri.clone(),
        address: entry.request.address.clone(),
        forwarded_for: entry.request.forwarded_for.clone(),
        outcome,
        reason,
        deployment_id: entry.deployment.map(|id| id.to_string()),
        touched: entry.touched.clone(),
        changes: changes.ok().flatten().unwrap_or_default(),
    }
}
