//! `plan-format=full`: plans in events with the root group before and after them, as Marathon had them before 1.8. They can be of many
//! megabytes, so that nothing of them is kept: whoever asks for them has them made, as far back as the versions of groups are known.

use axum::body::Bytes;
use serde::Deserialize;

use super::query::Query;
use crate::model::Version;
use crate::read_model::Reader;

/// Where a plan begins in an event: it is the only member of this name in those that have one.
const PLAN: &str = "\"plan\":{";
/// Whose data has a plan.
const EVENT_TYPES: [&str; 5] = [
    "deployment_info",
    "deployment_success",
    "deployment_failed",
    "deployment_step_success",
    "deployment_step_failure",
];

/// What is read of an event.
#[derive(Deserialize)]
struct Planned {
    plan: Plan,
}

#[derive(Deserialize)]
struct Plan {
    version: String,
}

/// Whether a client wants plans in full.
pub(super) fn wanted(query: &Query) -> bool {
    query.first("plan-format") == Some("full")
}

/// The same frames with full plans, with the groups that the reader may see.
pub(super) fn in_full(model: &Reader<'_>, frames: Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(&frames) else { return frames };
    if !EVENT_TYPES.iter().any(|event_type| text.contains(event_type)) {
        return frames;
    }
    let full = text.split_inclusive("\n\n").map(|frame| full_frame(model, frame).unwrap_or_else(|| frame.to_owned()));
    Bytes::from(full.collect::<String>())
}

/// None for a frame that has no plan, or one whose versions are forgotten.
fn full_frame(model: &Reader<'_>, frame: &str) -> Option<String> {
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
    let event_type = field("event: ")?;
    let data = field("data: ").filter(|_| EVENT_TYPES.contains(&event_type))?;
    let Planned { plan } = serde_json::from_str(data).ok()?;
    let (original, target) = model.root_around(Version::parse(&plan.version)?)?;
    let (before, rest) = frame.split_once(PLAN)?;
    Some(format!("{before}{PLAN}\"original\":{original},\"target\":{target},{rest}"))
}
