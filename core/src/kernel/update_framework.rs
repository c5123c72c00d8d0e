//! UPDATE_FRAMEWORK: a framework describes itself anew, without a new stream.

use std::sync::Arc;

use attica_core_api::scheduler::UpdateFramework;
use attica_core_api::v1::FrameworkId;

use super::constraints::Constraints;
use super::offers::capabilities_of;
use super::subscribe::{check_info, partitions_of, suppressed_roles};
use super::{Effects, Kernel, Now, Refusal, View};
use crate::fact::Fact;

impl Kernel {
    /// # Errors
    /// When the description is not valid, or changes what cannot change.
    pub(super) fn update_framework(
        &mut self,
        now: Now,
        id: &FrameworkId,
        update: UpdateFramework,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let UpdateFramework { framework_info: info, suppressed_roles: suppressed, offer_constraints } = update;
        let invalid = |message| Refusal::Invalid(format!("'FrameworkInfo' is not valid: {message}"));
        let roles = check_info(&info, &self.config).map_err(invalid)?;
        let suppressed = suppressed_roles(&suppressed, &roles).map_err(invalid)?;
        let wire = offer_constraints.unwrap_or_default();
        let constraints = Constraints::new(&wire, &roles).map_err(Refusal::Invalid)?;
        let known = &self.framework_mut(id).info;
        let fixed = [
            ("principal", known.principal != info.principal),
            ("user", known.user != info.user),
            ("checkpoint", known.checkpoint != info.checkpoint),
        ];
        if let Some((name, _)) = fixed.iter().find(|(_, changed)| *changed) {
            return Err(Refusal::Invalid(format!("Updating 'FrameworkInfo.{name}' is unsupported")));
        }
        self.authorize_registration(&info).map_err(Refusal::Forbidden)?;
        let key = self.framework_key(id);
        let withdrawn = self.allocator.update_framework(key, roles.clone(), capabilities_of(&info));
        self.rescind(withdrawn, out);
        out.facts.push(Fact::FrameworkUpdated { info: Box::new(info.clone()), at: now.wall });
        let framework = self.framework_mut(id);
        framework.partitions = partitions_of(&info);
        framework.info = Arc::new(info);
        framework.roles = roles;
        self.apply_wishes(id, constraints);
        out.view.push(View::OfferConstraints { framework: id.clone(), constraints: Box::new(wire) });
        self.set_suppressed(id, &suppressed, out);
        Ok(())
    }
}
