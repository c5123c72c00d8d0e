//! What is done with an offer: some of it made ready first, then tasks launched.

use attica_core_api::v1::{
    CreateOperation, DestroyOperation, ExecutorInfo, LaunchGroupOperation, LaunchOperation, OfferOperation,
    OfferOperationType, ReserveOperation, Resource, TaskGroupInfo, TaskInfo, UnreserveOperation,
};

use super::environment::Surroundings;
use super::reserved::without_volume;
use super::{Holding, Mark, Placed, executor, pod, task_info};
use crate::model::{LocalVolume, RunSpec, Task};

/// What the master is asked to launch for one instance.
#[derive(Clone, Debug, PartialEq)]
pub enum Launch {
    /// A task.
    Task(Box<TaskInfo>),
    /// The tasks of a pod, and what holds them together.
    Group(Box<ExecutorInfo>, Vec<TaskInfo>),
}

/// What is launched for an instance whose task was decided, with the resources that each of its shares got, and its volumes.
#[must_use]
pub fn launch(
    run_spec: &RunSpec,
    surroundings: &Surroundings,
    task: &Task,
    mut shares: Vec<Vec<Resource>>,
    volumes: Vec<Resource>,
) -> Launch {
    // What a pod's containers share is its executor's; an app's is its task's.
    if let Some(first) = shares.first_mut() {
        first.extend(volumes);
    }
    match run_spec.pod() {
        Some(pod) => pod::group(run_spec, surroundings, pod, task, shares),
        None => {
            let mut shares = shares.into_iter();
            let resources = shares.next().unwrap_or_default();
            let info = task_info(run_spec, surroundings, &task.id, &task.agent, &task.ports, resources);
            let info = match &run_spec.executor {
                Some(path) => executor::beneath(path, &run_spec.command, info, shares.flatten().collect()),
                None => info,
            };
            Launch::Task(Box::new(info))
        }
    }
}

/// The operations on one offer, in the order in which they have to be done.
#[derive(Debug, Default)]
pub struct Operations {
    destroyed: Vec<Resource>,
    unreserved: Vec<Resource>,
    reserved: Vec<Resource>,
    created: Vec<Resource>,
    tasks: Vec<TaskInfo>,
    groups: Vec<LaunchGroupOperation>,
}

impl Operations {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { destroyed, unreserved, reserved, created, tasks, groups } = self;
        let resources = [destroyed, unreserved, reserved, created];
        resources.iter().all(|resources| resources.is_empty()) && tasks.is_empty() && groups.is_empty()
    }

    /// Reserves what an instance takes, and makes its volumes of its disks, one each. The place is then that of the instance that has
    /// them.
    #[must_use]
    pub fn keep(&mut self, mark: &Mark<'_>, volumes: &[LocalVolume], place: Placed) -> Placed {
        let reserve = |free: Vec<Resource>| free.into_iter().map(|free| mark.reserved(free)).collect::<Vec<_>>();
        let shares: Vec<Vec<Resource>> = place.shares.into_iter().map(reserve).collect();
        let disks = reserve(place.disks);
        self.reserved.extend(shares.iter().flatten().chain(&disks).cloned());
        let disks: Vec<_> = volumes.iter().zip(disks).map(|(volume, disk)| mark.volume(volume, disk)).collect();
        self.created.extend(disks.iter().cloned());
        Placed { shares, disks, ..place }
    }

    /// Destroys volumes, and gives back what was reserved with them.
    pub fn release(&mut self, holding: Holding) {
        let (volumes, resources) = holding.into_parts();
        self.unreserved.extend(resources);
        self.unreserved.extend(volumes.iter().map(without_volume));
        self.destroyed.extend(volumes);
    }

    /// Adds a launch.
    pub fn launch(&mut self, launch: Launch) {
        match launch {
            Launch::Task(task) => self.tasks.push(*task),
            Launch::Group(executor, tasks) => {
                let task_group = TaskGroupInfo { tasks };
                self.groups.push(LaunchGroupOperation { executor: *executor, task_group });
            }
        }
    }

    /// As the master is told.
    #[must_use]
    pub fn into_wire(self) -> Vec<OfferOperation> {
        let of = |r#type| OfferOperation { r#type: Some(r#type), ..OfferOperation::default() };
        let some = |resources: Vec<Resource>| Some(resources).filter(|resources| !resources.is_empty());
        let destroy = some(self.destroyed).map(|volumes| OfferOperation {
            destroy: Some(DestroyOperation { volumes }),
            ..of(OfferOperationType::Destroy)
        });
        let unreserve = some(self.unreserved).map(|resources| OfferOperation {
            unreserve: Some(UnreserveOperation { resources }),
            ..of(OfferOperationType::Unreserve)
        });
        let reserve = some(self.reserved).map(|resources| OfferOperation {
            reserve: Some(ReserveOperation { resources, ..ReserveOperation::default() }),
            ..of(OfferOperationType::Reserve)
        });
        let create = some(self.created).map(|volumes| OfferOperation {
            create: Some(CreateOperation { volumes }),
            ..of(OfferOperationType::Create)
        });
        let tasks = (!self.tasks.is_empty()).then(|| OfferOperation {
            r#type: Some(OfferOperationType::Launch),
            launch: Some(LaunchOperation { task_infos: self.tasks }),
            ..OfferOperation::default()
        });
        let groups = self.groups.into_iter().map(|group| OfferOperation {
            r#type: Some(OfferOperationType::LaunchGroup),
            launch_group: Some(Box::new(group)),
            ..OfferOperation::default()
        });
        [destroy, unreserve, reserve, create, tasks].into_iter().flatten().chain(groups).collect()
    }
}
