//! What an operation makes of an agent's resources, and which operations make sense at all. The rules are Mesos's.

use std::collections::BTreeSet;

use attica_allocator::{
    self as allocator, Conversion, DiskKind, Guarantee, Resources, Role, Scalar, Sharing, Value, VolumeMode,
};
use attica_core_api::resources;
use attica_core_api::v1::{
    FrameworkCapabilityType, FrameworkInfo, GrowVolumeOperation, OfferOperation, OfferOperationType, ReserveOperation,
    Resource, ShrinkVolumeOperation, check_id,
};

/// Who wants an operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Author<'a> {
    /// A framework, with resources that it was offered in a role.
    Framework(&'a FrameworkInfo, &'a Role),
    /// An operator, by the name under which he was authenticated.
    Operator(Option<&'a str>),
}

impl Author<'_> {
    fn principal(&self) -> Option<&str> {
        match self {
            Author::Framework(info, _) => info.principal.as_deref(),
            Author::Operator(principal) => *principal,
        }
    }

    /// Who made a reservation or a volume is written on it, truly.
    fn check_principal(&self, verb: &str, found: Option<&str>) -> Result<(), String> {
        match (self.principal(), found) {
            (None, _) => Ok(()),
            (Some(principal), Some(found)) if principal == found => Ok(()),
            (Some(principal), Some(found)) => Err(format!(
                "A {verb} operation was attempted by principal '{principal}', but there is a resource in the request with principal '{found}'"
            )),
            (Some(principal), None) => Err(format!(
                "A {verb} operation was attempted by principal '{principal}', but there is a resource in the request with no principal set"
            )),
        }
    }
}

/// The conversion that an operation on resources is.
///
/// # Errors
/// What is wrong with the operation, in words for its author.
pub(super) fn conversion_of(author: Author<'_>, operation: &OfferOperation) -> Result<Conversion, String> {
    let kind = operation.r#type.unwrap_or(OfferOperationType::Unknown);
    let absent = || format!("The member that the operation {kind} needs is absent");
    match kind {
        OfferOperationType::Reserve => reserve(author, operation.reserve.as_ref().ok_or_else(absent)?),
        OfferOperationType::Unreserve => unreserve(author, &operation.unreserve.as_ref().ok_or_else(absent)?.resources),
        OfferOperationType::Create => create(author, &operation.create.as_ref().ok_or_else(absent)?.volumes),
        OfferOperationType::Destroy => destroy(author, &operation.destroy.as_ref().ok_or_else(absent)?.volumes),
        OfferOperationType::GrowVolume => grow(author, operation.grow_volume.as_deref().ok_or_else(absent)?),
        OfferOperationType::ShrinkVolume => shrink(author, operation.shrink_volume.as_deref().ok_or_else(absent)?),
        OfferOperationType::CreateDisk | OfferOperationType::DestroyDisk => {
            Err(format!("{kind} is for resources of a resource provider, and there is none"))
        }
        OfferOperationType::Launch | OfferOperationType::LaunchGroup => {
            Err(format!("{kind} is not an operation on resources"))
        }
        OfferOperationType::Unknown => Err("The operation has no known type".to_owned()),
    }
}

