//! One action on one object.

use std::fmt;

use attica_core_api::auth::{Acls, Action, Object, Principal, Viewer};
use attica_core_api::v1::{
    DiskSourceType, ExecutorInfo, FrameworkInfo, OfferOperation, OfferOperationType, ReservationInfo, Resource,
    TaskInfo,
};

use super::user_of;

/// What has to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    action: Action,
    /// Absent: everything, or nothing in particular.
    object: Option<String>,
    /// What is done, where Mesos has words of its own for it.
    words: Option<String>,
}

impl Needed {
    /// This action on this object.
    pub fn on(action: Action, object: impl Into<String>) -> Needed {
        Needed { action, object: Some(object.into()), words: None }
    }

    /// This action, whatever its object.
    pub fn any(action: Action) -> Needed {
        Needed { action, object: None, words: None }
    }

    /// To run a task.
    pub fn launch(task: &TaskInfo, framework: &FrameworkInfo) -> Needed {
        let user = user_of(task, framework);
        let id = framework.id.as_ref().map(|id| id.as_str()).unwrap_or_default();
        let words = format!("launch task {} of framework {id} under user '{user}'", task.task_id);
        Needed { words: Some(words), ..Needed::on(Action::RunTask, user) }
    }

    /// To run the tasks of a group. An executor with a user of its own runs as that one, whatever its tasks name.
    pub fn group(executor: &ExecutorInfo, tasks: &[TaskInfo], framework: &FrameworkInfo) -> Vec<Needed> {
        let mut needed = Vec::new();
        if let Some(user) = executor.command.as_ref().and_then(|command| command.user.as_deref()) {
            let id = framework.id.as_ref().map(|id| id.as_str()).unwrap_or_default();
            let words = format!("launch executor {} of framework {id} under user '{user}'", executor.executor_id);
            needed.push(Needed { words: Some(words), ..Needed::on(Action::RunTask, user) });
        }
        for task in tasks {
            let task = TaskInfo { executor: Some(Box::new(executor.clone())), ..task.clone() };
            needed.push(Needed::launch(&task, framework));
        }
        needed
    }

    /// What an operation needs, apart from launches, whose tasks are judged one by one.
    pub fn of_operation(operation: &OfferOperation) -> Vec<Needed> {
        let Some(kind) = operation.r#type else { return Vec::new() };
        match kind {
            OfferOperationType::Launch | OfferOperationType::LaunchGroup | OfferOperationType::Unknown => Vec::new(),
            OfferOperationType::Reserve => operation
                .reserve
                .as_ref()
                .map_or_else(Vec::new, |reserve| Needed::reserve(&reserve.source, &reserve.resources)),
            OfferOperationType::Unreserve => {
                operation.unreserve.as_ref().map_or_else(Vec::new, |unreserve| Needed::unreserve(&unreserve.resources))
            }
            OfferOperationType::Create => {
                operation.create.as_ref().map_or_else(Vec::new, |create| Needed::create(&create.volumes))
            }
            OfferOperationType::Destroy => {
                operation.destroy.as_ref().map_or_else(Vec::new, |destroy| Needed::destroy(&destroy.volumes))
            }
            OfferOperationType::GrowVolume => {
                operation.grow_volume.iter().map(|grow| Needed::resize(&grow.volume)).collect()
            }
            OfferOperationType::ShrinkVolume => {
                operation.shrink_volume.iter().map(|shrink| Needed::resize(&shrink.volume)).collect()
            }
            OfferOperationType::CreateDisk => {
                let disk = operation.create_disk.iter();
                disk.filter_map(|disk| Needed::create_disk(&disk.source, disk.target_type)).collect()
            }
            OfferOperationType::DestroyDisk => {
                operation.destroy_disk.iter().filter_map(|disk| Needed::destroy_disk(&disk.source)).collect()
            }
        }
    }

    /// To reserve these resources, which are reserved as `source` says so far (empty: not to be looked at). What is taken back on
    /// the way is judged as well.
    pub fn reserve(source: &[Resource], resources: &[Resource]) -> Vec<Needed> {
        let (Some(from), Some(to)) = (source.first(), resources.first()) else {
            return for_each_role(Action::ReserveResources, resources);
        };
        let (from, to) = (stack(from), stack(to));
        let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
        let given_up = from[shared..].iter().rev().map(|level| match &level.principal {
            Some(principal) => Needed::on(Action::UnreserveResources, principal.clone()),
            None => Needed::any(Action::UnreserveResources),
        });
        let reserved = to[shared..].iter().map(|level| Needed::on(Action::ReserveResources, role_of_level(level)));
        given_up.chain(reserved).collect()
    }

