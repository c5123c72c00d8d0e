//! Numbers made of values: conversions and the functions that Python 2 has for them.

use std::rc::Rc;

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::Shape;
use crate::source::Span;
use crate::syntax::ast::BinaryOperator;

use super::number;
use super::value::Value;
use super::{Evaluator, Failure, Result, fail};

impl Evaluator<'_> {
    /// `int(value)` and `float(value)`.
    pub(super) fn to_number(&self, value: &Value, is_float: bool, span: Span) -> Result<Value> {
        let text = match value {
            Value::Integer(value) => {
                return Ok(if is_float { Value::Float(*value as f64) } else { Value::Integer(*value) });
            }
            Value::Boolean(value) => {
                return Ok(if is_float {
                    Value::Float(f64::from(u8::from(*value)))
                } else {
                    Value::Integer(i64::from(*value))
                });
            }
            Value::Float(value) if is_float => return Ok(Value::Float(*value)),
            Value::Float(value) if value.abs() < TOO_LARGE => return Ok(Value::Integer(*value as i64)),
            Value::Float(value) if value.is_nan() => return fail(Code::Type, span, "`nan` is no whole number"),
            Value::Float(_) => return Err(too_large(span)),
            Value::Unknown => return Err(Failure::Reported),
            Value::Object(object) if matches!(object.shape, Shape::Scalar(..)) => self.shown(value),
            Value::Text(text) => text.as_str().to_owned(),
            other => return fail(Code::Type, span, format!("{} is no number", other.described())),
        };
        if !is_float {
            return self.integer_of_base(&text, 10, span);
        }
        number::parse_float(&text)
            .map_or_else(|| fail(Code::Type, span, format!("`{text}` is no number")), |value| Ok(Value::Float(value)))
    }

    /// `int(text, base)`: a sign, the base's own mark, digits; the mark of base 0 tells the base.
    pub(super) fn integer_of_base(&self, text: &str, base: i64, span: Span) -> Result<Value> {
        let trimmed = text.trim();
        let (is_negative, unsigned) = match trimmed.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
        };
        let marked = |mark: &str| unsigned.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(mark));
        let (base, digits) = match base {
            0 | 16 if marked("0x") => (16, &unsigned[2..]),
            0 | 8 if marked("0o") => (8, &unsigned[2..]),
            0 | 2 if marked("0b") => (2, &unsigned[2..]),
            0 if unsigned.len() > 1 && unsigned.starts_with('0') => (8, unsigned),
            0 => (10, unsigned),
            2..=36 => (base as u32, unsigned),
            _ => return fail(Code::Type, span, format!("{base} is no base of numbers")),
        };
        if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
            let of_base = if base == 10 { String::new() } else { format!(" of base {base}") };
            return fail(Code::Type, span, format!("`{text}` is no whole number{of_base}"));
        }
        let signed = if is_negative { format!("-{digits}") } else { digits.to_owned() };
        i64::from_str_radix(&signed, base).map(Value::Integer).map_err(|_| too_large(span))
    }

    /// `divmod(a, b)` and `pow(a, b)`; `pow(a, b, c)` is the remainder of the latter.
    pub(super) fn divided(&mut self, left: Value, right: Value, span: Span) -> Result<Value> {
        let quotient = self.binary(left.clone(), BinaryOperator::FloorDivide, right.clone(), span)?;
        let rest = self.binary(left, BinaryOperator::Remainder, right, span)?;
        Ok(Value::Tuple(Rc::new([quotient, rest])))
    }

    pub(super) fn power(&mut self, base: Value, exponent: Value, modulus: Option<Value>, span: Span) -> Result<Value> {
        let (base, exponent, modulus) = match (base, exponent, modulus) {
            (Value::Integer(base), Value::Integer(exponent), Some(Value::Integer(modulus)))
                if exponent >= 0 && modulus != 0 =>
            {
                (i128::from(base), exponent, i128::from(modulus))
            }
            (base, exponent, None) => return self.binary(base, BinaryOperator::Power, exponent, span),
            _ => return fail(Code::Type, span, "`pow` with a modulus takes whole numbers, the exponent not below 0"),
        };
        let mut result = 1_i128.rem_euclid(modulus);
        let (mut square, mut left) = (base.rem_euclid(modulus), exponent);
        while left > 0 {
            if left % 2 == 1 {
                result = (result * square).rem_euclid(modulus);
            }
            square = (square * square).rem_euclid(modulus);
            left /= 2;
        }
        // The remainder has the sign of the modulus.
        let result = if modulus < 0 && result != 0 { result + modulus } else { result };
        Ok(Value::Integer(result as i64))
    }
}

/// Whole numbers are smaller.
const TOO_LARGE: f64 = 9.2e18;

fn too_large(span: Span) -> Failure {
    Diagnostic::error(Code::Limit, span, format!("the number is too large: whole numbers go up to {}", i64::MAX)).into()
}

/// `hex`, `oct` and `bin`.
pub(super) fn in_base(value: i64, mark: &str) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = value.unsigned_abs();
    match mark {
        "0x" => format!("{sign}0x{magnitude:x}"),
        "0b" => format!("{sign}0b{magnitude:b}"),
        _ if magnitude == 0 => "0".to_owned(),
        _ => format!("{sign}0{magnitude:o}"),
    }
}

/// `round(value, digits)`: halves go away from zero, and a half is one only where the number is exactly that.
pub(super) fn rounded(value: f64, digits: i64) -> f64 {
    if !value.is_finite() || digits > DECIMALS_LIMIT {
        return value;
    }
    if digits < 0 {
        let scale = 10_f64.powi(i32::try_from(-digits).unwrap_or(i32::MAX));
        return if scale.is_finite() { (value / scale).round() * scale } else { 0.0 };
    }
    let digits = digits as usize;
    let magnitude = value.abs();
    let exact = format!("{magnitude:.decimals$}", decimals = DECIMALS_LIMIT as usize);
    let behind = exact.split_once('.').and_then(|(_, decimals)| decimals.get(digits..)).unwrap_or_default();
    let is_half = behind.trim_end_matches('0') == "5";
    let nearest = format!("{:.digits$}", if is_half { magnitude.next_up() } else { magnitude });
    nearest.parse::<f64>().map_or(value, |nearest| nearest.copysign(value))
}

/// As many decimals as a float can have.
const DECIMALS_LIMIT: i64 = 1074;

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn halves_go_away_from_zero() {
        for (value, digits, wanted) in [
            (2.5, 0, 3.0),
            (-2.5, 0, -3.0),
            (0.5, 0, 1.0),
            (0.15, 1, 0.1),
            (2.675, 2, 2.67),
            (0.125, 2, 0.13),
            (1234.5, -2, 1200.0),
            (1e300, 2, 1e300),
            (0.1, 5000, 0.1),
        ] {
            assert_eq!(rounded(value, digits), wanted, "round({value}, {digits})");
        }
    }
}
