use serde::{Deserialize, Serialize};

use super::UserName;
use crate::model::DeploymentId;

/// The request behind a write, as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `PUT`, …
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The address that it came from.
    pub address: String,
    /// Whom a trusted proxy named as its client.
    pub forwarded_for: Option<String>,
}

/// A write that was done, or refused for want of a permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Who.
    pub user: UserName,
    /// What.
    pub request: Request,
    /// What became of it.
    pub verdict: Verdict,
    /// The deployment that it began.
    pub deployment: Option<DeploymentId>,
    /// The paths of what it touched, in order; of a refused one where the permission was missing.
    pub touched: Vec<String>,
    /// What it changed, as JSON: the changes of a dry run.
    pub changes: Option<String>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It was done.
    Done,
    /// A permission was missing: this says which, and where.
    Forbidden(String),
}
