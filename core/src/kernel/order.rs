//! Which order it is, of an operator.

use attica_core_api::operator::Schedule;
use attica_core_api::v1::{AgentId, DrainConfig, FrameworkId, MachineId, OfferOperation, WeightInfo};

use super::{Effects, Kernel, Now, QuotaChange, Refusal};

/// What operators can have changed. What they may is decided before.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// A framework is to be removed.
    Teardown {
        /// Which.
        framework: FrameworkId,
    },
    /// Reservations or volumes of an agent are to be made or undone. Offers that hold what it takes are rescinded.
    Operate {
        /// Which agent.
        agent: AgentId,
        /// RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME or SHRINK_VOLUME.
        operation: Box<OfferOperation>,
        /// Who wants it, if he was authenticated.
        principal: Option<String>,
    },
    /// Quotas are to change: all of it is done, or nothing.
    UpdateQuota(QuotaChange),
    /// Roles are to have these weights (UPDATE_WEIGHTS, `PUT /weights`): all of it is done, or nothing.
    UpdateWeights(Vec<WeightInfo>),
    /// Nothing new is to be placed on an agent.
    DeactivateAgent {
        /// Which.
        agent: AgentId,
    },
    /// What runs on an agent is to be killed as well.
    DrainAgent {
        /// Which.
        agent: AgentId,
        /// How.
        config: DrainConfig,
    },
    /// An agent takes part again.
    ReactivateAgent {
        /// Which.
        agent: AgentId,
    },
    /// An agent will never be back.
    MarkAgentGone {
        /// Which.
        agent: AgentId,
    },
    /// The maintenance of machines is planned anew.
    UpdateMaintenanceSchedule {
        /// All of it.
        schedule: Schedule,
    },
    /// Machines go down.
    StartMaintenance {
        /// Which.
        machines: Vec<MachineId>,
    },
    /// Machines are back.
    StopMaintenance {
        /// Which.
        machines: Vec<MachineId>,
    },
}

impl Kernel {
    pub(super) fn order(&mut self, now: Now, order: Order, out: &mut Effects) -> Result<(), Refusal> {
        match order {
            Order::Teardown { framework } => self.teardown_ordered(now, &framework, out),
            Order::Operate { agent, operation, principal } => {
                self.operate_for_operator(now, &agent, *operation, principal.as_deref(), out)
            }
            Order::UpdateQuota(change) => self.update_quota(change, out),
            Order::UpdateWeights(weights) => self.update_weights(weights, out),
            Order::DeactivateAgent { agent } => self.deactivate_ordered(&agent, out),
            Order::DrainAgent { agent, config } => self.drain_ordered(now, &agent, config, out),
            Order::ReactivateAgent { agent } => self.reactivate_ordered(&agent, out),
            Order::MarkAgentGone { agent } => self.gone_ordered(now, &agent, out),
            Order::UpdateMaintenanceSchedule { schedule } => self.schedule_ordered(now, schedule, out),
            Order::StartMaintenance { machines } => self.machines_down_ordered(now, &machines, out),
            Order::StopMaintenance { machines } => self.machines_up_ordered(now, &machines, out),
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
