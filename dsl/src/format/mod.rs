//! Formats a file: blanks, indentation and empty lines in one way, everything else as it is.
//!
//! Comments and line ends stay where they are. A formatted text has the same tokens as before, which is checked, and is formatted
//! already: formatting it again changes nothing.

mod spacing;
mod tokens;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Sources, Span};
use crate::syntax::{self, layout};

use spacing::Line;
use tokens::{Token, TokenKind};

/// Columns of a block.
const STEP: usize = 2;

/// Empty lines that stay in a row.
const EMPTY_LINES: usize = 2;

/// The formatted text, or what is wrong with it: a text outside of the language is left alone.
pub fn format(name: &str, text: &str) -> Result<String, (Sources, Vec<Diagnostic>)> {
    let mut sources = Sources::default();
    if text.len() > crate::source::FILE_LIMIT_BYTES {
        return Err((sources, vec![crate::load::too_long(name)]));
    }
    let file = sources.add(name.to_owned(), None, text.into());
    let parsed = syntax::parse(&sources, file);
    if !parsed.diagnostics.is_empty() {
        return Err((sources, parsed.diagnostics));
    }
    let layout = layout::cut(file, text);
    let formatted = lines(text, &layout);
    let unchanged = |text: &str| tokens::of(text).iter().map(|token| token.text.to_owned()).collect::<Vec<_>>();
    if unchanged(&formatted) == unchanged(text) {
        return Ok(formatted);
    }
    let span = Span { file, start: 0, end: 0 };
    Err((sources, vec![Diagnostic::error(Code::Syntax, span, "the file cannot be formatted without changing it")]))
}

/// The levels of the blocks that are open.
#[derive(Default)]
struct Blocks {
    columns: Vec<u32>,
}

impl Blocks {
    /// The level of a line that is indented by so many columns.
    fn enter(&mut self, columns: u32) -> usize {
        self.columns.retain(|open| *open <= columns);
        if self.columns.last() != Some(&columns) {
            self.columns.push(columns);
        }
        self.columns.len() - 1
    }

    /// The level of a comment: that of the block it is indented like, or else of the line below it.
    fn of_comment(&self, columns: u32, below: Option<u32>) -> usize {
        let known = self.columns.iter().position(|open| *open == columns);
        let deeper =
            below.filter(|below| self.columns.last().is_none_or(|last| below > last)).map(|_| self.columns.len());
        match (known, deeper) {
            (_, Some(deeper)) if Some(columns) >= below => deeper,
            (Some(known), _) => known,
            (None, _) => below.and_then(|below| self.columns.iter().position(|open| *open == below)).unwrap_or(0),
        }
    }
}

fn lines(text: &str, layout: &layout::Layout) -> String {
    let mut out = Output::default();
    let mut blocks = Blocks::default();
    let mut at = 0;
    for (index, line) in layout.lines.iter().enumerate() {
        let start = text[..line.start].rfind('\n').map_or(0, |end| end + 1);
        comments(&mut out, &text[at..start.max(at)], &blocks, Some(line.indent));
        let level = blocks.enter(line.indent);
        let next = layout
            .lines
            .get(index + 1)
            .map_or(text.len(), |next| text[..next.start].rfind('\n').map_or(0, |end| end + 1));
        let end = text[line.end..next.max(line.end)].find('\n').map_or(next.max(line.end), |end| line.end + end);
        let tokens: Vec<Token<'_>> = tokens::of(&text[line.start..end]);
        let mut shaped = Line::new(level * STEP);
        for (index, token) in tokens.iter().enumerate() {
            shaped.push(token, tokens.get(index + 1));
        }
        out.line(&shaped.finish());
        at = (end + 1).min(text.len());
    }
    comments(&mut out, &text[at..], &blocks, None);
    out.text
}

/// The lines between two statements: comments and empty ones.
fn comments(out: &mut Output, between: &str, blocks: &Blocks, below: Option<u32>) {
    for line in between.lines() {
        let comment = line.trim();
        if comment.is_empty() || comment == "\u{feff}" {
            out.empty();
        } else {
            let columns = line.chars().take_while(|c| c.is_whitespace()).count() as u32;
            let level = blocks.of_comment(columns, below);
            out.line(&format!("{}{comment}", " ".repeat(level * STEP)));
        }
    }
}

#[derive(Default)]
struct Output {
    text: String,
    empty: usize,
}

impl Output {
    fn empty(&mut self) {
        self.empty += 1;
    }

    fn line(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push_str(&"\n".repeat(self.empty.min(EMPTY_LINES)));
        }
        self.empty = 0;
        self.text.push_str(line.trim_end_matches([' ', '\n']));
        self.text.push('\n');
    }
}

/// Whether a token is one of the language's words that stand before a value.
fn is_word_operator(token: &Token<'_>) -> bool {
    const WORDS: &[&str] = &[
        "and", "as", "assert", "del", "elif", "else", "for", "from", "if", "import", "in", "is", "lambda", "not", "or",
        "raise", "return", "while", "with",
    ];
    token.kind == TokenKind::Word && WORDS.contains(&token.text)
}
