//! SUPPRESS: no more offers for some roles. Those that are out stay.

use attica_allocator::Role;
use attica_core_api::v1::FrameworkId;

use super::{Effects, Kernel};

impl Kernel {
    /// For the named roles, or for all of them. A role that the framework does not have is ignored.
    pub(super) fn suppress(&mut self, id: &FrameworkId, roles: &[String], out: &mut Effects) {
        let suppressed = self.roles_named(id, roles);
        let key = self.framework_key(id);
        for role in &suppressed {
            self.allocator.suppress(key, role);
        }
        self.view_suppressed(id, out);
    }

    /// The framework's roles with these names; all of them when none is named.
    pub(super) fn roles_named(&mut self, id: &FrameworkId, names: &[String]) -> Vec<Role> {
        let roles = self.framework_mut(id).roles.iter();
        roles.filter(|role| names.is_empty() || names.iter().any(|name| name == role.as_str())).cloned().collect()
    }
}
