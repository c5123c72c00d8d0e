//! Resources and attributes as people write them on command lines.

use attica_allocator::Role;

use super::{TextError, TextProblem, from_wire};
use crate::message::Mismatch;
use crate::v1::{
    Attribute, Range, Ranges, ReservationInfo, ReservationType, Resource, Scalar, Set, Text, Value, ValueType,
};

/// As many characters of a bad entry are quoted.
const QUOTE_MAX: usize = 80;

/// Reads resources: `cpus:24;mem:24576;ports:[21000-24000,30000-34000];bugs(debug_role):{a,b,c}`, or a JSON array of them.
///
/// What names no role is reserved for `default_role` (statically), or unreserved when that is `*`. What comes out is valid for
/// [`from_wire`], its reservations in the refined format.
///
/// # Errors
/// The first entry that is wrong, and what is wrong with it.
pub fn parse(text: &str, default_role: &Role) -> Result<Vec<Resource>, TextError> {
    let resources = if text.trim_start().starts_with('[') {
        json_resources(text)?
    } else {
        entries(text).map(|entry| resource(entry).map_err(|problem| error(entry, problem))).collect::<Result<_, _>>()?
    };
    from_wire(&resources).map_err(|invalid| error(text, invalid.into()))?;
    Ok(resources.into_iter().map(|resource| with_role(resource, default_role)).collect())
}

/// Reads attributes: `rack:abc;level:10;keys:[1000-1500]`.
///
/// # Errors
/// The first entry that is wrong, and what is wrong with it.
pub fn parse_attributes(text: &str) -> Result<Vec<Attribute>, TextError> {
    entries(text).map(|entry| attribute(entry).map_err(|problem| error(entry, problem))).collect()
}

fn error(part: &str, problem: TextProblem) -> TextError {
    TextError { part: quote(part), problem }
}

fn quote(text: &str) -> String {
    text.chars().take(QUOTE_MAX).collect()
}

/// Entries are separated by semicolons or line ends; empty ones do not count.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split([';', '\n']).map(str::trim).filter(|entry| !entry.is_empty())
}

fn json_resources(text: &str) -> Result<Vec<Resource>, TextError> {
    let malformed = |reason: String| error(text, TextProblem::Json(reason));
    let elements: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let read =
        |element| crate::message::from_value(element).map_err(|mismatch: Mismatch| malformed(mismatch.to_string()));
    elements.iter().map(read).collect()
}

fn name_and_value(entry: &str) -> Result<(&str, &str), TextProblem> {
    let (name, value) = entry.split_once(':').ok_or(TextProblem::Colon)?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() {
        Err(TextProblem::Name)
    } else if value.is_empty() {
        Err(TextProblem::Value)
    } else {
        Ok((name, value))
    }
}

fn resource(entry: &str) -> Result<Resource, TextProblem> {
    let (name, text) = name_and_value(entry)?;
    let (name, role) = match name.split_once('(') {
        Some((name, role)) => (name.trim(), Some(role.strip_suffix(')').ok_or(TextProblem::Parenthesis)?.trim())),
        None => (name, None),
    };
    if name.is_empty() {
        return Err(TextProblem::Name);
    }
    let Value { r#type, scalar, ranges, set, text: None } = value(text)? else {
        return Err(TextProblem::Kind(quote(text)));
    };
    let role = role.map(str::to_owned);
    Ok(Resource { name: name.to_owned(), r#type, scalar, ranges, set, role, ..Resource::default() })
}

fn attribute(entry: &str) -> Result<Attribute, TextProblem> {
    let (name, text) = name_and_value(entry)?;
    let Value { r#type, scalar, ranges, set, text } = value(text)?;
    if set.is_some() {
        return Err(TextProblem::AttributeSet);
    }
    Ok(Attribute { name: name.to_owned(), r#type, scalar, ranges, text, set: None })
}

/// A value of the kind that its text looks like.
fn value(text: &str) -> Result<Value, TextProblem> {
    if text.starts_with('[') {
        let ranges = Some(ranges(text).ok_or_else(|| TextProblem::Ranges(quote(text)))?);
        return Ok(Value { r#type: ValueType::Ranges, ranges, ..Value::default() });
    }
    if text.starts_with('{') {
        let set = Some(set(text).ok_or_else(|| TextProblem::Set(quote(text)))?);
        return Ok(Value { r#type: ValueType::Set, set, ..Value::default() });
    }
    // Rust would take "inf" and "nan" for numbers too.
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    Ok(match number {
        Some(value) => Value { r#type: ValueType::Scalar, scalar: Some(Scalar { value }), ..Value::default() },
        None => Value { r#type: ValueType::Text, text: Some(Text { value: text.to_owned() }), ..Value::default() },
    })
}

fn ranges(text: &str) -> Option<Ranges> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?.trim();
    let range = |part: &str| {
        let (begin, end) = part.split_once('-')?;
        let (begin, end) = (begin.trim().parse().ok()?, end.trim().parse().ok()?);
        (begin <= end).then_some(Range { begin, end })
    };
    let parts = inner.split(',').filter(|_| !inner.is_empty());
    Some(Ranges { range: parts.map(range).collect::<Option<_>>()? })
}

fn set(text: &str) -> Option<Set> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let items = inner.split(',').map(str::trim).filter(|item| !item.is_empty());
    Some(Set { item: items.map(str::to_owned).collect() })
}

/// The same resource with its reservation, if any, in the refined format.
fn with_role(resource: Resource, default_role: &Role) -> Resource {
    if !resource.reservations.is_empty() {
        return Resource { role: None, ..resource };
    }
    let role = resource.role.as_deref().unwrap_or(default_role.as_str());
    let reservations = match (role, &resource.reservation) {
        ("*", _) => Vec::new(),
        (role, None) => {
            vec![ReservationInfo {
                r#type: Some(ReservationType::Static),
                role: Some(role.to_owned()),
                ..ReservationInfo::default()
            }]
        }
        (role, Some(dynamic)) => {
            vec![ReservationInfo {
                r#type: Some(ReservationType::Dynamic),
                role: Some(role.to_owned()),
                ..dynamic.clone()
            }]
        }
    };
    Resource { role: None, reservation: None, reservations, ..resource }
}
