use std::fmt;

/// A quantity in thousandths: three decimals are all that Mesos keeps, so 1.5123 and 1.512 are the same quantity.
/// Never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scalar(i64);

/// Why a number is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a quantity: it must be a number between 0 and {max}", max = Scalar::MAX)]
pub struct InvalidScalar(pub f64);

impl Scalar {
    /// Nothing.
    pub const ZERO: Scalar = Scalar(0);

    /// The largest quantity that comes in from outside: 10^12, which leaves room to add up thousands of them.
    pub const MAX: Scalar = Scalar(1_000_000_000_000_000);

    /// `units` whole units, at most [`Scalar::MAX`].
    #[must_use]
    pub const fn units(units: u32) -> Scalar {
        Scalar(units as i64 * 1000)
    }

    /// `thousandths` of a unit.
    ///
    /// # Errors
    /// A negative quantity, or one above [`Scalar::MAX`].
    pub fn from_thousandths(thousandths: i64) -> Result<Scalar, InvalidScalar> {
        if (0..=Self::MAX.0).contains(&thousandths) {
            Ok(Scalar(thousandths))
        } else {
            Err(InvalidScalar(thousandths as f64 / 1000.0))
        }
    }

    /// The nearest thousandth, halves away from zero, as Mesos rounds.
    ///
    /// # Errors
    /// NaN, infinities, negative numbers and numbers above [`Scalar::MAX`].
    pub fn from_f64(value: f64) -> Result<Scalar, InvalidScalar> {
        let thousandths = (value * 1000.0).round();
        if (0.0..=Self::MAX.0 as f64).contains(&thousandths) {
            Ok(Scalar(thousandths as i64))
        } else {
            Err(InvalidScalar(value))
        }
    }

    /// The quantity as the floating-point number that stands for it on the wire.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The quantity in thousandths of a unit.
    #[must_use]
    pub const fn thousandths(self) -> i64 {
        self.0
    }

    /// True for nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// As many whole units as there are in it.
    #[must_use]
    pub(crate) const fn whole(self) -> Scalar {
        Scalar(self.0 / 1000 * 1000)
    }

    /// The sum; it stops at the largest integer instead of wrapping, which no sum of real machines reaches.
    #[must_use]
    pub const fn plus(self, other: Scalar) -> Scalar {
        Scalar(self.0.saturating_add(other.0))
    }

    /// What is left after `other` is taken away; `None` when that is more than there is.
    #[must_use]
    pub fn checked_minus(self, other: Scalar) -> Option<Scalar> {
        (other.0 <= self.0).then(|| Scalar(self.0 - other.0))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, thousandths) = (self.0 / 1000, self.0 % 1000);
        if thousandths == 0 {
            return write!(formatter, "{units}");
        }
        let decimals = format!("{thousandths:03}");
        write!(formatter, "{units}.{}", decimals.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests;
