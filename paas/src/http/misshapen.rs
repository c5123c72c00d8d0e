//! What is wrong with a document of another shape than was expected: all of it at once, so that its author need not ask again for each.

use attica_paas_api::error::Fault;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::body::INVALID;

/// What is said of what is not there.
pub(super) const MISSING: &str = "error.path.missing";
/// So many faults of one document are told.
const FAULTS_MAX: usize = 20;

/// What keeps a document from being a `T`, in the order in which it is read, and the message for it. What is found wrong is taken out of the
/// document, which is then read again. Of an array only what precedes the first element that is wrong as a whole is looked at.
pub(super) fn faults<T: DeserializeOwned>(mut document: Value) -> (&'static str, Vec<Fault>) {
    let (mut message, mut faults): (_, Vec<Fault>) = (INVALID, Vec::new());
    while faults.len() < FAULTS_MAX
        && let Err(error) = serde_path_to_error::deserialize::<_, T>(&document)
    {
        let (said, fault) = fault(marathon_path(error.path()), error.inner());
        // What was taken out is missed next.
        if faults.iter().all(|known| known.path != fault.path) {
            message = if faults.is_empty() { said } else { message };
            faults.push(fault);
        }
        if !take_out(&mut document, error.path()) {
            break;
        }
    }
    (message, faults)
}

/// Takes out what is at a path; false if there is nothing there, or it is all there is.
fn take_out(document: &mut Value, path: &Path) -> bool {
    let segments: Vec<&Segment> = path.iter().collect();
    let Some((last, parents)) = segments.split_last() else { return false };
    let parent = parents.iter().try_fold(document, |value, segment| match segment {
        Segment::Map { key } => value.get_mut(key),
        Segment::Seq { index } => value.get_mut(index),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    match (parent, last) {
        (Some(Value::Object(members)), Segment::Map { key }) => members.remove(key).is_some(),
        (Some(Value::Array(elements)), Segment::Seq { index }) => {
            let there = *index < elements.len();
            elements.truncate(*index);
            there
        }
        _ => false,
    }
}

/// What one error says about what is at a path, and the message for it.
pub(super) fn fault(path: String, error: &serde_json::Error) -> (&'static str, Fault) {
    let text = in_words(&error.to_string());
    if let Some(field) = quoted_after(&text, "unknown field `") {
        // The path already ends with the field.
        return ("Object is not valid", Fault { path, errors: vec![format!("'{field}' is not a known field")] });
    }
    let (path, text) = match quoted_after(&text, "missing field `") {
        Some(field) => (format!("{}/{field}", path.trim_end_matches('/')), MISSING.to_owned()),
        None => (path, text),
    };
    (INVALID, Fault { path, errors: vec![text] })
}

/// The parser's sentence in the words of JSON, without line and column, which the path makes superfluous.
fn in_words(text: &str) -> String {
    let sentence = text.rsplit_once(" at line ").map_or(text, |(sentence, _)| sentence);
    [
        ("expected i64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected struct", "expected an object:"),
    ]
    .into_iter()
    .fold(sentence.to_owned(), |sentence, (type_name, words)| sentence.replace(type_name, words))
}

fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.split('`').next()
}

/// `/healthChecks(1)/portIndex`
fn marathon_path(path: &Path) -> String {
    let mut written = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } if written.is_empty() => written.push_str(&format!("/({index})")),
            Segment::Seq { index } => written.push_str(&format!("({index})")),
            Segment::Map { key } => written.push_str(&format!("/{key}")),
            Segment::Enum { variant } => written.push_str(&format!("/{variant}")),
            Segment::Unknown => {}
        }
    }
    if written.is_empty() { "/".to_owned() } else { written }
}

#[cfg(test)]
mod tests {
    use attica_paas_api::{AppUpdate, ErrorBody};
    use serde_json::{Value, json};

    use super::super::decode;

    fn told(document: &Value) -> (String, Value) {
        let (status, ErrorBody { message, details, .. }) =
            decode::<AppUpdate>(document.to_string().as_bytes()).unwrap_err();
        assert_eq!(status, 422);
        (message, serde_json::to_value(details).unwrap())
    }

    #[test]
    fn every_fault_is_told_with_its_path() {
        let (message, details) = told(&json!({
            "id": "/web", "cpus": "many", "mem": true, "colour": "red",
            "healthChecks": [{"protocol": "TCP", "portIndex": "first"}, {"timeoutSeconds": []}],
            "container": {"type": "MESOS", "docker": {"image": 7, "privileged": "yes"}},
        }));
        assert_eq!(message, "Invalid JSON");
        let paths: Vec<&str> =
            details.as_array().unwrap().iter().map(|fault| fault["path"].as_str().unwrap()).collect();
        let expected = [
            "/cpus",
            "/container/docker/image",
            "/container/docker/privileged",
            "/mem",
            "/healthChecks(0)/portIndex",
            "/healthChecks(1)/timeoutSeconds",
            "/colour",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn what_is_wrong_is_not_missing_as_well() {
        let (_, details) = told(&json!({"fetch": [{"uri": 3}, {"executable": true}], "instances": {}}));
        let faults = details.as_array().unwrap();
        assert_eq!(faults.iter().map(|fault| &fault["path"]).collect::<Vec<_>>(), ["/fetch(0)/uri", "/instances"]);
    }

    #[test]
    fn no_more_than_so_many_are_told() {
        let document: serde_json::Map<String, Value> =
            (0..100).map(|number| (format!("x{number:03}"), json!(1))).collect();
        let (_, details) = told(&Value::Object(document));
        assert_eq!(details.as_array().unwrap().len(), super::FAULTS_MAX);
    }
}
