//! What has to be there before something is launched: its sandbox with what is shown in it, its network, its root.

use std::path::Path;

use attica_core_api::v1::Resource;

use super::{Launch, Shell};
use crate::contained::{ContainedRecord, Progress};
use crate::daemon::Order;
use crate::daemon::spec::DaemonSpec;
use crate::launcher::protocol::{ContainerId, LaunchSpec, Request};
use crate::sandbox::{self, DirectoryLink};
use crate::supervisor::{FetchOrder, Input, Premises, disk_bytes};
use crate::volumes::{self, Show};

impl Shell {
    /// Its network is made first: of what else is made some needs that.
    pub(super) fn launch(&mut self, launch: Launch) {
        if self.unprepared.remove(&launch.spec.container) {
            return;
        }
        let ready = match &mut self.networks {
            Some(networks) => networks.hold(launch),
            None => Some(launch),
        };
        if let Some(launch) = ready {
            self.start(launch);
        }
    }

    pub(super) fn launch_in_daemon(&mut self, spec: Box<DaemonSpec>) {
        if self.unprepared.remove(&spec.container) {
            return;
        }
        match self.roots.look_at_all(spec.create.host_config.mounts.iter().map(|mount| mount.source.as_path())) {
            Ok(()) => {
                self.with_daemon.insert(spec.container.clone());
                self.ask_daemon(Order::Launch(spec));
            }
            Err(error) => self.aftermath.push(Input::NotPrepared { container: spec.container.clone(), error }),
        }
    }

    fn start(&mut self, launch: Launch) {
        let Launch { spec, links } = launch;
        let mounted = spec.surroundings.as_ref().is_some_and(|it| it.root.is_some() || !it.mounts.is_empty());
        let show = if mounted { Show::Mount } else { Show::Link };
        let prepared = self.prepare(&spec.container, &spec.directory, spec.user.as_deref(), &links, show);
        match prepared.and_then(|()| self.roots.prepare(&spec)) {
            Ok(()) => self.ask(Request::Launch(vec![spec])),
            Err(error) => self.aftermath.push(Input::NotPrepared { container: spec.container, error }),
        }
    }

    /// What waited for a network goes on, or never starts.
    pub(super) fn connected(&mut self, container: &ContainerId, outcome: Result<(), String>) {
        let Some(networks) = &mut self.networks else { return };
        for launch in networks.connected(container) {
            match &outcome {
                Ok(()) => self.start(launch),
                Err(error) => {
                    let container = launch.spec.container;
                    self.aftermath.push(Input::NotPrepared { container, error: error.clone() });
                }
            }
        }
    }

    fn prepare(
        &self,
        container: &ContainerId,
        directory: &Path,
        user: Option<&str>,
        links: &[DirectoryLink],
        show: Show,
    ) -> Result<(), String> {
        // Links lead to them: they are made and given away first.
        let is_wanted = |home: &Path| links.iter().any(|link| link.to == home);
        volumes::hand_over(&self.work_dir, self.supervisor.resources_around(container), user, is_wanted)
            .map_err(|error| crate::error_chain(&error))?;
        sandbox::make(directory, user, links).map_err(|error| crate::error_chain(&error))?;
        let resources = self.supervisor.resources_in(container);
        if let Some(quotas) = &self.quotas {
            quotas.limit(directory, disk_bytes(&resources)).map_err(|error| crate::error_chain(&error))?;
        }
        volumes::show(&self.work_dir, &resources, directory, user, show).map_err(|error| crate::error_chain(&error))?;
        self.limit_volumes(self.supervisor.resources_around(container))?;
        self.limit_volumes(&resources)
    }

    /// As large as they are for whoever comes now: they may have grown or shrunk since.
    fn limit_volumes(&self, resources: &[Resource]) -> Result<(), String> {
        let Some(quotas) = &self.quotas else { return Ok(()) };
        let sizes = volumes::sizes(&self.work_dir, resources).map_err(|error| crate::error_chain(&error))?;
        quotas.limit_volumes(&sizes).map_err(|error| crate::error_chain(&error))
    }

    /// An executor's, whose tasks have changed.
    pub(super) fn resize_sandbox(&self, container: &ContainerId) {
        let Some(quotas) = &self.quotas else { return };
        let executor = self.supervisor.executors().find(|executor| executor.container == *container);
        // One that is not there yet is limited when it is made.
        let sandbox = executor.map(|executor| executor.sandbox(&self.work_dir)).filter(|sandbox| sandbox.exists());
        let Some(sandbox) = sandbox else { return };
        let resources = self.supervisor.resources_in(container);
        let limited = quotas.limit(&sandbox, disk_bytes(&resources)).map_err(|error| crate::error_chain(&error));
        if let Err(error) = limited.and_then(|()| self.limit_volumes(&resources)) {
            tracing::error!(%container, error, "what an executor holds keeps its limits");
        }
    }

    pub(super) fn store_contained(&mut self, record: &ContainedRecord) {
        if let Err(error) = self.contained.store(record) {
            tracing::error!(container = %record.container, %error, "an operator's container was not written down");
            if record.progress == Progress::Launching {
                self.unprepared.insert(record.container.clone());
                let error = format!("it cannot be written down: {error}");
                self.aftermath.push(Input::NotPrepared { container: record.container.clone(), error });
            }
        }
    }

    pub(super) fn launch_contained(&mut self, spec: LaunchSpec, premises: &Premises) {
        if self.unprepared.remove(&spec.container) {
            return;
        }
        let made = make_premises(premises, &spec.directory, spec.user.as_deref());
        match made.and_then(|()| self.roots.prepare(&spec)) {
            Ok(()) => self.ask(Request::Launch(vec![spec])),
            Err(error) => self.aftermath.push(Input::NotPrepared { container: spec.container, error }),
        }
    }

    pub(super) fn fetch_contained(&mut self, order: FetchOrder, premises: &Premises) {
        if self.unprepared.remove(&order.container) {
            return;
        }
        match make_premises(premises, &order.sandbox, order.user.as_deref()) {
            Ok(()) => self.suppliers.start(order),
            Err(error) => self.aftermath.push(Input::NotPrepared { container: order.container, error }),
        }
    }

    pub(super) fn fetch(&mut self, order: FetchOrder) {
        if self.unprepared.remove(&order.container) {
            return;
        }
        match self.prepare(&order.container, &order.sandbox, order.user.as_deref(), &order.links, order.show) {
            Ok(()) => self.suppliers.start(order),
            Err(error) => self.aftermath.push(Input::NotPrepared { container: order.container, error }),
        }
    }
}

/// What an operator's container needs on disk.
fn make_premises(premises: &Premises, directory: &Path, user: Option<&str>) -> Result<(), String> {
    let made = match premises {
        Premises::Shared | Premises::Made => Ok(()),
        Premises::Beneath { sandbox, name, shared, own } => sandbox::make_beneath(sandbox, name, user, shared, own),
        Premises::Own(links) => sandbox::make(directory, user, links),
    };
    made.map_err(|error| crate::error_chain(&error))
}
