//! TEARDOWN: the framework is finished, and says so itself.

use attica_core_api::v1::FrameworkId;

use super::{Effects, Kernel, Now};

impl Kernel {
    pub(super) fn teardown(&mut self, now: Now, framework: &FrameworkId, out: &mut Effects) {
        self.remove_framework(now, framework, out);
    }
}
