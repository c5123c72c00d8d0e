//! `/state`, `/slaves`, `/frameworks`, `/tasks`: from the read model alone.

use attica_core_api::v1::{AgentId, FrameworkId, TaskId};
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;

use super::answer::{Query, json, plain};
use crate::master::identity::Identity;
use crate::master::leader::Leader;
use crate::master::view::{Detail, Document, Order, TaskQuery};

/// What `/tasks` lists when it is not told.
const TASKS_LIMIT_DEFAULT: usize = 100;

pub(super) fn state(identity: &Identity, leader: &Leader, request: &Request) -> Response {
    let mut document = Document::new();
    document.members(identity.state_members(leader));
    leader.model.agents(Detail::Summary, None, &mut document);
    leader.model.frameworks(None, &mut document);
    // Frameworks are never forgotten while they have tasks, so neither list can have an element.
    document.members("\"orphan_tasks\":[],\"unregistered_frameworks\":[]".to_owned());
    json(&Query::of(request), document)
}

pub(super) fn slaves(leader: &Leader, request: &Request) -> Response {
    let query = Query::of(request);
    let only = query.get("slave_id").map(AgentId::from);
    let mut document = Document::new();
    leader.model.agents(Detail::Full, only.as_ref(), &mut document);
    json(&query, document)
}

pub(super) fn frameworks(leader: &Leader, request: &Request) -> Response {
    let query = Query::of(request);
    let only = query.get("framework_id").map(FrameworkId::from);
    let mut document = Document::new();
    leader.model.frameworks(only.as_ref(), &mut document);
    document.members("\"unregistered_frameworks\":[]".to_owned());
    json(&query, document)
}

pub(super) fn tasks(leader: &Leader, request: &Request) -> Response {
    let query = Query::of(request);
    let asked = match task_query(&query) {
        Ok(asked) => asked,
        Err(text) => return plain(StatusCode::BAD_REQUEST, text),
    };
    let mut document = Document::new();
    leader.model.tasks(&asked, &mut document);
    json(&query, document)
}

fn task_query(query: &Query) -> Result<TaskQuery, String> {
    let number = |name: &str, default: usize| match query.get(name) {
        None => Ok(default),
        Some(text) => {
            text.parse().map_err(|_| format!("Failed to parse query string '{name}': '{text}' is not a number"))
        }
    };
    let order = match query.get("order") {
        Some("asc") => Order::Ascending,
        None | Some("des" | "desc") => Order::Descending,
        Some(text) => return Err(format!("Failed to parse query string 'order': '{text}' is neither asc nor desc")),
    };
    Ok(TaskQuery {
        limit: number("limit", TASKS_LIMIT_DEFAULT)?,
        offset: number("offset", 0)?,
        order,
        framework: query.get("framework_id").map(FrameworkId::from),
        task: query.get("task_id").map(TaskId::from),
    })
}
