use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Action, ActionKind, RunSpec, RunSpecId, Step};

/// One run spec before and after a write, and how its instances stand.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    /// Which.
    pub id: &'a RunSpecId,
    /// Its definition before.
    pub from: Option<&'a RunSpec>,
    /// Its definition after.
    pub to: Option<&'a RunSpec>,
    /// True when instances of another generation than that of `to` are there.
    pub outdated_instances: bool,
}

/// Run specs depend on each other in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Dependency graph has cyclic dependencies.")]
pub struct Cycle;

/// The steps of a plan: stop what is gone, start what is new with no instances, then, layer by layer of the dependency graph, scale
/// or restart. What is the same before and after gives no action; a step without actions is dropped.
#[must_use]
pub fn steps(planned: &[Planned<'_>], layers: &BTreeMap<RunSpecId, u32>) -> Vec<Step> {
    let of_kind = |kind: ActionKind, wanted: fn(&Planned<'_>) -> bool| {
        planned.iter().filter(|planned| wanted(planned)).map(|planned| action(kind, planned.id)).collect::<Vec<_>>()
    };
    let stops = of_kind(ActionKind::Stop, |planned| planned.from.is_some() && planned.to.is_none());
    let starts = of_kind(ActionKind::Start, |planned| planned.from.is_none() && planned.to.is_some());
    let mut by_layer: BTreeMap<u32, Vec<Action>> = BTreeMap::new();
    for planned in planned {
        if let Some(kind) = change(planned) {
            let layer = layers.get(planned.id).copied().unwrap_or_default();
            by_layer.entry(layer).or_default().push(action(kind, planned.id));
        }
    }
    let all = [stops, starts].into_iter().chain(by_layer.into_values());
    all.filter(|actions| !actions.is_empty()).map(|actions| Step { actions }).collect()
}

fn action(kind: ActionKind, id: &RunSpecId) -> Action {
    Action { kind, run_spec: id.clone() }
}

/// What happens to a run spec in its layer.
fn change(planned: &Planned<'_>) -> Option<ActionKind> {
    let to = planned.to?;
    let Some(from) = planned.from else { return Some(ActionKind::Scale) };
    if from.generation != to.generation || planned.outdated_instances {
        return Some(if to.instances == 0 { ActionKind::Scale } else { ActionKind::Restart });
    }
    (from.instances != to.instances).then_some(ActionKind::Scale)
}

/// The layer of each run spec that is reachable from `roots`: 0 without dependencies, else one above the highest layer it depends on.
/// `dependencies` resolves what a run spec depends on; it is asked once for each.
///
/// # Errors
/// [`Cycle`]
pub fn layers<'a>(
    roots: impl IntoIterator<Item = &'a RunSpecId>,
    dependencies: impl Fn(&RunSpecId) -> Vec<RunSpecId>,
) -> Result<BTreeMap<RunSpecId, u32>, Cycle> {
    let mut depends_on: BTreeMap<RunSpecId, Vec<RunSpecId>> = BTreeMap::new();
    let mut open: Vec<RunSpecId> = roots.into_iter().cloned().collect();
    while let Some(id) = open.pop() {
        if let Entry::Vacant(vacant) = depends_on.entry(id) {
            let on = dependencies(vacant.key());
            open.extend(on.iter().cloned());
            vacant.insert(on);
        }
    }
    let mut dependents: BTreeMap<&RunSpecId, Vec<&RunSpecId>> = BTreeMap::new();
    let mut unmet: BTreeMap<&RunSpecId, usize> = BTreeMap::new();
    for (id, on) in &depends_on {
        let on: BTreeSet<&RunSpecId> = on.iter().collect();
        unmet.insert(id, on.len());
        on.into_iter().for_each(|dependency| dependents.entry(dependency).or_default().push(id));
    }
    let mut ranks: BTreeMap<RunSpecId, u32> = BTreeMap::new();
    let mut layer: Vec<&RunSpecId> = unmet.iter().filter(|(_, unmet)| **unmet == 0).map(|(id, _)| *id).collect();
    let mut rank = 0;
    while !layer.is_empty() {
        let mut next = Vec::new();
        for id in layer {
            ranks.insert(id.clone(), rank);
            for dependent in dependents.get(id).into_iter().flatten().copied() {
                if let Some(left) = unmet.get_mut(dependent) {
                    *left -= 1;
                    if *left == 0 {
                        next.push(dependent);
                    }
                }
            }
        }
        layer = next;
        rank += 1;
    }
    if ranks.len() == depends_on.len() { Ok(ranks) } else { Err(Cycle) }
}
