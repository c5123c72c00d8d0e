//! The blanks between the tokens of one statement, and the indentation of its further lines.

use super::tokens::{Token, TokenKind};
use super::{STEP, is_word_operator};

/// An open bracket.
struct Bracket {
    sign: char,
    /// The indentation of the line it stands in.
    indent: usize,
    /// Lambdas whose colon has not come yet.
    lambdas: usize,
}

/// A statement being put together.
pub(super) struct Line<'a> {
    out: String,
    /// The indentation of the first line.
    first: usize,
    /// The indentation of the current line.
    indent: usize,
    brackets: Vec<Bracket>,
    before: Option<Token<'a>>,
    /// Whether the token before is an operator in front of a value: `-1`, `*list`.
    is_prefixed: bool,
    /// Whether the operator before stood close to its left operand.
    is_close: bool,
}

impl<'a> Line<'a> {
    pub(super) fn new(indent: usize) -> Self {
        Self {
            out: " ".repeat(indent),
            first: indent,
            indent,
            brackets: Vec::new(),
            before: None,
            is_prefixed: false,
            is_close: false,
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn push(&mut self, token: &Token<'a>, next: Option<&Token<'a>>) {
        let is_prefix = self.is_prefix(token);
        let is_close = self.stands_close(token, next, is_prefix);
        if token.kind == TokenKind::Comment && self.before.is_some() && token.lines_before == 0 {
            self.out.push_str("  ");
        } else if let Some(before) = self.before {
            if token.lines_before > 0 {
                self.new_line(token);
            } else if self.needs_blank(&before, token, is_prefix, is_close) {
                self.out.push(' ');
            }
        }
        self.out.push_str(token.text);
        self.track(token);
        self.is_prefixed = is_prefix;
        self.is_close = is_close;
        self.before = Some(*token);
    }

    fn new_line(&mut self, token: &Token<'_>) {
        if token.is_continued && self.brackets.is_empty() {
            self.out.push_str(" \\");
            self.indent = self.first + 2 * STEP;
        } else if let Some(bracket) = self.brackets.last() {
            self.indent = if token.kind == TokenKind::Close { bracket.indent } else { bracket.indent + STEP };
        }
        let empty = token.lines_before > 1 && !token.is_continued;
        self.out.push_str(if empty { "\n\n" } else { "\n" });
        self.out.push_str(&" ".repeat(self.indent));
    }

    fn track(&mut self, token: &Token<'_>) {
        match (token.kind, token.text.chars().next()) {
            (TokenKind::Open, Some(sign)) => self.brackets.push(Bracket { sign, indent: self.indent, lambdas: 0 }),
            (TokenKind::Close, _) => {
                self.brackets.pop();
            }
            (TokenKind::Word, _) if token.text == "lambda" => {
                if let Some(bracket) = self.brackets.last_mut() {
                    bracket.lambdas += 1;
                }
            }
            (TokenKind::Operator, Some(':')) => {
                if let Some(bracket) = self.brackets.last_mut() {
                    bracket.lambdas = bracket.lambdas.saturating_sub(1);
                }
            }
            _ => {}
        }
    }

    /// Whether an operator stands in front of a value instead of between two.
    fn is_prefix(&self, token: &Token<'_>) -> bool {
        if token.kind != TokenKind::Operator || !matches!(token.text, "-" | "+" | "~" | "*" | "**" | "@") {
            return false;
        }
        self.before.is_none_or(|before| match before.kind {
            TokenKind::Operator | TokenKind::Open | TokenKind::Comment => before.text != ".",
            TokenKind::Word => is_word_operator(&before),
            TokenKind::Text | TokenKind::Close => false,
        })
    }

    /// Whether an operator between two values stood close to both: `64*MB` stays as it is.
    fn stands_close(&self, token: &Token<'_>, next: Option<&Token<'_>>, is_prefix: bool) -> bool {
        let may = matches!(token.text, "*" | "/" | "//" | "%" | "**" | "+" | "-")
            && token.kind == TokenKind::Operator
            && !is_prefix;
        may && !token.is_apart && next.is_some_and(|next| !next.is_apart && next.lines_before == 0)
    }

    fn is_slice_colon(&self, token: &Token<'_>) -> bool {
        let in_slice = self.brackets.last().is_some_and(|bracket| bracket.sign == '[' && bracket.lambdas == 0);
        token.text == ":" && token.kind == TokenKind::Operator && in_slice
    }

    fn needs_blank(&self, before: &Token<'_>, token: &Token<'_>, is_prefix: bool, is_close: bool) -> bool {
        if before.kind == TokenKind::Open || token.kind == TokenKind::Close || self.is_prefixed {
            return false;
        }
        if token.kind == TokenKind::Operator && matches!(token.text, "," | ";" | ":" | ".") {
            return token.text == "."
                && (is_word_operator(before) || before.kind == TokenKind::Operator && before.text != ".");
        }
        if before.kind == TokenKind::Operator && before.text == "." {
            return before.text == "." && is_word_operator(token) && token.text == "import";
        }
        if self.is_slice_colon(before) {
            return false;
        }
        if token.kind == TokenKind::Open {
            let is_call = match before.kind {
                TokenKind::Word => !is_word_operator(before),
                TokenKind::Close | TokenKind::Text => true,
                TokenKind::Operator | TokenKind::Open | TokenKind::Comment => false,
            };
            return !(self.is_close || is_call && token.text != "{");
        }
        if is_prefix {
            return !self.is_close;
        }
        !is_close && !self.is_close
    }
}
