//! The route table in use, and the swap from one to the next.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Semaphore;

use super::upstream::Upstream;
use crate::lb::table::{Backend, RouteTable, Service, ServiceId, ServiceIndex};
use crate::lb::traffic::{AppTraffic, Traffic};
use crate::model::InstanceId;

/// What requests are routed by. They take a reference to the current table when they begin, so that a swap disturbs none of them.
#[derive(Debug)]
pub(crate) struct Switch {
    current: RwLock<Option<Arc<Live>>>,
    /// Upstreams that left the table with requests in progress.
    leaving: Mutex<Vec<Arc<Upstream>>>,
    traffic: Traffic,
    /// Connections that wait for use, with all upstreams together, take one each.
    idle_slots: Arc<Semaphore>,
}

/// A route table with the use that is made of it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) routes: Arc<RouteTable>,
    /// In the order of the table's.
    pub(crate) services: Vec<Arc<LiveService>>,
}

/// A service with its upstreams.
#[derive(Debug)]
pub(crate) struct LiveService {
    pub(crate) service: Arc<Service>,
    /// In the order of the service's backends.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// Counts choices, over all tables.
    pub(super) turn: Arc<AtomicUsize>,
    pub(super) traffic: Arc<AppTraffic>,
}

impl Switch {
    /// Nothing is known yet. With all upstreams together, so many connections may wait for use.
    pub(crate) fn new(idle_max: usize) -> Self {
        let idle_slots = Arc::new(Semaphore::new(idle_max));
        Self { current: RwLock::new(None), leaving: Mutex::default(), traffic: Traffic::default(), idle_slots }
    }

    /// The table in use; none before the first.
    pub(crate) fn current(&self) -> Option<Arc<Live>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Puts `routes` into use. When this returns, no request is let in to a backend that they do not have, not even one that began
    /// with the table before.
    pub(crate) fn publish(&self, routes: Arc<RouteTable>) {
        let former = self.current();
        if former.as_ref().is_some_and(|former| Arc::ptr_eq(&former.routes, &routes)) {
            return;
        }
        let mut gone = Vec::new();
        let services = self.services(former.as_deref(), &routes, &mut gone);
        let live = Arc::new(Live { routes, services });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(live);
        for upstream in &gone {
            upstream.retire();
        }
        let mut leaving = self.leaving();
        leaving.extend(gone);
        leaving.retain(|upstream| upstream.in_progress() > 0);
    }

    /// Whether an instance that left the table still has requests in progress.
    pub(crate) fn is_busy(&self, instance: &InstanceId) -> bool {
        self.leaving().iter().any(|upstream| upstream.is_of(instance) && upstream.in_progress() > 0)
    }

    /// Closes connections that nobody uses any more.
    pub(crate) fn close_idle(&self) {
        let live = self.current();
        for service in live.iter().flat_map(|live| &live.services) {
            service.upstreams.iter().for_each(|upstream| upstream.close_idle());
        }
    }

    /// The services of `routes`, with those that did not change as they were; `gone` gets the upstreams that are in none of them.
    fn services(
        &self,
        former: Option<&Live>,
        routes: &RouteTable,
        gone: &mut Vec<Arc<Upstream>>,
    ) -> Vec<Arc<LiveService>> {
        let Some(former) = former else {
            return routes.services.iter().map(|service| self.service(None, service, gone)).collect();
        };
        if Arc::ptr_eq(&former.routes.names, &routes.names) {
            let pairs = former.services.iter().zip(&routes.services);
            return pairs.map(|(former, service)| self.service(Some(former), service, gone)).collect();
        }
        let mut by_id: HashMap<&ServiceId, &Arc<LiveService>> =
            former.services.iter().map(|service| (&service.service.id, service)).collect();
        let next = routes.services.iter();
        let services = next.map(|service| self.service(by_id.remove(&service.id), service, gone)).collect();
        gone.extend(by_id.into_values().flat_map(|service| service.upstreams.iter().cloned()));
        self.traffic.keep(routes.services.iter().map(|service| &service.id.app));
        services
    }

    fn service(
        &self,
        former: Option<&Arc<LiveService>>,
        service: &Arc<Service>,
        gone: &mut Vec<Arc<Upstream>>,
    ) -> Arc<LiveService> {
        match former {
            Some(former) if Arc::ptr_eq(&former.service, service) => Arc::clone(former),
            Some(former) => Arc::new(former.succeeded_by(service, &self.idle_slots, gone)),
            None => Arc::new(LiveService {
                service: Arc::clone(service),
                upstreams: service.backends.iter().map(|backend| upstream(backend, &self.idle_slots)).collect(),
                turn: Arc::default(),
                traffic: self.traffic.of(&service.id.app),
            }),
        }
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<Arc<Upstream>>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// A service of this table.
    pub(super) fn service(&self, index: ServiceIndex) -> &Arc<LiveService> {
        &self.services[index.get()]
    }
}

impl LiveService {
    /// The same service with other backends: both lists are ordered by task, so that one pass tells who stays.
    fn succeeded_by(
        &self,
        service: &Arc<Service>,
        idle_slots: &Arc<Semaphore>,
        gone: &mut Vec<Arc<Upstream>>,
    ) -> LiveService {
        let mut former = self.upstreams.iter().peekable();
        let mut upstreams = Vec::with_capacity(service.backends.len());
        for backend in &service.backends {
            while let Some(left) = former.next_if(|upstream| upstream.backend.task < backend.task) {
                gone.push(Arc::clone(left));
            }
            let same = former.next_if(|upstream| upstream.backend == *backend);
            upstreams.push(same.map_or_else(|| upstream(backend, idle_slots), Arc::clone));
        }
        gone.extend(former.cloned());
        let (turn, traffic) = (Arc::clone(&self.turn), Arc::clone(&self.traffic));
        LiveService { service: Arc::clone(service), upstreams, turn, traffic }
    }
}

fn upstream(backend: &Arc<Backend>, idle_slots: &Arc<Semaphore>) -> Arc<Upstream> {
    Arc::new(Upstream::new(Arc::clone(backend), Arc::clone(idle_slots)))
}
