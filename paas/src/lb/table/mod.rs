//! Who gets a request: apps, tasks, health and drains in, an immutable [`RouteTable`] out.
//!
//! [`Table`] folds what a follower of the event stream sees. It holds every app as of some event, and every instance with its state,
//! its health, and whether it is about to be killed. Events about instances carry all that is needed and are folded at once; of
//! a changed definition an event only tells that it changed, so that the app has to be read again ([`Table::outdated`]).
//!
//! A removal is acknowledged in three steps: the event is folded, the routes that result are put into use, and then
//! [`Table::acknowledgeable`] says how far the stream may be acknowledged: not beyond a drain whose instance still has requests in
//! progress. Once it does, no table that is in use routes to the instance any more.
//!
//! There is no IO here, no clock and no randomness. An event about one app costs what that app's instances cost, a definition what all
//! names cost.

mod app;
mod labels;
mod route;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use app::{App, Checks, HostPorts, Instance, ServicePort, Transport};
pub use labels::{Balance, Groups, Mode, Remark, Session};
pub use route::{Backend, Names, PathRoute, PortRoute, RouteTable, Service, ServiceId, ServiceIndex};

use app::{Kept, is_over};
use attica_core_api::v1::TaskState;
use labels::{Rule, rules};

use crate::events::EventId;
use crate::model::{InstanceId, RunSpecId};

/// What a follower of the event stream comes to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Everything there is, as of an event.
    Listed {
        /// The last event that the list contains.
        position: EventId,
        /// All apps.
        apps: Vec<App>,
    },
    /// One app was read again.
    Read {
        /// The last event that the answer contains.
        position: EventId,
        /// Which app.
        id: RunSpecId,
        /// What it is now; none: there is no such app.
        app: Option<App>,
    },
    /// The stream went on.
    Event {
        /// The event's place.
        position: EventId,
        /// What happened.
        event: Event,
    },
}

/// What an event means to the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A task is new or has changed. Its health is what it was, or unknown if it is new.
    Task(Instance),
    /// The health of an instance is known, or no longer.
    Health {
        /// Which one.
        instance: InstanceId,
        /// Whether all its checks pass.
        healthy: Option<bool>,
    },
    /// An instance is gone.
    Gone(InstanceId),
    /// An instance is about to be killed.
    Draining(InstanceId),
    /// The definitions of these apps may have changed.
    Defined(Vec<RunSpecId>),
    /// Nothing.
    Other,
}

/// The fold of everything that is known.
#[derive(Debug)]
pub struct Table {
    groups: Groups,
    apps: BTreeMap<RunSpecId, Entry>,
    position: EventId,
    /// Apps to read again, and as of which event at least.
    outdated: BTreeMap<RunSpecId, EventId>,
    /// Instances that are about to be killed and can still be used, and what may be acknowledged while they are.
    draining: BTreeMap<InstanceId, EventId>,
    routes: Arc<RouteTable>,
    /// Every event up to this one is contained in the routes.
    shown: EventId,
    pending: Pending,
}

/// What the routes do not show yet.
#[derive(Debug)]
enum Pending {
    /// These apps' instances.
    Instances(BTreeSet<RunSpecId>),
    /// Names and ports, and perhaps instances of any app.
    Names,
}

/// An app of the table.
#[derive(Debug)]
struct Entry {
    version: Arc<str>,
    checks: Checks,
    rules: Vec<Rule>,
    remarks: Vec<Remark>,
    instances: BTreeMap<InstanceId, Kept>,
    /// Events up to this one are contained already.
    position: EventId,
    /// Where its services begin in the routes.
    first_service: usize,
    /// Its services as the routes show them; none: they are to be made anew.
    services: Option<Vec<Arc<Service>>>,
}

impl Table {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(groups: Groups) -> Self {
        Self {
            groups,
            apps: BTreeMap::new(),
            position: EventId::START,
            outdated: BTreeMap::new(),
            draining: BTreeMap::new(),
            routes: Arc::default(),
            shown: EventId::START,
            pending: Pending::Instances(BTreeSet::new()),
        }
    }

    /// Takes in what was seen.
    pub fn apply(&mut self, input: Input) {
        match input {
            Input::Listed { position, apps } => self.replace_all(position, apps),
            Input::Read { position, id, app } => self.replace(position, id, app),
            Input::Event { position, event } => {
                let before = self.position;
                self.position = before.max(position);
                self.fold(position, before, event);
            }
        }
    }

