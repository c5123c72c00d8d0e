//! Numbers as Python 2 reads and writes them.

use std::cmp::Ordering;

/// A whole number or another one.
#[derive(Clone, Copy)]
pub(crate) enum Number {
    Integer(i64),
    Float(f64),
}

impl Number {
    pub(crate) fn as_float(&self) -> f64 {
        match self {
            Self::Integer(value) => *value as f64,
            Self::Float(value) => *value,
        }
    }

    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left.cmp(right),
            _ => self.as_float().partial_cmp(&other.as_float()).unwrap_or(Ordering::Less),
        }
    }

    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left == right,
            _ => self.as_float() == other.as_float(),
        }
    }
}

/// `str(value)`: twelve significant digits.
pub(crate) fn float_text(value: f64) -> String {
    general(value, 12, true)
}

/// `repr(value)`: as many digits as tell it from every other number.
pub(crate) fn float_repr(value: f64) -> String {
    if !value.is_finite() {
        return float_text(value);
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let fixed = value.to_string();
        return if fixed.contains('.') { fixed } else { format!("{fixed}.0") };
    }
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// `%g`: that many significant digits, without trailing zeros; `.0` where asked for and nothing tells that it is no whole number.
pub(crate) fn general(value: f64, digits: usize, is_marked: bool) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let digits = digits.max(1);
    let scientific = format!("{:.*e}", digits - 1, value);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= digits as i32 {
        return format!("{}e{}{:02}", trimmed(mantissa), if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
    let fixed = format!("{value:.decimals$}");
    let fixed = trimmed(&fixed);
    if is_marked && !fixed.contains('.') { format!("{fixed}.0") } else { fixed.to_owned() }
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// `int(text)`.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// `float(text)`.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_in_python() {
        let cases = [
            (1.0, "1.0", "1.0"),
            (0.1, "0.1", "0.1"),
            (3.25159, "3.25159", "3.25159"),
            (0.1 + 0.2, "0.3", "0.30000000000000004"),
            (1e16, "1e+16", "1e+16"),
            (123_456_789_012.0, "123456789012.0", "123456789012.0"),
            (1e12, "1e+12", "1000000000000.0"),
            (1e-5, "1e-05", "1e-05"),
            (2.5e-7, "2.5e-07", "2.5e-07"),
            (-0.5, "-0.5", "-0.5"),
        ];
        for (value, text, repr) in cases {
            assert_eq!((float_text(value).as_str(), float_repr(value).as_str()), (text, repr), "{value}");
        }
    }
}
