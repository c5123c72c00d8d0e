//! What a job's task runs, as an app says it: one command, or a graph of processes.

use serde_json::{Value as Json, json};

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Object, Raw};

use super::job::{Translation, is_default};
use super::shell;

/// What is kept of a process whose logger rotates and does not say how.
const LOG_BYTES: i64 = 100 << 20;
const BACKUPS: i64 = 5;

/// Fields of a process that a command alone has nothing for.
const OF_GRAPH: [&str; 5] = ["max_failures", "daemon", "ephemeral", "final", "logger"];

/// Either the one or the other.
#[derive(Default)]
pub(super) struct Program {
    pub(super) line: Option<String>,
    pub(super) graph: Option<Json>,
}

impl Translation<'_> {
    /// What the task runs; `lifecycle` as the app says it.
    pub(super) fn program(&mut self, task: &Object, lifecycle: Option<Json>) -> Option<Program> {
        let processes = task.field("processes").map(|processes| processes.items()).unwrap_or_default();
        let mut lines = Vec::with_capacity(processes.len());
        for process in processes {
            lines.push(self.command_line(process)?);
        }
        let is_plain = |process: &Object| OF_GRAPH.iter().all(|field| is_default(process, field));
        let is_plain_task = ["max_failures", "max_concurrency"].iter().all(|field| is_default(task, field));
        match (processes.first(), lines.as_slice()) {
            (Some(process), [line]) if is_plain(process) && is_plain_task && lifecycle.is_none() => {
                Some(Program { line: Some(shell::command(line, &self.meaning.ports.requested)), graph: None })
            }
            _ => {
                let graph = self.graph(task, processes.iter().map(|process| &**process).zip(&lines), lifecycle);
                Some(Program { line: None, graph: Some(graph) })
            }
        }
    }

    fn graph<'a>(
        &self,
        task: &Object,
        processes: impl Iterator<Item = (&'a Object, &'a String)>,
        lifecycle: Option<Json>,
    ) -> Json {
        let processes: Vec<Json> = processes.map(|(process, line)| self.process(process, line)).collect();
        let orders = task.field("constraints").map(|constraints| constraints.items()).unwrap_or_default();
        let names = |constraint: &Object| -> Vec<String> {
            let order = constraint.field("order").map(|order| order.items()).unwrap_or_default();
            order.iter().map(|name| name.shown()).collect()
        };
        let orders: Vec<Vec<String>> = orders.iter().map(|constraint| names(constraint)).collect();
        let mut graph = json!({
            "processes": processes,
            "orders": orders,
            "maxFailures": task.integer("max_failures").unwrap_or(1),
            "maxConcurrency": task.integer("max_concurrency").unwrap_or_default(),
            "finalizationWaitSeconds": task.integer("finalization_wait").unwrap_or(30),
        });
        if let Some(lifecycle) = lifecycle {
            graph["lifecycle"] = lifecycle;
        }
        graph
    }

    fn process(&self, process: &Object, line: &str) -> Json {
        let mut described = json!({
            "name": process.text("name"),
            "cmd": shell::process(line, &self.meaning.ports.requested),
            "maxFailures": process.integer("max_failures").unwrap_or(1),
            "daemon": process.is_true("daemon"),
            "ephemeral": process.is_true("ephemeral"),
            "final": process.is_true("final"),
            "minDurationSeconds": process.integer("min_duration").unwrap_or(5),
            "logger": destination(process),
        });
        if let Some(rotation) = rotation(process) {
            described["rotate"] = rotation;
        }
        described
    }

    fn command_line(&mut self, process: &Object) -> Option<String> {
        let cmdline = process.field("cmdline")?;
        let text = cmdline.raw()?.to_text();
        for (at, address) in shell::references(text.as_str()) {
            if shell::variable(address, &self.meaning.ports.requested).is_none() {
                let span = text.span_of(at, at + address.len() + "{{}}".len()).or(cmdline.span);
                let message = format!(
                    "`{{{{{address}}}}}` (a number for each instance) waits for the job engine, which is not built yet"
                );
                self.found.push(Diagnostic::error(Code::Unsupported, span, message));
            }
        }
        Some(text.as_str().to_owned())
    }

    /// A task is asked over HTTP to end if it has the port for that.
    pub(super) fn lifecycle(&mut self, config: &Object) -> Option<Json> {
        let http = config.field("lifecycle")?.field("http")?;
        let port = http.text("port")?;
        let index = self.meaning.ports.requested.iter().position(|requested| *requested == port)?;
        let seconds = |field: &str| match http.field(field).and_then(|field| field.raw()) {
            Some(Raw::Integer(seconds)) => json!(seconds),
            Some(Raw::Float(seconds)) => json!(attica_paas_api::Number(*seconds)),
            _ => json!(5),
        };
        Some(json!({
            "portIndex": index,
            "gracefulShutdownPath": http.text("graceful_shutdown_endpoint"),
            "shutdownPath": http.text("shutdown_endpoint"),
            "gracefulShutdownWaitSeconds": seconds("graceful_shutdown_wait_secs"),
            "shutdownWaitSeconds": seconds("shutdown_wait_secs"),
        }))
    }
}

fn destination(process: &Object) -> String {
    process.field("logger").and_then(|logger| logger.text("destination")).unwrap_or_else(|| "file".to_owned())
}

/// What is kept of its output, if that is to rotate.
fn rotation(process: &Object) -> Option<Json> {
    let logger = process.field("logger").filter(|logger| logger.text("mode").as_deref() == Some("rotate"))?;
    let of = |field: &str| logger.field("rotate").and_then(|policy| policy.integer(field));
    Some(json!({"sizeBytes": of("log_size").unwrap_or(LOG_BYTES), "backups": of("backups").unwrap_or(BACKUPS)}))
}
