//! What fuzzers call, and tests with random input: each takes any bytes and panics only where the language breaks a promise.

use std::path::Path;

use crate::config::{findings, to_json};
use crate::diagnostic::Diagnostic;
use crate::load::{self, Configuration, Options};
use crate::source::Sources;

/// The parser: every place of a message is in the text, and what can be formatted is formatted once and for all.
pub fn parser(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = crate::recognise(text);
    match crate::format::format("fuzz", text) {
        Ok(formatted) => {
            let again = crate::format::format("fuzz", &formatted);
            assert!(again.is_ok_and(|again| again == formatted), "a formatted text is formatted already");
        }
        Err((sources, wrong)) => wrong.iter().for_each(|wrong| assert_placed(wrong, &sources)),
    }
}

/// The evaluator: it ends, says where each mistake is, and says the same each time.
pub fn evaluator(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let first = read(text);
    for diagnostic in first.all_diagnostics() {
        assert_placed(diagnostic, &first.sources);
    }
    let second = read(text);
    assert_eq!(findings(&first), findings(&second), "an outcome depends on nothing but the text");
    assert_eq!(to_json(&first), to_json(&second), "an outcome depends on nothing but the text");
}

/// The template splitter: the bytes are a command line, a NUL, and what is bound to `x`.
pub fn template(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0).map(String::from_utf8_lossy);
    let (command, bound) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // A string that the language reads as these very characters.
    let quoted = |text: &str| {
        let escape = |c: char| match c {
            '\\' => "\\\\".to_owned(),
            '\'' => "\\'".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            c => c.to_string(),
        };
        format!("'{}'", text.chars().map(escape).collect::<String>())
    };
    evaluator(
        format!(
            "p = Process(name = 'p', cmdline = {})\n\
             t = Task(processes = [p], resources = Resources(cpu = 1, ram = 1*GB, disk = 1*GB))\n\
             jobs = [Job(cluster = 'c', role = 'r', environment = 'test', name = 'j', task = t).bind(x = {})]\n",
            quoted(&command),
            quoted(&bound)
        )
        .as_bytes(),
    );
}

fn read(text: &str) -> Configuration {
    // In a directory without files: nothing can be included.
    load::text_of("fuzz", Some(Path::new("/nowhere/fuzz").to_owned()), text, &Options::default())
}

/// Every place is a piece of its file, and can be shown.
fn assert_placed(diagnostic: &Diagnostic, sources: &Sources) {
    let notes = diagnostic.notes.iter().filter_map(|(_, span)| *span);
    for span in diagnostic.span.into_iter().chain(notes).chain(diagnostic.includes.iter().copied()) {
        let piece = sources.file(span.file).text.get(span.start as usize..span.end as usize);
        assert!(piece.is_some(), "{span:?} is no place of the text: {}", diagnostic.message);
    }
    assert!(!diagnostic.render(sources).is_empty());
}
