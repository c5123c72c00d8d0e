//! REVIVE: offers again, now, whatever was declined before.

use attica_core_api::v1::FrameworkId;

use super::{Effects, Kernel};

impl Kernel {
    /// For the named roles, or for all of them. A role that the framework does not have is ignored.
    pub(super) fn revive(&mut self, id: &FrameworkId, roles: &[String], out: &mut Effects) {
        let revived = self.roles_named(id, roles);
        let key = self.framework_key(id);
        for role in &revived {
            self.allocator.revive(key, role);
        }
        self.view_suppressed(id, out);
    }
}