    /// Every event up to this one is contained.
    #[must_use]
    pub fn position(&self) -> EventId {
        self.position
    }

    /// Apps whose definitions are to be read again, and the event that an answer must contain.
    #[must_use]
    pub fn outdated(&self) -> &BTreeMap<RunSpecId, EventId> {
        &self.outdated
    }

    /// The routes that follow from everything so far.
    pub fn routes(&mut self) -> Arc<RouteTable> {
        match std::mem::replace(&mut self.pending, Pending::Instances(BTreeSet::new())) {
            Pending::Names => self.rebuild(),
            Pending::Instances(apps) if apps.is_empty() => {}
            Pending::Instances(apps) => self.refresh(&apps),
        }
        self.shown = self.position;
        Arc::clone(&self.routes)
    }

    /// How far the stream may be acknowledged once the latest [`Self::routes`] are in use. `is_busy` tells whether an instance still has
    /// requests in progress.
    #[must_use]
    pub fn acknowledgeable(&self, is_busy: impl Fn(&InstanceId) -> bool) -> EventId {
        let withheld = self.draining.iter().filter(|(instance, _)| is_busy(instance)).map(|(_, before)| *before);
        withheld.fold(self.shown, EventId::min)
    }

    fn replace_all(&mut self, position: EventId, apps: Vec<App>) {
        let mut former = std::mem::take(&mut self.apps);
        self.position = position;
        self.outdated.retain(|_, wanted| *wanted > position);
        for app in apps {
            let former = former.remove(&app.id);
            self.apps.insert(app.id.clone(), entry(position, app, former, &self.groups));
        }
        self.pending = Pending::Names;
        self.collect_drains();
    }

    fn replace(&mut self, position: EventId, id: RunSpecId, app: Option<App>) {
        if self.outdated.get(&id).is_some_and(|wanted| *wanted <= position) {
            self.outdated.remove(&id);
        }
        if self.apps.get(&id).is_some_and(|known| known.position > position) {
            return;
        }
        let former = self.apps.remove(&id);
        let asked = former.as_ref().map(|former| (former.rules.clone(), former.remarks.clone()));
        let entry = app.map(|app| entry(position, app, former, &self.groups));
        let asks = entry.as_ref().map(|entry| (entry.rules.clone(), entry.remarks.clone()));
        if let Some(entry) = entry {
            self.apps.insert(id.clone(), entry);
        }
        if asks == asked {
            self.touch(&id)
        } else {
            self.pending = Pending::Names
        }
        self.collect_drains();
    }

    fn collect_drains(&mut self) {
        let instances = self.apps.values().flat_map(|app| &app.instances);
        let draining = instances.filter_map(|(id, kept)| Some((id.clone(), kept.draining()?)));
        self.draining = draining.collect();
    }

    fn fold(&mut self, position: EventId, before: EventId, event: Event) {
        let instance = match event {
            Event::Other => return,
            Event::Defined(apps) => {
                self.outdated.extend(apps.into_iter().map(|app| (app, position)));
                return;
            }
            Event::Task(ref task) => task.task.instance.clone(),
            Event::Health { ref instance, .. } | Event::Gone(ref instance) | Event::Draining(ref instance) => {
                instance.clone()
            }
        };
        let Some(app) = self.apps.get_mut(&instance.run_spec) else {
            self.outdated.insert(instance.run_spec, position);
            return;
        };
        if position <= app.position {
            return;
        }
        let changed = app.fold(&instance, before, event);
        match app.instances.get(&instance).and_then(Kept::draining) {
            Some(before) => self.draining.insert(instance.clone(), before),
            None => self.draining.remove(&instance),
        };
        if changed == Changed::Yes {
            self.touch(&instance.run_spec);
        }
    }

    fn touch(&mut self, app: &RunSpecId) {
        let Some(entry) = self.apps.get_mut(app) else { return };
        entry.services = None;
        match &mut self.pending {
            Pending::Instances(apps) => {
                apps.insert(app.clone());
            }
            Pending::Names => {}
        }
    }

