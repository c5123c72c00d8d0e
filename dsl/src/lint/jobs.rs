//! Traps that show in what a job comes to.

use crate::diagnostic::{Code, Diagnostic};
use crate::job::Meaning;
use crate::schema::Object;

/// How long Aurora's executor waits at most when a task is killed.
const KILL_WAIT_SECONDS: i64 = 60;

/// How many instances a scheduler takes by default.
const INSTANCES_MAX: i64 = 4000;
/// Aurora's documents cap a process's failures here; nothing in Aurora does.
const FAILURES_MAX: i64 = 100;

/// Reports the traps of a job.
pub(super) fn check(meaning: &Meaning, found: &mut Vec<Diagnostic>) {
    let config = &meaning.config;
    let mut warn = |object: &Object, field: &str, message: String, help: &str| {
        let span = object.field(field).and_then(|field| field.span).or(object.span);
        found.push(Diagnostic::warning(Code::Lint, span, message).help(help));
    };
    let environment = config.text("environment").unwrap_or_default();
    let is_staging =
        environment.strip_prefix("staging").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_staging && !matches!(environment.as_str(), "prod" | "devel" | "test") {
        let message = format!("a scheduler refuses the environment `{environment}` unless it is set up for it");
        warn(config, "environment", message, "use prod, devel, test or staging, which may carry a number");
    }
    if config.field("cron_schedule").is_some() && config.is_true("service") {
        warn(
            config,
            "cron_schedule",
            "a scheduler refuses a cron job that is a service".to_owned(),
            "take service = True away",
        );
    }
    if let Some(instances) = config.integer("instances").filter(|instances| *instances > INSTANCES_MAX) {
        let message =
            format!("a scheduler refuses {instances} instances unless it is set up for more than {INSTANCES_MAX}");
        warn(config, "instances", message, "make several jobs of it");
    }
    let processes = config.field("task").and_then(|task| task.field("processes"));
    for process in processes.map(|processes| processes.items()).unwrap_or_default() {
        if let Some(failures) = process.integer("max_failures").filter(|failures| *failures > FAILURES_MAX) {
            let message = format!(
                "the process may fail {failures} times: the documents say {FAILURES_MAX} at most, and nothing holds to it"
            );
            warn(process, "max_failures", message, "write 0 for a process that is started again for ever");
        }
    }
    if config.is_true("production") && config.field("tier").is_none() {
        warn(
            config,
            "production",
            "`production` is old: a job's tier says how it is treated".to_owned(),
            "write tier = 'preferred'",
        );
    }
    if let Some(container) = config
        .field("container")
        .filter(|container| container.struct_type().is_some_and(|kind| *kind.name == *"Container"))
    {
        let message = "`Container(docker = …)` is old".to_owned();
        warn(container, "docker", message, "give the Docker(…) itself");
    }
    if let Some(task) = config.field("task")
        && let Some(wait) = task.integer("finalization_wait").filter(|wait| *wait > KILL_WAIT_SECONDS)
    {
        let message = format!("when the task is killed, it gets {KILL_WAIT_SECONDS} seconds to end, not {wait}");
        warn(task, "finalization_wait", message, "end within a minute");
    }
    if let (Err(message), Some(update)) = (&meaning.update, config.field("update_config")) {
        warn(update, "update_strategy", message.clone(), "write the struct: QueueUpdateStrategy(batch_size = 2)");
    }
}
