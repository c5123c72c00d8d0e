use std::sync::Arc;

use super::{Grants, Permission, Sight, UserName};

/// Who asks. By default anybody: where nobody has to sign in, everybody may do everything. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller(Option<Arc<Named>>);

#[derive(Debug, PartialEq, Eq)]
struct Named {
    name: UserName,
    grants: Grants,
    sight: Sight,
}

/// A permission that is missing (403).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("You need the permission '{permission}' on {path}")]
pub struct Lacking {
    /// Which.
    pub permission: Permission,
    /// Where.
    pub path: String,
}

impl Caller {
    /// Somebody who has proved a name.
    #[must_use]
    pub fn named(name: UserName, grants: Grants) -> Self {
        let sight = grants.sight();
        Self(Some(Arc::new(Named { name, grants, sight })))
    }

    /// The name; none: nobody was asked for one.
    #[must_use]
    pub fn name(&self) -> Option<&UserName> {
        self.0.as_ref().map(|named| &named.name)
    }

    /// What the name may do; none: nobody was asked for one.
    #[must_use]
    pub fn grants(&self) -> Option<&Grants> {
        self.0.as_ref().map(|named| &named.grants)
    }

    /// What the caller may view.
    #[must_use]
    pub fn sight(&self) -> Sight {
        self.0.as_ref().map_or(Sight::Everything, |named| named.sight.clone())
    }

    /// Whether the caller may do this at `path`.
    #[must_use]
    pub fn may(&self, permission: Permission, path: &str) -> bool {
        self.0.as_ref().is_none_or(|named| named.grants.allow(permission, path))
    }

    /// The same of something that the caller may not know of: then it is not named.
    ///
    /// # Errors
    /// What is missing, and where: at the root, for what may not be viewed.
    pub fn need_behind(&self, permission: Permission, path: &str) -> Result<(), Lacking> {
        self.need(permission, path).map_err(|lacking| match self.may(Permission::View, path) {
            true => lacking,
            false => Lacking { permission, path: "/".to_owned() },
        })
    }

    /// The same, in words.
    ///
    /// # Errors
    /// What is missing.
    pub fn need(&self, permission: Permission, path: &str) -> Result<(), Lacking> {
        if self.may(permission, path) { Ok(()) } else { Err(Lacking { permission, path: path.to_owned() }) }
    }
}
