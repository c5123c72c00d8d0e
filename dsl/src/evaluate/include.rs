//! `include`: another file, evaluated among the same names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::syntax;
use crate::template::literal;

use super::host::{self, Refused};
use super::value::{Arguments, Value};
use super::{Evaluator, Failure, Included, Result, fail};

/// How long a chain of includes may be, and how many files one configuration may have.
const CHAIN_LIMIT: usize = 32;
const FILES_LIMIT: usize = 1000;

impl Evaluator<'_> {
    /// Reads a file that nobody included and runs it.
    pub(crate) fn run(&mut self, name: &str, path: Option<PathBuf>, text: Arc<str>) -> FileId {
        self.run_file(name, path, text, None)
    }

    fn run_file(&mut self, name: &str, path: Option<PathBuf>, text: Arc<str>, called_at: Option<Span>) -> FileId {
        let file = self.sources.add(name.to_owned(), path.clone(), text);
        let way = self.includes.iter().filter_map(|included| included.called_at).chain(called_at).collect();
        self.ways.insert(file, way);
        if literal::is_reserved(&self.sources.file(file).text) {
            let start = Span { file, start: 0, end: 0 };
            self.report(
                Diagnostic::error(Code::Syntax, start, "the text contains Unicode noncharacters (U+FDD0, U+FDD1)")
                    .into(),
            );
            self.is_incomplete = true;
            return file;
        }
        let parsed = syntax::parse(self.sources, file);
        self.is_incomplete |= !parsed.diagnostics.is_empty();
        self.diagnostics.extend(parsed.diagnostics);
        self.includes.push(Included { file, path, called_at });
        let outer = self.frame.take();
        self.file_block(&parsed.block);
        self.frame = outer;
        self.includes.pop();
        file
    }

    /// The directory relative paths of the running file start from.
    pub(super) fn base(&self) -> PathBuf {
        let path = self.includes.last().and_then(|included| included.path.as_deref());
        path.and_then(Path::parent).map_or_else(|| self.root.clone(), Path::to_owned)
    }

    pub(super) fn include(&mut self, arguments: &Arguments, span: Span) -> Result<Value> {
        let Some(Value::Text(path)) = arguments.plain.first().map(|argument| &argument.value) else {
            return fail(Code::Type, span, "`include` takes the path of a file");
        };
        let place = arguments.plain.first().map_or(span, |argument| argument.span);
        let shown = path.as_str().to_owned();
        let refused = |this: &mut Self, refused: Refused| {
            this.is_incomplete = true;
            let help = "paths are relative to the file they stand in, and stay within its repository; --map lets a directory stand for another";
            Failure::from(Diagnostic::error(Code::Include, place, refused.to_string()).help(help))
        };
        let found = self.host.locate(&shown, &self.base(), &self.root).map_err(|error| refused(self, error))?;
        if let Some(first) = self.includes.iter().position(|included| included.path.as_deref() == Some(&*found)) {
            self.is_incomplete = true;
            let mut error = Diagnostic::error(Code::Include, place, format!("`{shown}` includes itself"));
            for included in &self.includes[first + 1..] {
                let name = &self.sources.file(included.file).name;
                error = error.note(format!("through `{name}`"), included.called_at);
            }
            return Err(error.into());
        }
        if self.includes.len() >= CHAIN_LIMIT || self.sources.files().count() >= FILES_LIMIT {
            return fail(
                Code::Limit,
                place,
                format!("files include each other more than {CHAIN_LIMIT} deep, or are more than {FILES_LIMIT}"),
            );
        }
        let text = host::read_text(&found, &shown).map_err(|error| refused(self, error))?;
        super::At::at(self.budget.text(text.len().min(super::budget::TEXT_LIMIT_BYTES)), place)?;
        self.run_file(&shown, Some(found), text.into(), Some(span));
        Ok(Value::None)
    }

    /// `open(path)`: the bytes of a file, for its checksum.
    pub(super) fn open(&mut self, arguments: &Arguments, span: Span) -> Result<Value> {
        let Some(Value::Text(path)) = arguments.plain.first().map(|argument| &argument.value) else {
            return fail(Code::Type, span, "`open` takes the path of a file");
        };
        let mode = arguments.value(1, "mode").map_or_else(|| "r".to_owned(), |mode| self.shown(mode));
        if !matches!(mode.as_str(), "r" | "rb") {
            return fail(Code::Unsupported, span, "a configuration only reads files");
        }
        let read = self
            .host
            .locate(path.as_str(), &self.base(), &self.root)
            .and_then(|found| host::read(&found, path.as_str()));
        let bytes = read.map_err(|error| {
            Diagnostic::error(Code::Include, span, error.to_string())
                .help("--map DIRECTORY=OTHER lets a directory stand for another")
        })?;
        Ok(Value::File(bytes.into()))
    }
}
