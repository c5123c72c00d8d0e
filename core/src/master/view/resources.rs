//! Resources as the GET endpoints write them. Sums come from the allocator's arithmetic; only metrics use floating point.

use attica_allocator::{Name, Resources, Role, Scalar, Value};
use attica_core_api::resources::{ReservationFormat, from_wire, to_wire};
use attica_core_api::v1::Resource;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// The scalars that are written even when there are none of them, in Mesos's order.
const ALWAYS: [&str; 4] = ["disk", "mem", "gpus", "cpus"];

/// `{"disk":0.0,"mem":32.0,"gpus":0.0,"cpus":0.1,"ports":"[31000-31001]"}`: numbers for scalars, text for all else.
pub(super) struct Summary<'a>(pub(super) &'a Resources);

impl Serialize for Summary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for name in ALWAYS {
            map.serialize_entry(name, &self.0.scalar(&Name::from(name)).to_f64())?;
        }
        for (name, quantity) in others(self.0) {
            match quantity {
                Written::Number(number) => map.serialize_entry(name.as_str(), &number)?,
                Written::Text(text) => map.serialize_entry(name.as_str(), &text)?,
            }
        }
        map.end()
    }
}

enum Written {
    Number(f64),
    Text(String),
}

/// What is not in [`ALWAYS`], each name once.
fn others(resources: &Resources) -> Vec<(Name, Written)> {
    let mut written: Vec<(Name, Written)> = Vec::new();
    for resource in resources {
        let name = resource.name();
        if ALWAYS.contains(&name.as_str()) || written.iter().any(|(seen, _)| seen == name) {
            continue;
        }
        let quantity = match resource.value() {
            Value::Scalar(_) => Written::Number(resources.scalar(name).to_f64()),
            Value::Ranges(_) => Written::Text(resources.ranges(name).to_string()),
            Value::Set(set) => {
                let items: Vec<&str> = set.iter().collect();
                Written::Text(format!("{{{}}}", items.join(", ")))
            }
        };
        written.push((name.clone(), quantity));
    }
    written
}

/// Full `Resource` messages, each with the role that it is allocated to, if any.
pub(super) struct Full<'a>(pub(super) Vec<(Option<&'a Role>, &'a Resources)>);

impl Serialize for Full<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for (role, resources) in &self.0 {
            for resource in to_wire(resources, *role, ReservationFormat::Legacy) {
                list.serialize_element(&resource)?;
            }
        }
        list.end()
    }
}

/// `Resource` messages, each with the role that it is allocated to.
pub(super) fn messages<'r>(allocated: impl Iterator<Item = (&'r Role, &'r Resources)>) -> Vec<Resource> {
    allocated.flat_map(|(role, resources)| to_wire(resources, Some(role), ReservationFormat::Legacy)).collect()
}

/// The four scalars that have metrics.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::master) struct Amounts {
    pub(in crate::master) cpus: Scalar,
    pub(in crate::master) mem: Scalar,
    pub(in crate::master) disk: Scalar,
    pub(in crate::master) gpus: Scalar,
}

impl Amounts {
    /// Of a part of the resources.
    pub(super) fn add_where(&mut self, resources: &Resources, is_part: impl Fn(&attica_allocator::Resource) -> bool) {
        let mut part = Resources::new();
        resources.iter().filter(|resource| is_part(resource)).for_each(|resource| part.add_resource(resource.clone()));
        self.add(&part);
    }

    pub(super) fn add(&mut self, resources: &Resources) {
        self.cpus = self.cpus.plus(resources.cpus());
        self.mem = self.mem.plus(resources.mem());
        self.disk = self.disk.plus(resources.disk());
        self.gpus = self.gpus.plus(resources.gpus());
    }
}

/// The bag of resources in a message that the kernel has accepted, and therefore understood.
pub(super) fn of_wire(resources: &[Resource]) -> Resources {
    from_wire(resources).unwrap_or_default()
}

/// `sum` without `part`. What was never added is not taken away: the read model shows, it does not decide.
pub(super) fn subtract(sum: &mut Resources, part: &Resources) {
    if let Some(rest) = sum.checked_minus(part) {
        *sum = rest;
    }
}
