//! The read model: what the GET endpoints show.
//!
//! A second fold, fed with the facts and visible changes of committed batches only, so that nobody ever reads what is not
//! durable, and no reader ever touches the kernel. Tasks are kept as rendered JSON, one fragment each; frameworks and agents are
//! rendered when somebody asks, and again only after they changed. A reader holds the lock for as long as it takes to
//! clone pointers; the bytes are copied while they are sent ([`document`]).
//!
//! Nothing here is durable: a new leader builds it from the snapshot that its kernel starts from.

mod agent;
mod body;
mod concealment;
mod document;
mod executor;
mod figures;
mod framework;
mod inverse_offers;
mod news;
mod operations;
mod operator;
mod parts;
mod resources;
mod roles;
mod summary;
mod task;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attica_allocator::Role;
use attica_core_api::Timestamp;
use attica_core_api::auth::Viewer;
use attica_core_api::http::MediaType;
use attica_core_api::operator::{InverseOfferStatus, QuotaConfig};
use attica_core_api::v1::{
    AgentId, AgentInfo, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo, OfferId, Operation, TaskId, TaskInfo,
    TaskState, TaskStatus,
};

use super::watchers::{Place as WatcherPlace, Watchers};
use crate::fact::Fact;
use crate::kernel::View;
use crate::snapshot::{FrameworkPresence, Maintenance, Reach, Snapshot};
pub(super) use agent::Detail;
use agent::{AgentView, Contact, ExecutorView};
pub(super) use concealment::{Concealment, Users};
pub(super) use document::Document;
pub(super) use figures::{FrameworkFigures, RoleFigures, Totals};
use framework::{FrameworkView, OfferView};
use news::News;
pub(super) use operator::Listing;
pub(super) use parts::{Content, Member, Parts};
use resources::of_wire;
pub(super) use task::members;
use task::{Section, TaskView};

/// The read model of one leader.
pub(super) struct ReadModel {
    model: Mutex<Model>,
    /// Who is told of what is folded in.
    pub(super) watchers: Arc<Watchers>,
}

/// The launch order of tasks, which is also their order in lists.
type TaskKey = u64;

#[derive(Default)]
struct Model {
    frameworks: BTreeMap<FrameworkId, FrameworkView>,
    agents: BTreeMap<AgentId, AgentView>,
    tasks: BTreeMap<TaskKey, Box<TaskView>>,
    task_keys: HashMap<(FrameworkId, TaskId), TaskKey>,
    offers: HashMap<OfferId, (FrameworkId, AgentId)>,
    maintenance: Maintenance,
    next_task: TaskKey,
    counts: TaskCounts,
    /// What has happened in the batch that is being folded in; `None` when nobody watches.
    news: Option<Vec<News>>,
    /// As operators set them, by role.
    quotas: BTreeMap<String, QuotaConfig>,
    weights: BTreeMap<String, f64>,
    operations: BTreeMap<uuid::Uuid, Operation>,
    /// What frameworks answered when they were asked to leave an agent.
    inverse_answers: BTreeMap<(AgentId, FrameworkId), InverseOfferStatus>,
}

/// How many tasks are in each state now, and how many have reached each final state since this leader started.
#[derive(Debug, Clone, Default)]
pub(super) struct TaskCounts {
    now: BTreeMap<TaskState, u64>,
    ended: BTreeMap<TaskState, u64>,
}

/// What `/tasks` was asked for.
#[derive(Debug, Clone)]
pub(super) struct TaskQuery {
    pub(super) limit: usize,
    pub(super) offset: usize,
    pub(super) order: Order,
    pub(super) framework: Option<FrameworkId>,
    pub(super) task: Option<TaskId>,
}

/// The order of a list by time of launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

