//! What a change of a document changes, place by place.

use serde_json::{Map, Value, json};

use crate::terminal::{Line, Tone};

/// A value is shown on one line with its former one up to this length together.
const SHORT: usize = 60;

/// One place that differs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// `healthChecks[0].path`, `labels["a.b"]`
    path: String,
    change: Change,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Added(Value),
    Removed(Value),
    Replaced { from: Value, to: Value },
}

/// All places at which two documents differ, in the order of the fields. Null and absent are the same.
pub(super) fn diff(from: &Value, to: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", from, to, &mut found);
    found
}

/// For people: one line for a difference, three where the values are long.
pub(super) fn lines(differences: &[Difference]) -> Vec<Line> {
    differences.iter().flat_map(Difference::lines).collect()
}

fn compare(path: &str, from: &Value, to: &Value, found: &mut Vec<Difference>) {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => compare_objects(path, from, to, found),
        (Value::Array(from), Value::Array(to)) => compare_arrays(path, from, to, found),
        (from, to) if same(from, to) => {}
        (Value::Null, added) => push(path, Change::Added(added.clone()), found),
        (removed, Value::Null) => push(path, Change::Removed(removed.clone()), found),
        (from, to) => push(path, Change::Replaced { from: from.clone(), to: to.clone() }, found),
    }
}

fn push(path: &str, change: Change, found: &mut Vec<Difference>) {
    found.push(Difference { path: path.to_owned(), change });
}

/// Numbers are compared as numbers: 1 is 1.0.
fn same(from: &Value, to: &Value) -> bool {
    from == to || from.as_f64().is_some_and(|from| to.as_f64() == Some(from))
}

fn compare_objects(path: &str, from: &Map<String, Value>, to: &Map<String, Value>, found: &mut Vec<Difference>) {
    let only_new = to.keys().filter(|key| !from.contains_key(*key));
    for key in from.keys().chain(only_new) {
        let value = |object: &Map<String, Value>| object.get(key).cloned().unwrap_or_default();
        compare(&member(path, key), &value(from), &value(to), found);
    }
}

/// What both begin and end with is the same; what lies between is compared in its order.
fn compare_arrays(path: &str, from: &[Value], to: &[Value], found: &mut Vec<Difference>) {
    let begin = from.iter().zip(to).take_while(|(from, to)| from == to).count();
    let (from, to) = (&from[begin..], &to[begin..]);
    let end = from.iter().rev().zip(to.iter().rev()).take_while(|(from, to)| from == to).count();
    let (from, to) = (&from[..from.len() - end], &to[..to.len() - end]);
    for index in 0..from.len().max(to.len()) {
        let path = format!("{path}[{}]", begin + index);
        match (from.get(index), to.get(index)) {
            (Some(from), Some(to)) => compare(&path, from, to, found),
            (None, Some(added)) => push(&path, Change::Added(added.clone()), found),
            (Some(removed), None) => push(&path, Change::Removed(removed.clone()), found),
            (None, None) => unreachable!("the longer one has an element"),
        }
    }
}

fn member(path: &str, key: &str) -> String {
    let is_word =
        !key.is_empty() && key.chars().all(|character| character.is_alphanumeric() || "_-".contains(character));
    match (is_word, path.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{}]", Value::from(key)),
    }
}

impl Difference {
    /// For programs: what is absent is null.
    pub(super) fn to_json(&self) -> Value {
        let (from, to) = match &self.change {
            Change::Added(value) => (&Value::Null, value),
            Change::Removed(value) => (value, &Value::Null),
            Change::Replaced { from, to } => (from, to),
        };
        json!({"path": self.path, "from": from, "to": to})
    }

    fn lines(&self) -> Vec<Line> {
        let place = |tone, sign: &str| Line::toned(tone, format!("  {sign} ")).then(Tone::Plain, &self.path);
        match &self.change {
            Change::Added(value) => vec![place(Tone::Good, "+").then(Tone::Good, format!(": {value}"))],
            Change::Removed(value) => vec![place(Tone::Bad, "-").then(Tone::Bad, format!(": {value}"))],
            Change::Replaced { from, to } => {
                let (from, to) = (from.to_string(), to.to_string());
                let place = place(Tone::Warning, "~");
                match from.len() + to.len() <= SHORT {
                    true => vec![
                        place
                            .then(Tone::Plain, ": ")
                            .then(Tone::Bad, from)
                            .then(Tone::Faint, " → ")
                            .then(Tone::Good, to),
                    ],
                    false => vec![
                        place,
                        Line::toned(Tone::Bad, format!("      - {from}")),
                        Line::toned(Tone::Good, format!("      + {to}")),
                    ],
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{diff, lines};
    use crate::terminal::Colour;

    fn check(from: &Value, to: &Value, expected: &Expect) {
        let lines = lines(&diff(from, to)).into_iter().map(|line| line.render(Colour::Hidden));
        // A snapshot knows no indentation that all lines have.
        let lines: Vec<String> = lines.map(|line| line.strip_prefix("  ").unwrap().to_owned()).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn every_place_is_named() {
        let from = json!({
            "instances": 3, "cpus": 1, "cmd": "serve", "user": null, "env": {"A": "1", "B": "2"}, "labels": {"a.b": "x"},
            "constraints": [["hostname", "UNIQUE"], ["rack", "GROUP_BY"]],
            "healthChecks": [{"path": "/", "portIndex": 0}],
        });
        let to = json!({
            "instances": 5, "cpus": 1.0, "cmd": "serve --with a --very long --command line --that does --not fit",
            "env": {"A": "1", "C": "\u{1b}[31m"}, "labels": {"a.b": "y"},
            "constraints": [["rack", "GROUP_BY"]],
            "healthChecks": [{"path": "/health", "portIndex": 0}, {"path": "/"}],
        });
        check(
            &from,
            &to,
            &expect![[r#"
                  ~ instances: 3 → 5
                  ~ cmd
                      - "serve"
                      + "serve --with a --very long --command line --that does --not fit"
                  - env.B: "2"
                  + env.C: "\u001b[31m"
                  ~ labels["a.b"]: "x" → "y"
                  - constraints[0]: ["hostname","UNIQUE"]
                  ~ healthChecks[0].path: "/" → "/health"
                  + healthChecks[1]: {"path":"/"}"#]],
        );
    }

    #[test]
    fn equal_documents_have_no_difference() {
        check(&json!({"a": [1, {"b": null}], "c": null}), &json!({"a": [1.0, {}]}), &expect![[r#""#]]);
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..3u8).prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab.]{1,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Without members that are null, which say the same as absent ones.
    fn without_nulls(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let members = members.iter().filter(|(_, member)| !member.is_null());
                members.map(|(key, member)| (key.clone(), without_nulls(member))).collect()
            }
            Value::Array(items) => items.iter().map(without_nulls).collect(),
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn there_is_a_difference_exactly_where_documents_differ(from in document(), to in document()) {
            prop_assert_eq!(diff(&from, &to).is_empty(), without_nulls(&from) == without_nulls(&to));
            prop_assert!(diff(&from, &from).is_empty());
        }
    }
}
