//! Quotas: UPDATE_QUOTA, SET_QUOTA and REMOVE_QUOTA. The rules and their words are Mesos's, where any level of the role tree may
//! have a quota, and a limit must keep to the one above it.

use std::collections::BTreeMap;

use attica_allocator::{Limits, Name, Quantities, Quota, Role, Scalar};
use attica_core_api::operator::{QuotaConfig, QuotaRequest};
use attica_core_api::v1::{self, ValueType};

use super::{Effects, Kernel, Refusal};
use crate::fact::Fact;

/// The most memory or disk space, in MB, that a quota can name: an exabyte.
const MOST_MEGABYTES: f64 = (1_u64 << 40) as f64;
/// The most of anything else.
const MOST_UNITS: f64 = 1e12;

/// How quotas change.
#[derive(Clone, Debug, PartialEq)]
pub enum QuotaChange {
    /// UPDATE_QUOTA: these roles have these quotas from now on.
    Update {
        /// By role; a role must not be named twice.
        configs: Vec<QuotaConfig>,
        /// Even when more is promised than there is, or a role has more than it may.
        force: bool,
    },
    /// SET_QUOTA and `POST /quota`: a role that has none gets one, which guarantees and limits the same.
    Set(QuotaRequest),
    /// REMOVE_QUOTA and `DELETE /quota/{role}`.
    Remove {
        /// Whose quota.
        role: String,
    },
}

impl Kernel {
    pub(super) fn update_quota(&mut self, change: QuotaChange, out: &mut Effects) -> Result<(), Refusal> {
        match change {
            QuotaChange::Update { configs, force } => self.update_quotas(configs, force, out),
            QuotaChange::Set(request) => self.set_quota(request, out),
            QuotaChange::Remove { role } => self.remove_quota(&role, out),
        }
    }

    fn update_quotas(&mut self, configs: Vec<QuotaConfig>, force: bool, out: &mut Effects) -> Result<(), Refusal> {
        let invalid = |reason: String| Refusal::Invalid(format!("Invalid QuotaConfig: {reason}"));
        let mut changed = BTreeMap::new();
        for config in &configs {
            let (role, quota) = read(config).map_err(invalid)?;
            if changed.insert(role, quota).is_some() {
                return Err(invalid(format!("role '{}' is named more than once", config.role)));
            }
        }
        let mut all = self.quotas.clone();
        all.extend(changed.clone());
        check_tree(&all).map_err(invalid)?;
        if !force {
            let bypass = "(use 'force' flag to bypass this check)";
            self.check_capacity(&all, "total").map_err(|reason| invalid(format!("{reason} {bypass}")))?;
            for (role, quota) in &changed {
                let consumed = self.allocator.consumed(role);
                if !quota.limits.admit(&consumed) {
                    return Err(invalid(format!(
                        "Role '{role}' is already consuming '{}'; this is more than the requested limits '{}' {bypass}",
                        quantities_text(&consumed),
                        limits_text(&quota.limits),
                    )));
                }
            }
        }
        self.enact(changed, out);
        out.facts.push(Fact::QuotasUpdated { configs });
        Ok(())
    }

    fn set_quota(&mut self, request: QuotaRequest, out: &mut Effects) -> Result<(), Refusal> {
        let invalid = |reason: String| Refusal::Invalid(format!("Failed to validate set quota request: {reason}"));
        let force = request.force.unwrap_or(false);
        let config = config_of(request).map_err(invalid)?;
        let (role, quota) = read(&config).map_err(invalid)?;
        if self.quotas.contains_key(&role) {
            return Err(invalid(format!("Cannot set quota for role '{role}' which already has quota")));
        }
        let mut all = self.quotas.clone();
        all.insert(role.clone(), quota.clone());
        check_tree(&all).map_err(invalid)?;
        if !force {
            self.check_capacity(&all, "Total").map_err(|reason| {
                let what = "Quota guarantees overcommit the cluster (use 'force' to bypass this check)";
                Refusal::Conflict(format!("{what}: {reason}"))
            })?;
        }
        self.enact(BTreeMap::from([(role, quota)]), out);
        out.facts.push(Fact::QuotasUpdated { configs: vec![config] });
        Ok(())
    }

