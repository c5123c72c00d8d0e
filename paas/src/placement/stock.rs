use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_api::Scalar;
use attica_core_api::v1::{self, Offer, Resource, ValueType};

use super::agent_of;
use super::disks::{Disks, UNRESERVED};
use super::operations::Operations;
use super::ports::FreePorts;
use super::reserved::{Holding, Owner, owner_of};
use crate::model::{Agent, Resources, RunSpec};

/// Offers that came together, and what is left of each while instances are placed.
#[derive(Debug, Default)]
pub struct Stock {
    /// The offers.
    pub candidates: Vec<Candidate>,
}

/// One offer: what is left of it, and what is launched from it.
#[derive(Debug)]
pub struct Candidate {
    /// The offer.
    pub offer: Arc<Offer>,
    /// Its agent.
    pub agent: Arc<Agent>,
    /// The role that it is made to; none when it does not say.
    pub(super) role: Option<String>,
    /// What is done with it.
    pub operations: Operations,
    /// What any instance may take.
    pub(super) pool: Pool,
    /// Disks beside the one on which the agent works, which persistent volumes may take.
    pub(super) disks: Disks,
    /// What is reserved for single instances.
    pub held: BTreeMap<Owner, Holding>,
}

/// What instances take of an offer.
#[derive(Debug)]
pub(super) struct Pool {
    scalars: Vec<ScalarShare>,
    ports: Vec<PortShare>,
}

/// The resources of which a task takes amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Cpus,
    Mem,
    Disk,
    Gpus,
}

/// A scalar resource of an offer.
#[derive(Debug)]
struct ScalarShare {
    kind: Kind,
    role: String,
    left: Scalar,
    /// The resource as offered; only the amount of what is taken differs.
    prototype: Resource,
}

/// Ports of an offer.
#[derive(Debug)]
struct PortShare {
    role: String,
    left: FreePorts,
    prototype: Resource,
}

/// Whose resources may be used: those with one of these reservation roles; all of them when empty.
pub(super) fn accepts(accepted: &[String], role: &str) -> bool {
    accepted.is_empty() || accepted.iter().any(|accepted| accepted == role)
}

impl Stock {
    /// Takes offers in.
    #[must_use]
    pub fn new(offers: Vec<Offer>) -> Self {
        Self { candidates: offers.into_iter().map(Candidate::new).collect() }
    }
}

impl Candidate {
    fn new(offer: Offer) -> Self {
        let mut held: BTreeMap<Owner, Holding> = BTreeMap::new();
        let mut free: Vec<&Resource> = Vec::with_capacity(offer.resources.len());
        for resource in &offer.resources {
            match owner_of(resource) {
                Some(owner) => held.entry(owner).or_default().add(resource),
                None => free.push(resource),
            }
        }
        let agent = Arc::new(agent_of(&offer));
        let (pool, disks) = (Pool::of(free.iter().copied()), Disks::of(free.iter().copied()));
        let role = offer.allocation_info.as_ref().and_then(|info| info.role.clone());
        Self { agent, role, operations: Operations::default(), pool, disks, held, offer: Arc::new(offer) }
    }
}

impl Candidate {
    /// What is left for who takes what is reserved for these roles.
    #[must_use]
    pub fn left_for(&self, roles: &[String]) -> Resources {
        let left = |kind| self.pool.left(kind, roles);
        Resources { cpus: left(Kind::Cpus), mem: left(Kind::Mem), disk: left(Kind::Disk), gpus: left(Kind::Gpus) }
    }

    /// Takes back what an instance used, with these host ports.
    pub fn put_back(&mut self, run_spec: &RunSpec, ports: &[u16]) {
        let roles = &run_spec.placement.accepted_resource_roles;
        // Whose it was, nobody wrote down.
        let role =
            if accepts(roles, UNRESERVED) { UNRESERVED } else { roles.first().map_or(UNRESERVED, String::as_str) };
        self.pool.put_back(&run_spec.needs(), ports, role);
    }
}

