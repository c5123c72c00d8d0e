//! Which order it is, of an operator.

use attica_core_api::v1::{FrameworkId, WeightInfo};

use super::{Effects, Kernel, Now, QuotaChange, Refusal};

/// What operators can have changed. What they may is decided before.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// A framework is to be removed.
    Teardown {
        /// Which.
        framework: FrameworkId,
    },
    /// Quotas are to change: all of it is done, or nothing.
    UpdateQuota(QuotaChange),
    /// Roles are to have these weights (UPDATE_WEIGHTS, `PUT /weights`): all of it is done, or nothing.
    UpdateWeights(Vec<WeightInfo>),
}

impl Kernel {
    pub(super) fn order(&mut self, now: Now, order: Order, out: &mut Effects) -> Result<(), Refusal> {
        match order {
            Order::Teardown { framework } => self.teardown_ordered(now, &framework, out),
            Order::UpdateQuota(change) => self.update_quota(change, out),
            Order::UpdateWeights(weights) => self.update_weights(weights, out),
        }
    }

    fn teardown_ordered(&mut self, now: Now, id: &FrameworkId, out: &mut Effects) -> Result<(), Refusal> {
        let here = self.frameworks.get(id).is_some_and(|framework| !framework.is_removed());
        if !here {
            return Err(Refusal::Invalid("No framework found with specified ID".to_owned()));
        }
        self.remove_framework(now, id, out);
        Ok(())
    }
}
