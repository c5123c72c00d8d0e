//! Roles as `/roles` and GET_ROLES show them: every role that somebody has, or that something is set for, and the roles above them.
//!
//! What a role has, all roles below it have for it.

use std::collections::{BTreeMap, BTreeSet};

use attica_allocator::{Guarantee, Resources, Role, Scalar, Value};
use attica_core_api::operator::{QuotaConfig, QuotaInfo, QuotaStatus};
use attica_core_api::v1::{self, FrameworkId, Resource, ValueType, WeightInfo};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::framework::Share;
use super::{Document, Model, ReadModel};

/// A role.
#[derive(Default)]
pub(super) struct RoleView {
    pub(super) frameworks: BTreeSet<FrameworkId>,
    pub(super) allocated: Sums,
    pub(super) offered: Sums,
    pub(super) reserved: Sums,
    /// What counts against its quota: what is reserved for it, and what else it uses.
    pub(super) consumed: Sums,
}

/// Sums by name: of scalars their value, of ranges and sets how many there are.
#[derive(Clone, Default)]
pub(super) struct Sums(BTreeMap<String, Scalar>);

impl Sums {
    fn add(&mut self, resources: &Resources) {
        for resource in resources {
            let amount = match resource.value() {
                Value::Scalar(scalar) => *scalar,
                Value::Ranges(ranges) => whole(ranges.count()),
                Value::Set(set) => whole(set.iter().len() as u64),
            };
            self.add_one(resource.name().as_str(), amount);
        }
    }

    pub(super) fn add_scalars(&mut self, resources: &Resources) {
        for resource in resources {
            if let Value::Scalar(scalar) = resource.value() {
                self.add_one(resource.name().as_str(), *scalar);
            }
        }
    }

    fn add_one(&mut self, name: &str, amount: Scalar) {
        let sum = self.0.entry(name.to_owned()).or_default();
        *sum = sum.plus(amount);
    }

    pub(super) fn plus(&self, other: &Sums) -> Sums {
        let mut sum = self.clone();
        other.0.iter().for_each(|(name, amount)| sum.add_one(name, *amount));
        sum
    }
}

impl Sums {
    /// Everything that is not zero, as numbers.
    pub(super) fn amounts(&self) -> BTreeMap<String, f64> {
        let some = self.0.iter().filter(|(_, amount)| !amount.is_zero());
        some.map(|(name, amount)| (name.clone(), amount.to_f64())).collect()
    }

    /// The largest part that any of it is of the same in `total`.
    pub(super) fn dominant_share(&self, total: &Sums) -> f64 {
        let part = |(name, amount): (&String, &Scalar)| match total.0.get(name) {
            Some(all) if !all.is_zero() => amount.to_f64() / all.to_f64(),
            Some(_) | None => 0.0,
        };
        self.0.iter().map(part).fold(0.0, f64::max)
    }
}

fn whole(count: u64) -> Scalar {
    Scalar::units(u32::try_from(count).unwrap_or(u32::MAX))
}

impl Serialize for Sums {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, amount) in self.0.iter().filter(|(_, amount)| !amount.is_zero()) {
            map.serialize_entry(name, &amount.to_f64())?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Rendered<'a> {
    name: &'a str,
    weight: f64,
    quota: RenderedQuota<'a>,
    resources: Sums,
    allocated: &'a Sums,
    offered: &'a Sums,
    reserved: &'a Sums,
    frameworks: Vec<&'a str>,
}

#[derive(Serialize)]
struct RenderedQuota<'a> {
    role: &'a str,
    guarantee: BTreeMap<&'a str, f64>,
    limit: BTreeMap<&'a str, f64>,
    consumed: &'a Sums,
}

impl ReadModel {
    /// The member `roles` of `/roles`.
    pub(in crate::master) fn roles(&self, document: &mut Document) {
        let model = self.lock();
        let roles = model.role_views();
        document.open_list("roles");
        for (name, role) in &roles {
            let quota = model.quotas.get(name);
            let numbers = |of: fn(&QuotaConfig) -> &BTreeMap<String, v1::Scalar>| {
                let set = quota.into_iter().flat_map(of);
                set.map(|(name, amount)| (name.as_str(), amount.value)).collect()
            };
            let rendered = Rendered {
                name,
                weight: model.weights.get(name).copied().unwrap_or(1.0),
                quota: RenderedQuota {
                    role: name,
                    guarantee: numbers(|config| &config.guarantees),
                    limit: numbers(|config| &config.limits),
                    consumed: &role.consumed,
                },
                resources: role.allocated.plus(&role.offered),
                allocated: &role.allocated,
                offered: &role.offered,
                reserved: &role.reserved,
                frameworks: role.frameworks.iter().map(FrameworkId::as_str).collect(),
            };
            document.element(super::task::encoded(&rendered).into());
        }
        document.close();
    }