    /// To give these reservations up.
    pub fn unreserve(resources: &[Resource]) -> Vec<Needed> {
        let mut needed = Vec::new();
        for resource in resources {
            let principal = stack(resource).pop().and_then(|level| level.principal);
            add(
                &mut needed,
                match principal {
                    Some(principal) => Needed::on(Action::UnreserveResources, principal),
                    None => Needed::any(Action::UnreserveResources),
                },
            );
        }
        needed
    }

    /// To create these volumes.
    pub fn create(volumes: &[Resource]) -> Vec<Needed> {
        match volumes {
            [] => vec![Needed::any(Action::CreateVolume)],
            volumes => for_each_role(Action::CreateVolume, volumes),
        }
    }

    /// To destroy these volumes.
    pub fn destroy(volumes: &[Resource]) -> Vec<Needed> {
        let mut needed = Vec::new();
        let persistent = volumes.iter().filter_map(|volume| volume.disk.as_ref()?.persistence.as_ref());
        for persistence in persistent {
            let creator = persistence.principal.clone().unwrap_or_default();
            add(&mut needed, Needed::on(Action::DestroyVolume, creator));
        }
        if needed.is_empty() {
            needed.push(Needed::any(Action::DestroyVolume));
        }
        needed
    }

    /// To make this volume larger or smaller.
    pub fn resize(volume: &Resource) -> Needed {
        Needed::on(Action::ResizeVolume, role_of(volume))
    }

    fn create_disk(source: &Resource, target: DiskSourceType) -> Option<Needed> {
        let action = match target {
            DiskSourceType::Mount => Action::CreateMountDisk,
            DiskSourceType::Block => Action::CreateBlockDisk,
            DiskSourceType::Path | DiskSourceType::Raw | DiskSourceType::Unknown => return None,
        };
        Some(Needed::on(action, role_of(source)))
    }

    fn destroy_disk(source: &Resource) -> Option<Needed> {
        let action = match source.disk.as_ref()?.source.as_ref()?.r#type {
            DiskSourceType::Mount => Action::DestroyMountDisk,
            DiskSourceType::Block => Action::DestroyBlockDisk,
            DiskSourceType::Raw => Action::DestroyRawDisk,
            DiskSourceType::Path | DiskSourceType::Unknown => return None,
        };
        Some(Needed::on(action, role_of(source)))
    }

    /// Whether a caller may do it.
    pub fn is_granted(&self, viewer: &Viewer) -> bool {
        viewer.may(self.action, self.object.as_deref().map_or(Object::Any, Object::Value))
    }

    pub(super) fn is_allowed(&self, acls: &Acls, principal: Option<&Principal>) -> bool {
        let object = self.object.as_deref().map_or(Object::Any, Object::Value);
        acls.allows(principal, self.action, object)
    }
}

/// As Mesos describes it, after "authorized to".
impl fmt::Display for Needed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.words, &self.object) {
            (Some(words), _) => formatter.write_str(words),
            (None, Some(object)) => write!(formatter, "perform action {} on object '{object}'", self.action.name()),
            (None, None) => write!(formatter, "perform action {} on ANY object", self.action.name()),
        }
    }
}

fn for_each_role(action: Action, resources: &[Resource]) -> Vec<Needed> {
    let mut needed = Vec::new();
    for resource in resources {
        add(&mut needed, Needed::on(action, role_of(resource)));
    }
    needed
}

fn add(needed: &mut Vec<Needed>, more: Needed) {
    if !needed.contains(&more) {
        needed.push(more);
    }
}

/// The role of the innermost reservation; `*` when there is none.
fn role_of(resource: &Resource) -> String {
    stack(resource).pop().map_or_else(|| "*".to_owned(), |level| role_of_level(&level))
}

fn role_of_level(level: &ReservationInfo) -> String {
    level.role.clone().unwrap_or_else(|| "*".to_owned())
}

/// The reservations of a resource in either form, the most refined last.
fn stack(resource: &Resource) -> Vec<ReservationInfo> {
    if !resource.reservations.is_empty() {
        return resource.reservations.clone();
    }
    match resource.role.as_deref() {
        None | Some("*") => Vec::new(),
        Some(role) => {
            let level = resource.reservation.clone().unwrap_or_default();
            vec![ReservationInfo { role: Some(role.to_owned()), ..level }]
        }
    }
}
