//! Cuts a file into logical lines, so that the grammar sees one statement at a time.
//!
//! Comments, `\` line ends and line ends inside brackets become blanks of the same length: a logical line is then a range of
//! bytes of a text in which every byte stands where the user wrote it.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// How deep brackets may nest: as deep as Python 2's own parser went.
const BRACKETS_LIMIT: usize = 100;

const TAB_COLUMNS: u32 = 8;

/// One logical line: a statement, or the head of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// The first byte behind the indentation.
    pub(crate) start: usize,
    /// The byte behind the last one.
    pub(crate) end: usize,
    /// Columns of indentation.
    pub(crate) indent: u32,
}

/// A file cut into logical lines.
pub(crate) struct Layout {
    /// As long as the file, with everything blanked that is not language.
    pub(crate) text: String,
    pub(crate) lines: Vec<Line>,
    /// What stopped the cutting, where something did: the lines before it are whole.
    pub(crate) failure: Option<Diagnostic>,
}

struct Cutter<'a> {
    file: FileId,
    bytes: &'a [u8],
    out: Vec<u8>,
    at: usize,
    brackets: Vec<(u8, usize)>,
}

/// Cuts a file into logical lines.
pub(crate) fn cut(file: FileId, text: &str) -> Layout {
    let mut cutter = Cutter {
        file,
        bytes: text.as_bytes(),
        out: text.as_bytes().to_vec(),
        at: if text.starts_with('\u{feff}') { 3 } else { 0 },
        brackets: Vec::new(),
    };
    let mut lines = Vec::new();
    let mut failure = None;
    while cutter.at < cutter.bytes.len() {
        match cutter.line() {
            Ok(Some(line)) => lines.push(line),
            Ok(None) => {}
            Err(diagnostic) => {
                failure = Some(*diagnostic);
                break;
            }
        }
    }
    let text = String::from_utf8(cutter.out)
        .unwrap_or_else(|_| unreachable!("only whole ASCII characters and comments are blanked"));
    Layout { text, lines, failure }
}

impl Cutter<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn error(&self, start: usize, end: usize, message: impl Into<String>) -> Box<Diagnostic> {
        let span = Span { file: self.file, start: start as u32, end: end as u32 };
        Box::new(Diagnostic::error(Code::Syntax, span, message))
    }

    /// One logical line, or nothing for one that is empty.
    fn line(&mut self) -> Result<Option<Line>, Box<Diagnostic>> {
        let mut indent = 0;
        loop {
            match self.byte(0) {
                b' ' => indent += 1,
                b'\t' => indent += TAB_COLUMNS - indent % TAB_COLUMNS,
                b'\x0c' => indent = 0,
                _ => break,
            }
            self.at += 1;
        }
        let start = self.at;
        let mut end = start;
        while self.at < self.bytes.len() {
            match self.byte(0) {
                b'\n' if self.brackets.is_empty() => {
                    self.at += 1;
                    return Ok((end > start).then_some(Line { start, end, indent }));
                }
                b'\n' | b'\r' => self.blank(1),
                b' ' => self.at += 1,
                b'\t' | b'\x0c' => self.blank(1),
                b'#' => self.comment(),
                b'\\' if self.byte(1) == b'\n' => self.blank(2),
                b'\\' if self.byte(1) == b'\r' && self.byte(2) == b'\n' => self.blank(3),
                quote @ (b'\'' | b'"') => {
                    self.string(quote)?;
                    end = self.at;
                }
                open @ (b'(' | b'[' | b'{') => {
                    if self.brackets.len() == BRACKETS_LIMIT {
                        let message = format!("brackets nest deeper than {BRACKETS_LIMIT}");
                        return Err(self.error(self.at, self.at + 1, message));
                    }
                    self.brackets.push((open, self.at));
                    self.at += 1;
                    end = self.at;
                }
                close @ (b')' | b']' | b'}') => {
                    self.close(close)?;
                    end = self.at;
                }
                _ => {
                    self.at += 1;
                    end = self.at;
                }
            }
        }
        if let Some((open, at)) = self.brackets.pop() {
            return Err(self.error(at, at + 1, format!("`{}` is never closed", open as char)));
        }
        Ok((end > start).then_some(Line { start, end, indent }))
    }

    fn blank(&mut self, count: usize) {
        self.out[self.at..self.at + count].fill(b' ');
        self.at += count;
    }

    fn comment(&mut self) {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        self.blank(length);
    }

    fn close(&mut self, close: u8) -> Result<(), Box<Diagnostic>> {
        let wanted = |open| match open {
            b'(' => b')',
            b'[' => b']',
            _ => b'}',
        };
        match self.brackets.pop() {
            Some((open, _)) if wanted(open) == close => {
                self.at += 1;
                Ok(())
            }
            Some((open, at)) => {
                let span = Span { file: self.file, start: at as u32, end: at as u32 + 1 };
                let message = format!("`{}` closes nothing: `{}` is open", close as char, open as char);
                Err(Box::new(self.error(self.at, self.at + 1, message).note("opened here", span)))
            }
            None => Err(self.error(self.at, self.at + 1, format!("`{}` closes nothing", close as char))),
        }
    }

    /// Steps over a string literal; its prefix was stepped over as a name.
    fn string(&mut self, quote: u8) -> Result<(), Box<Diagnostic>> {
        let start = self.at;
        let is_triple = self.byte(1) == quote && self.byte(2) == quote;
        self.at += if is_triple { 3 } else { 1 };
        loop {
            match self.byte(0) {
                0 if self.at >= self.bytes.len() => {
                    return Err(self.error(start, start + if is_triple { 3 } else { 1 }, "this string never ends"));
                }
                b'\\' => self.at += 2,
                b'\n' if !is_triple => {
                    let message = "this string does not end on its line";
                    let error = self.error(start, self.at, message);
                    return Err(Box::new(error.help("close it, or use ''' for a text of several lines")));
                }
                byte if byte == quote && !is_triple => {
                    self.at += 1;
                    return Ok(());
                }
                byte if byte == quote && self.byte(1) == quote && self.byte(2) == quote => {
                    self.at += 3;
                    return Ok(());
                }
                _ => self.at += 1,
            }
        }
    }
}
