use std::collections::BTreeMap;
use std::fmt;

use crate::{Name, Quantities, Scalar};

/// The most that a role may have of some resources; what is not named is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(BTreeMap<Name, Scalar>);

/// What a role, with everything below it, is promised, and how much it may have.
///
/// What counts is what is reserved for it, in use or not, and what it uses besides of unreserved resources that cannot
/// be taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// So much is kept free for the role as long as it has less.
    pub guarantees: Quantities,
    /// More than that it is not offered.
    pub limits: Limits,
}

impl Limits {
    /// These limits with one more.
    #[must_use]
    pub fn with(mut self, name: impl Into<Name>, most: Scalar) -> Limits {
        self.0.insert(name.into(), most);
        self
    }

    /// The limit of `name`, if there is one.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<Scalar> {
        self.0.get(name).copied()
    }

    /// True when nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The limits by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, Scalar)> + '_ {
        self.0.iter().map(|(name, most)| (name, *most))
    }

    /// True when `quantities` keep to all of these limits.
    #[must_use]
    pub fn admit(&self, quantities: &Quantities) -> bool {
        self.iter().all(|(name, most)| quantities.get(name) <= most)
    }
}

impl Quota {
    /// True when it promises nothing and limits nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.guarantees.is_zero() && self.limits.is_empty()
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits: Vec<String> = self.iter().map(|(name, most)| format!("{name}:{most}")).collect();
        formatter.write_str(&limits.join(";"))
    }
}
