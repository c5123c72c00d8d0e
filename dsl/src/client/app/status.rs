//! An app in a word.

use attica_paas_api::app::AppInfo;

use crate::terminal::{Line, Tone};

/// What an app is doing.
pub(super) fn status(info: &AppInfo) -> Line {
    let running = info.tasks_running.unwrap_or_default();
    let (tone, word) = if info.deployments.as_ref().is_some_and(|deployments| !deployments.is_empty()) {
        (Tone::Warning, "deploying")
    } else if info.app.instances == 0 && running == 0 {
        (Tone::Faint, "stopped")
    } else if info.tasks_unhealthy.unwrap_or_default() > 0 {
        (Tone::Bad, "unhealthy")
    } else if running >= info.app.instances {
        (Tone::Good, "running")
    } else if info.tasks_staged.unwrap_or_default() > 0 {
        (Tone::Warning, "starting")
    } else {
        (Tone::Bad, "waiting")
    };
    Line::toned(tone, word)
}

/// Healthy ones of the running ones; a dash where nothing is checked.
pub(super) fn health(info: &AppInfo) -> Line {
    if info.app.health_checks.is_empty() {
        return Line::toned(Tone::Faint, "–");
    }
    let (healthy, running) = (info.tasks_healthy.unwrap_or_default(), info.tasks_running.unwrap_or_default());
    let tone = if running == 0 {
        Tone::Faint
    } else if info.tasks_unhealthy.unwrap_or_default() > 0 {
        Tone::Bad
    } else if healthy < running {
        Tone::Warning
    } else {
        Tone::Good
    };
    Line::toned(tone, format!("{healthy}/{running}"))
}
