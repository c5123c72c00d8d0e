//! Persistent volumes, of apps and of pods, and how long instances wait for theirs. The messages are Marathon's.

use attica_paas_api::app::{Residency as WrittenResidency, TaskLostBehavior};
use attica_paas_api::container::{DiskType, PersistentVolume as Written};

use super::{Faults, constraint, limits, numbers, text};
use crate::model::{DiskKind, PathRule, PersistentVolume, Residency, TaskLost};

/// MiB of one volume: an exbibyte less one.
const SIZE_MB_MAX: u32 = u32::MAX;
/// Characters of the name of a directory.
const NAME_LENGTH_MAX: usize = 255;

/// The name of a volume within a sandbox.
pub(super) fn check_name(path: &str, name: &str, faults: &mut Faults) {
    text::check(path, name, NAME_LENGTH_MAX, faults);
    if name.contains('/') {
        faults.add(path, "value must not contain \"/\"");
    }
    if matches!(name, "" | "." | "..") {
        faults.add(path, "must be the name of a directory");
    }
}

/// A volume that was written at `path`.
pub(super) fn volume(path: &str, written: Written, faults: &mut Faults) -> Option<PersistentVolume> {
    let disk = match (written.kind, &written.profile_name) {
        (Some(DiskType::Root), _) | (None, None) => DiskKind::Root,
        (Some(DiskType::Path), _) => DiskKind::Path,
        (Some(DiskType::Mount), _) | (None, Some(_)) => DiskKind::Mount,
    };
    if written.size == 0 {
        faults.add(format!("{path}/size"), "got 0, expected more than 0");
    }
    let size = numbers::count(&format!("{path}/size"), Some(written.size), SIZE_MB_MAX, faults);
    let size_max = numbers::count(&format!("{path}/maxSize"), written.max_size, SIZE_MB_MAX, faults);
    if size_max.is_some() && disk != DiskKind::Mount {
        faults.add(path, "Only mount volumes can have maxSize");
    }
    if size_max.is_some_and(|most| size.is_some_and(|size| most <= size)) {
        faults.add(path, "Max size must be larger than size");
    }
    if disk == DiskKind::Root && !written.constraints.is_empty() {
        faults.add(path, "Constraints on root volumes are not supported");
    }
    if let Some(profile) = &written.profile_name {
        text::check(&format!("{path}/profileName"), profile, limits::NAME_LENGTH_MAX, faults);
        if profile.is_empty() {
            faults.add(format!("{path}/profileName"), "must not be empty");
        }
        if disk == DiskKind::Root {
            faults.add(format!("{path}/profileName"), "the agent's own disk has no profile");
        }
    }
    if written.constraints.len() > limits::CONSTRAINTS_MAX {
        let error = format!("must not have more than {} items", limits::CONSTRAINTS_MAX);
        faults.add(format!("{path}/constraints"), error);
    }
    let mut paths = Vec::with_capacity(written.constraints.len());
    for (index, parts) in written.constraints.iter().enumerate() {
        match path_rule(parts) {
            Ok(rule) => paths.push(rule),
            Err(error) => faults.add(format!("{path}/constraints({index})"), error),
        }
    }
    Some(PersistentVolume { disk, size_mb: size?, size_max_mb: size_max, profile: written.profile_name, paths })
}

fn path_rule(parts: &[String]) -> Result<PathRule, String> {
    let unsupported = || Err(format!("Unsupported constraint {}", parts.join(",")));
    match parts {
        [] => Err("Missing field and operator".to_owned()),
        [field, operator, pattern] if field == "path" => {
            let rule = match operator.as_str() {
                "LIKE" => PathRule::Like,
                "UNLIKE" => PathRule::Unlike,
                "UNIQUE" | "CLUSTER" | "GROUP_BY" | "MAX_PER" | "IS" => {
                    return Err("Operator must be one of LIKE, UNLIKE".to_owned());
                }
                unknown => return Err(format!("unknown constraint operator {unknown}")),
            };
            let pattern = constraint::pattern(Some(pattern)).map_err(|_| "Invalid regular expression".to_owned())?;
            Ok(rule(pattern))
        }
        _ => unsupported(),
    }
}

pub(super) fn residency(written: Option<WrittenResidency>, faults: &mut Faults) -> Option<Residency> {
    let written = written?;
    let path = "/residency/relaunchEscalationTimeoutSeconds";
    let relaunch_timeout_ms = numbers::seconds(path, Some(written.relaunch_escalation_timeout_seconds), faults)?;
    let task_lost = match written.task_lost_behavior {
        TaskLostBehavior::WaitForever => TaskLost::WaitForever,
        TaskLostBehavior::RelaunchAfterTimeout => TaskLost::RelaunchAfterTimeout,
    };
    Some(Residency { relaunch_timeout_ms, task_lost })
}
