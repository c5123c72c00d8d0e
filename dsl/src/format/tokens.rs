//! The tokens of a text that is in the language.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name, a keyword or a number.
    Word,
    Text,
    Operator,
    Open,
    Close,
    Comment,
}

/// A token and what stands before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
    /// Whether a blank stood before it.
    pub(super) is_apart: bool,
    /// The line ends before it, and whether the last one was escaped.
    pub(super) lines_before: usize,
    pub(super) is_continued: bool,
}

const OPERATORS: &[&str] = &[
    "**=", "//=", ">>=", "<<=", "**", "//", ">>", "<<", "==", "!=", "<>", "<=", ">=", "+=", "-=", "*=", "/=", "%=",
    "&=", "|=", "^=",
];

/// The tokens of a text.
pub(super) fn of(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let (mut is_apart, mut lines_before, mut is_continued) = (false, 0, false);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() || c == '\u{feff}' {
            lines_before += usize::from(c == '\n');
            is_apart = true;
            at += c.len_utf8();
            continue;
        }
        if c == '\\' {
            is_continued = true;
            at += 1;
            continue;
        }
        let (kind, length) = token(rest, c);
        tokens.push(Token { kind, text: &rest[..length], is_apart, lines_before, is_continued });
        (is_apart, lines_before, is_continued) = (false, 0, false);
        at += length;
    }
    tokens
}

fn token(rest: &str, c: char) -> (TokenKind, usize) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let digits = c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()));
    match c {
        '#' => {
            let line = rest.find('\n').unwrap_or(rest.len());
            (TokenKind::Comment, rest[..line].trim_end().len())
        }
        '(' | '[' | '{' => (TokenKind::Open, 1),
        ')' | ']' | '}' => (TokenKind::Close, 1),
        '\'' | '"' => (TokenKind::Text, string(rest, 0)),
        _ if digits => {
            let mut length = 0;
            let mut before = ' ';
            for c in rest.chars() {
                let is_exponent_sign = matches!(c, '+' | '-')
                    && matches!(before, 'e' | 'E')
                    && !rest.starts_with("0x")
                    && !rest.starts_with("0X");
                if !(is_word(c) || c == '.' || is_exponent_sign) {
                    break;
                }
                before = c;
                length += c.len_utf8();
            }
            (TokenKind::Word, length)
        }
        _ if is_word(c) => {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            if length <= 2 && rest[length..].starts_with(['\'', '"']) {
                (TokenKind::Text, string(rest, length))
            } else {
                (TokenKind::Word, length)
            }
        }
        _ => {
            let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
            (TokenKind::Operator, operator.map_or(c.len_utf8(), |operator| operator.len()))
        }
    }
}

/// The length of a string literal whose quote stands at `quote`.
fn string(rest: &str, quote: usize) -> usize {
    let body = &rest[quote..];
    let mark = &body[..1];
    let mark = if body.starts_with(&mark.repeat(3)) { mark.repeat(3) } else { mark.to_owned() };
    let mut at = mark.len();
    while at < body.len() {
        if body[at..].starts_with(&mark) {
            return quote + at + mark.len();
        }
        let c = body[at..].chars().next().unwrap_or(' ');
        at += c.len_utf8();
        if c == '\\' {
            at += body[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    rest.len()
}
