//! How far a deployment is: a pure function of what was read.

use attica_paas_api::app::AppInfo;
use attica_paas_api::deployment::{ActionKind, Deployment};
use attica_paas_api::queue::QueueItem;

use super::list::verb;
use crate::client::queue::why;
use crate::terminal::{Line, Tone};

const BAR_CELLS: u32 = 20;
/// So many apps of one deployment are looked at and shown: each costs a request and a line.
pub(super) const APPS_MAX: usize = 10;

/// How far a deployment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    step: u32,
    steps: u32,
    apps: Vec<AppProgress>,
    /// Apps that are not shown.
    others: usize,
}

/// How far an app is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AppProgress {
    id: String,
    turn: Turn,
    /// Why it does not get on, and what went wrong since the deployment began.
    remarks: Vec<String>,
}

/// Whether it is an app's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Turn {
    Later,
    Now { action: ActionKind, count: Count },
    Over,
}

/// Its instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    wanted: u32,
    /// Of the version that the deployment brings, and good enough to count.
    ready: u32,
    good: Good,
    /// Outdated ones and surplus ones.
    to_end: u32,
}

/// What makes an instance count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Good {
    #[default]
    Running,
    Healthy,
}

impl Progress {
    /// Of a running deployment. `seen` are the apps that were looked at, as far as they exist; where they are few, all that the current
    /// step changes.
    pub(super) fn new(deployment: &Deployment, seen: &[(String, Option<AppInfo>)], queue: &[QueueItem]) -> Self {
        let all = &deployment.affected_apps;
        let seen_ids = seen.iter().map(|(id, _)| id);
        let shown: Vec<&String> = if all.len() <= APPS_MAX { all.iter().collect() } else { seen_ids.collect() };
        let progress = |id: &&String| {
            let info = seen.iter().find(|(seen, _)| seen == *id).and_then(|(_, info)| info.as_ref());
            let turn = turn(deployment, id, info);
            let remarks = match turn {
                Turn::Now { .. } => remarks(deployment, info, queue.iter().find(|item| item.subject() == id.as_str())),
                Turn::Later | Turn::Over => Vec::new(),
            };
            AppProgress { id: (*id).clone(), turn, remarks }
        };
        Self {
            step: deployment.current_step,
            steps: deployment.total_steps,
            apps: shown.iter().map(progress).collect(),
            others: all.len().saturating_sub(shown.len()),
        }
    }

    /// `step 1 of 2`
    pub(super) fn step(&self) -> String {
        format!("step {} of {}", self.step, self.steps)
    }

    /// A bar for each app, for a terminal.
    pub(super) fn bars(&self) -> Vec<Line> {
        let width = self.apps.iter().map(|app| Line::plain(&app.id).width()).max().unwrap_or(0);
        let others = (self.others > 0).then(|| Line::toned(Tone::Faint, format!("  and {} other apps", self.others)));
        self.apps.iter().flat_map(|app| app.bar(width)).chain(others).collect()
    }

    /// A sentence for each app, for a log.
    pub(super) fn sentences(&self) -> Vec<String> {
        self.apps.iter().flat_map(AppProgress::sentences).collect()
    }
}

fn turn(deployment: &Deployment, id: &str, info: Option<&AppInfo>) -> Turn {
    if let Some(current) = deployment.current_actions.iter().find(|current| current.subject() == id) {
        let count = info.map(|info| Count::of(info, current.action)).unwrap_or_default();
        return Turn::Now { action: current.action, count };
    }
    let done = usize::try_from(deployment.current_step).unwrap_or(usize::MAX);
    let later = deployment.steps.iter().skip(done).flat_map(|step| &step.actions).any(|action| action.subject() == id);
    if later { Turn::Later } else { Turn::Over }
}

