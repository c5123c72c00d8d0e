use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::{Ranges, Role, Scalar};

/// What a resource is called. The common names cost nothing to copy and compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// Processors.
    Cpus,
    /// Memory, in MB.
    Mem,
    /// Disk space, in MB.
    Disk,
    /// Graphics processors, whole ones.
    Gpus,
    /// Ports of the agent's address.
    Ports,
    /// Any other resource that an agent declares.
    Other(Arc<str>),
}

impl Name {
    /// The name as the wire and people write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Name::Cpus => "cpus",
            Name::Mem => "mem",
            Name::Disk => "disk",
            Name::Gpus => "gpus",
            Name::Ports => "ports",
            Name::Other(name) => name,
        }
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Name {
        match name {
            "cpus" => Name::Cpus,
            "mem" => Name::Mem,
            "disk" => Name::Disk,
            "gpus" => Name::Gpus,
            "ports" => Name::Ports,
            other => Name::Other(Arc::from(other)),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A set of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set(BTreeSet<Arc<str>>);

impl Set {
    /// The set of `items`; an item given twice is in it once.
    pub fn new<Item: Into<Arc<str>>>(items: impl IntoIterator<Item = Item>) -> Set {
        Set(items.into_iter().map(Into::into).collect())
    }

    /// True when there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The items in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.0.iter().map(|item| &**item)
    }

    pub(crate) fn contains(&self, other: &Set) -> bool {
        other.0.is_subset(&self.0)
    }

    pub(crate) fn union(&self, other: &Set) -> Set {
        Set(self.0.union(&other.0).cloned().collect())
    }

    pub(crate) fn difference(&self, other: &Set) -> Set {
        Set(self.0.difference(&other.0).cloned().collect())
    }

    pub(crate) fn is_disjoint(&self, other: &Set) -> bool {
        self.0.is_disjoint(&other.0)
    }
}

/// How much of a resource, or which items of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A quantity.
    Scalar(Scalar),
    /// Numbers, each of which can be given out once.
    Ranges(Ranges),
    /// Items, each of which can be given out once.
    Set(Set),
}

impl Value {
    /// True when there is nothing to give out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Scalar(scalar) => scalar.is_zero(),
            Value::Ranges(ranges) => ranges.is_empty(),
            Value::Set(set) => set.is_empty(),
        }
    }

    /// True when `other` can be taken out of this. Values of different kinds never contain each other.
    pub(crate) fn contains(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Scalar(mine), Value::Scalar(theirs)) => mine >= theirs,
            (Value::Ranges(mine), Value::Ranges(theirs)) => mine.contains(theirs),
            (Value::Set(mine), Value::Set(theirs)) => mine.contains(theirs),
            (Value::Scalar(_) | Value::Ranges(_) | Value::Set(_), _) => false,
        }
    }

    /// The sum. A value of another kind adds nothing: a bag never adds such (see [`Resource::place`]).
    pub(crate) fn add(&mut self, other: &Value) {
        match (self, other) {
            (Value::Scalar(mine), Value::Scalar(theirs)) => *mine = mine.plus(*theirs),
            (Value::Ranges(mine), Value::Ranges(theirs)) => *mine = mine.union(theirs),
            (Value::Set(mine), Value::Set(theirs)) => *mine = mine.union(theirs),
            (Value::Scalar(_) | Value::Ranges(_) | Value::Set(_), _) => {
                unreachable!("resources of different kinds have different places in a bag")
            }
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Value::Scalar(_) => 0,
            Value::Ranges(_) => 1,
            Value::Set(_) => 2,
        }
    }

    /// What is left after `other` is taken out; `None` when this does not contain it.
    pub(crate) fn minus(&self, other: &Value) -> Option<Value> {
        match (self, other) {
            (Value::Scalar(mine), Value::Scalar(theirs)) => mine.checked_minus(*theirs).map(Value::Scalar),
            (Value::Ranges(mine), Value::Ranges(theirs)) => {
                mine.contains(theirs).then(|| Value::Ranges(mine.difference(theirs)))
            }
            (Value::Set(mine), Value::Set(theirs)) => {
                mine.contains(theirs).then(|| Value::Set(mine.difference(theirs)))
            }
            (Value::Scalar(_) | Value::Ranges(_) | Value::Set(_), _) => None,
        }
    }

    /// True when no item is in both. Quantities have no items.
    pub(crate) fn is_disjoint(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Ranges(mine), Value::Ranges(theirs)) => mine.is_disjoint(theirs),
            (Value::Set(mine), Value::Set(theirs)) => mine.is_disjoint(theirs),
            (Value::Scalar(_) | Value::Ranges(_) | Value::Set(_), _) => true,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Scalar(scalar) => scalar.fmt(formatter),
            Value::Ranges(ranges) => ranges.fmt(formatter),
            Value::Set(set) => write!(formatter, "{{{}}}", set.iter().collect::<Vec<_>>().join(",")),
        }
    }
}

