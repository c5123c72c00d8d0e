//! From the allocator's bag to the wire.

use attica_allocator as allocator;
use attica_allocator::{Guarantee, Identity, Reservation, ReservationKind, Resources, Role, Sharing, Value};

use crate::v1::{
    AllocationInfo, DiskInfo, DiskPersistence, DiskSource, DiskSourceMount, DiskSourcePath, DiskSourceType, Label,
    Labels, Range, Ranges, ReservationInfo, ReservationType, Resource, ResourceProviderId, RevocableInfo, Scalar, Set,
    SharedInfo, ValueType, Volume, VolumeMode,
};

/// How reservations are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationFormat {
    /// `role` (always set) and `reservation`, for clients without RESERVATION_REFINEMENT. A refined reservation cannot be
    /// written so; it is written as a stack, and must not be offered to such clients.
    Legacy,
    /// The stack `reservations`.
    Refined,
}

/// Translates a bag into resources; with `allocated_to` each carries that role in its `allocation_info`.
pub fn to_wire(resources: &Resources, allocated_to: Option<&Role>, format: ReservationFormat) -> Vec<Resource> {
    let allocation_info = allocated_to.map(|role| AllocationInfo { role: Some(role.to_string()) });
    resources
        .iter()
        .map(|resource| Resource { allocation_info: allocation_info.clone(), ..one(resource, format) })
        .collect()
}

fn one(resource: &allocator::Resource, format: ReservationFormat) -> Resource {
    let mut wire = Resource { name: resource.name().to_string(), ..Resource::default() };
    match resource.value() {
        Value::Scalar(quantity) => {
            wire.r#type = ValueType::Scalar;
            wire.scalar = Some(Scalar { value: quantity.to_f64() });
        }
        Value::Ranges(ranges) => {
            wire.r#type = ValueType::Ranges;
            let range = ranges.iter().map(|range| Range { begin: range.begin, end: range.end }).collect();
            wire.ranges = Some(Ranges { range });
        }
        Value::Set(set) => {
            wire.r#type = ValueType::Set;
            wire.set = Some(Set { item: set.iter().map(str::to_owned).collect() });
        }
    }
    write_reservations(&mut wire, resource.reservations(), format);
    if let Some(identity) = resource.identity() {
        write_identity(&mut wire, identity);
    }
    wire
}

fn write_reservations(wire: &mut Resource, stack: &[Reservation], format: ReservationFormat) {
    match (format, stack) {
        (ReservationFormat::Refined, []) => {}
        (ReservationFormat::Legacy, []) => wire.role = Some("*".to_owned()),
        (ReservationFormat::Legacy, [only]) if has_legacy_form(only) => {
            wire.role = Some(only.role.to_string());
            wire.reservation = match only.kind {
                ReservationKind::Static => None,
                ReservationKind::Dynamic => Some(ReservationInfo { r#type: None, role: None, ..reservation(only) }),
            };
        }
        (ReservationFormat::Refined | ReservationFormat::Legacy, stack) => {
            wire.reservations = stack.iter().map(reservation).collect();
        }
    }
}

/// The old form of a static reservation is the role alone: it has no place for who made it.
fn has_legacy_form(reservation: &Reservation) -> bool {
    match reservation.kind {
        ReservationKind::Static => reservation.principal.is_none() && reservation.labels.is_empty(),
        ReservationKind::Dynamic => true,
    }
}

fn reservation(reservation: &Reservation) -> ReservationInfo {
    let kind = match reservation.kind {
        ReservationKind::Static => ReservationType::Static,
        ReservationKind::Dynamic => ReservationType::Dynamic,
    };
    ReservationInfo {
        r#type: Some(kind),
        role: Some(reservation.role.to_string()),
        principal: reservation.principal.as_deref().map(str::to_owned),
        labels: labels(&reservation.labels),
    }
}

fn labels(labels: &[allocator::Label]) -> Option<Labels> {
    let label = |label: &allocator::Label| Label {
        key: label.key.to_string(),
        value: label.value.as_deref().map(str::to_owned),
    };
    (!labels.is_empty()).then(|| Labels { labels: labels.iter().map(label).collect() })
}

fn write_identity(wire: &mut Resource, identity: &Identity) {
    wire.disk = identity.disk.as_ref().map(disk).map(Box::new);
    wire.revocable = match identity.guarantee {
        Guarantee::Firm => None,
        Guarantee::Revocable => Some(RevocableInfo {}),
    };
    wire.shared = match identity.sharing {
        Sharing::Exclusive => None,
        Sharing::Shared => Some(SharedInfo {}),
    };
    wire.provider_id = identity.provider.clone().map(ResourceProviderId::new);
}

fn disk(disk: &allocator::Disk) -> DiskInfo {
    let persistence = disk.persistence.as_ref().map(|persistence| DiskPersistence {
        id: persistence.id.to_string(),
        principal: persistence.principal.as_deref().map(str::to_owned),
    });
    DiskInfo { persistence, volume: disk.volume.as_ref().map(volume), source: disk.source.as_ref().map(source) }
}

fn volume(volume: &allocator::Volume) -> Volume {
    let mode = match volume.mode {
        allocator::VolumeMode::ReadWrite => VolumeMode::ReadWrite,
        allocator::VolumeMode::ReadOnly => VolumeMode::ReadOnly,
    };
    Volume {
        mode,
        container_path: volume.container_path.to_string(),
        host_path: volume.host_path.as_deref().map(str::to_owned),
        ..Volume::default()
    }
}

fn source(source: &allocator::DiskSource) -> DiskSource {
    let mut wire = DiskSource {
        vendor: source.vendor.as_deref().map(str::to_owned),
        id: source.id.as_deref().map(str::to_owned),
        metadata: labels(&source.metadata),
        profile: source.profile.as_deref().map(str::to_owned),
        ..DiskSource::default()
    };
    match &source.kind {
        allocator::DiskKind::Path { root } => {
            wire.r#type = DiskSourceType::Path;
            wire.path = Some(DiskSourcePath { root: root.as_deref().map(str::to_owned) });
        }
        allocator::DiskKind::Mount { root } => {
            wire.r#type = DiskSourceType::Mount;
            wire.mount = Some(DiskSourceMount { root: root.as_deref().map(str::to_owned) });
        }
        allocator::DiskKind::Block => wire.r#type = DiskSourceType::Block,
        allocator::DiskKind::Raw => wire.r#type = DiskSourceType::Raw,
    }
    wire
}
