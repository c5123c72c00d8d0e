//! Where the instances that a write would start would go, were it made now.
//!
//! The steps of its deployment are walked through by the rules that carry them out, on what the agents have free at this moment: what
//! is launched takes room and is ready at once, what is killed gives its room back. Who else waits for room, or is about to free some,
//! is left out of account. As in a round of matching, only so many pairs of run spec and offer are looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_api::Now;
use attica_core_api::v1::Offer;

use super::deployments::Draft;
use super::{Engine, Forecast, Misfit, Prospect};
use crate::deployment::{Leeway, Standing, rolling_step, victims};
use crate::model::{Action, ActionKind, Agent, Condition, Goal, Instance, RunSpec, RunSpecId, Step};
use crate::placement::{Order, Rejected, Stock, accepted, place};

impl Engine {
    /// What a draft would come to; `room` is an offer of each agent of what it has free, as far as that is known.
    pub(super) fn forecast(&self, now: Now, draft: Draft, room: Option<Vec<Offer>>) -> Forecast {
        let (steps, _) = self.plan(&draft);
        let placement = room.and_then(|room| Walk::new(self, now, &draft, room).through(&steps));
        Forecast { version: draft.version, changes: self.changes(&draft), steps, placement }
    }
}

/// There is more to look at than is looked at in one go.
struct TooMuch;

/// A walk through the steps of a deployment that is not made.
struct Walk<'e> {
    engine: &'e Engine,
    now: Now,
    stock: Stock,
    targets: BTreeMap<RunSpecId, Option<Arc<RunSpec>>>,
    /// So many more pairs of run spec and offer may be looked at.
    budget: usize,
}

/// The instances of a run spec that are being placed.
struct Placing<'w> {
    definition: &'w RunSpec,
    /// Where instances of it are, those that were placed on the way included.
    at: Vec<Arc<Agent>>,
    /// So many of `at` were placed on the way; they are its last.
    placed: usize,
    /// So many look for a place.
    waiting: usize,
    /// Why the last time no agent had room.
    rejected: Vec<Rejected>,
}

impl<'e> Walk<'e> {
    fn new(engine: &'e Engine, now: Now, draft: &Draft, room: Vec<Offer>) -> Self {
        let targets = draft.targets.iter().map(|target| (target.id.clone(), target.to.clone())).collect();
        Self { engine, now, stock: Stock::new(room), targets, budget: engine.config.matches_max }
    }

    /// What becomes of all that is started; none when that is too much to look at.
    fn through(mut self, steps: &[Step]) -> Option<Vec<Prospect>> {
        let mut prospects = Vec::new();
        for Action { kind, run_spec } in steps.iter().flat_map(|step| &step.actions) {
            let definition = self.targets.get(run_spec).cloned().flatten();
            let placed = match (kind, &definition) {
                (ActionKind::Stop, _) => {
                    self.active(run_spec).into_iter().for_each(|instance| self.put_back(instance));
                    continue;
                }
                // Its instances come with the next action.
                (ActionKind::Start, _) | (ActionKind::Scale | ActionKind::Restart, None) => continue,
                (ActionKind::Scale, Some(definition)) => self.scale(definition),
                (ActionKind::Restart, Some(definition)) => self.replace(definition),
            };
            let placing = placed.ok()?;
            prospects.extend(Some(self.prospect(placing)).filter(|prospect| prospect.wanted > 0));
        }
        Some(prospects)
    }