/// A key and perhaps a value, as frameworks label things.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The key.
    pub key: Arc<str>,
    /// The value.
    pub value: Option<Arc<str>>,
}

/// How a reservation came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservationKind {
    /// The agent declared it when it started; it cannot be undone at run time.
    Static,
    /// A framework or an operator made it.
    Dynamic,
}

/// One level of a reservation: the resource is for `role` and the roles below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reservation {
    /// For whom; never `*`.
    pub role: Role,
    /// How it came to be.
    pub kind: ReservationKind,
    /// Who made it.
    pub principal: Option<Arc<str>>,
    /// Keep reservations apart that are otherwise alike. `None` and an empty list differ on the wire only; use `[]`.
    pub labels: Vec<Label>,
}

/// The access that a task has to a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolumeMode {
    /// It may write.
    ReadWrite,
    /// It may only read.
    ReadOnly,
}

/// Where the disk space of a persistent volume appears inside a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Volume {
    /// Read and write, or read only.
    pub mode: VolumeMode,
    /// The path seen by the task.
    pub container_path: Arc<str>,
    /// The path on the agent, when the framework names one.
    pub host_path: Option<Arc<str>>,
}

/// The persistence of a volume.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Persistence {
    /// Unique for a role on an agent.
    pub id: Arc<str>,
    /// Who created it.
    pub principal: Option<Arc<str>>,
}

/// What kind of device the space of a disk comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskKind {
    /// A directory (`root`), which can be cut into pieces.
    Path {
        /// The directory.
        root: Option<Arc<str>>,
    },
    /// A mounted file system (`root`), given out as a whole.
    Mount {
        /// The mount point.
        root: Option<Arc<str>>,
    },
    /// A block device, given out as a whole.
    Block,
    /// A device of a storage plug-in that is not yet a disk.
    Raw,
}

/// Where disk space comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskSource {
    /// The kind of device.
    pub kind: DiskKind,
    /// The storage plug-in's vendor.
    pub vendor: Option<Arc<str>>,
    /// The storage plug-in's id of the device.
    pub id: Option<Arc<str>>,
    /// What the storage plug-in says of the device.
    pub metadata: Vec<Label>,
    /// The profile under which the device was made.
    pub profile: Option<Arc<str>>,
}

/// What disk space is, beyond its size.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Disk {
    /// Set for a persistent volume.
    pub persistence: Option<Persistence>,
    /// Set for a volume.
    pub volume: Option<Volume>,
    /// Where the space comes from; `None` is the disk of the agent's work directory.
    pub source: Option<DiskSource>,
}

/// May the resource be taken back from a running task?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guarantee {
    /// No: it is the task's until it ends.
    #[default]
    Firm,
    /// Yes, at any time (oversubscription).
    Revocable,
}

/// May several tasks use the resource at the same time?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sharing {
    /// No.
    #[default]
    Exclusive,
    /// Yes. The mark is carried and gated by the framework's capability; the allocator hands the resource to one at a
    /// time.
    Shared,
}

/// What makes a resource different from another of the same name: resources add up only when all of this is equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// From the first, coarsest reservation to the last, finest one; empty for unreserved resources.
    pub reservations: Vec<Reservation>,
    /// Set for disk space with a source or a volume on it.
    pub disk: Option<Disk>,
    /// Firm or revocable.
    pub guarantee: Guarantee,
    /// Exclusive or shared.
    pub sharing: Sharing,
    /// The resource provider it belongs to; `None` is the agent itself.
    pub provider: Option<Arc<str>>,
}

