//! Weights: UPDATE_WEIGHTS and `PUT /weights`. The words are Mesos's.

use attica_allocator::Role;
use attica_core_api::v1::WeightInfo;

use super::{Effects, Kernel, Refusal};
use crate::fact::Fact;

impl Kernel {
    /// What an operator's flag says. Whoever wrote it has been told if it is wrong.
    pub(super) fn first_weights(&mut self, weights: Vec<WeightInfo>, out: &mut Effects) {
        if self.weights.is_empty()
            && let Err(refusal) = self.update_weights(weights, out)
        {
            unreachable!("flags are checked when they are read: {refusal:?}");
        }
    }

    pub(super) fn update_weights(&mut self, weights: Vec<WeightInfo>, out: &mut Effects) -> Result<(), Refusal> {
        let failed =
            |reason: String| Refusal::Invalid(format!("Failed to validate update weights request JSON{reason}"));
        let mut checked = Vec::with_capacity(weights.len());
        for WeightInfo { weight, role } in weights {
            let name = role.unwrap_or_default();
            let name = name.trim();
            let role = Role::new(name).map_err(|error| failed(format!(": Invalid role '{name}': {error}")))?;
            if !(weight.is_normal() && weight > 0.0) {
                let reason = format!(" for role '{name}': Invalid weight '{weight}': Weights must be positive");
                return Err(failed(reason));
            }
            checked.push((role, weight));
        }
        for (role, weight) in &checked {
            if let Err(error) = self.allocator.set_weight(role, *weight) {
                unreachable!("the weights were checked: {error}");
            }
        }
        let concerned = |role: &Role| self.frameworks.values().any(|framework| framework.roles.contains(role));
        if checked.iter().any(|(role, _)| concerned(role)) {
            // What is offered now was shared out by the old weights.
            let offers: Vec<_> = self.allocator.outstanding().map(|offer| offer.key).collect();
            let withdrawn = offers.into_iter().filter_map(|offer| self.allocator.withdraw(offer)).collect();
            self.rescind(withdrawn, out);
        }
        let weight = |(role, weight): (Role, f64)| WeightInfo { weight, role: Some(role.as_str().to_owned()) };
        let weights: Vec<WeightInfo> = checked.into_iter().map(weight).collect();
        self.weights.extend(weights.iter().filter_map(|info| Some((info.role.clone()?, info.weight))));
        if !weights.is_empty() {
            out.facts.push(Fact::WeightsUpdated { weights });
        }
        Ok(())
    }
}
