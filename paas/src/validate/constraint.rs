//! Constraints: which operators take which values.

use regex::RegexBuilder;

use super::{Faults, limits};
use crate::model::{Constraint, FieldName, Operator};

/// What a compiled regular expression may occupy.
const PATTERN_BYTES_MAX: usize = 1 << 20;

pub(super) fn constraints(written: Option<Vec<Vec<String>>>, faults: &mut Faults) -> Option<Vec<Constraint>> {
    Some(objects("/constraints", written?, faults))
}

/// Each as its parts, also where they were written as members of an object.
pub(super) fn objects(path: &str, written: Vec<Vec<String>>, faults: &mut Faults) -> Vec<Constraint> {
    if written.len() > limits::CONSTRAINTS_MAX {
        faults.add(path, format!("must not have more than {} items", limits::CONSTRAINTS_MAX));
    }
    let mut constraints = Vec::with_capacity(written.len());
    for (index, parts) in written.iter().enumerate() {
        match constraint(parts) {
            Ok(constraint) => constraints.push(constraint),
            Err(error) => faults.add(format!("{path}({index})"), error),
        }
    }
    constraints
}

fn constraint(parts: &[String]) -> Result<Constraint, String> {
    let (field, operator, value) = match parts {
        [field, operator] => (field, operator, None),
        [field, operator, value] => (field, operator, Some(value.as_str()).filter(|value| !value.is_empty())),
        _ => return Err("Each constraint must have either 2 or 3 fields".to_owned()),
    };
    Ok(Constraint { field: field_name(field)?, operator: self::operator(operator, value)? })
}

fn field_name(field: &str) -> Result<FieldName, String> {
    if field.is_empty() {
        return Err("missing field for constraint declaration".to_owned());
    }
    if field.len() > limits::NAME_LENGTH_MAX {
        return Err(format!("the field must not be longer than {} characters", limits::NAME_LENGTH_MAX));
    }
    match FieldName::parse(field) {
        FieldName::Attribute(name) if name.starts_with('@') => {
            Err(format!("{name} is not one of @hostname, @region, @zone; attributes have no @"))
        }
        name => Ok(name),
    }
}

fn operator(name: &str, value: Option<&str>) -> Result<Operator, String> {
    match name {
        "UNIQUE" => match value {
            None => Ok(Operator::Unique),
            Some(_) => Err("UNIQUE does not accept a value".to_owned()),
        },
        "CLUSTER" => Ok(Operator::Cluster(value.map(str::to_owned))),
        "GROUP_BY" => match value.map(positive).transpose() {
            Ok(groups) => Ok(Operator::GroupBy(groups)),
            Err(NotPositive) => Err("GROUP BY must define an integer value or else no value at all".to_owned()),
        },
        "MAX_PER" => match value.ok_or(NotPositive).and_then(positive) {
            Ok(most) => Ok(Operator::MaxPer(most)),
            Err(NotPositive) => Err("MAX_PER requires an integer value".to_owned()),
        },
        "LIKE" => pattern(value).map(Operator::Like),
        "UNLIKE" => pattern(value).map(Operator::Unlike),
        "IS" => literal(value.unwrap_or_default()).map(Operator::Is),
        _ => {
            Err("operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS"
                .to_owned())
        }
    }
}

/// Not a whole number of at least 1.
struct NotPositive;

fn positive(value: &str) -> Result<u32, NotPositive> {
    value.parse().ok().filter(|number| *number > 0).ok_or(NotPositive)
}

pub(super) fn pattern(value: Option<&str>) -> Result<String, String> {
    let pattern = value.ok_or("LIKE and UNLIKE require a non-empty, regular expression value")?;
    if pattern.len() > limits::PATTERN_LENGTH_MAX {
        return Err(format!("a regular expression must not be longer than {} characters", limits::PATTERN_LENGTH_MAX));
    }
    match RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(PATTERN_BYTES_MAX).build() {
        Ok(_) => Ok(pattern.to_owned()),
        Err(_) => Err(format!("'{pattern}' is not a valid regular expression")),
    }
}

fn literal(value: &str) -> Result<String, String> {
    let is_text = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_/.-".contains(&byte));
    if is_text || value.parse::<f64>().is_ok_and(f64::is_finite) {
        Ok(value.to_owned())
    } else {
        Err("IS only supports Mesos text and float values: letters, digits, and _ / . -".to_owned())
    }
}