impl Count {
    fn of(info: &AppInfo, action: ActionKind) -> Self {
        let tasks = info.tasks.as_deref().unwrap_or_default();
        let outdated = tasks.iter().filter(|task| task.version < info.app.version_info.last_config_change_at).count();
        let up_to_date = tasks.iter().filter(|task| task.version >= info.app.version_info.last_config_change_at);
        let good = if info.app.health_checks.is_empty() { Good::Running } else { Good::Healthy };
        let ready = up_to_date.clone().filter(|task| match good {
            Good::Running => task.state == "TASK_RUNNING",
            Good::Healthy => {
                !task.health_check_results.is_empty() && task.health_check_results.iter().all(|result| result.alive)
            }
        });
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let wanted = match action {
            ActionKind::StopApplication | ActionKind::StopPod => 0,
            ActionKind::StartApplication
            | ActionKind::ScaleApplication
            | ActionKind::RestartApplication
            | ActionKind::StartPod
            | ActionKind::ScalePod
            | ActionKind::RestartPod => info.app.instances,
        };
        let surplus = number(up_to_date.clone().count()).saturating_sub(wanted);
        Self { wanted, ready: number(ready.count()).min(wanted), good, to_end: number(outdated) + surplus }
    }

    fn words(&self) -> String {
        let good = match self.good {
            Good::Running => "running",
            Good::Healthy => "healthy",
        };
        match (self.wanted, self.to_end) {
            (0, 0) => "none left".to_owned(),
            (0, to_end) => format!("{to_end} to end"),
            (wanted, 0) => format!("{} of {wanted} {good}", self.ready),
            (wanted, to_end) => format!("{} of {wanted} {good}, {to_end} to end", self.ready),
        }
    }

    /// In cells of the bar.
    fn filled(&self) -> u32 {
        let all = u64::from(self.wanted) + u64::from(self.to_end);
        let done = u64::from(self.ready);
        match all {
            0 => BAR_CELLS,
            all => u32::try_from(done * u64::from(BAR_CELLS) / all).unwrap_or(BAR_CELLS),
        }
    }
}

fn remarks(deployment: &Deployment, info: Option<&AppInfo>, waiting: Option<&QueueItem>) -> Vec<String> {
    let waiting = waiting.map(|item| format!("{} waiting: {}", item.count, why(item)));
    let failure = info.and_then(|info| info.last_task_failure.as_ref());
    // The version that a deployment brings is named by the time at which it began.
    let failure = failure.filter(|failure| failure.timestamp >= deployment.version);
    let failure = failure.map(|failure| format!("{} on {}: {}", failure.state, failure.host, failure.message));
    waiting.into_iter().chain(failure).collect()
}

impl AppProgress {
    fn bar(&self, width: usize) -> Vec<Line> {
        let name = Line::plain(&self.id);
        let padding = " ".repeat(width - name.width());
        let line = Line::plain("  ").and(name).then(Tone::Plain, padding).then(Tone::Plain, "  ");
        let line = match &self.turn {
            Turn::Later => line.then(Tone::Faint, "later"),
            Turn::Over => line.then(Tone::Good, "done"),
            Turn::Now { action, count } => {
                let filled = count.filled();
                let cells = |sign: &str, count: u32| sign.repeat(usize::try_from(count).unwrap_or(0));
                line.then(Tone::Good, cells("█", filled))
                    .then(Tone::Faint, cells("░", BAR_CELLS - filled))
                    .then(Tone::Plain, format!("  {}: {}", verb(*action), count.words()))
            }
        };
        let remarks = self.remarks.iter().map(|remark| Line::toned(Tone::Warning, format!("    {remark}")));
        std::iter::once(line).chain(remarks).collect()
    }

    fn sentences(&self) -> Vec<String> {
        let sentence = match &self.turn {
            Turn::Later | Turn::Over => return Vec::new(),
            Turn::Now { action, count } => format!("{}: {}: {}", self.id, verb(*action), count.words()),
        };
        let remarks = self.remarks.iter().map(|remark| format!("{}: {remark}", self.id));
        std::iter::once(sentence).chain(remarks).collect()
    }
}
