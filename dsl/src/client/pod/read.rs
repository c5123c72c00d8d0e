use attica_paas_api::pod::{ContainerStatus, PodInstance, PodInstanceState, PodState, PodStatus};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::PodId;
use crate::client::age::age;
use crate::client::completion::pod_ids;
use crate::client::failure::Failure;
use crate::client::server::{Request, encode};
use crate::client::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// Lists pods.
#[derive(Clone, Debug, Args)]
pub struct List {}

impl List {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let answer = session.server.call(&Request::get("/v2/pods::status")).await?;
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => {
                let pods: Vec<PodStatus> = answer.read()?;
                if pods.is_empty() {
                    session.remark("no pods yet; attica pod put makes one");
                    return Ok(());
                }
                let columns = [
                    Column::text("POD"),
                    Column::text("STATUS"),
                    Column::number("STABLE"),
                    Column::number("CONTAINERS"),
                    Column::number("CHANGED"),
                ];
                let mut table = Table::new(&columns);
                let now = session.now();
                for pod in &pods {
                    let stable = pod.instances.iter().filter(|instance| instance.status == PodInstanceState::Stable);
                    let wanted = pod.spec.scaling.as_ref().map_or(1, |scaling| scaling.instances);
                    table.row([
                        Line::toned(Tone::Strong, &pod.id),
                        state(pod.status),
                        Line::plain(format!("{}/{wanted}", stable.count())),
                        Line::plain(pod.spec.containers.len().to_string()),
                        Line::toned(Tone::Faint, age(&pod.last_changed, now)),
                    ]);
                }
                session.show_table(&table)
            }
        }
    }
}

/// Shows a pod.
#[derive(Clone, Debug, Args)]
pub struct Show {
    /// The pod
    #[arg(value_name = "POD", add = ArgValueCompleter::new(pod_ids))]
    id: PodId,
    /// Show the definition of this version, as JSON
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
}

impl Show {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if let Some(version) = &self.version {
            let path = self.id.path(&format!("::versions/{}", encode(version)));
            let answer = session.server.call(&Request::get(path)).await?;
            return session.show_document(&answer);
        }
        let answer = session.server.call(&Request::get(self.id.path("::status"))).await?;
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => show(session, &answer.read()?),
        }
    }
}

fn show(session: &mut Session<'_>, pod: &PodStatus) -> Result<(), Failure> {
    session.say(state(pod.status))?;
    let columns = [
        Column::text("INSTANCE"),
        Column::text("CONTAINER"),
        Column::text("STATE"),
        Column::text("AT"),
        Column::number("SINCE"),
    ];
    let mut table = Table::new(&columns);
    let now = session.now();
    for instance in &pod.instances {
        for container in &instance.containers {
            table.row([
                Line::toned(Tone::Strong, &instance.id),
                Line::plain(&container.name),
                Line::plain(container.status.trim_start_matches("TASK_").to_lowercase()),
                Line::plain(places(instance, container)),
                Line::toned(Tone::Faint, age(&container.status_since, now)),
            ]);
        }
        if instance.containers.is_empty() {
            let (waits, since) = (Line::plain("waiting"), Line::toned(Tone::Faint, age(&instance.status_since, now)));
            table.row([Line::toned(Tone::Strong, &instance.id), Line::plain(""), waits, Line::plain(""), since]);
        }
    }
    session.show_table(&table)?;
    for instance in &pod.instances {
        for kept in &instance.local_volumes {
            session.say(Line::toned(Tone::Faint, format!("kept for {}: {}", instance.id, kept.persistence_id)))?;
        }
    }
    for failure in &pod.termination_history {
        session.say(Line::toned(
            Tone::Warning,
            format!("last failure, {} ago: {}", age(&failure.terminated_at, now), failure.message),
        ))?;
    }
    Ok(())
}

/// Where a container answers: its machine, with the ports that lead to it.
fn places(instance: &PodInstance, container: &ContainerStatus) -> String {
    let host = instance.agent_hostname.clone().unwrap_or_default();
    let ports: Vec<String> = container
        .endpoints
        .iter()
        .filter_map(|endpoint| endpoint.allocated_host_port)
        .map(|port| port.to_string())
        .collect();
    if ports.is_empty() { host } else { format!("{host}:{}", ports.join(",")) }
}

fn state(state: PodState) -> Line {
    match state {
        PodState::Stable => Line::plain("stable"),
        PodState::Degraded => Line::toned(Tone::Warning, "degraded"),
        PodState::Terminal => Line::toned(Tone::Warning, "ending"),
    }
}

/// Lists the versions of a pod.
#[derive(Clone, Debug, Args)]
pub struct Versions {
    /// The pod
    #[arg(value_name = "POD", add = ArgValueCompleter::new(pod_ids))]
    id: PodId,
}

impl Versions {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let answer = session.server.call(&Request::get(self.id.path("::versions"))).await?;
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => {
                let versions: Vec<String> = answer.read()?;
                versions.into_iter().try_for_each(|version| session.say(Line::plain(version)))
            }
        }
    }
}
