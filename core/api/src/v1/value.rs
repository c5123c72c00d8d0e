//! The values of resources and attributes.

use crate::message::{enumeration, message};

enumeration! {
    /// Which member of a value counts.
    pub enum ValueType {
        /// A number with three decimals.
        Scalar "SCALAR" = 0,
        /// Inclusive ranges of integers.
        Ranges "RANGES" = 1,
        /// A set of strings.
        Set "SET" = 2,
        /// A string; attributes only.
        Text "TEXT" = 3,
    }
}

message! {
    /// A number; three decimals count.
    pub struct Scalar {
        value: required f64 = 1,
    }
    /// The integers from `begin` to `end`, both included.
    pub struct Range {
        begin: required u64 = 1,
        end: required u64 = 2,
    }
    /// Some ranges.
    pub struct Ranges {
        range: repeated Range = 1,
    }
    /// Some strings, each once.
    pub struct Set {
        item: repeated String = 1,
    }
    /// A string.
    pub struct Text {
        value: required String = 1,
    }
    /// A value of any type.
    pub struct Value {
        r#type: required ValueType = 1,
        scalar: optional Scalar = 2,
        ranges: optional Ranges = 3,
        set: optional Set = 4,
        text: optional Text = 5,
    }
    /// Something an agent says about itself, for frameworks to choose by.
    pub struct Attribute {
        name: required String = 1,
        r#type: required ValueType = 2,
        scalar: optional Scalar = 3,
        ranges: optional Ranges = 4,
        set: optional Set = 6,
        text: optional Text = 5,
    }
    /// A name with a value.
    pub struct Parameter {
        key: required String = 1,
        value: required String = 2,
    }
    /// Some parameters.
    pub struct Parameters {
        parameter: repeated Parameter = 1,
    }
    /// Free data of a user, carried along unread.
    pub struct Label {
        key: required String = 1,
        value: optional String = 2,
    }
    /// Some labels; the same key may occur more than once.
    pub struct Labels {
        labels: repeated Label = 1,
    }
}
