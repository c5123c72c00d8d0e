use std::io::{BufRead, BufReader, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::time::SystemTime;

use serde_json::Value;

use super::failure::Failure;
use super::server::{Answer, Server};
use crate::terminal::{Line, Screen, Table, visible};

/// The form in which answers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For programs: what the server said.
    Json,
}

/// What a command has to work with.
pub(super) struct Session<'a> {
    pub(super) server: Rc<Server>,
    pub(super) screen: &'a mut Screen,
    pub(super) form: Form,
    /// Reads the environment.
    pub(super) variable: fn(&str) -> Option<String>,
    /// Standard input.
    pub(super) input: Box<dyn Read + Send>,
    pub(super) clock: fn() -> SystemTime,
    /// Resolves when the user presses Ctrl-C. Until it is awaited, Ctrl-C ends the process.
    pub(super) interrupt: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Session<'_> {
    pub(super) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// Shows what the server said.
    pub(super) fn show_document(&mut self, answer: &Answer) -> Result<(), Failure> {
        let document: Value = answer.read()?;
        self.show_json(&document)
    }

    /// Says in one line what was done.
    pub(super) fn say(&mut self, line: impl Into<Line>) -> Result<(), Failure> {
        self.screen.out.line(&line.into())?;
        Ok(self.screen.out.flush()?)
    }

    /// Shows a table as wide as the terminal.
    pub(super) fn show_table(&mut self, table: &Table) -> Result<(), Failure> {
        let width = self.screen.out.width();
        Ok(self.screen.out.lines(&table.lines(width))?)
    }

    /// Shows a document, indented.
    pub(super) fn show_json(&mut self, document: &Value) -> Result<(), Failure> {
        Ok(self.screen.out.raw(format!("{}\n", escaped(&format!("{document:#}"))).as_bytes())?)
    }

    /// Shows one object of a stream, on one line, at once.
    pub(super) fn show_json_line(&mut self, object: &str) -> Result<(), Failure> {
        self.screen.out.raw(format!("{}\n", escaped(object)).as_bytes())?;
        Ok(self.screen.out.flush()?)
    }

    /// Asks the user whether to go on.
    pub(super) fn is_wanted(&mut self, question: &str) -> Result<bool, Failure> {
        const ANSWER_BYTES_MAX: u64 = 100;
        self.screen.remark(&Line::plain(format!("{question} [y/N]")));
        let mut answer = Vec::new();
        let mut input = BufReader::new(self.input.by_ref().take(ANSWER_BYTES_MAX));
        input
            .read_until(b'\n', &mut answer)
            .map_err(|source| Failure::File { path: "standard input".into(), source })?;
        Ok(matches!(answer.to_ascii_lowercase().trim_ascii(), b"y" | b"yes"))
    }

    /// Says something beside the answer; in JSON form nothing is said.
    pub(super) fn remark(&mut self, line: impl Into<Line>) {
        match self.form {
            Form::Text => self.screen.remark(&line.into()),
            Form::Json => {}
        }
    }
}

/// The same JSON without characters that a terminal could obey: all that is not visible as itself can only stand within a string.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        let mut buffer = [0; 4];
        let text: &str = character.encode_utf8(&mut buffer);
        if character == '\n' || visible(text) == text {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            character.encode_utf16(&mut units).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn escaped_json_is_the_same_json() {
        let text = "a\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{e0041}é漢\n\t\"";
        let json = serde_json::to_string(text).unwrap();
        let safe = escaped(&json);
        assert_eq!(safe, r#""a\u001b[31m\u007f\u009b\u202e\udb40\udc41é漢\n\t\"""#);
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
    }
}
