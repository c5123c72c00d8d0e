//! Numbers that may have a fraction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// A JSON number that is written without a decimal point when it is whole: `32`, `0.1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Number(pub f64);

/// The largest whole number up to which every integer has a float of its own.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() <= EXACT_INTEGERS {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn whole_numbers_are_written_without_a_point() {
        let written =
            serde_json::to_string(&[Number(32.0), Number(0.1), Number(0.0), Number(-2.5), Number(1e300)]).unwrap();
        assert_eq!(written, "[32,0.1,0,-2.5,1e+300]");
    }
}