    /// Makes the services of these apps anew; everything else stays.
    fn refresh(&mut self, apps: &BTreeSet<RunSpecId>) {
        let routes = Arc::make_mut(&mut self.routes);
        for id in apps {
            let Some(app) = self.apps.get_mut(id) else { continue };
            let first = app.first_service;
            let services = app.services(id);
            routes.services[first..][..services.len()].clone_from_slice(services);
        }
    }

    /// Makes names, and whatever services are to be made anew.
    fn rebuild(&mut self) {
        let mut names = Names::default();
        let mut services: Vec<Arc<Service>> = Vec::with_capacity(self.routes.services.len());
        for (id, app) in &mut self.apps {
            app.first_service = services.len();
            names.add(id, &app.rules, app.first_service);
            names.remarks.extend(app.remarks.iter().cloned());
            services.extend(app.services(id).iter().cloned());
        }
        names.arrange();
        self.routes = Arc::new(RouteTable { names: Arc::new(names), services });
    }
}

/// Whether an event changed what is routed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changed {
    Yes,
    No,
}

fn entry(position: EventId, app: App, former: Option<Entry>, groups: &Groups) -> Entry {
    let (rules, remarks) = rules(&app, groups);
    let former_instances = former.as_ref().map(|former| &former.instances);
    let keep = |instance: Instance| {
        let id = instance.task.instance.clone();
        let former = former_instances.and_then(|instances| instances.get(&id));
        (id, Kept::new(instance, app.checks).succeed(former, &app.version))
    };
    let running = app.instances.into_iter().filter(|instance| !is_over(instance.state));
    let instances = running.map(keep).collect();
    let first_service = former.as_ref().map_or(0, |former| former.first_service);
    let (version, checks) = (app.version, app.checks);
    Entry { version, checks, rules, remarks, instances, position, first_service, services: None }
}

impl Entry {
    fn fold(&mut self, id: &InstanceId, before: EventId, event: Event) -> Changed {
        let served = self.instances.get(id).filter(|kept| kept.serves()).map(|kept| kept.backends.clone());
        match event {
            Event::Task(task) if is_over(task.state) => {
                // An earlier task's end says nothing about the one that runs now.
                if self.instances.get(id).is_some_and(|kept| kept.task().incarnation <= task.task.incarnation) {
                    self.instances.remove(id);
                }
            }
            Event::Task(task) => self.take_task(id, task),
            Event::Health { healthy, .. } => {
                if let Some(kept) = self.instances.get_mut(id) {
                    kept.set_healthy(healthy);
                }
            }
            Event::Gone(_) => {
                self.instances.remove(id);
            }
            Event::Draining(_) => {
                if let Some(kept) = self.instances.get_mut(id) {
                    kept.start_draining(before);
                }
            }
            Event::Defined(_) | Event::Other => {}
        }
        let serves = self.instances.get(id).filter(|kept| kept.serves()).map(|kept| &kept.backends);
        if served.as_ref() == serves { Changed::No } else { Changed::Yes }
    }

    fn take_task(&mut self, id: &InstanceId, mut task: Instance) {
        let former = self.instances.get(id);
        if former.is_some_and(|former| former.task().incarnation > task.task.incarnation) {
            return;
        }
        let same = former.filter(|former| *former.task() == task.task);
        task.healthy = same.and_then(Kept::healthy);
        // Of a version other than the current one only those can be told apart whose first event was seen.
        let checks = if task.version == self.version { self.checks } else { Checks::Some };
        let is_killed = task.state == TaskState::Killing;
        let mut kept = Kept::new(task, checks).succeed(same, &self.version);
        if is_killed {
            kept.end_drain();
        }
        self.instances.insert(id.clone(), kept);
    }

    /// Its services, made anew where something changed.
    fn services(&mut self, id: &RunSpecId) -> &[Arc<Service>] {
        let (rules, instances) = (&self.rules, &self.instances);
        self.services.get_or_insert_with(|| rules.iter().map(|rule| Arc::new(service(id, rule, instances))).collect())
    }
}

fn service(app: &RunSpecId, rule: &Rule, instances: &BTreeMap<InstanceId, Kept>) -> Service {
    let serving = instances.values().filter(|kept| kept.serves());
    Service {
        id: ServiceId { app: app.clone(), port_index: rule.port_index },
        port: rule.port,
        balance: rule.balance,
        session: rule.session,
        withheld: rule.withheld,
        backends: serving.filter_map(|kept| kept.backends.get(rule.port_index).cloned()).collect(),
    }
}
