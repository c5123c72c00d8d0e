//! `GET /v2/tasks/{task}/log`: a task's output, read through the public files API of its agent.

use attica_core_api::v1::FrameworkId;
use attica_paas_api::task::LogPiece;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::answer;
use super::query::Query;
use super::service::{Leading, Service};
use crate::read_model::{Reader, Sandbox};
use crate::validate::limits;

/// More than an agent sends at once, however its bytes are escaped.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Which piece of which file.
struct Piece {
    file: &'static str,
    offset: i64,
    length: Option<u64>,
}

pub(super) async fn read(
    service: &Service,
    leading: &Leading,
    model: &Reader<'_>,
    task: &str,
    query: Query,
) -> Response {
    let piece = match Piece::of(&query) {
        Ok(piece) => piece,
        Err(text) => return answer::message(StatusCode::BAD_REQUEST, text),
    };
    let sandbox = model.sandbox(task).zip(leading.model.framework_id());
    let Some((sandbox, framework)) = sandbox else {
        return answer::message(StatusCode::NOT_FOUND, format!("Task '{task}' does not exist"));
    };
    let agents = match service.agents.list().await {
        Ok(agents) => agents,
        Err(error) => return error.answer(),
    };
    let Some(agent) = agents.iter().find(|agent| agent.id == sandbox.agent.as_str()) else {
        return gone(task);
    };
    let Some(uri) = service.agent_client.uri(&agent.address, &piece.path(&framework, &sandbox)) else {
        return unreadable(task, "the address of its agent is not one");
    };
    let response = match service.agent_client.get(&uri, HeaderMap::new()).await {
        Ok(response) => response,
        Err(error) => return unreadable(task, &error.to_string()),
    };
    match response.status() {
        StatusCode::OK => {
            let text = service.agent_client.text(response, ANSWER_BYTES_MAX).await;
            match serde_json::from_str::<LogPiece>(&text) {
                Ok(piece) => answer::document(StatusCode::OK, &piece),
                Err(_) => unreadable(task, "its agent's answer is not one"),
            }
        }
        StatusCode::NOT_FOUND => gone(task),
        status => unreadable(task, &format!("its agent answers {status}")),
    }
}

fn gone(task: &str) -> Response {
    answer::message(StatusCode::NOT_FOUND, format!("The sandbox of task '{task}' is gone"))
}

fn unreadable(task: &str, why: &str) -> Response {
    answer::message(StatusCode::BAD_GATEWAY, format!("The output of task '{task}' cannot be read now: {why}"))
}

impl Piece {
    fn of(query: &Query) -> Result<Self, String> {
        let file = match query.first("file") {
            None | Some("stdout") => "stdout",
            Some("stderr") => "stderr",
            Some(_) => return Err("file must be stdout or stderr".to_owned()),
        };
        let number = |name: &str| query.first(name).map(str::parse::<i64>).transpose();
        let offset = number("offset").ok().map(Option::unwrap_or_default).filter(|offset| *offset >= -1);
        let length = number("length").ok().filter(|length| length.is_none_or(|length| length >= 0));
        match (offset, length.map(|length| length.map(i64::unsigned_abs))) {
            (None, _) => Err("offset must be a whole number, -1 or more".to_owned()),
            (_, Some(length)) if length.is_none_or(|length| length <= limits::LOG_BYTES_MAX) => {
                Ok(Self { file, offset: offset.unwrap_or_default(), length })
            }
            (_, None | Some(_)) => Err(format!("length must be a whole number from 0 to {}", limits::LOG_BYTES_MAX)),
        }
    }

    /// The request line of the agent's files API.
    fn path(&self, framework: &FrameworkId, sandbox: &Sandbox) -> String {
        let (framework, executor) = (encoded(framework.as_str()), encoded(sandbox.executor.as_str()));
        let part = sandbox.container.as_ref().map(|id| format!("/containers/{}", encoded(id))).unwrap_or_default();
        let Self { file, offset, length } = self;
        let length = length.map(|length| format!("&length={length}")).unwrap_or_default();
        format!(
            "/files/read?path=/framework/{framework}/executor/{executor}/latest{part}/{file}&offset={offset}{length}"
        )
    }
}

/// Percent-encodes everything that could mean something in a URL.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