    fn remove_quota(&mut self, role: &str, out: &mut Effects) -> Result<(), Refusal> {
        let invalid = |reason: String| Refusal::Invalid(format!("Failed to remove quota: {reason}"));
        let known = Role::new(role).ok().filter(|role| self.quotas.contains_key(role));
        let Some(role) = known else {
            return Err(invalid(format!("Role '{role}' has no quota set")));
        };
        let mut rest = self.quotas.clone();
        rest.remove(&role);
        check_tree(&rest).map_err(invalid)?;
        self.enact(BTreeMap::from([(role.clone(), Quota::default())]), out);
        self.quotas.remove(&role);
        out.facts.push(Fact::QuotaRemoved { role });
        Ok(())
    }

    /// The allocator keeps to these from now on; offers that do not go with them are rescinded.
    fn enact(&mut self, changed: BTreeMap<Role, Quota>, out: &mut Effects) {
        self.quotas.extend(changed.clone());
        let withdrawn = self.allocator.set_quotas(changed);
        self.rescind(withdrawn, out);
    }

    /// Agents count as long as the allocator knows them, connected or not: to be away for a moment changes no capacity.
    fn check_capacity(&self, quotas: &BTreeMap<Role, Quota>, total: &str) -> Result<(), String> {
        let tops = quotas.iter().filter(|(role, _)| role.parent().is_none());
        let promised = tops.fold(Quantities::default(), |sum, (_, quota)| sum.plus(&quota.guarantees));
        let capacity = self.allocator.firm_total();
        match capacity.contains(&promised) {
            true => Ok(()),
            false => Err(format!(
                "{total} quota guarantees '{}' exceed cluster capacity '{}'",
                quantities_text(&promised),
                quantities_text(&capacity)
            )),
        }
    }
}

/// The quotas that facts tell of.
pub(super) fn recovered<'c>(configs: impl Iterator<Item = &'c QuotaConfig>) -> BTreeMap<Role, Quota> {
    // They were valid when they were set; should the rules have become stricter, the quota is dropped with them.
    configs.filter_map(|config| read(config).ok()).collect()
}

/// Reads and checks one quota by itself.
fn read(config: &QuotaConfig) -> Result<(Role, Quota), String> {
    let role = Role::new(&config.role).map_err(|error| format!("Invalid 'QuotaConfig.role': {error}"))?;
    let mut quota = Quota::default();
    for (name, quantity) in &config.guarantees {
        let quantity = scalar(name, quantity, "guarantees", "guarantee")?;
        quota.guarantees = quota.guarantees.with(name.as_str(), quantity);
    }
    for (name, most) in &config.limits {
        quota.limits = quota.limits.with(name.as_str(), scalar(name, most, "limits", "limit")?);
    }
    match quota.limits.admit(&quota.guarantees) {
        true => Ok((role, quota)),
        false => Err(format!(
            "'QuotaConfig.guarantees' {} is not contained within the 'QuotaConfig.limits' {}",
            quantities_text(&quota.guarantees),
            limits_text(&quota.limits)
        )),
    }
}