fn reserve(author: Author<'_>, operation: &ReserveOperation) -> Result<Conversion, String> {
    let produced = bag(author, &operation.resources)?;
    for resource in &produced {
        let Some(finest) = resource.reservations().last().filter(|_| resource.is_dynamically_reserved()) else {
            return Err(format!("Resource {resource} is not dynamically reserved"));
        };
        author.check_principal("reserve", finest.principal.as_deref())?;
        if let Author::Framework(_, role) = author
            && finest.role != *role
        {
            return Err(format!(
                "A reserve operation was attempted for a resource allocated to role '{role}', but reserved to role '{}'",
                finest.role
            ));
        }
        if resource.is_persistent_volume() {
            return Err(format!("A persistent volume {resource} cannot be reserved"));
        }
        check_firm(resource)?;
    }
    if operation.source.is_empty() {
        let consumed = produced.iter().map(allocator::Resource::without_finest_reservation).collect();
        return Ok(Conversion { consumed, produced });
    }
    let consumed = bag(author, &operation.source)?;
    let bare = |resources: &Resources| resources.iter().map(unreserved).collect::<Resources>();
    if bare(&consumed) != bare(&produced) {
        return Err(format!("What is to be reserved, {produced}, is not as much as its source, {consumed}"));
    }
    if consumed.iter().any(allocator::Resource::is_persistent_volume) {
        return Err("A persistent volume cannot be reserved anew".to_owned());
    }
    Ok(Conversion { consumed, produced })
}

fn unreserve(author: Author<'_>, wire: &[Resource]) -> Result<Conversion, String> {
    let consumed = bag(author, wire)?;
    for resource in &consumed {
        if !resource.is_dynamically_reserved() {
            return Err(format!("Resource {resource} is not dynamically reserved"));
        }
        if resource.is_persistent_volume() {
            return Err(format!(
                "A dynamically reserved persistent volume {resource} cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource"
            ));
        }
    }
    let produced = consumed.iter().map(allocator::Resource::without_finest_reservation).collect();
    Ok(Conversion { consumed, produced })
}

fn create(author: Author<'_>, wire: &[Resource]) -> Result<Conversion, String> {
    let produced = bag(author, wire)?;
    let mut ids = BTreeSet::new();
    for volume in &produced {
        let Some(persistence) = volume.disk().and_then(|disk| disk.persistence.as_ref()) else {
            return Err(format!("Resource {volume} does not have 'disk.persistence' set"));
        };
        check_id(&persistence.id)
            .map_err(|error| format!("Persistence ID '{}' is not valid: {error}", persistence.id))?;
        let Some(role) = volume.reserved_role() else {
            return Err("Persistent volumes cannot be created from unreserved resources".to_owned());
        };
        if !ids.insert((role, &persistence.id)) {
            return Err(format!("Persistence ID '{}' is used twice", persistence.id));
        }
        author.check_principal("create", persistence.principal.as_deref())?;
        check_mount(volume)?;
        check_firm(volume)?;
        if let Author::Framework(info, _) = author
            && volume.sharing() == Sharing::Shared
            && !info.has_capability(FrameworkCapabilityType::SharedResources)
        {
            return Err("Create volume operation has been attempted by framework with no SHARED_RESOURCES capability"
                .to_owned());
        }
    }
    let consumed = produced.iter().map(allocator::Resource::without_volume).collect();
    Ok(Conversion { consumed, produced })
}

fn destroy(author: Author<'_>, wire: &[Resource]) -> Result<Conversion, String> {
    let consumed = bag(author, wire)?;
    if let Some(other) = consumed.iter().find(|resource| !resource.is_persistent_volume()) {
        return Err(format!("Resource {other} is not a persistent volume"));
    }
    let produced = consumed.iter().map(allocator::Resource::without_volume).collect();
    Ok(Conversion { consumed, produced })
}

fn grow(author: Author<'_>, operation: &GrowVolumeOperation) -> Result<Conversion, String> {
    let (volume, size) = resizable(author, &operation.volume)?;
    let addition = one(author, &operation.addition)?;
    let Value::Scalar(more) = *addition.value() else { return Err("The addition is not disk space".to_owned()) };
    let space = volume.without_volume();
    if addition.with_value(space.value().clone()) != space {
        return Err(format!("The addition {addition} is not of the kind that the volume {volume} is made of"));
    }
    let grown = volume.with_value(Value::Scalar(size.plus(more)));
    Ok(Conversion { consumed: [volume, addition].into_iter().collect(), produced: [grown].into_iter().collect() })
}

