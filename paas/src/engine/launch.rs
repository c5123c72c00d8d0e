//! Waiting instances and offers: matching, asking for more, and showing who waits.

use std::collections::BTreeSet;
use std::sync::Arc;

use attica_core_api::v1::{OfferId, TaskState};
use attica_core_api::{Now, Tick, Timestamp};

use super::resident::Found;
use super::timers::Timer;
use super::{Cause, Effects, Engine, Fact, Misfit, QueueItem, UNUSED_OFFERS_MAX, UnusedOffer, View, calls};
use crate::model::{
    Agent, Condition, ContainerTask, HealthState, Instance, PodContainer, RunSpec, RunSpecId, Task, TaskIdentity,
};
use crate::placement::{Order, Outcome, RejectReason, Rejections, Stock, Surroundings, accepted, launch, place};

impl Engine {
    /// Matches waiting instances with the offers that came, the longest waiting run spec first. Every offer is used or declined.
    pub(super) fn match_offers(&mut self, now: Now, out: &mut Effects) {
        let mut stock = Stock::new(std::mem::take(&mut self.offers));
        self.release_unneeded(now, &mut stock, out);
        let queue = self.next_of_queue(stock.candidates.len());
        let mut left_over = self.next_in_queue.is_some();
        for id in queue {
            let Some(definition) = self.launchable(now, &id) else { continue };
            let (outcome, found) = match definition.is_resident() {
                true => self.place_residents(now, &definition, &mut stock),
                false => self.place_anywhere(now, &definition, &mut stock),
            };
            self.count_offers(now, &definition, &outcome, &stock);
            self.provision(now, &definition, found, &mut stock, out);
            left_over |= self.trackers.get(&id).is_some_and(|tracker| !tracker.waiting.is_empty());
        }
        // While somebody waits, what is left of a used offer comes back at once.
        let refuse_rest_ms = if left_over { 0 } else { self.config.decline_ms };
        let mut declined: Vec<OfferId> = Vec::new();
        for candidate in stock.candidates {
            let id = candidate.offer.id.clone();
            if candidate.operations.is_empty() {
                declined.push(id);
            } else {
                out.calls.push(calls::accept(id, candidate.operations.into_wire(), refuse_rest_ms));
            }
        }
        if !declined.is_empty() {
            out.calls.push(calls::decline(declined, self.config.decline_ms));
        }
    }

    /// The run specs to which so many offers are shown: all that wait, or as many as can be looked at in one go. For those behind
    /// them offers are asked for again, until the end of the queue is reached.
    fn next_of_queue(&mut self, offers: usize) -> Vec<RunSpecId> {
        let from = self.next_in_queue.take().or_else(|| self.queue.first().cloned());
        let Some(from) = from else { return Vec::new() };
        let most = (self.config.matches_max / offers.max(1)).max(1);
        let mut round = self.queue.range(from..);
        let shown: Vec<RunSpecId> = round.by_ref().take(most).map(|(_, id)| id.clone()).collect();
        self.next_in_queue = round.next().cloned();
        self.revive_wanted |= self.next_in_queue.is_some();
        shown
    }

    /// What a waiting run spec is launched as; none while failures hold it back, or when nothing waits.
    pub(super) fn launchable(&self, now: Now, id: &RunSpecId) -> Option<Arc<RunSpec>> {
        self.trackers.get(id).filter(|tracker| !tracker.waiting.is_empty())?;
        let definition = self.pursuit(id).definition().cloned()?;
        let delayed = self.state.run_specs.get(id)?.delayed_until(&definition, now.wall).is_some();
        (!delayed).then_some(definition)
    }

    fn place_anywhere(&mut self, now: Now, definition: &RunSpec, stock: &mut Stock) -> (Outcome, Vec<Found>) {
        let wanted = self.trackers.get(&definition.id).map_or(0, |tracker| tracker.waiting.len());
        let order = self.order(now, definition, wanted, |_| true);
        let mut outcome = place(&order, stock);
        let waiting = self.trackers.get(&definition.id).map(|tracker| tracker.waiting.iter());
        let waiting = waiting.into_iter().flatten().cloned();
        let found = waiting.zip(std::mem::take(&mut outcome.placed)).map(|(instance, place)| Found { instance, place });
        let found = found.collect();
        (outcome, found)
    }

