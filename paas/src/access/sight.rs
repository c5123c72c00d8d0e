use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use super::grants::and_around;
use crate::model::{GroupId, RunSpecId};

/// What a reader may view. To ask costs nothing for those who may view everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// All there is.
    #[default]
    Everything,
    /// What lies at these paths and below them.
    Within(Arc<BTreeSet<GroupId>>),
}

impl Sight {
    /// What lies at these paths and below them.
    pub(super) fn of(paths: impl Iterator<Item = GroupId>) -> Self {
        let paths: BTreeSet<GroupId> = paths.collect();
        if paths.contains("/") { Self::Everything } else { Self::Within(Arc::new(paths)) }
    }

    /// Whether what has this path is seen.
    #[must_use]
    pub fn sees(&self, path: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Within(paths) => and_around(path).any(|at| paths.contains(at)),
        }
    }

    /// Whether a group is seen, or something in it may be.
    #[must_use]
    pub fn reaches(&self, group: &GroupId) -> bool {
        match self {
            Self::Everything => true,
            Self::Within(paths) => {
                let prefix = group.prefix();
                let behind = paths.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded)).next();
                self.sees(group.as_str()) || behind.is_some_and(|path| path.as_str().starts_with(&prefix))
            }
        }
    }

    /// Whether somebody may hear of what concerns all of this.
    #[must_use]
    pub fn hears(&self, scope: &Scope) -> bool {
        match (self, scope) {
            (Self::Everything, _) | (_, Scope::Everybody) => true,
            (Self::Within(_), Scope::Unknown) => false,
            (Self::Within(_), Scope::Paths(paths)) => paths.iter().all(|path| self.sees(path)),
        }
    }
}

/// Whom something that happened concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody: it tells of no run spec.
    Everybody,
    /// Those who may view all of these paths.
    Paths(Arc<[Arc<str>]>),
    /// Nobody knows: those who may view everything.
    Unknown,
}

impl Scope {
    /// One run spec.
    #[must_use]
    pub fn of(id: &RunSpecId) -> Self {
        Self::Paths([Arc::from(id.as_str())].into())
    }

    /// Several paths at once; what is about none is for everybody.
    pub fn of_all<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let paths: Arc<[Arc<str>]> = paths.into_iter().map(Arc::from).collect();
        if paths.is_empty() { Self::Everybody } else { Self::Paths(paths) }
    }
}
