//! A job as `job inspect` shows it.

use std::fmt::Write as _;

use crate::schema::Object;

/// The text, section by section.
pub(crate) fn inspect(config: &Object) -> String {
    let mut out = String::from("Job level information\n");
    let text = |field: &str| config.text(field).unwrap_or_default();
    let boolean = |field: &str| if config.is_true(field) { "True" } else { "False" };
    for field in ["name", "role", "contact", "cluster", "instances"] {
        if config.field(field).is_some() {
            let _ = writeln!(out, "  {:<11} '{}'", format!("{field}:"), text(field));
        }
    }
    if config.field("cron_schedule").is_some() {
        let (schedule, policy) = (text("cron_schedule"), text("cron_collision_policy"));
        let _ = writeln!(out, "  cron:\n    schedule: '{schedule}'\n    policy:   '{policy}'");
    }
    let _ = writeln!(out, "  service:    {}\n  production: {}", boolean("service"), boolean("production"));
    let Some(task) = config.field("task") else { return out };
    let _ = writeln!(out, "\nTask level information\n  name: '{}'", task.text("name").unwrap_or_default());
    let constraints = task.field("constraints").map(|constraints| constraints.items()).unwrap_or_default();
    if !constraints.is_empty() {
        out.push_str("  constraints:\n");
        for constraint in constraints {
            let names: Vec<String> = constraint
                .field("order")
                .map(|order| order.items().iter().map(|name| name.shown()).collect())
                .unwrap_or_default();
            let _ = writeln!(out, "  {}", names.join(" < "));
        }
    }
    out.push('\n');
    for process in task.field("processes").map(|processes| processes.items()).unwrap_or_default() {
        let _ = writeln!(out, "Process '{}':", process.text("name").unwrap_or_default());
        for field in ["daemon", "ephemeral", "final"] {
            if process.is_true(field) {
                let _ = writeln!(out, "  {field}");
            }
        }
        out.push_str("  cmdline:\n");
        for line in process.text("cmdline").unwrap_or_default().split('\n') {
            let _ = writeln!(out, "    {line}");
        }
        out.push('\n');
    }
    out
}
