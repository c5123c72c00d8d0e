use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{Name, Resources, Scalar, Value};

/// How many names have a fixed place.
const COMMON: usize = 5;

/// Sums of scalars by name, whatever their identity: what shares, minima and limits are computed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantities {
    common: [Scalar; COMMON],
    other: BTreeMap<Arc<str>, Scalar>,
}

impl Quantities {
    /// The sums of the scalars in `resources`.
    #[must_use]
    pub fn of(resources: &Resources) -> Quantities {
        let mut quantities = Quantities::default();
        for resource in resources.iter() {
            match resource.value() {
                Value::Scalar(scalar) => {
                    let sum = quantities.entry(resource.name());
                    *sum = sum.plus(*scalar);
                }
                Value::Ranges(_) | Value::Set(_) => {}
            }
        }
        quantities
    }

    /// These quantities with `name` set to `quantity`.
    #[must_use]
    pub fn with(mut self, name: impl Into<Name>, quantity: Scalar) -> Quantities {
        *self.entry(&name.into()) = quantity;
        self.other.retain(|_, quantity| !quantity.is_zero());
        self
    }

    /// The quantity of `name`; zero when there is none.
    #[must_use]
    pub fn get(&self, name: &Name) -> Scalar {
        match place(name) {
            Ok(index) => self.common[index],
            Err(name) => self.other.get(name).copied().unwrap_or(Scalar::ZERO),
        }
    }

    /// True when no quantity is above zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.iter().all(|(_, quantity)| quantity.is_zero())
    }

    /// True when every quantity is at least that of `other`.
    #[must_use]
    pub fn contains(&self, other: &Quantities) -> bool {
        self.common.iter().zip(&other.common).all(|(mine, theirs)| mine >= theirs)
            && other.other.iter().all(|(name, theirs)| self.other.get(name).unwrap_or(&Scalar::ZERO) >= theirs)
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Quantities) -> Quantities {
        let mut sum = self.clone();
        sum.add(other);
        sum
    }

    /// The larger of each.
    #[must_use]
    pub(crate) fn max(&self, other: &Quantities) -> Quantities {
        let mut larger = self.clone();
        for (name, theirs) in other.iter() {
            let mine = larger.entry(&name);
            *mine = theirs.max(*mine);
        }
        larger
    }

    pub(crate) fn add(&mut self, other: &Quantities) {
        for (mine, theirs) in self.common.iter_mut().zip(&other.common) {
            *mine = mine.plus(*theirs);
        }
        for (name, theirs) in &other.other {
            let mine = self.other.entry(name.clone()).or_default();
            *mine = mine.plus(*theirs);
        }
    }

    /// Takes `other` away, which was added before; it stops at zero, because sums stop at the largest integer.
    pub(crate) fn subtract(&mut self, other: &Quantities) {
        let minus = |mine: Scalar, theirs: Scalar| mine.checked_minus(theirs).unwrap_or(Scalar::ZERO);
        for (mine, theirs) in self.common.iter_mut().zip(&other.common) {
            *mine = minus(*mine, *theirs);
        }
        for (name, theirs) in &other.other {
            let mine = self.other.entry(name.clone()).or_default();
            *mine = minus(*mine, *theirs);
        }
        self.other.retain(|_, quantity| !quantity.is_zero());
    }

    /// The largest part that any of these quantities is of the same one in `total`.
    pub(crate) fn dominant_share(&self, total: &Quantities) -> f64 {
        // Most quantities are zero, and dividing takes time.
        let part = |(mine, all): (&Scalar, &Scalar)| match mine.is_zero() || all.is_zero() {
            true => 0.0,
            false => mine.thousandths() as f64 / all.thousandths() as f64,
        };
        let common = self.common.iter().zip(&total.common).map(part).fold(0.0, f64::max);
        let other = self.other.iter().filter_map(|(name, mine)| total.other.get(name).map(|all| part((mine, all))));
        other.fold(common, f64::max)
    }

    /// Every quantity that is not zero, by name.
    pub fn iter(&self) -> impl Iterator<Item = (Name, Scalar)> + '_ {
        let common = [Name::Cpus, Name::Mem, Name::Disk, Name::Gpus, Name::Ports].into_iter().zip(self.common);
        let other = self.other.iter().map(|(name, quantity)| (Name::Other(name.clone()), *quantity));
        common.chain(other).filter(|(_, quantity)| !quantity.is_zero())
    }

    fn entry(&mut self, name: &Name) -> &mut Scalar {
        match place(name) {
            Ok(index) => &mut self.common[index],
            Err(name) => self.other.entry(name.clone()).or_default(),
        }
    }
}

/// The fixed place of a common name, or the name under which the quantity is kept.
fn place(name: &Name) -> Result<usize, &Arc<str>> {
    match name {
        Name::Cpus => Ok(0),
        Name::Mem => Ok(1),
        Name::Disk => Ok(2),
        Name::Gpus => Ok(3),
        Name::Ports => Ok(4),
        Name::Other(name) => Err(name),
    }
}

impl fmt::Display for Quantities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantities: Vec<String> = self.iter().map(|(name, quantity)| format!("{name}:{quantity}")).collect();
        formatter.write_str(&quantities.join(";"))
    }
}
