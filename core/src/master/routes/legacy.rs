//! The endpoints from before `/api/v1` that change something. Each says the same as a call of operators, in another form.

use std::sync::Arc;

use attica_core_api::http::read_body;
use attica_core_api::v1::FrameworkId;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;

use super::answer::{Query, Rejection, empty};
use super::operator::ask;
use crate::kernel::Order;
use crate::master::leader::Leader;

/// `POST /teardown` with the form `frameworkId=…`.
pub(super) async fn teardown(leader: &Arc<Leader>, request: Request) -> Response {
    let torn_down = async {
        let form = form(request).await?;
        let framework = FrameworkId::new(member(&form, "frameworkId")?);
        ask(leader, Order::Teardown { framework }).await
    };
    answer(torn_down.await, StatusCode::OK)
}

fn answer(done: Result<(), Rejection>, status: StatusCode) -> Response {
    match done {
        Ok(()) => empty(status),
        Err(rejection) => rejection.into_response(),
    }
}

async fn form(request: Request) -> Result<Query, Rejection> {
    let body = read_body(request.into_body()).await?;
    Ok(Query::parse(&String::from_utf8_lossy(&body)))
}

fn member<'f>(form: &'f Query, name: &str) -> Result<&'f str, Rejection> {
    let absent = || Rejection::bad(format!("Missing '{name}' query parameter in the request body"));
    form.get(name).ok_or_else(absent)
}