impl Identity {
    /// True when the resource can only be given out as the whole that it is: persistent volumes, mounts, devices.
    #[must_use]
    pub fn is_indivisible(&self) -> bool {
        let Some(disk) = &self.disk else { return false };
        let device = match disk.source.as_ref().map(|source| &source.kind) {
            Some(DiskKind::Mount { .. } | DiskKind::Block) => true,
            Some(DiskKind::Raw) => disk.source.as_ref().is_some_and(|source| source.id.is_some()),
            Some(DiskKind::Path { .. }) | None => false,
        };
        device || disk.persistence.is_some()
    }
}

/// An amount of one resource of one identity. In which role it is *allocated* is not part of it: that belongs to the
/// offer or the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    name: Name,
    /// `None` for a plain resource (unreserved, firm, exclusive, of the agent), so that the common case needs no
    /// memory.
    identity: Option<Arc<Identity>>,
    value: Value,
}

impl Resource {
    /// A plain resource: unreserved, firm, exclusive, of the agent itself.
    pub fn new(name: impl Into<Name>, value: Value) -> Resource {
        Resource { name: name.into(), identity: None, value }
    }

    /// A plain quantity.
    pub fn scalar(name: impl Into<Name>, quantity: Scalar) -> Resource {
        Resource::new(name, Value::Scalar(quantity))
    }

    /// Plain numbers.
    pub fn ranges(name: impl Into<Name>, ranges: Ranges) -> Resource {
        Resource::new(name, Value::Ranges(ranges))
    }

    /// Plain items.
    pub fn set(name: impl Into<Name>, set: Set) -> Resource {
        Resource::new(name, Value::Set(set))
    }

    /// The same amount of the same name with another identity.
    #[must_use]
    pub fn with_identity(self, identity: Identity) -> Resource {
        let identity = if identity == Identity::default() { None } else { Some(Arc::new(identity)) };
        Resource { identity, ..self }
    }

    /// The same resource with another value.
    #[must_use]
    pub fn with_value(&self, value: Value) -> Resource {
        Resource { name: self.name.clone(), identity: self.identity.clone(), value }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// How much, or which.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What sets it apart; `None` for a plain resource.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// Its reservations, coarsest first; empty when it is unreserved.
    #[must_use]
    pub fn reservations(&self) -> &[Reservation] {
        self.identity().map_or(&[], |identity| &identity.reservations)
    }

    /// The role for which it is reserved (the finest one); `None` when it is unreserved.
    #[must_use]
    pub fn reserved_role(&self) -> Option<&Role> {
        self.reservations().last().map(|reservation| &reservation.role)
    }

    /// What is special about its disk space.
    #[must_use]
    pub fn disk(&self) -> Option<&Disk> {
        self.identity().and_then(|identity| identity.disk.as_ref())
    }

    /// May it be taken back?
    #[must_use]
    pub fn guarantee(&self) -> Guarantee {
        self.identity().map_or(Guarantee::Firm, |identity| identity.guarantee)
    }

    /// May several use it?
    #[must_use]
    pub fn sharing(&self) -> Sharing {
        self.identity().map_or(Sharing::Exclusive, |identity| identity.sharing)
    }

    /// True when it is plain: unreserved, firm, exclusive, of the agent itself.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.identity.is_none()
    }

    /// True when it can only be given out as the whole that it is.
    #[must_use]
    pub fn is_indivisible(&self) -> bool {
        self.identity().is_some_and(Identity::is_indivisible)
    }

    /// The order in which a bag keeps its resources: plain ones first, by name. Those that add up have the same place.
    pub(crate) fn place(&self, other: &Resource) -> std::cmp::Ordering {
        let same = match (&self.identity, &other.identity) {
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let identities = if same { std::cmp::Ordering::Equal } else { self.identity.cmp(&other.identity) };
        identities.then_with(|| self.name.cmp(&other.name)).then_with(|| self.value.kind().cmp(&other.value.kind()))
    }

    pub(crate) fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(formatter)?;
        if let Some(role) = self.reserved_role() {
            write!(formatter, "({role})")?;
        }
        match self.guarantee() {
            Guarantee::Firm => {}
            Guarantee::Revocable => formatter.write_str("{REV}")?,
        }
        match self.sharing() {
            Sharing::Exclusive => {}
            Sharing::Shared => formatter.write_str("<SHARED>")?,
        }
        if let Some(persistence) = self.disk().and_then(|disk| disk.persistence.as_ref()) {
            write!(formatter, "[{}]", persistence.id)?;
        }
        write!(formatter, ":{}", self.value)
    }
}
