//! What a write would change, as the server says it.

use attica_paas_api::deployment::{Action, ActionKind, ChangeKind, Forecast, Misfit, Prospect, Step};

use super::failure::Failure;
use super::queue::all_words;
use super::session::Session;
use crate::terminal::{Line, Tone};

/// What would follow from a write.
pub(super) fn show(session: &mut Session<'_>, forecast: &Forecast) -> Result<(), Failure> {
    if forecast.changes.is_empty() && forecast.steps.is_empty() {
        session.say("nothing would change")?;
    }
    session.screen.out.lines(&change_lines(forecast))?;
    show_consequences(session, forecast)
}

/// What would come of the changes.
pub(super) fn show_consequences(session: &mut Session<'_>, forecast: &Forecast) -> Result<(), Failure> {
    session.screen.out.lines(&step_lines(&forecast.steps))?;
    session.screen.out.lines(&placement_lines(forecast))?;
    session.remark("nothing was changed: this was a dry run");
    Ok(())
}

/// One line for whatever would change, and below it one for each place.
pub(super) fn change_lines(forecast: &Forecast) -> Vec<Line> {
    let mut lines = Vec::new();
    for change in &forecast.changes {
        let (sign, tone, word) = match change.change {
            ChangeKind::Create => ("+ ", Tone::Good, " is new"),
            ChangeKind::Update => ("~ ", Tone::Warning, ""),
            ChangeKind::Remove => ("- ", Tone::Bad, " is removed"),
        };
        let kinds = [
            ("group ", &change.group),
            ("user ", &change.user),
            ("secret ", &change.secret),
            ("callback ", &change.callback),
        ];
        let kind = kinds.into_iter().find_map(|(kind, name)| name.as_ref().map(|_| kind)).unwrap_or_default();
        let line = Line::toned(tone, sign).then(Tone::Plain, kind).then(Tone::Strong, change.subject());
        lines.push(line.then(Tone::Plain, word));
        for difference in &change.differences {
            let line = Line::toned(Tone::Faint, format!("    {}: ", difference.path.trim_start_matches('/')));
            lines.push(line.then(Tone::Plain, format!("{} → {}", difference.from, difference.to)));
        }
    }
    lines
}

fn step_lines(steps: &[Step]) -> Vec<Line> {
    let action = |action: &Action| format!("{} {}", verb(action.action), action.subject());
    let line = |(number, step): (usize, &Step)| {
        let actions: Vec<String> = step.actions.iter().map(action).collect();
        Line::plain(format!("step {}: {}", number + 1, actions.join(", ")))
    };
    steps.iter().enumerate().map(line).collect()
}

fn verb(action: ActionKind) -> &'static str {
    match action {
        ActionKind::StartApplication | ActionKind::StartPod => "know",
        ActionKind::StopApplication | ActionKind::StopPod => "stop",
        ActionKind::ScaleApplication | ActionKind::ScalePod => "scale",
        ActionKind::RestartApplication | ActionKind::RestartPod => "replace",
    }
}

/// One line for each app and pod of which instances would be started: how many would go where, and below it why agents have no room for
/// the rest.
fn placement_lines(forecast: &Forecast) -> Vec<Line> {
    forecast.placement.iter().flatten().flat_map(prospect_lines).collect()
}

fn prospect_lines(prospect: &Prospect) -> Vec<Line> {
    let mut places: Vec<String> =
        prospect.places.iter().map(|room| format!("{} on {}", room.instances, room.hostname)).collect();
    if places.len() > PLACES_SHOWN {
        let rest = places.split_off(PLACES_SHOWN);
        places.push(format!("the rest on {} more", rest.len()));
    }
    let name = Line::toned(Tone::Strong, prospect.subject());
    let line = match prospect.missing {
        0 => name.then(Tone::Plain, format!(": {}", places.join(", "))),
        missing => {
            let found = if places.is_empty() { String::new() } else { format!(" ({})", places.join(", ")) };
            let text = format!(": no room for {missing} of {} now{found}", prospect.wanted);
            name.then(Tone::Warning, text)
        }
    };
    std::iter::once(line).chain(prospect.misfits.iter().map(misfit_line)).collect()
}

/// So many machines are named.
const PLACES_SHOWN: usize = 5;

fn misfit_line(misfit: &Misfit) -> Line {
    let free = &misfit.free;
    let left = format!("{} cpus, {} MiB of memory and {} MiB of disk are free", free.cpus.0, free.mem.0, free.disk.0);
    Line::toned(Tone::Faint, format!("    {}: ", misfit.hostname))
        .then(Tone::Plain, all_words(&misfit.reasons))
        .then(Tone::Faint, format!("; {left}"))
}
