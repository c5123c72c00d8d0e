use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The line, from 1, at which a document has what the server names as `/healthChecks(1)/portIndex`; where that is missing, the line
/// at which the place begins that should have it.
pub(super) fn line_of(text: &str, path: &str) -> usize {
    let mut place = text.trim_start();
    for step in steps(path) {
        match inner(place, &step) {
            Some(value) => place = value,
            None => break,
        }
    }
    // `place` lies within `text`.
    let offset = place.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}

enum Step<'a> {
    Member(&'a str),
    Element(usize),
}

fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('(');
        steps.extend(pieces.next().filter(|name| !name.is_empty()).map(Step::Member));
        steps.extend(pieces.filter_map(|index| index.strip_suffix(')')?.parse().ok()).map(Step::Element));
    }
    steps
}

fn inner<'a>(place: &'a str, step: &Step<'_>) -> Option<&'a str> {
    match step {
        Step::Member(name) => {
            let members: BTreeMap<Cow<'a, str>, &'a RawValue> = serde_json::from_str(place).ok()?;
            members.get(*name).map(|value| value.get())
        }
        Step::Element(index) => {
            let elements: Vec<&'a RawValue> = serde_json::from_str(place).ok()?;
            elements.get(*index).map(|value| value.get())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::line_of;

    #[test]
    fn places_are_found_in_the_text() {
        let text = "\n{\n  \"id\": \"/web\", \"cpus\":\n  -1,\n  \"healthChecks\": [\n    {},\n    {\"port\\u0049ndex\":\n7}\n  ]\n}";
        for (path, expected) in [
            ("/", 2),
            ("/id", 3),
            ("/cpus", 4),
            ("/healthChecks(1)", 7),
            ("/healthChecks(1)/portIndex", 8),
            ("/healthChecks(0)/portIndex", 6),
            ("/healthChecks(9)/portIndex", 5),
            ("/missing", 2),
            ("nonsense((", 2),
        ] {
            assert_eq!(line_of(text, path), expected, "{path}");
        }
        assert_eq!(line_of("not json", "/id"), 1);
    }
}