    /// An order for so many instances, beside those that are there already and `count`.
    pub(super) fn order<'a>(
        &'a mut self,
        now: Now,
        definition: &'a RunSpec,
        wanted: usize,
        count: impl Fn(&Instance) -> bool,
    ) -> Order<'a> {
        let instances = self.state.run_specs.get(&definition.id).into_iter().flat_map(|state| state.instances.values());
        let mut placed: Vec<_> = instances.filter(|instance| count(instance)).filter_map(since_and_agent).collect();
        placed.sort_by_key(|(since, _)| *since);
        let placed = placed.into_iter().map(|(_, agent)| Arc::clone(agent)).collect();
        let random = self.entropy.uuid().as_u64_pair().0;
        self.order_beside(now, definition, wanted, placed, random)
    }

    /// An order for so many instances, beside others that were placed before.
    pub(super) fn order_beside<'a>(
        &'a self,
        now: Now,
        run_spec: &'a RunSpec,
        wanted: usize,
        placed: Vec<Arc<Agent>>,
        random: u64,
    ) -> Order<'a> {
        Order {
            run_spec,
            wanted,
            per_offer_max: self.config.instances_per_offer_max,
            placed,
            random,
            home_region: self.home_region.as_deref(),
            secrets_key: self.config.secrets_key.as_ref(),
            accepted_by_default: self.config.accepted_by_default,
            gpu_scheduling: self.config.gpu_scheduling,
            now: now.wall,
            draining_ms: self.config.draining_ms,
        }
    }

    /// Assigns places to waiting instances. The decision is a fact before the launch goes out.
    fn provision(&mut self, now: Now, definition: &RunSpec, found: Vec<Found>, stock: &mut Stock, out: &mut Effects) {
        let surroundings = Surroundings {
            enforces_role: self.enforces_role(&definition.id),
            variable_prefix: self.config.variable_prefix.clone(),
            spares_unhealthy: self.state.policy(definition).kills_per_minute.is_some(),
        };
        for Found { instance: id, place } in found {
            let Some(waiting) = self.state.instance(&id).cloned() else { continue };
            let candidate = &mut stock.candidates[place.candidate];
            let (reservation, place) = self.reservation_of(&waiting, definition, candidate, place);
            let spared = surroundings.spares_unhealthy;
            let mut instance = provisioned(&waiting, definition, &candidate.agent, place.ports, spared, now);
            instance.reservation = reservation;
            if let Some(task) = &instance.task {
                candidate.operations.launch(launch(definition, &surroundings, task, place.shares, place.disks));
            }
            self.timers.set(now.tick.after(self.config.launch_timeout_ms), Timer::Launch(instance.task_identity()));
            self.record(now, Fact::InstanceChanged { instance: Box::new(instance), cause: Cause::Provisioned }, out);
        }
    }

    /// A task that was launched should be running by now. If not, it is killed, and its instance launched anew.
    pub(super) fn launch_overdue(&mut self, now: Now, identity: &TaskIdentity, out: &mut Effects) {
        let Some(instance) = self.state.instance(&identity.instance) else { return };
        let launching = matches!(instance.condition, Condition::Provisioned | Condition::Staging | Condition::Starting);
        if launching && instance.incarnation == identity.incarnation && !instance.is_sentenced() {
            let instance = Box::new(instance.clone());
            self.kills.overdue(identity.instance.clone());
            self.sentence(now, instance, Cause::Decided, out);
        }
    }

    fn count_offers(&mut self, now: Now, definition: &RunSpec, outcome: &Outcome, stock: &Stock) {
        let id = &definition.id;
        let roles = accepted(definition, self.config.accepted_by_default);
        let Some(tracker) = self.trackers.get_mut(id) else { return };
        let offers = &mut tracker.offers;
        let mut last = Rejections::default();
        (0..outcome.used).for_each(|_| last.used());
        for rejected in &outcome.rejected {
            rejected.reasons.first().into_iter().for_each(|reason| last.rejected(*reason));
        }
        offers.processed += (outcome.used + outcome.rejected.len()) as u64;
        offers.unused += outcome.rejected.len() as u64;
        if outcome.used > 0 {
            offers.last_used_at = Some(now.wall);
        }
        if !outcome.rejected.is_empty() {
            offers.last_unused_at = Some(now.wall);
        }
        let newest = outcome.rejected.iter().rev().take(UNUSED_OFFERS_MAX).rev();
        offers.last_unused.extend(newest.map(|rejected| UnusedOffer {
            offer: Arc::clone(&stock.candidates[rejected.candidate].offer),
            reasons: rejected.reasons.clone(),
            at: now.wall,
        }));
        let surplus = offers.last_unused.len().saturating_sub(UNUSED_OFFERS_MAX);
        drop(offers.last_unused.drain(..surplus));
        offers.launch_attempt.add(&last);
        offers.last_offers = last;
        let reasons: BTreeSet<RejectReason> =
            outcome.rejected.iter().flat_map(|rejected| rejected.reasons.iter().copied()).collect();
        offers.refused_since.retain(|reason, _| reasons.contains(reason));
        for reason in reasons {
            offers.refused_since.entry(reason).or_insert(now.wall);
        }
        offers.nearest = Misfit::nearest(&outcome.rejected, stock, &roles);
        self.queue_changed.insert(id.clone());
    }

    /// Asks for offers while somebody can use them, and for none otherwise.
    pub(super) fn ask_for_offers(&mut self, now: Now, out: &mut Effects) {
        if !self.connected {
            return;
        }
        let wanted = self.roles_wanted(now);
        let again = self.is_held_back(&wanted) && self.may_revive(now);
        if self.tell_roles(&wanted, again, out) {
            self.revive_wanted = false;
            self.revived_at = Some(now.tick);
        }
    }

    /// Whether offers are of use in these roles that the master does not make.
    fn is_held_back(&self, wanted: &BTreeSet<String>) -> bool {
        !wanted.is_empty() && (self.revive_wanted || self.roles.any_suppressed(wanted))
    }

    fn may_revive(&self, now: Now) -> bool {
        self.revived_at.is_none_or(|at| now.tick.since(at) >= self.config.revive_interval_ms)
    }

    /// When offers may be asked for again, if they are wanted.
    pub(super) fn revive_due(&self, now: Now) -> Option<Tick> {
        let held_back = self.connected && !self.may_revive(now) && self.is_held_back(&self.roles_wanted(now));
        self.revived_at.filter(|_| held_back).map(|at| at.after(self.config.revive_interval_ms))
    }

    /// Tells the read model who waits, where that changed.
    pub(super) fn show_queue(&mut self, out: &mut Effects) {
        for id in std::mem::take(&mut self.queue_changed) {
            let item = self.queue_item(&id);
            let shown = self.trackers.get_mut(&id).map(|tracker| std::mem::replace(&mut tracker.shown, item.is_some()));
            match item {
                Some(item) => out.views.push(View::Queued(Box::new(item))),
                None if shown != Some(false) => out.views.push(View::Unqueued(id)),
                None => {}
            }
        }
    }

    fn queue_item(&self, id: &RunSpecId) -> Option<QueueItem> {
        let tracker = self.trackers.get(id)?;
        let since = tracker.waiting_since?;
        let run_spec = self.pursuit(id).definition().cloned()?;
        let delay = self.state.run_specs.get(id)?.delay.filter(|delay| delay.config == run_spec.last_config_change_at);
        Some(QueueItem {
            run_spec,
            count: tracker.waiting.len() as u32,
            since,
            delayed: delay.map(|delay| (Timestamp(delay.until.0.saturating_sub_unsigned(delay.delay_ms)), delay.until)),
            offers: tracker.offers.clone(),
        })
    }
}

