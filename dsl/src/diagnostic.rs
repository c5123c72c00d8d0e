//! What is wrong with a configuration, where, and what to do about it: for people and for editors.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::source::{Sources, Span};
use crate::terminal::{Colour, Line, Tone};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but probably means something else than it seems to.
    Warning,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// The kind of a diagnostic, stable for scripts and editors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The text is not in the language.
    Syntax,
    /// Python that config files cannot use.
    Unsupported,
    /// A name nobody defined.
    Name,
    /// A value of the wrong type.
    Type,
    /// A struct has no such field.
    UnknownField,
    /// A required field was not given.
    MissingField,
    /// A template is written wrongly.
    Template,
    /// A template names something that is not bound.
    Unbound,
    /// A template needs itself.
    Cycle,
    /// A file cannot be included.
    Include,
    /// A bound of the evaluator was reached.
    Limit,
    /// The order of a task's processes is impossible.
    Plan,
    /// A job as a whole is not acceptable.
    Job,
    /// `--bind` or `--job` does not fit the file.
    Option,
    /// An `assert` or `raise` of the file itself.
    Assertion,
    /// A trap: allowed, but rarely what was meant.
    Lint,
}

impl Code {
    /// The name in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Unsupported => "unsupported",
            Self::Name => "name",
            Self::Type => "type",
            Self::UnknownField => "unknown-field",
            Self::MissingField => "missing-field",
            Self::Template => "template",
            Self::Unbound => "unbound",
            Self::Cycle => "cycle",
            Self::Include => "include",
            Self::Limit => "limit",
            Self::Plan => "plan",
            Self::Job => "job",
            Self::Option => "option",
            Self::Assertion => "assertion",
            Self::Lint => "lint",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// Where; none where no place in a file is to blame.
    pub span: Option<Span>,
    /// Further places that explain it.
    pub notes: Vec<(String, Option<Span>)>,
    /// What to do.
    pub help: Option<Box<str>>,
    /// The `include` calls on the way to the file, outermost first.
    pub includes: Arc<[Span]>,
    /// The job it was found in, where it belongs to one.
    pub job: Option<Arc<str>>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span: span.into(),
            notes: Vec::new(),
            help: None,
            includes: Arc::default(),
            job: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().into_boxed_str());
        self
    }

    /// The same with a suggestion, where there is one.
    #[must_use]
    pub fn help_if(mut self, help: Option<String>) -> Self {
        self.help = help.map(String::into_boxed_str).or(self.help);
        self
    }

    /// The same with one more explaining place.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>, span: impl Into<Option<Span>>) -> Self {
        self.notes.push((note.into(), span.into()));
        self
    }

    /// The text for a terminal: message, place with a caret, include chain, notes, help.
    pub fn render(&self, sources: &Sources) -> String {
        self.lines(sources).iter().map(|line| line.render(Colour::Hidden) + "\n").collect()
    }

    /// The same, line by line.
    pub(crate) fn lines(&self, sources: &Sources) -> Vec<Line> {
        let tone = match self.severity {
            Severity::Error => Tone::Bad,
            Severity::Warning => Tone::Warning,
        };
        let headline = Line::toned(tone, self.severity.name()).then(Tone::Strong, format!(": {}", self.message));
        let mut lines = vec![headline];
        if let Some(span) = self.span {
            lines.extend(place_lines(sources, span, tone));
        }
        for include in self.includes.iter().rev() {
            let file = sources.file(include.file);
            let position = file.position(include.start);
            lines.push(Line::plain(format!("  included from {}:{}:{}", file.name, position.line, position.column)));
        }
        lines.extend(self.job.iter().map(|job| Line::plain(format!("  in job {job}"))));
        for (note, span) in &self.notes {
            lines.push(Line::toned(Tone::Faint, "  note").then(Tone::Plain, format!(": {note}")));
            lines.extend(span.iter().flat_map(|span| place_lines(sources, *span, Tone::Faint)));
        }
        lines.extend(
            self.help.iter().map(|help| Line::toned(Tone::Good, "  help").then(Tone::Plain, format!(": {help}"))),
        );
        lines
    }

    /// The form for editors: lines and columns from one, the end exclusive.
    pub fn to_json(&self, sources: &Sources) -> Json {
        let mut json = json!({
            "severity": self.severity.name(),
            "code": self.code.name(),
            "message": self.message,
        });
        if let Some(span) = self.span {
            json["place"] = place(sources, span);
        }
        if let Some(help) = &self.help {
            json["help"] = json!(help);
        }
        if !self.includes.is_empty() {
            json["includes"] = self.includes.iter().map(|span| place(sources, *span)).collect();
        }
        if !self.notes.is_empty() {
            let note = |(text, span): &(String, Option<Span>)| json!({"message": text, "place": span.map(|span| place(sources, span))});
            json["notes"] = self.notes.iter().map(note).collect();
        }
        if let Some(job) = &self.job {
            json["job"] = json!(job);
        }
        json
    }
}

fn place(sources: &Sources, span: Span) -> Json {
    let file = sources.file(span.file);
    let (start, end) = (file.position(span.start), file.position(span.end));
    json!({"file": file.name, "line": start.line, "column": start.column, "end_line": end.line, "end_column": end.column})
}

/// The widest part of a line that is shown; longer ones are cut around the place.
const SHOWN_COLUMNS: usize = 120;

/// Where it is, the line, and what of it is meant.
fn place_lines(sources: &Sources, span: Span, tone: Tone) -> [Line; 4] {
    let file = sources.file(span.file);
    let start = file.position(span.start);
    let end = file.position(span.end);
    let line: Vec<char> = file.line(start.line).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let first = if start.column > SHOWN_COLUMNS - 20 { start.column - 40 } else { 0 };
    let shown: String = line.iter().skip(first).take(SHOWN_COLUMNS).collect();
    let last_column = if end.line == start.line { end.column } else { line.len() + 1 };
    let width = last_column
        .saturating_sub(start.column)
        .clamp(1, (first + SHOWN_COLUMNS + 1).saturating_sub(start.column).max(1));
    let number = start.line.to_string();
    let gutter = |text: &str| Line::toned(Tone::Faint, format!(" {text:>width$} |", width = number.len()));
    let marked = format!(" {}{}", " ".repeat(start.column - 1 - first), "^".repeat(width));
    [
        Line::toned(Tone::Faint, " --> ").then(Tone::Plain, format!("{}:{}:{}", file.name, start.line, start.column)),
        gutter(""),
        gutter(&number).then(Tone::Plain, format!(" {}", shown.trim_end())),
        gutter("").then(tone, marked),
    ]
}

/// How many errors a file may have before the rest of it is left alone.
pub(crate) const ERRORS_LIMIT: usize = 1000;

/// How many errors come with a guess where finding one takes long: nobody reads more of them.
pub(crate) const SUGGESTIONS_LIMIT: usize = 50;

/// The candidate that was probably meant: the nearest by edits, if near at all.
pub(crate) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(wanted, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit.max(2))
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean …?" for the nearest candidate.
pub(crate) fn did_you_mean<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(wanted, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}
