//! Reading one app, with help for ids that are not there.

use attica_paas_api::AppList;
use http::StatusCode;

use crate::client::failure::Failure;
use crate::client::ids::{AppId, nearest};
use crate::client::server::{Answer, Request, Server};

/// Asks about an app; where there is none of this id, the failure names the one that was probably meant.
pub(in crate::client) async fn call(server: &Server, id: &AppId, request: &Request) -> Result<Answer, Failure> {
    match server.call(request).await {
        Err(Failure::Refused { request, status: StatusCode::NOT_FOUND, body, hint: None }) => {
            let hint = Some(suggestion(server, id).await);
            Err(Failure::Refused { request, status: StatusCode::NOT_FOUND, body, hint })
        }
        other => other,
    }
}

async fn suggestion(server: &Server, id: &AppId) -> String {
    let known: Vec<String> = match server.get::<AppList>("/v2/apps").await {
        Ok(list) => list.apps.into_iter().map(|info| info.app.id).filter(|known| known != id.as_str()).collect(),
        Err(_) => Vec::new(),
    };
    match nearest(id.as_str(), known.iter().map(String::as_str)) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "attica app list shows what there is".to_owned(),
    }
}
