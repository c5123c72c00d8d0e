use std::str::FromStr;

use serde_json::{Map, Value};

use crate::client::failure::Failure;

/// Fields whose value is text however it looks: `cmd=true` is a command.
const TEXTS: [&str; 7] = ["id", "cmd", "user", "role", "executor", "killSelection", "version"];
/// Fields that map names to texts; whatever follows the first dot is the name.
const MAPS: [&str; 2] = ["env", "labels"];

/// `instances=5`, `env.PATH=/bin`, `healthChecks[0].path=/`, `labels.old-`
#[derive(Clone, Debug, PartialEq)]
pub(in crate::client) struct Assignment {
    /// Never empty; begins with a key.
    path: Vec<Segment>,
    /// None: it is taken away.
    value: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
}

/// Whether a word is meant to be an assignment and not the name of a file.
pub(super) fn is_one(word: &str) -> bool {
    let begins_like_a_field = word.chars().next().is_some_and(|first| first.is_ascii_lowercase());
    let field = word.split(['=', '.', '[']).next().unwrap_or_default();
    begins_like_a_field
        && field.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
        && (word.contains('=') || word.ends_with('-'))
}

impl FromStr for Assignment {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if !is_one(word) {
            return Err(Failure::Usage(format!("'{word}': expected key=value, key-, or one file alone")));
        }
        let (name, text) = match word.split_once('=') {
            Some((name, text)) => (name, Some(text)),
            None => (word.strip_suffix('-').unwrap_or(word), None),
        };
        let path = path(name).ok_or_else(|| {
            Failure::Usage(format!(
                "'{name}' is not the name of a field: they look like instances, env.NAME, healthChecks[0].path"
            ))
        })?;
        let value = text.map(|text| value(&path, name, text)).transpose()?;
        Ok(Self { path, value })
    }
}

fn path(name: &str) -> Option<Vec<Segment>> {
    if let Some((map, key)) = name.split_once('.').filter(|(map, _)| MAPS.contains(map)) {
        return (!key.is_empty()).then(|| vec![Segment::Key(map.to_owned()), Segment::Key(key.to_owned())]);
    }
    let mut segments = Vec::new();
    for part in name.split('.') {
        let mut pieces = part.split('[');
        segments.push(Segment::Key(pieces.next().filter(|key| !key.is_empty())?.to_owned()));
        for index in pieces {
            segments.push(Segment::Index(index.strip_suffix(']')?.parse().ok()?));
        }
    }
    Some(segments)
}

/// JSON where it is JSON, text otherwise.
fn value(path: &[Segment], name: &str, text: &str) -> Result<Value, Failure> {
    let is_text = match path {
        [Segment::Key(field)] => TEXTS.contains(&field.as_str()),
        [Segment::Key(field), ..] => MAPS.contains(&field.as_str()),
        [] | [Segment::Index(_), ..] => false,
    };
    if is_text {
        return Ok(Value::from(text));
    }
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(error) if text.starts_with(['[', '{', '"']) => {
            Err(Failure::Usage(format!("the value of {name} is not JSON: {error}")))
        }
        Err(_) => Ok(Value::from(text)),
    }
}

impl Assignment {
    /// The field of the app that it is about.
    pub(super) fn field(&self) -> &str {
        match self.path.first() {
            Some(Segment::Key(field)) => field,
            Some(Segment::Index(_)) | None => unreachable!("a path begins with a key"),
        }
    }

    /// Changes a definition.
    pub(super) fn apply(&self, definition: &mut Map<String, Value>) -> Result<(), Failure> {
        if self.path.len() == 1 && self.value.is_none() {
            let field = self.field();
            return Err(Failure::Usage(format!(
                "{field} cannot be taken away, only entries within a field: give it another value"
            )));
        }
        let root = definition.entry(self.field()).or_insert(Value::Null);
        self.apply_at(root, &self.path[1..])
    }

    fn apply_at(&self, place: &mut Value, rest: &[Segment]) -> Result<(), Failure> {
        match (rest, &self.value) {
            ([], Some(value)) => *place = value.clone(),
            ([], None) => unreachable!("what is taken away is taken from its parent"),
            ([last], None) => return self.remove(place, last),
            ([Segment::Key(key), rest @ ..], _) => {
                if place.is_null() {
                    *place = Value::Object(Map::new());
                }
                let kind = kind(place);
                let object = place.as_object_mut().ok_or_else(|| self.mistake(&format!("{kind} has no members")))?;
                return self.apply_at(object.entry(key.as_str()).or_insert(Value::Null), rest);
            }
            ([Segment::Index(index), rest @ ..], _) => {
                if place.is_null() {
                    *place = Value::Array(Vec::new());
                }
                let kind = kind(place);
                let array = place.as_array_mut().ok_or_else(|| self.mistake(&format!("{kind} has no elements")))?;
                let length = array.len();
                if *index == length && self.value.is_some() {
                    array.push(Value::Null);
                }
                let element = array.get_mut(*index).ok_or_else(|| self.missing(*index, length))?;
                return self.apply_at(element, rest);
            }
        }
        Ok(())
    }

    fn remove(&self, place: &mut Value, last: &Segment) -> Result<(), Failure> {
        match (last, place) {
            (Segment::Key(key), Value::Object(object)) if object.contains_key(key) => drop(object.shift_remove(key)),
            (Segment::Index(index), Value::Array(array)) if *index < array.len() => drop(array.remove(*index)),
            (Segment::Key(key), _) => return Err(self.mistake(&format!("there is no '{key}'"))),
            (Segment::Index(index), _) => return Err(self.mistake(&format!("there is no element {index}"))),
        }
        Ok(())
    }

    fn mistake(&self, reason: &str) -> Failure {
        Failure::failed(format!("{}: no such place in the app: {reason}", self.written()))
    }

    fn missing(&self, index: usize, length: usize) -> Failure {
        match length.checked_sub(1) {
            None => self.mistake(&format!("there is no element {index}: the list is empty")),
            Some(last) => self.mistake(&format!("there is no element {index}: the last one is {last}")),
        }
    }

    fn written(&self) -> String {
        let mut written = String::new();
        for segment in &self.path {
            match segment {
                Segment::Key(key) if written.is_empty() => written.push_str(key),
                Segment::Key(key) => written.push_str(&format!(".{key}")),
                Segment::Index(index) => written.push_str(&format!("[{index}]")),
            }
        }
        written
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
