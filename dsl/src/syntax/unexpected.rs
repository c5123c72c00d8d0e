//! What to say where the grammar stopped.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// The error for a line that the grammar does not accept: `at` is how far it came.
pub(super) fn unexpected(file: FileId, line: &str, offset: usize, at: usize) -> Diagnostic {
    let rest = line.get(at..).unwrap_or_default();
    let skipped = rest.len() - rest.trim_start().len();
    let token = token(rest.trim_start());
    let start = (offset + at + skipped) as u32;
    let span = Span { file, start, end: start + token.len() as u32 };
    let before = line[..at].trim_end();
    if token.is_empty() {
        let end = (offset + before.len()) as u32;
        let span = Span { file, start: end.saturating_sub(1), end };
        let error = Diagnostic::error(Code::Syntax, span, "the statement stops before it is complete");
        return if before.ends_with(['=', '+', '-', '*', '/', '%', '.', ',']) {
            error.help("a value is missing here")
        } else {
            error.help_if(missing_colon(line))
        };
    }
    let error = Diagnostic::error(Code::Syntax, span, format!("`{token}` is not expected here"));
    error.help_if(advice(line, before, token))
}

/// The first token of a text, as far as a message needs it.
fn token(text: &str) -> &str {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let Some(first) = text.chars().next() else { return "" };
    let length = if is_word(first) {
        text.find(|c| !is_word(c)).unwrap_or(text.len())
    } else if matches!(first, '\'' | '"') {
        text[1..].find(first).map_or(text.len(), |at| at + 2)
    } else {
        first.len_utf8()
    };
    let token = &text[..length];
    match token.char_indices().nth(30) {
        Some((cut, _)) => &token[..cut],
        None => token,
    }
}

fn missing_colon(line: &str) -> Option<String> {
    let word = token(line);
    let is_head = matches!(word, "class" | "def" | "for" | "if" | "elif" | "else" | "while" | "with");
    (is_head && !line.ends_with(':')).then(|| format!("a `{word}` line ends with a colon"))
}

fn advice(line: &str, before: &str, token: &str) -> Option<String> {
    let starts_value = token.starts_with(|c: char| c.is_alphanumeric() || "_'\"".contains(c));
    let ends_value = before.ends_with(|c: char| c.is_alphanumeric() || "_'\")]}".contains(c));
    if token == "=" && (before.contains("if ") || before.contains("while ")) {
        return Some("compare with `==`".to_owned());
    }
    if starts_value && ends_value {
        return Some("is a comma missing before it?".to_owned());
    }
    if matches!(token, "!" | "&" | "|") {
        return Some("write `not`, `and`, `or`".to_owned());
    }
    if token == ":" {
        return Some(
            "annotations are Python 3; a dict is written {'key': value}, a keyword argument name = value".to_owned(),
        );
    }
    missing_colon(line)
}
