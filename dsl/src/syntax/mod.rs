//! From text to tree: layout, grammar, lowering.
//!
//! A file is cut into logical lines, each line is parsed by the grammar for itself, and the lines' indentation puts the blocks
//! together. So one wrong line costs only itself, and every wrong line is reported.

pub(crate) mod ast;
mod expression;
pub(crate) mod layout;
mod literal;
mod python;
mod statement;
mod unexpected;
pub(crate) mod visit;

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources};
use ast::Block;

/// A file's statements, and everything that was wrong with its text.
pub(crate) struct Parsed {
    pub(crate) block: Block,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Parses a file.
pub(crate) fn parse(sources: &Sources, file: FileId) -> Parsed {
    let layout = layout::cut(file, &sources.file(file).text);
    let mut diagnostics = Vec::new();
    let block = statement::Lowering::new(file, &layout, &mut diagnostics).file();
    diagnostics.extend(layout.failure);
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.map(|span| span.start));
    Parsed { block, diagnostics }
}

/// Whether the grammar accepts the whole text: what parsing costs, without anything that comes after it.
pub fn recognise(text: &str) -> bool {
    let layout = layout::cut(FileId(0), text);
    layout.failure.is_none()
        && layout.lines.iter().all(|line| python::parse(&layout.text[line.start..line.end]).is_ok())
}
