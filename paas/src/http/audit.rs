//! `GET /v2/audit`: who did what.

use attica_core_api::Timestamp;
use attica_paas_api::access::Audit;
use axum::response::Response;
use http::StatusCode;

use super::query::Query;
use super::service::Leading;
use super::{answer, refusal};
use crate::model::{GroupId, Version};
use crate::normalise;
use crate::tables::AuditFilter;
use crate::validate::Faults;

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

/// Reads the log. That its reader is an admin of `path` was judged before.
pub(super) async fn read(leading: &Leading, query: &Query) -> Response {
    let filter = match filter(query) {
        Ok(filter) => filter,
        Err(faults) => return refusal::invalid(faults),
    };
    match leading.audit.read(&filter).await {
        Ok(entries) => {
            let entries = entries.iter().map(|(at, entry)| normalise::audit_entry(*at, entry)).collect();
            answer::document(StatusCode::OK, &Audit { entries })
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot read the audit log");
            answer::unavailable("The audit log cannot be read now")
        }
    }
}

fn filter(query: &Query) -> Result<AuditFilter, Faults> {
    let mut faults = Faults::default();
    let path = query.first("path").map(GroupId::parse).transpose();
    let path = path.map_err(|error| faults.add("/path", error.to_string())).ok().flatten();
    let since = query.first("since").map(|text| Version::parse(text).ok_or(text)).transpose();
    let since = since.map_err(|text| faults.add("/since", format!("'{text}' is no moment: RFC 3339 is expected")));
    let limit = query.first("limit").map_or(Ok(LIMIT_DEFAULT), str::parse);
    let limit = limit.ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    if limit.is_none() {
        faults.add("/limit", format!("must be a whole number from 1 to {LIMIT_MAX}"));
    }
    faults.into_result(AuditFilter {
        path: path.unwrap_or_else(GroupId::root),
        user: query.first("user").map(str::to_owned),
        since: since.ok().flatten().map_or(Timestamp(0), |since| since.0),
        limit: limit.unwrap_or(LIMIT_DEFAULT),
    })
}
