use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Action, ActionKind, GroupId, RunSpec, RunSpecId, Step};

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

/// A place in the graph of dependencies. Groups are places of their own, so that the graph stays as small as what was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A run spec: what depends on it waits for it.
    RunSpec(RunSpecId),
    /// Everything in a group: what depends on the group waits for all of it.
    Inside(GroupId),
    /// What a group waits for, with everything in it.
    Entry(GroupId),
}

impl Place {
    /// How many layers it takes up.
    fn depth(&self) -> u32 {
        match self {
            Self::RunSpec(_) => 1,
            Self::Inside(_) | Self::Entry(_) => 0,
        }
    }
}

/// The layer of each run spec that is reachable from `roots`: 0 without dependencies, else one above the highest layer it depends on.
/// `dependencies` resolves what a place depends on; it is asked once for each.
///
/// # Errors
/// [`Cycle`]
pub fn layers(
    roots: impl IntoIterator<Item = Place>,
    dependencies: impl Fn(&Place) -> Vec<Place>,
) -> Result<BTreeMap<RunSpecId, u32>, Cycle> {
    let mut depends_on: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
    let mut open: Vec<Place> = roots.into_iter().collect();
    while let Some(place) = open.pop() {
        if let Entry::Vacant(vacant) = depends_on.entry(place) {
            let on = dependencies(vacant.key());
            open.extend(on.iter().cloned());
            vacant.insert(on);
        }
    }
    let mut dependents: BTreeMap<&Place, Vec<&Place>> = BTreeMap::new();
    let mut unmet: BTreeMap<&Place, usize> = BTreeMap::new();
    for (place, on) in &depends_on {
        let on: BTreeSet<&Place> = on.iter().collect();
        unmet.insert(place, on.len());
        on.into_iter().for_each(|dependency| dependents.entry(dependency).or_default().push(place));
    }
    let mut ranks: BTreeMap<&Place, u32> = BTreeMap::new();
    let mut met: Vec<&Place> = unmet.iter().filter(|(_, unmet)| **unmet == 0).map(|(place, _)| *place).collect();
    let mut passed = 0;
    while let Some(place) = met.pop() {
        passed += 1;
        let above = ranks.get(place).copied().unwrap_or_default() + place.depth();
        for dependent in dependents.get(place).into_iter().flatten().copied() {
            let rank = ranks.entry(dependent).or_default();
            *rank = (*rank).max(above);
            if let Some(left) = unmet.get_mut(dependent) {
                *left -= 1;
                if *left == 0 {
                    met.push(dependent);
                }
            }
        }
    }
    if passed < depends_on.len() {
        return Err(Cycle);
    }
    let run_specs = depends_on.keys().filter_map(|place| match place {
        Place::RunSpec(id) => Some((id.clone(), ranks.get(place).copied().unwrap_or_default())),
        Place::Inside(_) | Place::Entry(_) => None,
    });
    Ok(run_specs.collect())
}
