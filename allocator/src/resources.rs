use std::fmt;
use std::sync::Arc;

use crate::{Name, Quantities, Ranges, Resource, Role, Scalar, Value};

/// A bag of resources in normal form: no empty resource, those of the same name and identity added up, in a fixed
/// order; two equal bags therefore hold the same. Cloning a bag copies a pointer.
#[derive(Clone, Default)]
pub struct Resources(Option<Arc<Vec<Resource>>>);

impl Resources {
    /// The empty bag.
    #[must_use]
    pub const fn new() -> Resources {
        Resources(None)
    }

    /// True when there is nothing in the bag.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The resources, plain ones first.
    pub fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.as_slice().iter()
    }

    /// Puts one more resource into the bag.
    pub fn add_resource(&mut self, resource: Resource) {
        if resource.value().is_empty() {
            return;
        }
        let resources = Arc::make_mut(self.0.get_or_insert_default());
        match find(resources, &resource) {
            Ok(first) if resource.is_indivisible() => {
                let before = |other: &&Resource| other.place(&resource).is_eq() && other.value() < resource.value();
                let index = first + resources[first..].iter().take_while(before).count();
                resources.insert(index, resource);
            }
            Ok(index) => resources[index].value_mut().add(resource.value()),
            Err(index) => resources.insert(index, resource),
        }
    }

    /// Puts all of `other` into the bag.
    pub fn add(&mut self, other: &Resources) {
        if self.is_empty() {
            self.clone_from(other);
        } else {
            other.iter().cloned().for_each(|resource| self.add_resource(resource));
        }
    }

    /// The two bags together.
    #[must_use]
    pub fn plus(&self, other: &Resources) -> Resources {
        let mut sum = self.clone();
        sum.add(other);
        sum
    }

    /// What is left when `other` is taken out; `None` when the bag does not contain it.
    #[must_use]
    pub fn checked_minus(&self, other: &Resources) -> Option<Resources> {
        if self.is_same(other) {
            return Some(Resources::new());
        }
        if other.is_empty() {
            return Some(self.clone());
        }
        let mut rest = self.as_slice().to_vec();
        for resource in other.iter() {
            let index = find(&rest, resource).ok()?;
            if resource.is_indivisible() {
                let index = whole(&rest, index, resource)?;
                rest.remove(index);
                continue;
            }
            let value = rest[index].value().minus(resource.value())?;
            if value.is_empty() {
                rest.remove(index);
            } else {
                *rest[index].value_mut() = value;
            }
        }
        Some(Resources::from_sorted(rest))
    }

    /// Takes `other`, which must be contained, out of the bag; without copying it when nobody else holds it.
    pub(crate) fn remove(&mut self, other: &Resources) {
        let Some(shared) = &mut self.0 else {
            assert!(other.is_empty(), "an empty bag does not contain {other}");
            return;
        };
        let resources = Arc::make_mut(shared);
        for resource in other.iter() {
            let first = find(resources, resource);
            let index = first.ok().filter(|_| !resource.is_indivisible());
            if let Some(value) = index.and_then(|index| resources[index].value().minus(resource.value()))
                && let Some(index) = index
            {
                match value.is_empty() {
                    true => drop(resources.remove(index)),
                    false => *resources[index].value_mut() = value,
                }
            } else if let Some(index) = first.ok().and_then(|first| whole(resources, first, resource)) {
                resources.remove(index);
            } else {
                panic!("the bag does not contain {resource}");
            }
        }
        if resources.is_empty() {
            self.0 = None;
        }
    }

    /// True when some resource of this bag is in `other` as well.
    pub(crate) fn meets(&self, other: &Resources) -> bool {
        self.iter().any(|mine| other.iter().any(|theirs| mine == theirs))
    }

    /// True when `other` could be taken out of this bag.
    #[must_use]
    pub fn contains(&self, other: &Resources) -> bool {
        if self.is_same(other) {
            return true;
        }
        if other.iter().any(Resource::is_indivisible) {
            return self.checked_minus(other).is_some();
        }
        let mine = self.as_slice();
        other.iter().all(|resource| match find(mine, resource) {
            Ok(index) => mine[index].value().contains(resource.value()),
            Err(_) => false,
        })
    }

    /// True when no port or item is in both bags. Quantities never collide.
    #[must_use]
    pub fn is_disjoint(&self, other: &Resources) -> bool {
        let same_name = |a: &Resource, b: &Resource| a.name() == b.name();
        self.iter().all(|a| other.iter().all(|b| !same_name(a, b) || a.value().is_disjoint(b.value())))
    }

    /// The sum of all scalars called `name`, whatever their identity.
    #[must_use]
    pub fn scalar(&self, name: &Name) -> Scalar {
        let scalars = self.iter().filter(|resource| resource.name() == name);
        scalars.fold(Scalar::ZERO, |sum, resource| match resource.value() {
            Value::Scalar(scalar) => sum.plus(*scalar),
            Value::Ranges(_) | Value::Set(_) => sum,
        })
    }

    /// All numbers called `name`, whatever their identity.
    #[must_use]
    pub fn ranges(&self, name: &Name) -> Ranges {
        let ranges = self.iter().filter(|resource| resource.name() == name);
        ranges.fold(Ranges::default(), |union, resource| match resource.value() {
            Value::Ranges(ranges) => union.union(ranges),
            Value::Scalar(_) | Value::Set(_) => union,
        })
    }

    /// The processors in the bag.
    #[must_use]
    pub fn cpus(&self) -> Scalar {
        self.scalar(&Name::Cpus)
    }

    /// The memory in the bag, in MB.
    #[must_use]
    pub fn mem(&self) -> Scalar {
        self.scalar(&Name::Mem)
    }

    /// The disk space in the bag, in MB.
    #[must_use]
    pub fn disk(&self) -> Scalar {
        self.scalar(&Name::Disk)
    }

    /// The graphics processors in the bag.
    #[must_use]
    pub fn gpus(&self) -> Scalar {
        self.scalar(&Name::Gpus)
    }

    /// The ports in the bag.
    #[must_use]
    pub fn ports(&self) -> Ranges {
        self.ranges(&Name::Ports)
    }

    /// The sums of the scalars by name.
    #[must_use]
    pub fn quantities(&self) -> Quantities {
        Quantities::of(self)
    }

    /// The resources for which `keep` holds.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&Resource) -> bool) -> Resources {
        if self.iter().all(&keep) {
            return self.clone();
        }
        Resources::from_sorted(self.iter().filter(|resource| keep(resource)).cloned().collect())
    }

    /// What is not reserved.
    #[must_use]
    pub fn unreserved(&self) -> Resources {
        self.filter(|resource| resource.reserved_role().is_none())
    }

    /// What is reserved for `role` itself (its finest reservation).
    #[must_use]
    pub fn reserved_for(&self, role: &Role) -> Resources {
        self.filter(|resource| resource.reserved_role() == Some(role))
    }

    /// True when both are the very same bag in memory, a quick "equal".
    pub(crate) fn is_same(&self, other: &Resources) -> bool {
        match (&self.0, &other.0) {
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    fn as_slice(&self) -> &[Resource] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    fn from_sorted(resources: Vec<Resource>) -> Resources {
        Resources((!resources.is_empty()).then(|| Arc::new(resources)))
    }
}

/// Where a resource that adds up with `resource` is, or where it would have to be put.
fn find(resources: &[Resource], resource: &Resource) -> Result<usize, usize> {
    let index = resources.partition_point(|candidate| candidate.place(resource).is_lt());
    match resources.get(index) {
        Some(candidate) if candidate.place(resource).is_eq() => Ok(index),
        Some(_) | None => Err(index),
    }
}

/// Where the indivisible `resource` itself is, from `first` on.
fn whole(resources: &[Resource], first: usize, resource: &Resource) -> Option<usize> {
    let alike = resources[first..].iter().take_while(|candidate| candidate.place(resource).is_eq());
    alike.zip(first..).find(|(candidate, _)| candidate.value() == resource.value()).map(|(_, index)| index)
}

impl PartialEq for Resources {
    fn eq(&self, other: &Resources) -> bool {
        self.is_same(other) || self.as_slice() == other.as_slice()
    }
}

impl Eq for Resources {}

impl FromIterator<Resource> for Resources {
    fn from_iter<Items: IntoIterator<Item = Resource>>(resources: Items) -> Resources {
        let mut bag = Resources::new();
        resources.into_iter().for_each(|resource| bag.add_resource(resource));
        // One bag is kept for each task.
        if let Some(resources) = bag.0.as_mut().and_then(Arc::get_mut) {
            resources.shrink_to_fit();
        }
        bag
    }
}

impl<'a> IntoIterator for &'a Resources {
    type Item = &'a Resource;
    type IntoIter = std::slice::Iter<'a, Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resources: Vec<String> = self.iter().map(Resource::to_string).collect();
        formatter.write_str(&resources.join(";"))
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests;
