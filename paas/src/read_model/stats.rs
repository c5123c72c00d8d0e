//! The tasks of an app in numbers.

use attica_core_api::Timestamp;
use attica_paas_api::task::{Stats, TaskCounts, TaskLifeTime, TaskStats, TaskStatsByVersion};

use super::view::{Counts, TaskView};
use crate::model::RunSpec;

/// Of all tasks, and of those that run the present configuration of `spec` or an earlier one; they have lived until `now`.
pub(super) fn by_version<'a>(
    spec: &RunSpec,
    instances: impl Iterator<Item = &'a TaskView>,
    now: Timestamp,
) -> TaskStatsByVersion {
    let tasks: Vec<&TaskView> = instances.filter(|instance| instance.json.is_some()).collect();
    let of = |is_of: &dyn Fn(&TaskView) -> bool| of(tasks.iter().copied().filter(|task| is_of(task)), now);
    TaskStatsByVersion {
        started_after_last_scaling: of(&|task| task.version >= spec.last_scaling_at),
        with_latest_config: of(&|task| task.version >= spec.last_config_change_at),
        with_outdated_config: of(&|task| task.version < spec.last_config_change_at),
        total_summary: of(&|_| true),
    }
}

/// None of no tasks.
fn of<'a>(tasks: impl Iterator<Item = &'a TaskView>, now: Timestamp) -> Option<Stats> {
    let (mut counts, mut lives, mut any) = (Counts::default(), Vec::new(), false);
    for task in tasks {
        any = true;
        counts.add(Counts::of(task));
        // The clock may have been set back meanwhile.
        lives.extend(task.started_at.map(|started_at| now.0.saturating_sub(started_at.0).max(0)));
    }
    lives.sort_unstable();
    let seconds = |milliseconds: i64| milliseconds as f64 / 1_000.0;
    let life_time = lives.get(lives.len() / 2).map(|median| TaskLifeTime {
        average_seconds: seconds(lives.iter().sum()) / lives.len() as f64,
        median_seconds: seconds(*median),
    });
    let Counts { staged, running, healthy, unhealthy } = counts;
    let counts = TaskCounts { staged, running, healthy, unhealthy };
    any.then_some(Stats { stats: TaskStats { counts, life_time } })
}
