//! What a write would change, as the server says it.

use attica_paas_api::deployment::{ChangeKind, Forecast};

use crate::terminal::{Line, Tone};

/// One line for each app and pod that would change, and below it one for each place.
pub(super) fn change_lines(forecast: &Forecast) -> Vec<Line> {
    let mut lines = Vec::new();
    for change in &forecast.changes {
        let (sign, tone, word) = match change.change {
            ChangeKind::Create => ("+ ", Tone::Good, " is new"),
            ChangeKind::Update => ("~ ", Tone::Warning, ""),
            ChangeKind::Remove => ("- ", Tone::Bad, " is removed"),
        };
        let name = change.app.as_deref().or(change.pod.as_deref()).unwrap_or_default();
        lines.push(Line::toned(tone, sign).then(Tone::Strong, name).then(Tone::Plain, word));
        for difference in &change.differences {
            let line = Line::toned(Tone::Faint, format!("    {}: ", difference.path.trim_start_matches('/')));
            lines.push(line.then(Tone::Plain, format!("{} → {}", difference.from, difference.to)));
        }
    }
    lines
}
