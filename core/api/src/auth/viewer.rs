//! One caller, with the rules in force.

use std::sync::Arc;

use http::Extensions;

use super::{Acls, Action, Object, Principal};

/// Who asks, and the rules that say what they may do and see. Taken once per request, so that one answer follows one set of rules.
///
/// What a viewer may not see is left out of lists without a word, as in Mesos; what it may not do is refused.
#[derive(Clone, Debug, Default)]
pub struct Viewer {
    principal: Option<Principal>,
    acls: Option<Arc<Acls>>,
}

impl Viewer {
    /// A caller under these rules; without rules everything is allowed.
    pub fn new(principal: Option<Principal>, acls: Option<Arc<Acls>>) -> Viewer {
        Viewer { principal, acls }
    }

    /// The caller of a request, as the guard has noted it there. A request that no guard has seen comes from within.
    pub fn of(extensions: &Extensions) -> Viewer {
        extensions.get::<Viewer>().cloned().unwrap_or_default()
    }

    /// Who it is, if anything was proved.
    pub fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// Whether no rule can hide or refuse anything: lists need not be filtered.
    pub fn is_unrestricted(&self) -> bool {
        self.acls.is_none()
    }

    /// Whether it may do this.
    pub fn may(&self, action: Action, object: Object<'_>) -> bool {
        self.acls.as_ref().is_none_or(|acls| acls.allows(self.principal.as_ref(), action, object))
    }

    /// Whether no object of this action is kept from it.
    pub fn may_all(&self, action: Action) -> bool {
        self.acls.as_ref().is_none_or(|acls| acls.allows_everything(self.principal.as_ref(), action))
    }

    /// Whether it may see frameworks of this user.
    pub fn sees_framework(&self, user: &str) -> bool {
        self.may(Action::ViewFramework, Object::Value(user))
    }

    /// Whether it may see tasks that run as this user.
    pub fn sees_task(&self, user: &str) -> bool {
        self.may(Action::ViewTask, Object::Value(user))
    }

    /// Whether it may see executors that run as this user.
    pub fn sees_executor(&self, user: &str) -> bool {
        self.may(Action::ViewExecutor, Object::Value(user))
    }

    /// Whether it may see this role, its weight and what it has.
    pub fn sees_role(&self, role: &str) -> bool {
        self.may(Action::ViewRole, Object::Value(role))
    }
}