impl Pool {
    /// What instances can take of these resources.
    pub(super) fn of<'a>(resources: impl Iterator<Item = &'a Resource> + Clone) -> Self {
        let usable = || resources.clone().filter(|resource| is_plain(resource));
        Self {
            scalars: usable().filter_map(ScalarShare::new).collect(),
            ports: usable().filter_map(PortShare::new).collect(),
        }
    }

    /// True when anything may be used by these roles.
    pub(super) fn has_role(&self, accepted: &[String]) -> bool {
        self.scalars.iter().any(|share| accepts(accepted, &share.role))
    }

    /// Whether any of one kind is left.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.scalars.iter().any(|share| share.kind == kind && !share.left.is_zero())
    }

    /// How much is left of one kind.
    pub(super) fn left(&self, kind: Kind, accepted: &[String]) -> Scalar {
        let shares = self.scalars.iter().filter(|share| share.kind == kind && accepts(accepted, &share.role));
        shares.fold(Scalar::ZERO, |sum, share| sum.plus(share.left))
    }

    /// The free ports.
    pub(super) fn free_ports<'a>(&'a self, accepted: &'a [String]) -> impl Iterator<Item = &'a FreePorts> {
        self.ports.iter().filter(|share| accepts(accepted, &share.role)).map(|share| &share.left)
    }

    /// Takes what one instance needs, reserved resources first. The caller has checked that it is there.
    pub(super) fn take(&mut self, needs: &Resources, ports: &[u16], accepted: &[String]) -> Vec<Resource> {
        let mut taken = Vec::new();
        let Resources { cpus, mem, disk, gpus } = *needs;
        for (kind, amount) in [(Kind::Cpus, cpus), (Kind::Mem, mem), (Kind::Disk, disk), (Kind::Gpus, gpus)] {
            self.take_scalar(kind, amount, accepted, &mut taken);
        }
        self.take_ports(ports, accepted, &mut taken);
        taken
    }

    fn put_back(&mut self, resources: &Resources, ports: &[u16], role: &str) {
        let Resources { cpus, mem, disk, gpus } = *resources;
        let amounts = [
            (Kind::Cpus, "cpus", cpus),
            (Kind::Mem, "mem", mem),
            (Kind::Disk, "disk", disk),
            (Kind::Gpus, "gpus", gpus),
        ];
        for (kind, name, amount) in amounts.into_iter().filter(|(_, _, amount)| !amount.is_zero()) {
            match self.scalars.iter_mut().find(|share| share.kind == kind && share.role == role) {
                Some(share) => share.left = share.left.plus(amount),
                None => {
                    let prototype = Resource { r#type: ValueType::Scalar, ..named(name, role) };
                    self.scalars.push(ScalarShare { kind, role: role.to_owned(), left: amount, prototype });
                }
            }
        }
        let freed = || ports.iter().map(|port| (u64::from(*port), u64::from(*port)));
        match self.ports.iter_mut().find(|share| share.role == role) {
            Some(share) => share.left.put_back(ports),
            None => {
                let prototype = Resource { r#type: ValueType::Ranges, ..named("ports", role) };
                self.ports.push(PortShare { role: role.to_owned(), left: FreePorts::new(freed()), prototype });
            }
        }
    }

    /// Takes disk space for a volume, as one piece. The caller has checked that it is there.
    pub(super) fn take_disk(&mut self, size: Scalar, accepted: &[String]) -> Option<Resource> {
        let mut taken = Vec::new();
        self.take_scalar(Kind::Disk, size, accepted, &mut taken);
        let whole = Some(v1::Scalar { value: size.to_f64() });
        taken.into_iter().next().map(|first| Resource { scalar: whole, ..first })
    }

    fn take_scalar(&mut self, kind: Kind, amount: Scalar, accepted: &[String], taken: &mut Vec<Resource>) {
        let mut missing = amount;
        for share in self.scalars.iter_mut().filter(|share| share.kind == kind && accepts(accepted, &share.role)) {
            let used = missing.min(share.left);
            if used.is_zero() {
                continue;
            }
            share.left = share.left.checked_minus(used).unwrap_or_default();
            missing = missing.checked_minus(used).unwrap_or_default();
            taken.push(Resource { scalar: Some(v1::Scalar { value: used.to_f64() }), ..share.prototype.clone() });
        }
        assert!(missing.is_zero(), "an instance was placed on an offer that lacks {missing} of {kind:?}");
    }

    fn take_ports(&mut self, ports: &[u16], accepted: &[String], taken: &mut Vec<Resource>) {
        let mut missing = ports.to_vec();
        for share in self.ports.iter_mut().filter(|share| accepts(accepted, &share.role)) {
            let mut range = Vec::new();
            missing.retain(|port| {
                let here = share.left.take(*port);
                if here {
                    range.push(v1::Range { begin: u64::from(*port), end: u64::from(*port) });
                }
                !here
            });
            if !range.is_empty() {
                range.sort_unstable_by_key(|range| range.begin);
                taken.push(Resource { ranges: Some(v1::Ranges { range }), ..share.prototype.clone() });
            }
        }
        assert!(missing.is_empty(), "an instance was placed on an offer that lacks ports {missing:?}");
    }
}

impl ScalarShare {
    fn new(resource: &Resource) -> Option<Self> {
        let kind = match resource.name.as_str() {
            "cpus" => Kind::Cpus,
            "mem" => Kind::Mem,
            "disk" => Kind::Disk,
            "gpus" => Kind::Gpus,
            _other => return None,
        };
        let value = resource.scalar.as_ref().filter(|_| resource.r#type == ValueType::Scalar)?.value;
        let left = Scalar::from_f64(value).ok()?;
        Some(Self { kind, role: reservation_role(resource), left, prototype: resource.clone() })
    }
}

impl PortShare {
    fn new(resource: &Resource) -> Option<Self> {
        let ranges =
            resource.ranges.as_ref().filter(|_| resource.r#type == ValueType::Ranges && resource.name == "ports")?;
        let left = FreePorts::new(ranges.range.iter().map(|range| (range.begin, range.end)));
        let prototype = Resource { ranges: None, ..resource.clone() };
        Some(Self { role: reservation_role(resource), left, prototype })
    }
}

fn named(name: &str, role: &str) -> Resource {
    Resource { name: name.to_owned(), role: Some(role.to_owned()), ..Resource::default() }
}

/// Neither a volume nor a disk of its own, nor revocable, nor shared: a task as such needs none of these.
fn is_plain(resource: &Resource) -> bool {
    resource.disk.is_none() && resource.revocable.is_none() && resource.shared.is_none()
}

/// The role of the innermost reservation; `*` when there is none.
pub(super) fn reservation_role(resource: &Resource) -> String {
    let newest = resource.reservations.last().and_then(|reservation| reservation.role.clone());
    newest.or_else(|| resource.role.clone()).unwrap_or_else(|| "*".to_owned())
}
