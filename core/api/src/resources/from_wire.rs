//! From the wire to the allocator's bag.

use std::sync::Arc;

use attica_allocator as allocator;
use attica_allocator::{
    Guarantee, Identity, Name, Ranges, Reservation, ReservationKind, Resources, Role, Scalar, Sharing, Value,
};
use thiserror::Error;

use super::{InvalidResource, ResourceProblem};
use crate::v1::{
    DiskInfo, DiskSource, DiskSourceType, Labels, ReservationInfo, ReservationType, Resource, ValueType, Volume,
    VolumeMode,
};

/// As many characters of a bad name are quoted.
const NAME_QUOTE_MAX: usize = 64;

/// Translates resources into a bag. Reservations may be written in the old way (`role`, `reservation`) or the new one
/// (`reservations`). Empty resources disappear; `allocation_info` is not looked at.
///
/// # Errors
/// The first resource that is invalid.
pub fn from_wire(resources: &[Resource]) -> Result<Resources, InvalidResource> {
    let translate = |(index, resource): (usize, &Resource)| {
        one(resource).map_err(|problem| {
            let name = resource.name.chars().take(NAME_QUOTE_MAX).collect();
            InvalidResource { index, name, problem }
        })
    };
    resources.iter().enumerate().map(translate).collect()
}

/// Resources that should all be allocated to one role are not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("resources are allocated to more than one role: '{first}' and '{second}'")]
pub struct MixedRoles {
    /// One of them; empty for a resource that names none.
    pub first: String,
    /// Another one.
    pub second: String,
}

/// The role that all of these resources are allocated to, or `None` when none of them names one (most clients leave that
/// to the master).
///
/// # Errors
/// When two of them differ.
pub fn allocation_role(resources: &[Resource]) -> Result<Option<&str>, MixedRoles> {
    let first = resources.first().and_then(allocated_to);
    let owned = |role: Option<&str>| role.unwrap_or_default().to_owned();
    match resources.iter().map(allocated_to).find(|other| *other != first) {
        Some(second) => Err(MixedRoles { first: owned(first), second: owned(second) }),
        None => Ok(first),
    }
}

fn allocated_to(resource: &Resource) -> Option<&str> {
    resource.allocation_info.as_ref()?.role.as_deref()
}

fn one(resource: &Resource) -> Result<allocator::Resource, ResourceProblem> {
    if resource.name.is_empty() {
        return Err(ResourceProblem::Name);
    }
    let identity = Identity {
        reservations: reservations(resource)?,
        disk: resource.disk.as_deref().map(disk).transpose()?,
        guarantee: resource.revocable.as_ref().map_or(Guarantee::Firm, |_| Guarantee::Revocable),
        sharing: resource.shared.as_ref().map_or(Sharing::Exclusive, |_| Sharing::Shared),
        provider: resource.provider_id.as_ref().map(|id| id.as_str().into()),
    };
    Ok(allocator::Resource::new(resource.name.as_str(), value(resource)?).with_identity(identity))
}

fn value(resource: &Resource) -> Result<Value, ResourceProblem> {
    match resource.r#type {
        ValueType::Scalar => {
            let scalar = resource.scalar.as_ref().ok_or(ResourceProblem::Absent("scalar"))?;
            let quantity = Scalar::from_f64(scalar.value)?;
            if Name::from(resource.name.as_str()) == Name::Gpus && quantity.thousandths() % 1_000 != 0 {
                return Err(ResourceProblem::Fraction(quantity));
            }
            Ok(Value::Scalar(quantity))
        }
        ValueType::Ranges => {
            let ranges = resource.ranges.as_ref().ok_or(ResourceProblem::Absent("ranges"))?;
            Ok(Value::Ranges(Ranges::new(ranges.range.iter().map(|range| (range.begin, range.end)))?))
        }
        ValueType::Set => {
            let set = resource.set.as_ref().ok_or(ResourceProblem::Absent("set"))?;
            Ok(Value::Set(allocator::Set::new(set.item.iter().map(String::as_str))))
        }
        ValueType::Text => Err(ResourceProblem::Text),
    }
}

/// The stack of reservations, from whichever format.
fn reservations(resource: &Resource) -> Result<Vec<Reservation>, ResourceProblem> {
    if resource.reservations.is_empty() {
        return Ok(legacy_reservation(resource)?.into_iter().collect());
    }
    if resource.reservation.is_some() {
        return Err(ResourceProblem::BothFormats("reservation"));
    }
    let stack: Vec<_> = resource.reservations.iter().map(reservation).collect::<Result<_, _>>()?;
    for pair in stack.windows(2) {
        let [outer, inner] = [&pair[0], &pair[1]];
        if inner.role == outer.role || !inner.role.is_within(&outer.role) {
            return Err(ResourceProblem::Refinement { outer: outer.role.to_string(), inner: inner.role.to_string() });
        }
        if inner.kind == ReservationKind::Static {
            return Err(ResourceProblem::StaticRefinement(inner.role.to_string()));
        }
    }
    // Endpoints for people write both formats side by side; what agrees is let pass.
    let innermost = stack.last().map(|reservation| reservation.role.as_str());
    match resource.role.as_deref() {
        None | Some("*") => Ok(stack),
        role if role == innermost => Ok(stack),
        Some(_) => Err(ResourceProblem::BothFormats("role")),
    }
}

