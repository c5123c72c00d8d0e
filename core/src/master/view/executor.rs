//! One executor as `/state` and `/frameworks` show it.

use attica_allocator::Role;
use attica_core_api::v1::{
    AgentId, CommandInfo, CommandUri, Environment, ExecutorInfo, ExecutorType, FrameworkId, Label, Resource,
};
use serde::Serialize;

use super::task::encoded;

#[derive(Serialize)]
struct Rendered<'a> {
    executor_id: &'a str,
    name: &'a str,
    framework_id: &'a str,
    command: Command<'a>,
    resources: &'a [Resource],
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<&'a Label>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    slave_id: &'a str,
}

/// Without a command for executors that the agent brings itself.
#[derive(Default, Serialize)]
struct Command<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    shell: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    argv: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a Environment>,
    uris: Vec<Uri<'a>>,
}

#[derive(Serialize)]
struct Uri<'a> {
    value: &'a str,
    executable: bool,
}

/// The element of a framework's `executors`.
pub(super) fn rendered(framework: &FrameworkId, agent: &AgentId, role: &Role, info: &ExecutorInfo) -> String {
    encoded(&Rendered {
        executor_id: info.executor_id.as_str(),
        name: info.name.as_deref().unwrap_or_default(),
        framework_id: framework.as_str(),
        command: info.command.as_ref().map(command).unwrap_or_default(),
        resources: &info.resources,
        role: (!info.resources.is_empty()).then(|| role.as_str()),
        labels: info.labels.as_ref().map(|labels| labels.labels.iter().collect()),
        r#type: info.r#type.map(ExecutorType::name),
        slave_id: agent.as_str(),
    })
}

fn command(info: &CommandInfo) -> Command<'_> {
    Command {
        shell: Some(info.shell),
        value: info.value.as_deref(),
        argv: &info.arguments,
        environment: info.environment.as_ref(),
        uris: info.uris.iter().map(uri).collect(),
    }
}

fn uri(uri: &CommandUri) -> Uri<'_> {
    Uri { value: &uri.value, executable: uri.executable.unwrap_or(false) }
}