impl ReadModel {
    /// The model of what a new leader found.
    pub(super) fn of(snapshot: &Snapshot, watchers: Watchers) -> ReadModel {
        let mut model = Model {
            maintenance: snapshot.maintenance.clone(),
            quotas: snapshot.quotas.clone(),
            weights: snapshot.weights.clone(),
            ..Model::default()
        };
        for (id, agent) in &snapshot.agents {
            let contact = if agent.unreachable_at.is_some() { Contact::Unreachable } else { Contact::Recovered };
            let mut view =
                AgentView::new(&agent.info, &agent.version, agent.registered_at, agent.reregistered_at, contact);
            view.set_service(&agent.service);
            model.agents.insert(id.clone(), view);
            if let Some(view) = model.agents.get_mut(id) {
                view.reshape(&agent.shaped);
            }
        }
        let mut tasks = Vec::new();
        for (id, framework) in &snapshot.frameworks {
            let mut view = FrameworkView::new(&framework.info, framework.registered_at, framework.reregistered_at);
            match framework.presence {
                FrameworkPresence::Subscribed | FrameworkPresence::Disconnected { .. } => view.recovered(),
                FrameworkPresence::Removed { at } => view.removed(at),
            }
            model.frameworks.insert(id.clone(), view);
            tasks.extend(framework.tasks.values().map(|task| (task.launched_at, id, task)));
        }
        for (id, operation) in &snapshot.operations {
            model.recover_operation(*id, operation);
        }
        for (id, agent) in &snapshot.agents {
            for ((framework, _), executor) in &agent.executors {
                model.launch_executor(framework, id, &executor.role, &executor.info);
            }
        }
        tasks.sort_by_key(|(launched_at, _, _)| *launched_at);
        for (_, framework, task) in tasks {
            model.launch(framework, &task.role, &task.info);
            if let Some(status) = &task.status {
                model.update(framework, status, task.state, task.reach);
            }
            if task.completed_at.is_some() {
                model.complete(framework, &task.info.task_id);
            }
        }
        // What ended before this leader is not counted by it.
        model.counts.ended.clear();
        model.frameworks.values_mut().for_each(|framework| framework.counts.ended.clear());
        ReadModel { model: Mutex::new(model), watchers: Arc::new(watchers) }
    }

    /// Folds one committed batch in.
    pub(super) fn apply(&self, facts: &[Fact], views: &[View]) {
        let mut model = self.lock();
        model.news = (self.watchers.count() > 0).then(Vec::new);
        facts.iter().for_each(|fact| model.fact(fact));
        views.iter().for_each(|view| model.view(view));
        let events = model.tell();
        if !events.is_empty() {
            // Before anybody can read what the events tell of: else a new watcher would hear of it twice.
            self.watchers.tell(&events, &*model);
        }
    }

    /// The state for one who watches from now on, and that one's place.
    pub(super) fn watch(&self, media: MediaType, viewer: &Viewer) -> (Vec<Member>, WatcherPlace) {
        let mut model = self.lock();
        (model.members(Listing::State), self.watchers.join(media, viewer))
    }

    /// The members `slaves` and `recovered_slaves` of `/state`, or with everything of `/slaves`.
    pub(super) fn agents(&self, detail: Detail, only: Option<&AgentId>, document: &mut Document) {
        let mut model = self.lock();
        let mut recovered = Vec::new();
        document.open_list("slaves");
        for (_, agent) in model.agents.iter_mut().filter(|(id, _)| only.is_none_or(|only| only == *id)) {
            match agent.contact {
                Contact::Connected | Contact::Disconnected => document.element(agent.render(detail)),
                Contact::Recovered => recovered.push(agent.render(detail)),
                Contact::Unreachable => {}
            }
        }
        document.close();
        document.open_list("recovered_slaves");
        recovered.into_iter().for_each(|agent| document.element(agent));
        document.close();
    }

    /// The members `frameworks` and `completed_frameworks` of `/state` and `/frameworks`.
    pub(super) fn frameworks(&self, only: Option<&FrameworkId>, document: &mut Document) {
        let mut model = self.lock();
        for (name, removed) in [("frameworks", false), ("completed_frameworks", true)] {
            document.open_list(name);
            let listed = |(id, view): &(&FrameworkId, &mut FrameworkView)| {
                view.is_removed() == removed && only.is_none_or(|only| only == *id)
            };
            for (_, framework) in model.frameworks.iter_mut().filter(listed) {
                framework.render(document);
            }
            document.close();
        }
    }

    /// The member `tasks` of `/tasks`.
    pub(super) fn tasks(&self, query: &TaskQuery, document: &mut Document) {
        let model = self.lock();
        let listed = |task: &&TaskView| {
            query.framework.as_ref().is_none_or(|framework| *framework == task.framework)
                && query.task.as_ref().is_none_or(|id| *id == task.id)
        };
        document.open_list("tasks");
        let add = |task: &TaskView| document.element(task.fragment());
        let tasks = model.tasks.values().map(Box::as_ref);
        match query.order {
            Order::Ascending => tasks.filter(listed).skip(query.offset).take(query.limit).for_each(add),
            Order::Descending => tasks.rev().filter(listed).skip(query.offset).take(query.limit).for_each(add),
        }
        document.close();
    }

