use std::fs::File;
use std::io::{ErrorKind, Read};

use serde_json::{Map, Value};

use crate::client::failure::Failure;

/// The server takes no larger body.
const BYTES_MAX: u64 = 8 << 20;

/// A JSON object and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::client) struct Document {
    /// The file, as the user named it.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) object: Map<String, Value>,
}

pub(super) fn of_file(path: &str) -> Result<Document, Failure> {
    let cannot = |source: std::io::Error| match source.kind() {
        // One word alone was perhaps meant to be a field.
        ErrorKind::NotFound if !path.contains(['/', '.']) => Failure::Failed {
            message: format!("there is no file called {path}"),
            hint: Some(format!("the value of a field is given as {path}=VALUE")),
        },
        _ => Failure::File { path: path.into(), source },
    };
    let file = File::open(path).map_err(cannot)?;
    let text = text(file).map_err(cannot)?;
    parse(path, text)
}

pub(super) fn of_stream(input: &mut dyn Read) -> Result<Document, Failure> {
    const NAME: &str = "standard input";
    let text = text(input).map_err(|source| Failure::File { path: NAME.into(), source })?;
    parse(NAME, text)
}

fn text(reader: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    let length = reader.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    match u64::try_from(length) {
        Ok(length) if length <= BYTES_MAX => Ok(text),
        Ok(_) | Err(_) => Err(std::io::Error::other(format!("larger than {BYTES_MAX} bytes"))),
    }
}

fn parse(name: &str, text: String) -> Result<Document, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::failed(format!("{name} is empty")));
    }
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(Document { name: name.to_owned(), text, object }),
        Ok(Value::Array(_)) => {
            Err(Failure::failed(format!("{name}: a list: hand in one app at a time, as an object {{ … }}")))
        }
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            Err(Failure::failed(format!("{name}: not an app: expected an object {{ … }}")))
        }
        Err(error) => Err(Failure::failed(mistake(name, &text, &error))),
    }
}

/// The place of a mistake, what is wrong, and the line with a mark under it.
fn mistake(name: &str, text: &str, error: &serde_json::Error) -> String {
    const SHOWN_MAX: usize = 100;
    let (number, column) = (error.line(), error.column().max(1));
    let sentence = error.to_string();
    let sentence = sentence.rsplit_once(" at line ").map_or(sentence.as_str(), |(sentence, _)| sentence);
    let line = text.lines().nth(number.saturating_sub(1)).unwrap_or_default();
    // The column counts bytes; the mark stands under a character.
    let before = line.get(..column - 1).unwrap_or(line);
    let skipped = before.chars().count().saturating_sub(SHOWN_MAX / 2);
    let shown: String = line
        .chars()
        .skip(skipped)
        .take(SHOWN_MAX)
        .map(|character| if character == '\t' { ' ' } else { character })
        .collect();
    let mark = " ".repeat(before.chars().count() - skipped);
    format!("{name}:{number}:{column}: {sentence}\n  {shown}\n  {mark}^")
}
