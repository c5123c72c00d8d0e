//! What is reserved for single instances: whose it is, and how resources are marked for one. The marks are those of Marathon, so that
//! either can be told from what others have reserved for the same role.

use attica_core_api::v1::{
    DiskInfo, DiskPersistence, FrameworkId, Label, Labels, ReservationInfo, Resource, Volume as WireVolume, VolumeMode,
};

use crate::model::{InstanceId, LocalVolume, TaskIdentity};

/// The label with the framework that made a reservation.
const FRAMEWORK: &str = "marathon_framework_id";
/// The label with the instance that a reservation is for.
const INSTANCE: &str = "marathon_task_id";

/// Whose a reservation is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The framework that made it.
    pub framework: FrameworkId,
    /// The instance that it is for.
    pub instance: InstanceId,
}

/// What an offer holds of what is reserved for one instance.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    resources: Vec<Resource>,
    volumes: Vec<Resource>,
}

impl Holding {
    pub(super) fn add(&mut self, resource: &Resource) {
        let list = if persistence_id(resource).is_some() { &mut self.volumes } else { &mut self.resources };
        list.push(resource.clone());
    }

    /// All but the volumes.
    pub(super) fn resources(&self) -> impl Iterator<Item = &Resource> + Clone {
        self.resources.iter()
    }

    /// The volumes with these ids; none when one is missing.
    pub(super) fn volumes(&self, ids: &[String]) -> Option<Vec<Resource>> {
        let volume =
            |id: &String| self.volumes.iter().find(|volume| persistence_id(volume) == Some(id.as_str())).cloned();
        ids.iter().map(volume).collect()
    }

    /// Everything: the volumes, and what else there is.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Resource>, Vec<Resource>) {
        (self.volumes, self.resources)
    }
}

/// How what an instance takes is marked as its own.
#[derive(Debug)]
pub struct Mark<'a> {
    /// Whose it becomes.
    pub owner: Owner,
    /// The role that it is reserved for.
    pub role: &'a str,
    /// Who makes the reservation, if somebody looks at that.
    pub principal: Option<&'a str>,
}

impl Mark<'_> {
    /// A free resource, as it is once it is reserved.
    #[must_use]
    pub fn reserved(&self, free: Resource) -> Resource {
        let label = |key: &str, value: String| Label { key: key.to_owned(), value: Some(value) };
        let Owner { framework, instance } = &self.owner;
        let labels = vec![label(FRAMEWORK, framework.to_string()), label(INSTANCE, instance.to_string())];
        let reservation = ReservationInfo {
            principal: self.principal.map(str::to_owned),
            labels: Some(Labels { labels }),
            ..ReservationInfo::default()
        };
        Resource { role: Some(self.role.to_owned()), reservation: Some(reservation), reservations: Vec::new(), ..free }
    }

    /// A reserved disk, as it is once a volume is made of it.
    #[must_use]
    pub fn volume(&self, volume: &LocalVolume, reserved: Resource) -> Resource {
        let persistence = DiskPersistence {
            id: volume.persistence_id(&self.owner.instance.run_spec),
            principal: self.principal.map(str::to_owned),
        };
        let mounted =
            WireVolume { mode: VolumeMode::ReadWrite, container_path: volume.name.clone(), ..WireVolume::default() };
        let source = reserved.disk.as_ref().and_then(|disk| disk.source.clone());
        let disk = DiskInfo { persistence: Some(persistence), volume: Some(mounted), source };
        Resource { disk: Some(Box::new(disk)), ..reserved }
    }
}

/// A volume, as it is once it is destroyed: a reserved disk.
pub(super) fn without_volume(volume: &Resource) -> Resource {
    let source = volume.disk.as_ref().and_then(|disk| disk.source.clone());
    let disk = source.map(|source| Box::new(DiskInfo { source: Some(source), ..DiskInfo::default() }));
    Resource { disk, ..volume.clone() }
}

/// The instance that a resource is reserved for; none when it is for no single one.
pub(crate) fn owner_of(resource: &Resource) -> Option<Owner> {
    let newest = resource.reservations.last().or(resource.reservation.as_ref())?;
    let labels = &newest.labels.as_ref()?.labels;
    let value = |key: &str| labels.iter().find(|label| label.key == key).and_then(|label| label.value.as_deref());
    let instance = value(INSTANCE)?;
    // Earlier Marathons wrote the id of the first task.
    let of_task = || TaskIdentity::parse(instance).map(|identity| identity.instance);
    let instance = InstanceId::parse(instance).or_else(|_| of_task()).ok()?;
    Some(Owner { framework: FrameworkId::from(value(FRAMEWORK)?), instance })
}

fn persistence_id(resource: &Resource) -> Option<&str> {
    resource.disk.as_ref()?.persistence.as_ref().map(|persistence| persistence.id.as_str())
}
