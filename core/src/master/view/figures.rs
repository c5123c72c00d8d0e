//! The read model in figures, for the metrics.

use std::collections::{BTreeMap, BTreeSet};

use attica_allocator::{Guarantee, Resource};
use attica_core_api::operator::QuotaConfig;
use attica_core_api::v1::{FrameworkId, Scalar};

use super::agent::Contact;
use super::resources::Amounts;
use super::roles::Sums;
use super::{ReadModel, TaskCounts};

/// Totals of everything. Firm resources and those that may be taken back are apart.
#[derive(Debug, Clone, Default)]
pub(in crate::master) struct Totals {
    pub(in crate::master) tasks: TaskCounts,
    pub(in crate::master) outstanding_offers: usize,
    pub(in crate::master) frameworks_connected: usize,
    pub(in crate::master) frameworks_disconnected: usize,
    pub(in crate::master) agents_active: usize,
    pub(in crate::master) agents_connected: usize,
    pub(in crate::master) agents_disconnected: usize,
    pub(in crate::master) agents_unreachable: usize,
    pub(in crate::master) total: Amounts,
    pub(in crate::master) used: Amounts,
    pub(in crate::master) revocable_total: Amounts,
    pub(in crate::master) revocable_used: Amounts,
}

/// What is known of one framework.
#[derive(Debug, Clone)]
pub(in crate::master) struct FrameworkFigures {
    pub(in crate::master) id: FrameworkId,
    pub(in crate::master) name: String,
    pub(in crate::master) connected: bool,
    pub(in crate::master) roles: Vec<String>,
    pub(in crate::master) suppressed: BTreeSet<String>,
    pub(in crate::master) tasks: TaskCounts,
}

/// What is known of one role.
#[derive(Debug, Clone)]
pub(in crate::master) struct RoleFigures {
    pub(in crate::master) name: String,
    /// Its dominant share by weight, when a framework is in it.
    pub(in crate::master) share: Option<f64>,
    /// Amounts by name: consumed, and when they are set guarantee and limit.
    pub(in crate::master) quota: Vec<(&'static str, BTreeMap<String, f64>)>,
}

/// Of what there is, the name, how much there is, and how much of it is used or on offer.
pub(in crate::master) type Taken = Vec<(String, f64, f64)>;

impl ReadModel {
    /// Totals of everything.
    pub(in crate::master) fn totals(&self) -> Totals {
        let model = self.lock();
        let mut totals =
            Totals { tasks: model.counts.clone(), outstanding_offers: model.offers.len(), ..Totals::default() };
        for framework in model.frameworks.values().filter(|framework| !framework.is_removed()) {
            match framework.is_connected() {
                true => totals.frameworks_connected += 1,
                false => totals.frameworks_disconnected += 1,
            }
        }
        for agent in model.agents.values() {
            totals.agents_active += usize::from(agent.is_active());
            match agent.contact {
                Contact::Connected => totals.agents_connected += 1,
                Contact::Disconnected => totals.agents_disconnected += 1,
                Contact::Unreachable if agent.is_gone() => {}
                Contact::Unreachable => totals.agents_unreachable += 1,
                Contact::Recovered => {}
            }
            if agent.is_registered() {
                totals.total.add_where(&agent.total, |resource| !is_revocable(resource));
                totals.used.add_where(&agent.used, |resource| !is_revocable(resource));
                totals.revocable_total.add_where(&agent.total, is_revocable);
                totals.revocable_used.add_where(&agent.used, is_revocable);
            }
        }
        totals
    }

    /// Every framework that is not history.
    pub(in crate::master) fn framework_figures(&self) -> Vec<FrameworkFigures> {
        let model = self.lock();
        let here = model.frameworks.iter().filter(|(_, framework)| !framework.is_removed());
        here.map(|(id, framework)| FrameworkFigures {
            id: id.clone(),
            name: framework.info().name.clone(),
            connected: framework.is_connected(),
            roles: framework.role_names().into_iter().map(str::to_owned).collect(),
            suppressed: framework.suppressed.clone(),
            tasks: framework.counts.clone(),
        })
        .collect()
    }

    /// Every role, and what there is to share.
    pub(in crate::master) fn role_figures(&self) -> (Vec<RoleFigures>, Taken) {
        let model = self.lock();
        let (mut total, mut taken) = (Sums::default(), Sums::default());
        for agent in model.agents.values().filter(|agent| agent.is_registered()) {
            total.add_scalars(&agent.total);
            taken.add_scalars(&agent.used);
            agent.offers.values().for_each(|(_, offered)| taken.add_scalars(offered));
        }
        let mut all_consumed = Sums::default();
        let mut figures = Vec::new();
        for (name, role) in model.role_views() {
            if !name.contains('/') {
                all_consumed = all_consumed.plus(&role.consumed);
            }
            let weight = model.weights.get(&name).copied().unwrap_or(1.0);
            let share = role.allocated.plus(&role.offered).dominant_share(&total) / weight;
            let quota = model.quotas.get(&name);
            figures.push(RoleFigures {
                share: (!role.frameworks.is_empty()).then_some(share),
                quota: quota_figures(&role.consumed, quota),
                name,
            });
        }
        let root = RoleFigures { name: String::new(), share: None, quota: quota_figures(&all_consumed, None) };
        figures.push(root);
        let amounts = total.amounts();
        let taken = taken.amounts();
        let row = |(name, total): (String, f64)| {
            let used = taken.get(&name).copied().unwrap_or(0.0);
            (name, total, used)
        };
        (figures, amounts.into_iter().map(row).collect())
    }
}

fn quota_figures(consumed: &Sums, quota: Option<&QuotaConfig>) -> Vec<(&'static str, BTreeMap<String, f64>)> {
    let set = |amounts: &BTreeMap<String, Scalar>| -> BTreeMap<String, f64> {
        amounts.iter().map(|(name, amount)| (name.clone(), amount.value)).collect()
    };
    let mut figures = vec![("consumed", consumed.amounts())];
    if let Some(quota) = quota {
        figures.extend([("guarantee", set(&quota.guarantees)), ("limit", set(&quota.limits))]);
    }
    figures
}

fn is_revocable(resource: &Resource) -> bool {
    resource.guarantee() == Guarantee::Revocable
}