fn shrink(author: Author<'_>, operation: &ShrinkVolumeOperation) -> Result<Conversion, String> {
    let (volume, size) = resizable(author, &operation.volume)?;
    let less = Scalar::from_f64(operation.subtract.value).map_err(|error| format!("Invalid 'subtract': {error}"))?;
    let left = size.checked_minus(less).filter(|left| !left.is_zero() && !less.is_zero());
    let Some(left) = left else {
        return Err(format!("A volume of {size} cannot be smaller by {less}"));
    };
    let shrunk = volume.with_value(Value::Scalar(left));
    let freed = volume.without_volume().with_value(Value::Scalar(less));
    Ok(Conversion { consumed: [volume].into_iter().collect(), produced: [shrunk, freed].into_iter().collect() })
}

fn resizable(author: Author<'_>, wire: &Resource) -> Result<(allocator::Resource, Scalar), String> {
    let volume = one(author, wire)?;
    if !volume.is_persistent_volume() {
        return Err(format!("Resource {volume} is not a persistent volume"));
    }
    if volume.sharing() == Sharing::Shared {
        return Err("A shared volume cannot be resized".to_owned());
    }
    match volume.disk().and_then(|disk| disk.source.as_ref()).map(|source| &source.kind) {
        None | Some(DiskKind::Path { .. }) => {}
        Some(DiskKind::Mount { .. } | DiskKind::Block | DiskKind::Raw) => {
            return Err("Only a volume on the agent's disk or in a PATH disk can be resized".to_owned());
        }
    }
    match *volume.value() {
        Value::Scalar(size) => Ok((volume, size)),
        Value::Ranges(_) | Value::Set(_) => Err("A volume is disk space".to_owned()),
    }
}

/// A path beneath the sandbox, in one step: deeper ones have been a source of surprises.
fn check_mount(volume: &allocator::Resource) -> Result<(), String> {
    let Some(mount) = volume.disk().and_then(|disk| disk.volume.as_ref()) else {
        return Err("Expecting 'volume' to be set for persistent volume".to_owned());
    };
    if mount.mode == VolumeMode::ReadOnly {
        return Err("Read-only persistent volume not supported".to_owned());
    }
    if mount.host_path.is_some() {
        return Err("Expecting 'host_path' to be unset for persistent volume".to_owned());
    }
    let path = &*mount.container_path;
    match path.is_empty() || path == "." || path == ".." || path.contains(['/', '\0']) {
        true => Err(format!("The 'container_path' of a persistent volume, '{path}', must be a single name")),
        false => Ok(()),
    }
}

fn check_firm(resource: &allocator::Resource) -> Result<(), String> {
    match resource.guarantee() {
        Guarantee::Firm => Ok(()),
        Guarantee::Revocable => Err(format!("Resource {resource} is revocable, so nothing can be kept of it")),
    }
}

fn unreserved(resource: &allocator::Resource) -> allocator::Resource {
    let mut bare = resource.clone();
    while !bare.reservations().is_empty() {
        bare = bare.without_finest_reservation();
    }
    bare
}

fn one(author: Author<'_>, wire: &Resource) -> Result<allocator::Resource, String> {
    let bag = bag(author, std::slice::from_ref(wire))?;
    bag.iter().next().cloned().ok_or_else(|| format!("'{}' is empty", wire.name))
}

fn bag(author: Author<'_>, wire: &[Resource]) -> Result<Resources, String> {
    let bag = resources::from_wire(wire).map_err(|error| format!("Invalid resources: {error}"))?;
    if bag.is_empty() {
        return Err("The operation names no resources".to_owned());
    }
    let allocated_to = resources::allocation_role(wire).map_err(|error| error.to_string())?;
    match (author, allocated_to) {
        (Author::Framework(_, role), Some(other)) if other != role.as_str() => {
            Err(format!("The resources are allocated to role '{other}' while role '{role}' is expected"))
        }
        (Author::Framework(..) | Author::Operator(_), _) => Ok(bag),
    }
}