    /// The answer to GET_ROLES.
    pub(in crate::master) fn role_messages(&self) -> Vec<v1::Role> {
        let model = self.lock();
        let message = |(name, role): (String, RoleView)| {
            let all = role.allocated.plus(&role.offered);
            let scalar = |(name, amount): (&String, &Scalar)| Resource {
                name: name.clone(),
                r#type: ValueType::Scalar,
                scalar: Some(v1::Scalar { value: amount.to_f64() }),
                ..Resource::default()
            };
            let has = |(name, amount): &(&String, &Scalar)| !amount.is_zero() && name.as_str() != "ports";
            v1::Role {
                weight: model.weights.get(&name).copied().unwrap_or(1.0),
                frameworks: role.frameworks.into_iter().collect(),
                resources: all.0.iter().filter(has).map(scalar).collect(),
                name,
            }
        };
        model.role_views().into_iter().map(message).collect()
    }

    /// The weights that operators set.
    pub(in crate::master) fn weights(&self) -> Vec<WeightInfo> {
        let model = self.lock();
        model.weights.iter().map(|(role, weight)| WeightInfo { weight: *weight, role: Some(role.clone()) }).collect()
    }

    /// The quotas that operators set, in both forms.
    pub(in crate::master) fn quotas(&self) -> QuotaStatus {
        let model = self.lock();
        let info = |config: &QuotaConfig| QuotaInfo {
            role: Some(config.role.clone()),
            principal: None,
            guarantee: config
                .guarantees
                .iter()
                .map(|(name, amount)| Resource {
                    name: name.clone(),
                    r#type: ValueType::Scalar,
                    scalar: Some(amount.clone()),
                    ..Resource::default()
                })
                .collect(),
        };
        QuotaStatus {
            infos: model.quotas.values().map(info).collect(),
            configs: model.quotas.values().cloned().collect(),
        }
    }
}

impl Model {
    pub(super) fn role_views(&self) -> BTreeMap<String, RoleView> {
        let mut roles: BTreeMap<String, RoleView> = BTreeMap::new();
        for name in self.weights.keys().chain(self.quotas.keys()) {
            roles.entry(name.clone()).or_default();
        }
        for framework in self.frameworks.values().filter(|framework| !framework.is_removed()) {
            let Some(id) = &framework.info().id else { continue };
            for name in framework.role_names() {
                roles.entry(name.to_owned()).or_default().frameworks.insert(id.clone());
            }
            for (role, share) in framework.shares() {
                for name in with_parents(role) {
                    let view = roles.entry(name.to_owned()).or_default();
                    match share {
                        Share::Used(resources) => {
                            view.allocated.add(resources);
                            view.consumed.add_scalars(&counted(resources));
                        }
                        Share::Offered(resources) => view.offered.add(resources),
                    }
                }
            }
        }
        for agent in self.agents.values().filter(|agent| agent.is_registered()) {
            let reserved = agent.total.iter().filter_map(|resource| Some((resource.reserved_role()?, resource)));
            for (role, resource) in reserved {
                let mut part = Resources::new();
                part.add_resource(resource.clone());
                for name in with_parents(role) {
                    let view = roles.entry(name.to_owned()).or_default();
                    view.reserved.add(&part);
                    view.consumed.add_scalars(&part);
                }
            }
        }
        roles
    }
}

/// What counts against a quota beside reservations.
fn counted(used: &Resources) -> Resources {
    let mut counted = Resources::new();
    let plain = used
        .iter()
        .filter(|resource| resource.reserved_role().is_none() && resource.guarantee() != Guarantee::Revocable);
    plain.for_each(|resource| counted.add_resource(resource.clone()));
    counted
}

/// `a/b/c`, `a/b` and `a`.
fn with_parents(role: &Role) -> impl Iterator<Item = &str> {
    let name = role.as_str();
    std::iter::successors(Some(name), |name| name.rsplit_once('/').map(|(parent, _)| parent))
}
