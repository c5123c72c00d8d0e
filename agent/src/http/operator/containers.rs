//! Containers of operators: launched, waited for, killed, removed.

use attica_core_api::agent::{CallType, KillContainer, LaunchContainer, Response as Answer, ResponseType};
use attica_core_api::auth::Viewer;
use attica_core_api::v1::ContainerId as WireContainerId;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::{Rejection, reads};
use crate::contained::{ContainerPath, Tenure};
use crate::http::Agent;
use crate::launcher::protocol::Streams;
use crate::supervisor::{ContainerLaunch, OperatorCall, OperatorReply};

/// LAUNCH_CONTAINER
pub(super) async fn launch(agent: &Agent, viewer: Viewer, call: LaunchContainer) -> Result<Response, Rejection> {
    let LaunchContainer { container_id, command, resources, container, limits } = call;
    let path = ContainerPath::from(&container_id);
    let tenure = Tenure::Lasting;
    let launch = ContainerLaunch { path, tenure, command, container, resources, limits, streams: Streams::Sandbox };
    done(agent.ask(OperatorCall::Launch(Box::new(launch)), viewer).await?)
}

/// KILL_CONTAINER
pub(super) async fn kill(agent: &Agent, viewer: Viewer, call: KillContainer) -> Result<Response, Rejection> {
    let signal = call.signal.unwrap_or(libc::SIGKILL);
    done(agent.ask(OperatorCall::Kill(ContainerPath::from(&call.container_id), signal), viewer).await?)
}

/// REMOVE_CONTAINER
pub(super) async fn remove(agent: &Agent, viewer: Viewer, id: &WireContainerId) -> Result<Response, Rejection> {
    done(agent.ask(OperatorCall::Remove(ContainerPath::from(id)), viewer).await?)
}

/// WAIT_CONTAINER, answered when it has ended.
pub(super) async fn wait(
    agent: &Agent,
    viewer: Viewer,
    kind: CallType,
    id: &WireContainerId,
) -> Result<Answer, Rejection> {
    match agent.ask(OperatorCall::Wait(ContainerPath::from(id)), viewer).await? {
        OperatorReply::Ended(outcome) if kind == CallType::WaitNestedContainer => {
            Ok(Answer { wait_nested_container: Some(*outcome), ..reads::of(ResponseType::WaitNestedContainer) })
        }
        OperatorReply::Ended(outcome) => {
            Ok(Answer { wait_container: Some(*outcome), ..reads::of(ResponseType::WaitContainer) })
        }
        OperatorReply::Refused(refusal) => Err(refusal.into()),
        OperatorReply::Launched | OperatorReply::AlreadyRunning | OperatorReply::Done | OperatorReply::Attached(_) => {
            Err(Rejection::Ending)
        }
    }
}

/// An answer without a body.
fn done(reply: OperatorReply) -> Result<Response, Rejection> {
    match reply {
        OperatorReply::Launched | OperatorReply::Done => Ok(StatusCode::OK.into_response()),
        OperatorReply::AlreadyRunning => Ok(StatusCode::ACCEPTED.into_response()),
        OperatorReply::Refused(refusal) => Err(refusal.into()),
        OperatorReply::Ended(_) | OperatorReply::Attached(_) => Err(Rejection::Ending),
    }
}