fn reservation(info: &ReservationInfo) -> Result<Reservation, ResourceProblem> {
    let kind = match info.r#type {
        Some(ReservationType::Static) => ReservationKind::Static,
        Some(ReservationType::Dynamic) => ReservationKind::Dynamic,
        Some(ReservationType::Unknown) | None => return Err(ResourceProblem::NoKind),
    };
    let role = info.role.as_deref().ok_or(ResourceProblem::NoRole)?;
    Ok(Reservation {
        role: reservable(role)?,
        kind,
        principal: info.principal.as_deref().map(Arc::from),
        labels: labels(info.labels.as_ref()),
    })
}

/// A `role` alone is a static reservation; with `reservation` beside it, a dynamic one.
fn legacy_reservation(resource: &Resource) -> Result<Option<Reservation>, ResourceProblem> {
    let role = resource.role.as_deref().unwrap_or("*");
    let Some(info) = &resource.reservation else {
        let plain = |role| Reservation { role, kind: ReservationKind::Static, principal: None, labels: Vec::new() };
        return if role == "*" { Ok(None) } else { reservable(role).map(|role| Some(plain(role))) };
    };
    if info.role.is_some() {
        return Err(ResourceProblem::LegacyReservation("role"));
    }
    if info.r#type.is_some() {
        return Err(ResourceProblem::LegacyReservation("type"));
    }
    Ok(Some(Reservation {
        role: reservable(role)?,
        kind: ReservationKind::Dynamic,
        principal: info.principal.as_deref().map(Arc::from),
        labels: labels(info.labels.as_ref()),
    }))
}

fn reservable(role: &str) -> Result<Role, ResourceProblem> {
    let role = Role::new(role)?;
    if role.is_any() { Err(ResourceProblem::AnyRole) } else { Ok(role) }
}

fn labels(labels: Option<&Labels>) -> Vec<allocator::Label> {
    let labels = labels.map_or(&[][..], |labels| &labels.labels);
    labels
        .iter()
        .map(|label| allocator::Label { key: label.key.as_str().into(), value: label.value.as_deref().map(Arc::from) })
        .collect()
}

fn disk(info: &DiskInfo) -> Result<allocator::Disk, ResourceProblem> {
    let persistence = info.persistence.as_ref().map(|persistence| allocator::Persistence {
        id: persistence.id.as_str().into(),
        principal: persistence.principal.as_deref().map(Arc::from),
    });
    Ok(allocator::Disk {
        persistence,
        volume: info.volume.as_ref().map(volume).transpose()?,
        source: info.source.as_ref().map(source).transpose()?,
    })
}

fn volume(volume: &Volume) -> Result<allocator::Volume, ResourceProblem> {
    if volume.image.is_some() {
        return Err(ResourceProblem::DiskVolume("image"));
    }
    if volume.source.is_some() {
        return Err(ResourceProblem::DiskVolume("source"));
    }
    let mode = match volume.mode {
        VolumeMode::ReadWrite => allocator::VolumeMode::ReadWrite,
        VolumeMode::ReadOnly => allocator::VolumeMode::ReadOnly,
    };
    Ok(allocator::Volume {
        mode,
        container_path: volume.container_path.as_str().into(),
        host_path: volume.host_path.as_deref().map(Arc::from),
    })
}

fn source(source: &DiskSource) -> Result<allocator::DiskSource, ResourceProblem> {
    let root = |root: Option<&String>| root.map(|root| Arc::from(root.as_str()));
    let kind = match source.r#type {
        DiskSourceType::Path => {
            allocator::DiskKind::Path { root: root(source.path.as_ref().and_then(|path| path.root.as_ref())) }
        }
        DiskSourceType::Mount => {
            allocator::DiskKind::Mount { root: root(source.mount.as_ref().and_then(|mount| mount.root.as_ref())) }
        }
        DiskSourceType::Block => allocator::DiskKind::Block,
        DiskSourceType::Raw => allocator::DiskKind::Raw,
        DiskSourceType::Unknown => return Err(ResourceProblem::DiskSource),
    };
    Ok(allocator::DiskSource {
        kind,
        vendor: source.vendor.as_deref().map(Arc::from),
        id: source.id.as_deref().map(Arc::from),
        metadata: labels(source.metadata.as_ref()),
        profile: source.profile.as_deref().map(Arc::from),
    })
}
