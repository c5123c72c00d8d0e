use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::{Condition, Constraint, FieldName, Instance, InstanceId, KillSelection, Operator};

/// The policy of who goes first, by the order of the fields; smaller goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank<'a> {
    /// False: its kill was decided already.
    unsentenced: bool,
    /// From one that waits to one that serves.
    stage: Stage,
    /// For running ones: unhealthy before healthy.
    ready: bool,
    /// By start, as the run spec's kill selection says.
    age: i64,
    /// Ties are decided, not left to chance.
    id: &'a InstanceId,
}

/// How far an instance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Waiting,
    Unreachable,
    Provisioned,
    Staging,
    Starting,
    Running,
}

/// Chooses `count` of `candidates` (instances that are wanted to run) to be killed. Spreading constraints come right behind those
/// already sentenced: a victim is taken from where most instances are, so that the rest stays even.
#[must_use]
pub fn victims<'a>(
    candidates: impl IntoIterator<Item = &'a Instance>,
    count: u32,
    constraints: &[Constraint],
    selection: KillSelection,
) -> Vec<InstanceId> {
    let mut candidates: Vec<&Instance> = candidates.into_iter().collect();
    candidates.sort_by_cached_key(|instance| rank(instance, selection));
    let fields: Vec<&FieldName> = constraints.iter().filter_map(spread_field).collect();
    if fields.is_empty() {
        return candidates.into_iter().take(count as usize).map(|instance| instance.id.clone()).collect();
    }
    let mut spread = Spread::of(fields, &candidates);
    let mut chosen = Vec::new();
    while chosen.len() < count as usize {
        // The sort is stable and `min_by_key` takes the first of equals, so the rank decides among equally crowded ones.
        let crowded = |instance: &Instance| (!instance.is_sentenced(), Reverse(spread.crowding(instance)));
        let Some((index, _)) = candidates.iter().enumerate().min_by_key(|(_, instance)| crowded(instance)) else {
            break;
        };
        let victim = candidates.remove(index);
        spread.remove(victim);
        chosen.push(victim.id.clone());
    }
    chosen
}

fn rank(instance: &Instance, selection: KillSelection) -> Rank<'_> {
    let stage = match instance.condition {
        Condition::Scheduled => Stage::Waiting,
        Condition::Unreachable | Condition::UnreachableInactive => Stage::Unreachable,
        Condition::Provisioned => Stage::Provisioned,
        Condition::Staging => Stage::Staging,
        Condition::Starting => Stage::Starting,
        Condition::Running => Stage::Running,
        Condition::Killing
        | Condition::Killed
        | Condition::Finished
        | Condition::Failed
        | Condition::Error
        | Condition::Gone
        | Condition::Dropped
        | Condition::Unknown => Stage::Waiting,
    };
    let started =
        instance.task.as_ref().map_or(instance.scheduled_at, |task| task.started_at.unwrap_or(task.staged_at));
    let age = match selection {
        KillSelection::YoungestFirst => -started.0,
        KillSelection::OldestFirst => started.0,
    };
    Rank { unsentenced: !instance.is_sentenced(), stage, ready: instance.is_ready(), age, id: &instance.id }
}

fn spread_field(constraint: &Constraint) -> Option<&FieldName> {
    match constraint.operator {
        Operator::GroupBy(_) => Some(&constraint.field),
        Operator::Unique
        | Operator::Cluster(_)
        | Operator::MaxPer(_)
        | Operator::Like(_)
        | Operator::Unlike(_)
        | Operator::Is(_) => None,
    }
}

/// How many instances are on each value of the fields over which they are spread.
struct Spread<'a> {
    fields: Vec<(&'a FieldName, BTreeMap<String, u32>)>,
}

impl<'a> Spread<'a> {
    fn of(fields: Vec<&'a FieldName>, instances: &[&Instance]) -> Self {
        let count = |field: &'a FieldName| {
            let mut counts = BTreeMap::new();
            for value in instances.iter().filter_map(|instance| value_of(instance, field)) {
                *counts.entry(value.to_owned()).or_default() += 1;
            }
            (field, counts)
        };
        Self { fields: fields.into_iter().map(count).collect() }
    }

    /// For how many fields the instance is in a largest group, then how large its groups are together. One without a task is in
    /// the way of nobody and counts as most crowded.
    fn crowding(&self, instance: &Instance) -> (u32, u32) {
        if instance.task.is_none() {
            return (u32::MAX, u32::MAX);
        }
        let group = |(field, counts): &(&FieldName, BTreeMap<String, u32>)| {
            let size = value_of(instance, field).and_then(|value| counts.get(value)).copied().unwrap_or_default();
            (u32::from(Some(&size) == counts.values().max()), size)
        };
        self.fields.iter().map(group).fold((0, 0), |sum, group| (sum.0 + group.0, sum.1 + group.1))
    }

    fn remove(&mut self, instance: &Instance) {
        for (field, counts) in &mut self.fields {
            if let Some(count) = value_of(instance, field).and_then(|value| counts.get_mut(value)) {
                *count -= 1;
            }
        }
    }
}

fn value_of<'i>(instance: &'i Instance, field: &FieldName) -> Option<&'i str> {
    instance.task.as_ref()?.agent.field(field)
}