    /// What is planned for machines, and which are down.
    pub(super) fn maintenance(&self) -> Maintenance {
        self.lock().maintenance.clone()
    }

    /// The principal of a framework; `None`: there is no such framework.
    pub(super) fn principal_of(&self, framework: &FrameworkId) -> Option<Option<String>> {
        self.lock().frameworks.get(framework).map(|framework| framework.principal().map(str::to_owned))
    }

    /// Whether an agent has ever registered.
    pub(super) fn knows_agent(&self, agent: &AgentId) -> bool {
        self.lock().agents.contains_key(agent)
    }

    fn lock(&self) -> MutexGuard<'_, Model> {
        // A panic inside the fold ends the leader; readers that come before it has ended may see half a batch.
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskCounts {
    /// Tasks in this state now.
    pub(super) fn now(&self, state: TaskState) -> u64 {
        self.now.get(&state).copied().unwrap_or(0)
    }

    /// Tasks that have reached this final state since this leader started.
    pub(super) fn ended(&self, state: TaskState) -> u64 {
        self.ended.get(&state).copied().unwrap_or(0)
    }

    fn add(&mut self, state: TaskState) {
        *self.now.entry(state).or_default() += 1;
    }

    fn remove(&mut self, state: TaskState) {
        if let Some(count) = self.now.get_mut(&state) {
            *count = count.saturating_sub(1);
        }
    }

    fn change(&mut self, from: TaskState, to: TaskState) {
        if from != to {
            self.remove(from);
            self.add(to);
            *self.ended.entry(to).or_default() += 1;
        }
    }
}

impl Model {
    fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::FrameworkSubscribed { info, at } => self.subscribe(info, *at),
            Fact::FrameworkUpdated { info, .. } => {
                if let Some(framework) = info.id.as_ref().and_then(|id| self.frameworks.get_mut(id)) {
                    framework.described(info);
                }
            }
            // That the stream is gone comes as a `View`, for those whose disconnection is not durable as well.
            Fact::FrameworkDisconnected { .. } => {}
            Fact::FrameworkRemoved { framework, at } => {
                if let Some(framework) = self.frameworks.get_mut(framework) {
                    framework.removed(*at);
                    let info = framework.info().clone();
                    self.note(|| News::FrameworkRemoved(Box::new(info)));
                }
            }
            Fact::FrameworkForgotten { framework } => self.forget_framework(framework),
            Fact::AgentRegistered { info, version, at, .. } => self.register(info, version, *at),
            Fact::AgentUnreachable { agent, .. } => {
                if let Some(agent) = self.agents.get_mut(agent) {
                    agent.set_contact(Contact::Unreachable);
                    agent.announced = false;
                }
                self.note(|| News::AgentRemoved(agent.clone()));
            }
            Fact::AgentForgotten { agent } => {
                self.agents.remove(agent);
                self.inverse_answers.retain(|(about, _), _| about != agent);
            }
            Fact::AgentServiceChanged { agent, service } => {
                if let Some(agent) = self.agents.get_mut(agent) {
                    agent.set_service(service);
                }
            }
            Fact::MaintenanceChanged { schedule, down } => {
                self.maintenance = Maintenance { schedule: schedule.clone(), down: down.clone() };
            }
            Fact::TaskLaunched { framework, role, task, .. } => self.launch(framework, role, task),
            Fact::TaskUpdated { framework, status, .. } => {
                self.update(framework, status, status.state, Reach::Reachable);
            }
            Fact::TaskUnreachable { framework, status } => {
                let state = self.task_state(framework, &status.task_id);
                self.update(framework, status, state, Reach::Unreachable);
            }
            Fact::TaskReachable { framework, status } => {
                let state = self.task_state(framework, &status.task_id);
                self.update(framework, status, state, Reach::Reachable);
            }
            // Neither is shown.
            Fact::UpdateAcknowledged { .. } | Fact::KillRequested { .. } => {}
            Fact::TaskCompleted { framework, task, .. } => self.complete(framework, task),
            Fact::TaskForgotten { framework, task } => self.forget_task(framework, task),
            Fact::QuotasUpdated { configs } => {
                self.quotas.extend(configs.iter().map(|config| (config.role.clone(), config.clone())));
            }
            Fact::QuotaRemoved { role } => {
                self.quotas.remove(role.as_str());
            }
            Fact::WeightsUpdated { weights } => {
                self.weights.extend(weights.iter().filter_map(|info| Some((info.role.clone()?, info.weight))));
            }
            Fact::ExecutorLaunched { framework, agent, role, executor, .. } => {
                self.launch_executor(framework, agent, role, executor);
            }
            Fact::ExecutorEnded { framework, agent, executor } => self.end_executor(framework, agent, executor),
            Fact::AgentShaped { agent, resources } => {
                if let Some(agent) = self.agents.get_mut(agent) {
                    agent.reshape(resources);
                }
            }
            Fact::OperationStarted { operation, framework, agent, info, .. } => {
                self.start_operation(*operation, framework.as_ref(), agent, info);
            }
            Fact::OperationUpdated { operation, status } => self.finish_operation(*operation, status),
            Fact::OperationEnded { operation } => {
                self.operations.remove(operation);
            }
        }
    }

    fn view(&mut self, view: &View) {
        match view {
            View::FrameworkConnected { framework } => {
                if let Some(framework) = self.frameworks.get_mut(framework) {
                    framework.connected();
                }
            }
            View::FrameworkDisconnected { framework } => {
                if let Some(framework) = self.frameworks.get_mut(framework) {
                    framework.disconnected();
                }
            }
            View::RolesSuppressed { framework, roles } => {
                if let Some(framework) = self.frameworks.get_mut(framework) {
                    framework.suppressed = roles.iter().map(|role| role.as_str().to_owned()).collect();
                }
            }
            View::OfferConstraints { framework, constraints } => {
                if let Some(framework) = self.frameworks.get_mut(framework) {
                    framework.constrain(constraints);
                }
            }
            View::InverseOffer(asking) => self.ask(asking),
            // Only counted.
            View::AgentSilent { .. } | View::AgentHeard { .. } | View::OperationOver { .. } => {}
            View::AgentConnected { agent: id } => {
                let Some(agent) = self.agents.get_mut(id) else { return };
                agent.set_contact(Contact::Connected);
                if !std::mem::replace(&mut agent.announced, true) {
                    self.note(|| News::AgentAdded(id.clone()));
                }
            }
            View::AgentDisconnected { agent } => {
                if let Some(agent) = self.agents.get_mut(agent) {
                    agent.disconnected();
                }
            }
            View::OfferMade { offer, framework, agent, role, resources } => {
                let made = OfferView::new(offer, framework, agent, role, resources.clone());
                self.offers.insert(offer.clone(), (framework.clone(), agent.clone()));
                if let Some(agent) = self.agents.get_mut(agent) {
                    agent.offer(offer, role, resources);
                }
                if let Some(framework) = self.frameworks.get_mut(framework) {
                    framework.offer(offer, made);
                }
            }
            View::OfferGone { offer } => self.withdraw(offer),
        }
    }

    fn withdraw(&mut self, offer: &OfferId) {
        let Some((framework, agent)) = self.offers.remove(offer) else { return };
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.withdraw(offer);
        }
        if let Some(framework) = self.frameworks.get_mut(&framework) {
            framework.withdraw(offer);
        }
    }

    fn subscribe(&mut self, info: &FrameworkInfo, at: Timestamp) {
        let Some(id) = &info.id else { return };
        match self.frameworks.get_mut(id) {
            Some(framework) => {
                framework.subscribed_again(info, at);
                self.note(|| News::FrameworkUpdated(id.clone()));
            }
            None => {
                self.frameworks.insert(id.clone(), FrameworkView::new(info, at, at));
                self.note(|| News::FrameworkAdded(id.clone()));
            }
        }
    }

    fn register(&mut self, info: &AgentInfo, version: &str, at: Timestamp) {
        let Some(id) = &info.id else { return };
        match self.agents.get_mut(id) {
            Some(agent) => agent.registered_again(info, version, at),
            None => {
                self.agents.insert(id.clone(), AgentView::new(info, version, at, at, Contact::Disconnected));
            }
        }
    }

    fn launch(&mut self, framework: &FrameworkId, role: &Role, info: &TaskInfo) {
        let resources = of_wire(&info.resources);
        let key = self.next_task;
        self.next_task += 1;
        let task = TaskView::new(framework, role, info, resources.clone());
        if let Some(agent) = self.agents.get_mut(&task.agent) {
            agent.use_resources(role, &resources);
        }
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.use_resources(role, &resources);
            framework.counts.add(task.state());
            framework.show(Section::Tasks, key, task.fragment());
        }
        self.note(|| News::TaskAdded(Box::new(task.message())));
        self.counts.add(task.state());
        self.task_keys.insert((framework.clone(), info.task_id.clone()), key);
        self.tasks.insert(key, Box::new(task));
    }

    fn launch_executor(&mut self, framework: &FrameworkId, agent: &AgentId, role: &Role, info: &ExecutorInfo) {
        let resources = of_wire(&info.resources);
        if let Some(view) = self.frameworks.get_mut(framework) {
            view.use_resources(role, &resources);
            view.run_executor(agent, info, executor::rendered(framework, agent, role, info).into());
        }
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.use_resources(role, &resources);
            let view = ExecutorView { role: role.clone(), resources, info: info.clone() };
            agent.executors.insert((framework.clone(), info.executor_id.clone()), view);
        }
    }

    fn end_executor(&mut self, framework: &FrameworkId, agent: &AgentId, executor: &ExecutorId) {
        let Some(view) = self.agents.get_mut(agent) else { return };
        let Some(ended) = view.executors.remove(&(framework.clone(), executor.clone())) else { return };
        let ExecutorView { role, resources, .. } = ended;
        view.release(&role, &resources);
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.release(&role, &resources);
            framework.end_executor(agent, executor);
        }
    }

    /// The state that the task's agent reported last; STAGING for a task that is not here.
    fn task_state(&self, framework: &FrameworkId, id: &TaskId) -> TaskState {
        let key = self.task_keys.get(&(framework.clone(), id.clone()));
        key.and_then(|key| self.tasks.get(key)).map_or(TaskState::Staging, |task| task.reported())
    }

    fn update(&mut self, framework: &FrameworkId, status: &TaskStatus, reported: TaskState, reach: Reach) {
        self.note_status(framework, status);
        self.change_task(framework, &status.task_id, |task| task.update(status, reported, reach));
    }

    fn complete(&mut self, framework: &FrameworkId, id: &TaskId) {
        self.change_task(framework, id, TaskView::complete);
    }

    /// Changes a task, and whatever its change means for its framework and its agent.
    fn change_task(&mut self, framework: &FrameworkId, id: &TaskId, change: impl FnOnce(&mut TaskView)) {
        let Some(key) = self.task_keys.get(&(framework.clone(), id.clone())).copied() else { return };
        let Some(task) = self.tasks.get_mut(&key) else { return };
        let (state, section, held) = (task.state(), task.section(), task.holds_resources());
        change(task);
        self.counts.change(state, task.state());
        let holds = task.holds_resources();
        if let Some(agent) = self.agents.get_mut(&task.agent).filter(|_| held != holds) {
            match holds {
                true => agent.use_resources(&task.role, &task.resources),
                false => agent.release(&task.role, &task.resources),
            }
        }
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.counts.change(state, task.state());
            match (held, holds) {
                (false, true) => framework.use_resources(&task.role, &task.resources),
                (true, false) => framework.release(&task.role, &task.resources),
                (false, false) | (true, true) => {}
            }
            if section != task.section() {
                framework.hide(section, key);
            }
            framework.show(task.section(), key, task.fragment());
        }
    }

    fn forget_task(&mut self, framework: &FrameworkId, id: &TaskId) {
        let Some(key) = self.task_keys.remove(&(framework.clone(), id.clone())) else { return };
        let Some(task) = self.tasks.remove(&key) else { return };
        self.counts.remove(task.state());
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.counts.remove(task.state());
            framework.hide(task.section(), key);
        }
    }

    fn forget_framework(&mut self, id: &FrameworkId) {
        let Some(framework) = self.frameworks.remove(id) else { return };
        self.inverse_answers.retain(|(_, answered), _| answered != id);
        for key in framework.task_keys() {
            if let Some(task) = self.tasks.remove(&key) {
                self.counts.remove(task.state());
                self.task_keys.remove(&(task.framework, task.id));
            }
        }
    }
}
