use super::constraints::whole;
use super::stock::reservation_role;
use crate::model::{DiskKind, PathRule, PersistentVolume};
use attica_core_api::Scalar;
use attica_core_api::v1::{self, DiskSource, DiskSourceType, Resource, ValueType};

/// The role of what nobody has reserved.
pub(crate) const UNRESERVED: &str = "*";

/// The unreserved disks of an offer beside the one on which the agent works.
#[derive(Clone, Debug, Default)]
pub(super) struct Disks(Vec<Disk>);

#[derive(Clone, Debug)]
struct Disk {
    kind: DiskKind,
    path: String,
    profile: Option<String>,
    left: Scalar,
    /// The resource as offered; only the amount of what is taken differs.
    prototype: Resource,
}

impl Disks {
    pub(super) fn of<'a>(resources: impl Iterator<Item = &'a Resource>) -> Self {
        Self(resources.filter_map(Disk::new).collect())
    }

    /// Takes disk space for a volume that is not on the agent's own disk: of a disk that is shared the first that has enough, of those
    /// that are given away whole the smallest. None when there is none.
    pub(super) fn take(&mut self, volume: &PersistentVolume) -> Option<Resource> {
        let suitable = self.0.iter_mut().filter(|disk| disk.suits(volume));
        match volume.disk {
            DiskKind::Root => None,
            DiskKind::Path => {
                let size = Scalar::units(volume.size_mb);
                let disk = suitable.into_iter().next()?;
                disk.left = disk.left.checked_minus(size)?;
                Some(disk.part(size))
            }
            DiskKind::Mount => {
                let disk = suitable.min_by_key(|disk| disk.left)?;
                let size = std::mem::take(&mut disk.left);
                Some(disk.part(size))
            }
        }
    }
}

impl Disk {
    fn new(resource: &Resource) -> Option<Self> {
        let whole = resource.disk.as_ref().filter(|disk| disk.persistence.is_none() && disk.volume.is_none())?;
        let source = whole.source.as_ref()?;
        let kind = match source.r#type {
            DiskSourceType::Path => DiskKind::Path,
            DiskSourceType::Mount => DiskKind::Mount,
            DiskSourceType::Unknown | DiskSourceType::Block | DiskSourceType::Raw => return None,
        };
        let firm = resource.revocable.is_none() && resource.shared.is_none();
        let is_disk = resource.name == "disk" && resource.r#type == ValueType::Scalar;
        if !firm || !is_disk || reservation_role(resource) != UNRESERVED {
            return None;
        }
        let left = Scalar::from_f64(resource.scalar.as_ref()?.value).ok()?;
        let profile = source.profile.clone();
        Some(Self { kind, path: path_of(source), profile, left, prototype: resource.clone() })
    }

    fn suits(&self, volume: &PersistentVolume) -> bool {
        let matches = |pattern: &str| whole(pattern).is_some_and(|regex| regex.is_match(&self.path));
        let obeys = |rule: &PathRule| match rule {
            PathRule::Like(pattern) => matches(pattern),
            PathRule::Unlike(pattern) => !matches(pattern),
        };
        let largest = volume.size_max_mb.map(Scalar::units);
        self.kind == volume.disk
            && !self.left.is_zero()
            && self.left >= Scalar::units(volume.size_mb)
            && largest.is_none_or(|largest| self.left <= largest)
            && volume.profile.as_ref().is_none_or(|profile| self.profile.as_ref() == Some(profile))
            && volume.paths.iter().all(obeys)
    }

    fn part(&self, size: Scalar) -> Resource {
        Resource { scalar: Some(v1::Scalar { value: size.to_f64() }), ..self.prototype.clone() }
    }
}

fn path_of(source: &DiskSource) -> String {
    let shared = source.path.as_ref().and_then(|path| path.root.clone());
    let whole = source.mount.as_ref().and_then(|mount| mount.root.clone());
    shared.or(whole).unwrap_or_default()
}
