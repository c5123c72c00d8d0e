//! Places as the protocol counts them: lines from zero, columns in UTF-16 units from zero.

use serde_json::{Value as Json, json};

/// The byte a position means; the end of the line or text where it points behind it.
pub(super) fn offset(text: &str, position: &Json) -> usize {
    let number = |name: &str| position[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    let start: usize = text.split_inclusive('\n').take(number("line")).map(str::len).sum();
    let line = text[start..].lines().next().unwrap_or_default();
    let mut units = number("character");
    for (at, c) in line.char_indices() {
        if units < c.len_utf16() {
            return start + at;
        }
        units -= c.len_utf16();
    }
    start + line.len()
}

/// The range of two bytes of a text.
pub(super) fn range(text: &str, start: usize, end: usize) -> Json {
    json!({"start": position(text, start), "end": position(text, end)})
}

fn position(text: &str, offset: usize) -> Json {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count();
    let column: usize = before.rsplit('\n').next().unwrap_or_default().chars().map(char::len_utf16).sum();
    json!({"line": line, "character": column})
}
