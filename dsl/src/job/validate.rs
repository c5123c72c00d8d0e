//! What Aurora's client refuses before it asks a scheduler.

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Object, Raw};

use super::error_at;

const MEBIBYTE: i64 = 1 << 20;

const COLLISION_POLICIES: &[&str] = &["KILL_EXISTING", "CANCEL_NEW", "RUN_OVERLAP"];

/// Reports everything that makes a job unacceptable.
pub(super) fn job(config: &Object, diagnostics: &mut Vec<Diagnostic>) {
    identifiers(config, diagnostics);
    if let Some(policy) =
        config.text("cron_collision_policy").filter(|policy| !COLLISION_POLICIES.contains(&policy.as_str()))
    {
        let error =
            error_at(config, "cron_collision_policy", Code::Job, format!("`{policy}` is no cron collision policy"));
        diagnostics.push(error.help(format!("there are {}", COLLISION_POLICIES.join(", "))));
    }
    if let Some(task) = config.field("task") {
        resources(task, diagnostics);
        processes(task, diagnostics);
    }
    update(config, diagnostics);
    if let Some(constraints) = config.field("constraints") {
        for (name, value) in constraints.entries() {
            let text = value.shown();
            if text.trim_start_matches('!').split(',').any(|part| part != part.trim()) {
                let message = format!("blanks in the constraint `{}` belong to the values: `{text}`", name.shown());
                diagnostics
                    .push(Diagnostic::warning(Code::Lint, value.span, message).help("write the values without blanks"));
            }
        }
    }
}

fn identifiers(config: &Object, diagnostics: &mut Vec<Diagnostic>) {
    for field in ["role", "environment", "name"] {
        let text = config.text(field).unwrap_or_default();
        if !super::is_identifier(&text) {
            let error = error_at(config, field, Code::Job, format!("`{text}` cannot be the job's {field}"));
            diagnostics.push(error.help("letters, digits, `_`, `-` and `.` are allowed, and at least one of them"));
        }
    }
}

fn resources(task: &Object, diagnostics: &mut Vec<Diagnostic>) {
    let Some(needs) = task.field("resources") else { return };
    let cpu = match needs.field("cpu").and_then(|cpu| cpu.raw()) {
        Some(Raw::Float(cpu)) => *cpu,
        _ => 0.0,
    };
    if cpu.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
        diagnostics.push(error_at(needs, "cpu", Code::Job, "a task needs more than no cpu"));
    }
    for field in ["ram", "disk"] {
        let bytes = needs.integer(field).unwrap_or_default();
        if bytes < MEBIBYTE {
            let error = error_at(needs, field, Code::Job, format!("{bytes} bytes of {field} are less than one MiB"));
            diagnostics.push(error.help(format!("sizes are in bytes: write {field} = 128*MB")));
        }
    }
    if needs.integer("gpu").is_some_and(|gpu| gpu < 0) {
        diagnostics.push(error_at(needs, "gpu", Code::Job, "a task cannot need less than no gpu"));
    }
}

fn processes(task: &Object, diagnostics: &mut Vec<Diagnostic>) {
    for process in task.field("processes").map(|processes| processes.items()).unwrap_or_default() {
        let name = process.text("name").unwrap_or_default();
        if name.is_empty() || name.starts_with('.') || name.contains('/') {
            let error = error_at(process, "name", Code::Job, format!("`{name}` cannot be the name of a process"));
            diagnostics.push(error.help("it names a directory: no `/`, and no `.` in the first place"));
        }
    }
}

fn update(config: &Object, diagnostics: &mut Vec<Diagnostic>) {
    let Some(update) = config.field("update_config") else { return };
    for field in ["batch_size", "watch_secs", "max_per_shard_failures", "max_total_failures"] {
        if let Some(value) = update.integer(field).filter(|value| *value < i64::from(field == "batch_size")) {
            diagnostics.push(error_at(update, field, Code::Job, format!("`{field}` cannot be {value}")));
        }
    }
    if update.integer("pulse_interval_secs").is_some_and(|seconds| seconds < 60) {
        let error = error_at(update, "pulse_interval_secs", Code::Job, "`pulse_interval_secs` cannot be less than 60");
        diagnostics.push(error);
    }
    let instances = config.integer("instances").unwrap_or_default();
    if instances < 1 {
        diagnostics.push(error_at(config, "instances", Code::Job, format!("a job cannot have {instances} instances")));
        return;
    }
    let failures = update.integer("max_total_failures").unwrap_or_default();
    if failures >= instances {
        let message = format!("with {instances} instances, `max_total_failures` must be less than {instances}");
        diagnostics.push(error_at(update, "max_total_failures", Code::Job, message));
    }
    let is_dedicated = config
        .field("constraints")
        .is_some_and(|map| map.entries().iter().any(|(name, _)| name.shown() == "dedicated"));
    let least = instances / 50;
    if is_dedicated && failures < least {
        let message = format!("a dedicated job of {instances} instances needs max_total_failures of {least} at least");
        diagnostics.push(
            error_at(update, "max_total_failures", Code::Job, message)
                .help("one machine of the dedicated ones may always fail"),
        );
    }
}