fn scalar(name: &str, scalar: &v1::Scalar, field: &str, kind: &str) -> Result<Scalar, String> {
    let value = scalar.value;
    let (most, words) = match Name::from(name) {
        Name::Mem | Name::Disk => (MOST_MEGABYTES, "1 exabyte"),
        Name::Cpus | Name::Gpus | Name::Ports | Name::Other(_) => (MOST_UNITS, "1 trillion"),
    };
    if value > most {
        return Err(format!(
            "Invalid 'QuotaConfig.{field}': {{'{name}': {value}}} is invalid: values greater than {words} ({most}) are not supported"
        ));
    }
    let wrong = |reason: &str| format!("Invalid {kind} configuration {{'{name}': {value}}}: {reason}");
    if value.is_nan() {
        return Err(wrong("NaN not supported"));
    }
    if value < 0.0 {
        return Err(wrong("Negative values not supported"));
    }
    Scalar::from_f64(value).map_err(|error| wrong(&error.to_string()))
}

/// What a parent is promised contains what its children are promised, and its limits contain theirs.
fn check_tree(quotas: &BTreeMap<Role, Quota>) -> Result<(), String> {
    let mut promised: BTreeMap<Role, Quantities> = BTreeMap::new();
    for (role, quota) in quotas {
        let Some(parent) = role.parent() else { continue };
        let sum = promised.entry(parent.clone()).or_default();
        *sum = sum.plus(&quota.guarantees);
        let above = std::iter::successors(Some(parent), Role::parent).find_map(|above| quotas.get_key_value(&above));
        let Some((above, bounds)) = above else { continue };
        if let Some((name, most)) =
            quota.limits.iter().find(|(name, most)| bounds.limits.get(name).is_some_and(|bound| *most > bound))
        {
            return Err(format!(
                "Invalid quota configuration. Parent role '{above}' with limits ({}) does not contain the limit {name}:{most} of its child '{role}'",
                limits_text(&bounds.limits)
            ));
        }
    }
    for (parent, sum) in promised {
        let guarantees = quotas.get(&parent).map(|quota| quota.guarantees.clone()).unwrap_or_default();
        if !guarantees.contains(&sum) {
            return Err(format!(
                "Invalid quota configuration. Parent role '{parent}' with guarantees ({}) does not contain the sum of its children's guarantees ({})",
                quantities_text(&guarantees),
                quantities_text(&sum)
            ));
        }
    }
    Ok(())
}

/// The quota that a request in the old notation means.
fn config_of(request: QuotaRequest) -> Result<QuotaConfig, String> {
    let role = request.role.ok_or("QuotaInfo must specify a role")?;
    if request.guarantee.is_empty() {
        return Err("QuotaInfo with empty 'guarantee'".to_owned());
    }
    let mut quantities = BTreeMap::new();
    for resource in request.guarantee {
        if !resource.reservations.is_empty() || resource.reservation.is_some() {
            return Err("QuotaInfo must not contain any ReservationInfo".to_owned());
        }
        if resource.role.as_deref().is_some_and(|role| role != "*") {
            return Err("QuotaInfo must not contain any ReservationInfo".to_owned());
        }
        if resource.disk.is_some() {
            return Err("QuotaInfo must not contain DiskInfo".to_owned());
        }
        if resource.revocable.is_some() {
            return Err("QuotaInfo must not contain RevocableInfo".to_owned());
        }
        let scalar = match (resource.r#type, resource.scalar) {
            (ValueType::Scalar, Some(scalar)) => scalar,
            (ValueType::Scalar | ValueType::Ranges | ValueType::Set | ValueType::Text, _) => {
                return Err("QuotaInfo must not include non-scalar resources".to_owned());
            }
        };
        if quantities.insert(resource.name.clone(), scalar).is_some() {
            return Err(format!("QuotaInfo contains duplicate resource name '{}'", resource.name));
        }
    }
    Ok(QuotaConfig { role, guarantees: quantities.clone(), limits: quantities })
}

fn quantities_text(quantities: &Quantities) -> String {
    text(quantities.iter().map(|(name, quantity)| format!("{name}:{quantity}")))
}

fn limits_text(limits: &Limits) -> String {
    text(limits.iter().map(|(name, most)| format!("{name}:{most}")))
}

/// As Mesos writes quantities.
fn text(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "{}".to_owned() } else { parts.join("; ") }
}
