//! `/state`, `/state-summary`, `/slaves`, `/frameworks`, `/tasks`, `/roles`: from the read model alone.

use std::sync::Arc;

use attica_core_api::v1::{AgentId, FrameworkId, TaskId};
use axum::response::Response;
use http::StatusCode;

use super::answer::{Query, json, plain};
use crate::master::identity::Identity;
use crate::master::leader::Leader;
use crate::master::view::{Detail, Document, Order, TaskQuery};

/// What `/tasks` lists when it is not told.
const TASKS_LIMIT_DEFAULT: usize = 100;

/// The lists there are.
#[derive(Debug, Clone, Copy)]
pub(super) enum List {
    State,
    StateSummary,
    Roles,
    Slaves,
    Frameworks,
    Tasks,
}

/// Answers with a list. A large one takes some milliseconds of pointers to put together: that happens on a thread where it holds
/// nobody up, and only for as many readers at a time as there is memory for.
pub(super) async fn answer(list: List, identity: Arc<Identity>, leader: Arc<Leader>, query: Query) -> Response {
    let Ok(permit) = leader.readers.clone().acquire_owned().await else {
        unreachable!("the semaphore is never closed");
    };
    let built = tokio::task::spawn_blocking(move || {
        let mut document = Document::admitted(permit);
        match list {
            List::State => state(&identity, &leader, &mut document),
            List::StateSummary => summary(&identity, &leader, &mut document),
            List::Roles => leader.model.roles(&mut document),
            List::Slaves => slaves(&leader, &query, &mut document),
            List::Frameworks => frameworks(&leader, &query, &mut document),
            List::Tasks => match task_query(&query) {
                Ok(asked) => leader.model.tasks(&asked, &mut document),
                Err(text) => return plain(StatusCode::BAD_REQUEST, text),
            },
        }
        json(&query, document)
    });
    match built.await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, ?list, "cannot build a list");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
        }
    }
}

fn state(identity: &Identity, leader: &Leader, document: &mut Document) {
    document.members(identity.state_members(leader));
    leader.model.agents(Detail::Summary, None, document);
    leader.model.frameworks(None, document);
    // Frameworks are never forgotten while they have tasks, so neither list can have an element.
    document.members("\"orphan_tasks\":[],\"unregistered_frameworks\":[]".to_owned());
}

fn summary(identity: &Identity, leader: &Leader, document: &mut Document) {
    document.members(identity.summary_members());
    leader.model.summary(document);
}

fn slaves(leader: &Leader, query: &Query, document: &mut Document) {
    let only = query.get("slave_id").map(AgentId::from);
    leader.model.agents(Detail::Full, only.as_ref(), document);
}

fn frameworks(leader: &Leader, query: &Query, document: &mut Document) {
    let only = query.get("framework_id").map(FrameworkId::from);
    leader.model.frameworks(only.as_ref(), document);
    document.members("\"unregistered_frameworks\":[]".to_owned());
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
