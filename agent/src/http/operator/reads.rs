//! What operators are shown.

use attica_core_api::MESOS_VERSION;
use attica_core_api::agent::{
    GetAgent, GetContainers, GetContainersCall, GetResourceProviders, Response as Answer, ResponseType,
};
use attica_core_api::auth::Viewer;
use attica_core_api::logging::Logging;
use attica_core_api::operator::{
    GetFlags, GetHealth, GetLoggingLevel, GetMetrics, GetOperations, GetVersion, ListFiles, ReadFile,
};
use attica_core_api::v1::{FileInfo, Flag, Metric, VersionInfo};

use crate::http::view::View;
use crate::http::{Agent, Unavailable, monitor};

pub(super) fn health() -> Answer {
    Answer { get_health: Some(GetHealth { healthy: true }), ..of(ResponseType::GetHealth) }
}

pub(super) fn flags(view: &View) -> Answer {
    let flags = view.flags.iter().map(|(name, value)| Flag { name: name.clone(), value: Some(value.clone()) });
    Answer { get_flags: Some(GetFlags { flags: flags.collect() }), ..of(ResponseType::GetFlags) }
}

pub(super) fn version() -> Answer {
    let version_info = VersionInfo { version: MESOS_VERSION.to_owned(), ..VersionInfo::default() };
    Answer { get_version: Some(GetVersion { version_info }), ..of(ResponseType::GetVersion) }
}

pub(super) fn metrics(view: &View) -> Answer {
    let metrics = view.metrics.iter().map(|(name, value)| Metric { name: name.clone(), value: value.as_f64() });
    Answer { get_metrics: Some(GetMetrics { metrics: metrics.collect() }), ..of(ResponseType::GetMetrics) }
}

pub(super) fn logging_level(logging: &Logging) -> Answer {
    let get_logging_level = Some(GetLoggingLevel { level: logging.level() });
    Answer { get_logging_level, ..of(ResponseType::GetLoggingLevel) }
}

pub(super) fn files(file_infos: Vec<FileInfo>) -> Answer {
    Answer { list_files: Some(ListFiles { file_infos }), ..of(ResponseType::ListFiles) }
}

pub(super) fn file(read_file: ReadFile) -> Answer {
    Answer { read_file: Some(read_file), ..of(ResponseType::ReadFile) }
}

pub(super) fn state(view: &View, viewer: &Viewer) -> Answer {
    Answer { get_state: Some(view.lists.state(viewer)), ..of(ResponseType::GetState) }
}

pub(super) async fn containers(
    agent: &Agent,
    viewer: &Viewer,
    which: &GetContainersCall,
) -> Result<Answer, Unavailable> {
    let containers = monitor::messages(agent, viewer, agent.view().await?.as_ref(), which).await;
    Ok(Answer { get_containers: Some(GetContainers { containers }), ..of(ResponseType::GetContainers) })
}

pub(super) fn frameworks(view: &View, viewer: &Viewer) -> Answer {
    Answer { get_frameworks: Some(view.lists.frameworks(viewer)), ..of(ResponseType::GetFrameworks) }
}

pub(super) fn executors(view: &View, viewer: &Viewer) -> Answer {
    Answer { get_executors: Some(view.lists.executors(viewer)), ..of(ResponseType::GetExecutors) }
}

pub(super) fn tasks(view: &View, viewer: &Viewer) -> Answer {
    Answer { get_tasks: Some(view.lists.tasks(viewer)), ..of(ResponseType::GetTasks) }
}

/// An operation is done as soon as it comes: none is under way when somebody asks.
pub(super) fn operations() -> Answer {
    let get_operations = Some(GetOperations { operations: Vec::new() });
    Answer { get_operations, ..of(ResponseType::GetOperations) }
}

pub(super) fn agent(view: &View) -> Answer {
    let get_agent = GetAgent { agent_info: Some(view.info.clone()), ..GetAgent::default() };
    Answer { get_agent: Some(get_agent), ..of(ResponseType::GetAgent) }
}

pub(super) fn resource_providers() -> Answer {
    let get_resource_providers = Some(GetResourceProviders {});
    Answer { get_resource_providers, ..of(ResponseType::GetResourceProviders) }
}

/// An answer of this type, its member still to be filled in.
pub(super) fn of(kind: ResponseType) -> Answer {
    Answer { r#type: Some(kind), ..Answer::default() }
}