    /// The instances that are wanted to run, and not given up for lost.
    fn active(&self, id: &RunSpecId) -> Vec<&'e Instance> {
        let instances = self.engine.state.run_specs.get(id).into_iter().flat_map(|state| state.instances.values());
        let is_active = |instance: &&Instance| {
            instance.goal == Goal::Running && instance.condition != Condition::UnreachableInactive
        };
        instances.filter(is_active).collect()
    }

    /// Brings the number of instances to what is wanted. Those that wait already are as good as new.
    fn scale<'d>(&mut self, definition: &'d RunSpec) -> Result<Placing<'d>, TooMuch> {
        let mut there = self.active(&definition.id);
        let surplus = there.len().saturating_sub(definition.instances as usize);
        self.kill(definition, &mut there, surplus);
        let mut placing = Placing::of(definition, &there);
        if definition.is_resident() {
            self.return_home(&mut placing, |instance| instance.task.is_none());
        }
        self.place(&mut placing)?;
        Ok(placing)
    }

    /// Replaces all instances, as many at a time as the upgrade strategy lets go.
    fn replace<'d>(&mut self, definition: &'d RunSpec) -> Result<Placing<'d>, TooMuch> {
        let there = self.active(&definition.id);
        if definition.is_resident() {
            // They make room for nobody but themselves.
            let mut placing = Placing::of(definition, &[]);
            self.return_home(&mut placing, |_| true);
            self.place(&mut placing)?;
            return Ok(placing);
        }
        let is_new = |instance: &&Instance| instance.generation == definition.generation;
        let (new, mut old): (Vec<_>, Vec<_>) =
            there.into_iter().filter(|instance| instance.task.is_some()).partition(is_new);
        let mut placing = Placing { waiting: 0, ..Placing::of(definition, &new) };
        let upgrade = self.engine.upgrade_of(definition);
        loop {
            let ready = old.iter().filter(|instance| instance.is_ready()).count() as u32;
            let of_old = Standing { ready, unready: old.len() as u32 - ready, ..Standing::default() };
            let started = (new.len() + placing.placed) as u32;
            let of_new = Standing { ready: started, waiting: placing.waiting as u32, ..Standing::default() };
            let step = rolling_step(definition.instances, upgrade, Leeway::OneMore, of_old, of_new);
            placing.waiting += step.start as usize;
            placing.at.splice(..placing.at.len() - placing.placed, at(new.iter().chain(&old)));
            let found = self.place(&mut placing)?;
            let killed = self.kill(definition, &mut old, step.kill_old as usize);
            if step.start == 0 && found == 0 && killed == 0 {
                placing.waiting = (definition.instances as usize).saturating_sub(new.len() + placing.placed);
                return Ok(placing);
            }
        }
    }

    /// Kills so many in the order of the kill policy, and takes back their room.
    fn kill(&mut self, definition: &RunSpec, among: &mut Vec<&'e Instance>, count: usize) -> usize {
        let (constraints, selection) = (&definition.placement.constraints, definition.kill_selection);
        let victims = victims(among.iter().copied(), count as u32, constraints, selection);
        let (killed, left) = among.iter().partition(|instance| victims.contains(&instance.id));
        *among = left;
        let killed: Vec<&Instance> = killed;
        killed.iter().for_each(|instance| self.put_back(instance));
        killed.len()
    }

    /// What an instance uses is free; what is kept for one stays its own.
    fn put_back(&mut self, instance: &Instance) {
        let state = self.engine.state.run_specs.get(&instance.id.run_spec);
        let definition = state.and_then(|state| state.versions.get(&instance.version));
        if let (Some(task), Some(definition), None) = (&instance.task, definition, &instance.reservation) {
            let mut candidates = self.stock.candidates.iter_mut();
            if let Some(candidate) = candidates.find(|candidate| candidate.agent.id == task.agent.id) {
                candidate.put_back(definition, &task.ports);
            }
        }
    }

    /// Instances for which something is kept go there, those that were only stopped included.
    fn return_home(&mut self, placing: &mut Placing<'_>, which: impl Fn(&Instance) -> bool) {
        let state = self.engine.state.run_specs.get(&placing.definition.id);
        let instances = state.into_iter().flat_map(|state| state.instances.values());
        let kept = instances.filter(|instance| instance.goal != Goal::Decommissioned && which(instance));
        let homes = kept.filter_map(|instance| Some(Arc::clone(&instance.reservation.as_ref()?.agent)));
        for home in homes.take(placing.waiting) {
            placing.at.push(home);
            placing.placed += 1;
            placing.waiting -= 1;
        }
    }

    /// Finds places for those that wait, and says for how many there was one.
    fn place(&mut self, placing: &mut Placing<'_>) -> Result<usize, TooMuch> {
        if placing.waiting == 0 {
            return Ok(0);
        }
        self.budget = self.budget.checked_sub(self.stock.candidates.len()).ok_or(TooMuch)?;
        let order = self.engine.order_beside(self.now, placing.definition, placing.waiting, placing.at.clone(), 0);
        // After one offer of an agent there comes another.
        let order = Order { per_offer_max: usize::MAX, ..order };
        let outcome = place(&order, &mut self.stock);
        let found = outcome.placed.len();
        let agent = |candidate: usize| Arc::clone(&self.stock.candidates[candidate].agent);
        placing.at.extend(outcome.placed.iter().map(|place| agent(place.candidate)));
        placing.placed += found;
        placing.waiting -= found;
        placing.rejected = outcome.rejected;
        if placing.waiting > 0 && found > 0 {
            // Those that took some have no room for more either.
            return self.place(placing).map(|more| found + more);
        }
        Ok(found)
    }

    fn prospect(&self, placing: Placing<'_>) -> Prospect {
        let mut places: BTreeMap<_, (Arc<Agent>, u32)> = BTreeMap::new();
        for agent in &placing.at[placing.at.len() - placing.placed..] {
            places.entry(agent.id.clone()).or_insert_with(|| (Arc::clone(agent), 0)).1 += 1;
        }
        let rejected = if placing.waiting > 0 { placing.rejected } else { Vec::new() };
        let roles = accepted(placing.definition, self.engine.config.accepted_by_default);
        let misfits = Misfit::nearest(&rejected, &self.stock, &roles);
        Prospect {
            run_spec: placing.definition.id.clone(),
            wanted: (placing.placed + placing.waiting) as u32,
            places: places.into_values().collect(),
            misfits,
        }
    }
}

impl<'w> Placing<'w> {
    /// Of the instances that are there, those with a task stay.
    fn of(definition: &'w RunSpec, there: &[&Instance]) -> Self {
        let at: Vec<_> = at(there.iter().filter(|instance| instance.task.is_some())).collect();
        let waiting = (definition.instances as usize).saturating_sub(at.len());
        Self { definition, at, placed: 0, waiting, rejected: Vec::new() }
    }
}

/// Where instances are, that of the oldest first.
fn at<'i>(instances: impl IntoIterator<Item = &'i &'i Instance>) -> impl Iterator<Item = Arc<Agent>> {
    let since = |instance: &&&Instance| instance.task.as_ref().map(|task| task.staged_at);
    let mut instances: Vec<&&Instance> = instances.into_iter().collect();
    instances.sort_by_key(since);
    let agents: Vec<_> = instances.into_iter().filter_map(|instance| instance.agent().cloned()).collect();
    agents.into_iter()
}
