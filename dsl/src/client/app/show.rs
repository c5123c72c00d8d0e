use attica_paas_api::app::{App, AppInfo, AppWrapper};
use attica_paas_api::container::Volume;
use attica_paas_api::health::{HealthCheck, HealthCheckProtocol};
use attica_paas_api::update::EnvironmentValue;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::read;
use super::status::{health, status};
use crate::client::age::age;
use crate::client::completion::app_ids;
use crate::client::failure::Failure;
use crate::client::ids::AppId;
use crate::client::server::{Request, encode};
use crate::client::session::{Form, Session};
use crate::client::task::table;
use crate::terminal::{Line, Tone};

/// Shows an app.
#[derive(Clone, Debug, Args)]
pub struct Show {
    /// The app
    #[arg(value_name = "APP", add = ArgValueCompleter::new(app_ids))]
    id: AppId,
    /// Show the definition of this version, as JSON
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
}

impl Show {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if let Some(version) = &self.version {
            let request = Request::get(self.id.path(&format!("/versions/{}", encode(version))));
            let answer = read::call(&session.server, &self.id, &request).await?;
            return session.show_document(&answer);
        }
        let answer = read::call(&session.server, &self.id, &Request::get(self.id.path(""))).await?;
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => {
                let AppWrapper { app: info } = answer.read()?;
                session.screen.out.lines(&facts(&info, session.now()))?;
                let tasks = info.tasks.as_deref().unwrap_or_default();
                if tasks.is_empty() {
                    return Ok(());
                }
                session.screen.out.line(&Line::new())?;
                let now = session.now();
                session.show_table(&table::of_app(tasks, &info.app.version_info.last_config_change_at, now))
            }
        }
    }
}

/// One line per fact; what says nothing is left out.
fn facts(info: &AppInfo, now: std::time::SystemTime) -> Vec<Line> {
    let app = &info.app;
    let mut lines = vec![Line::toned(Tone::Strong, &app.id)];
    let mut fact = |name: &str, value: Line| {
        if !value.is_empty() {
            lines.push(Line::toned(Tone::Faint, format!("  {name:<12} ")).and(value));
        }
    };
    fact("status", status_in_full(info));
    fact(
        "deployments",
        Line::plain(join(info.deployments.iter().flatten().map(|deployment| deployment.id.as_str()), " ")),
    );
    fact("command", Line::plain(command(app)));
    fact("user", Line::plain(app.user.as_deref().unwrap_or_default()));
    fact("resources", Line::plain(resources(app)));
    if let Some(docker) = app.container.as_ref().and_then(|container| container.docker.as_ref()) {
        fact("image", Line::plain(&docker.image));
    }
    for volume in app.container.iter().flat_map(|container| &container.volumes) {
        fact("volume", Line::plain(volume_in_words(volume)));
    }
    for kept in info.tasks.iter().flatten().flat_map(|task| &task.local_volumes) {
        fact("kept", Line::plain(&kept.persistence_id));
    }
    fact("ports", Line::plain(ports(app)));
    for check in &app.health_checks {
        fact("health check", Line::plain(check_in_words(check)));
    }
    fact("constraints", Line::plain(join(app.constraints.iter().map(|constraint| constraint.join(" ")), ", ")));
    fact("dependencies", Line::plain(app.dependencies.join(", ")));
    for (name, value) in &app.env {
        fact("env", Line::plain(variable(name, value)));
    }
    for (name, secret) in &app.secrets {
        fact("secret", Line::plain(format!("{name} ({})", secret.source)));
    }
    for (name, value) in &app.labels {
        fact("label", Line::plain(format!("{name}={value}")));
    }
    fact("version", Line::plain(&app.version).then(Tone::Faint, format!(" ({} ago)", age(&app.version, now))));
    if let Some(failure) = &info.last_task_failure {
        let when = format!(" ({} ago)", age(&failure.timestamp, now));
        let what = format!("{} on {}: {}", failure.state, failure.host, failure.message);
        fact("last failure", Line::toned(Tone::Bad, what).then(Tone::Faint, when));
    }
    lines
}

fn variable(name: &str, value: &EnvironmentValue) -> String {
    match value {
        EnvironmentValue::Text(text) => format!("{name}={text}"),
        EnvironmentValue::Secret(reference) => format!("{name} (the secret {})", reference.secret),
    }
}

fn join(items: impl IntoIterator<Item = impl AsRef<str>>, separator: &str) -> String {
    items.into_iter().map(|item| item.as_ref().to_owned()).collect::<Vec<_>>().join(separator)
}

fn status_in_full(info: &AppInfo) -> Line {
    let counts = format!(", {} of {} running", info.tasks_running.unwrap_or_default(), info.app.instances);
    let line = status(info).then(Tone::Plain, counts);
    match info.app.health_checks.is_empty() {
        true => line,
        false => line.then(Tone::Plain, ", ").and(health(info)).then(Tone::Plain, " healthy"),
    }
}

/// The service ports, and what they lead to where that is not a port of the same machine.
fn ports(app: &App) -> String {
    let named = |name: &Option<String>| name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let mappings = app.container.iter().filter_map(|container| container.port_mappings.as_ref()).flatten();
    let mapped = mappings
        .map(|port| format!("{} to {}/{}{}", port.service_port, port.container_port, port.protocol, named(&port.name)));
    let defined = app.port_definitions.iter().flatten();
    let defined = defined.map(|port| format!("{}/{}{}", port.port, port.protocol, named(&port.name)));
    join(defined.chain(mapped), ", ")
}

fn volume_in_words(volume: &Volume) -> String {
    match (&volume.persistent, &volume.host_path) {
        (Some(persistent), _) => format!("{}, {} MiB, kept", volume.container_path, persistent.size),
        (None, Some(path)) => format!("{} from {path}", volume.container_path),
        (None, None) => volume.container_path.clone(),
    }
}

fn command(app: &App) -> String {
    match (&app.cmd, &app.args) {
        (Some(command), _) => command.clone(),
        (None, Some(arguments)) => serde_json::Value::from(arguments.clone()).to_string(),
        (None, None) => String::new(),
    }
}

fn resources(app: &App) -> String {
    let disk = if app.disk.0 > 0.0 { format!(", {} MiB disk", app.disk.0) } else { String::new() };
    format!("{} cpus, {} MiB memory{disk} each; role {}", app.cpus.0, app.mem.0, app.role)
}

fn check_in_words(check: &HealthCheck) -> String {
    let protocol = match check.protocol {
        HealthCheckProtocol::Http => "HTTP",
        HealthCheckProtocol::Https => "HTTPS",
        HealthCheckProtocol::Tcp => "TCP",
        HealthCheckProtocol::Command => "command",
        HealthCheckProtocol::MesosHttp => "HTTP (by the agent)",
        HealthCheckProtocol::MesosHttps => "HTTPS (by the agent)",
        HealthCheckProtocol::MesosTcp => "TCP (by the agent)",
    };
    let path = check.path.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
    let port = match (check.port, check.port_index) {
        (Some(port), _) => format!(" at port {port}"),
        (None, Some(index)) => format!(" at port index {index}"),
        (None, None) => String::new(),
    };
    format!(
        "{protocol}{path}{port}, every {} s; {} failures in a row end an instance",
        check.interval_seconds, check.max_consecutive_failures
    )
}