/// Where an instance is, or will be again, and since when that is so.
fn since_and_agent(instance: &Instance) -> Option<(Timestamp, &Arc<Agent>)> {
    let since = instance.task.as_ref().map_or(instance.scheduled_at, |task| task.staged_at);
    Some((since, instance.agent()?))
}

/// The tasks of the containers of a pod, before anything is heard of them.
fn containers(attempt: &TaskIdentity, definition: &RunSpec, now: Now) -> Vec<ContainerTask> {
    let container = |container: &PodContainer| ContainerTask {
        name: container.name.clone(),
        id: TaskIdentity { container: Some(container.name.clone()), ..attempt.clone() }.task_id(),
        state: TaskState::Staging,
        since: now.wall,
        message: String::new(),
        container_id: None,
        answer: None,
    };
    definition.pod().into_iter().flat_map(|pod| &pod.containers).map(container).collect()
}

/// A waiting instance with a place.
fn provisioned(
    waiting: &Instance,
    definition: &RunSpec,
    agent: &Arc<Agent>,
    ports: Vec<u16>,
    spared: bool,
    now: Now,
) -> Instance {
    let incarnation = waiting.incarnation + 1;
    let identity = TaskIdentity { instance: waiting.id.clone(), container: None, incarnation };
    let task = Task {
        id: identity.task_id(),
        agent: Arc::clone(agent),
        ports,
        state: TaskState::Staging,
        staged_at: now.wall,
        started_at: None,
        unreachable_since: None,
        sentenced_at: None,
        ip_addresses: Vec::new(),
        health: vec![HealthState::default(); definition.checks_of_health().len()],
        readiness: definition.readiness_check.as_ref().map(|_| false),
        answer: None,
        spared,
        processes: Vec::new(),
        containers: containers(&identity, definition, now),
    };
    Instance {
        version: definition.version,
        generation: definition.generation,
        condition: Condition::Provisioned,
        incarnation,
        task: Some(task),
        ..waiting.clone()
    }
}
