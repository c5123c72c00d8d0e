//! Tasks as a table.

use std::time::SystemTime;

use attica_paas_api::task::Task;

use crate::client::age::age;
use crate::client::ids::telling_length;
use crate::terminal::{Column, Line, Table, Tone};

/// Tasks of any apps.
pub(super) fn of_all(tasks: &[Task], now: SystemTime) -> Table {
    let columns = [
        id_column(tasks),
        Column::text("APP"),
        Column::text("STATE"),
        Column::text("HEALTH"),
        Column::text("WHERE"),
        Column::number("STARTED"),
    ];
    let mut table = Table::new(&columns);
    for task in tasks {
        let [id, state, health, place, started] = cells(task, now);
        table.row([id, Line::plain(&task.app_id), state, health, place, started]);
    }
    table
}

/// Tasks of one app; `changed_at` is when its configuration last changed, RFC 3339.
pub(in crate::client) fn of_app(tasks: &[Task], changed_at: &str, now: SystemTime) -> Table {
    let columns = [
        id_column(tasks),
        Column::text("STATE"),
        Column::text("HEALTH"),
        Column::text("WHERE"),
        Column::number("STARTED"),
        Column::text("VERSION"),
    ];
    let mut table = Table::new(&columns);
    for task in tasks {
        let [id, state, health, place, started] = cells(task, now);
        let version = match task.version.as_str() < changed_at {
            true => Line::toned(Tone::Warning, "outdated"),
            false => Line::toned(Tone::Faint, "current"),
        };
        table.row([id, state, health, place, started, version]);
    }
    table
}

/// Ids are long: on a narrow terminal as much is shown as commands need.
fn id_column(tasks: &[Task]) -> Column {
    const LEAST: usize = 16;
    Column::beginning("TASK", telling_length(tasks.iter().map(|task| task.id.as_str())).max(LEAST))
}

fn cells(task: &Task, now: SystemTime) -> [Line; 5] {
    [
        Line::toned(Tone::Strong, &task.id),
        state(&task.state),
        health(task),
        Line::plain(place(task)),
        Line::toned(Tone::Faint, task.started_at.as_ref().map(|time| age(time, now)).unwrap_or_default()),
    ]
}

/// `TASK_RUNNING` as `running`.
fn state(state: &str) -> Line {
    let tone = match state {
        "TASK_RUNNING" => Tone::Good,
        "TASK_STAGING" | "TASK_STARTING" | "TASK_KILLING" => Tone::Warning,
        _ => Tone::Bad,
    };
    Line::toned(tone, state.strip_prefix("TASK_").unwrap_or(state).to_lowercase())
}

fn health(task: &Task) -> Line {
    let results = &task.health_check_results;
    match results.iter().find(|result| !result.alive) {
        Some(failing) => Line::toned(Tone::Bad, format!("{} failures", failing.consecutive_failures)),
        None if results.is_empty() => Line::toned(Tone::Faint, "–"),
        None => Line::toned(Tone::Good, "healthy"),
    }
}

/// `host:31000,31001`
fn place(task: &Task) -> String {
    let ports: Vec<String> = task.ports.iter().map(u16::to_string).collect();
    match ports.is_empty() {
        true => task.host.clone(),
        false => format!("{}:{}", task.host, ports.join(",")),
    }
}
