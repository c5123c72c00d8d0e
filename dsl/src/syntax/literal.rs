//! The values of string and number literals.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::ExpressionKind;
use crate::text::TextBuilder;

/// Appends the value of one string literal, prefix and quotes included.
pub(super) fn push_string(out: &mut TextBuilder, literal: &str, span: Span) -> Result<(), Diagnostic> {
    let prefix_length = literal.find(['\'', '"']).unwrap_or(0);
    let (prefix, quoted) = literal.split_at(prefix_length);
    let prefix = prefix.to_ascii_lowercase();
    if prefix.contains('f') {
        let message = "f-strings are not part of the language, which is Python 2's";
        return Err(Diagnostic::error(Code::Unsupported, span, message).help("write '…%s…' % value"));
    }
    if !matches!(prefix.as_str(), "" | "u" | "b" | "r" | "ur" | "br") {
        return Err(Diagnostic::error(Code::Syntax, span, format!("`{prefix}` is no prefix of a string")));
    }
    let quotes = if quoted.len() >= 6 && (quoted.starts_with("'''") || quoted.starts_with("\"\"\"")) { 3 } else { 1 };
    let body = &quoted[quotes..quoted.len() - quotes];
    let start = span.start + (prefix_length + quotes) as u32;
    let body_span = Span { start, end: start + body.len() as u32, ..span };
    if prefix.contains('r') || !(body.contains('\\') || body.contains('\r')) {
        out.push_written(body, Some(body_span));
        return Ok(());
    }
    let escapes = Escapes { unicode: prefix.contains('u') };
    let mut plain = 0;
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        let Some((value, length)) = escapes.decode(rest) else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        let piece = |from: usize, to: usize| Some(Span { start: start + from as u32, end: start + to as u32, ..span });
        if plain < at {
            out.push_written(&body[plain..at], piece(plain, at));
        }
        if let Some(value) = value {
            out.push_written(value.encode_utf8(&mut [0; 4]), piece(at, at + length));
        }
        at += length;
        plain = at;
    }
    if plain < body.len() {
        out.push_written(&body[plain..], Some(Span { start: start + plain as u32, ..body_span }));
    }
    Ok(())
}

struct Escapes {
    unicode: bool,
}

impl Escapes {
    /// The character an escape at the beginning of `rest` stands for (none for a joined line) and its length; nothing where
    /// there is no escape, or one that Python leaves alone.
    fn decode(&self, rest: &str) -> Option<(Option<char>, usize)> {
        if let Some(rest) = rest.strip_prefix("\r\n") {
            let _ = rest;
            return Some((Some('\n'), 2));
        }
        let after = rest.strip_prefix('\\')?;
        let code = after.chars().next()?;
        let simple = |c: char| Some((Some(c), 2));
        match code {
            '\n' => Some((None, 2)),
            '\r' if after.starts_with("\r\n") => Some((None, 3)),
            '\\' | '\'' | '"' => simple(code),
            'a' => simple('\x07'),
            'b' => simple('\x08'),
            'f' => simple('\x0c'),
            'n' => simple('\n'),
            'r' => simple('\r'),
            't' => simple('\t'),
            'v' => simple('\x0b'),
            'x' => hexadecimal(after, 2),
            'u' if self.unicode => hexadecimal(after, 4),
            'U' if self.unicode => hexadecimal(after, 8),
            '0'..='7' => {
                let digits = after.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let value = u32::from_str_radix(&after[..digits], 8).ok()?;
                Some((char::from_u32(value & 0xff), digits + 1))
            }
            _ => None,
        }
    }
}

fn hexadecimal(after: &str, digits: usize) -> Option<(Option<char>, usize)> {
    let value = u32::from_str_radix(after.get(1..=digits)?, 16).ok()?;
    Some((Some(char::from_u32(value)?), digits + 2))
}

/// The value of a number literal.
pub(super) fn number(literal: &str, span: Span) -> Result<ExpressionKind, Diagnostic> {
    let lower = literal.to_ascii_lowercase();
    let too_large = || {
        let message = format!("`{literal}` is too large: whole numbers go up to {}", i64::MAX);
        Diagnostic::error(Code::Limit, span, message)
    };
    if lower.ends_with('j') {
        return Err(Diagnostic::error(Code::Unsupported, span, "complex numbers are not part of the language"));
    }
    let digits =
        if lower.starts_with("0x") { lower.trim_end_matches('l') } else { lower.strip_suffix('l').unwrap_or(&lower) };
    let based = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, base)| Some((digits.strip_prefix(prefix)?, base)));
    if let Some((digits, base)) = based {
        return i64::from_str_radix(digits, base).map(ExpressionKind::Integer).map_err(|_| too_large());
    }
    if digits.contains(['.', 'e']) {
        return digits.parse().map(ExpressionKind::Float).map_err(|_| too_large());
    }
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|byte| byte != b'0') {
        return i64::from_str_radix(digits, 8).map(ExpressionKind::Integer).map_err(|_| {
            Diagnostic::error(
                Code::Syntax,
                span,
                format!("`{literal}` begins with 0, so it is octal, and is no octal number"),
            )
        });
    }
    digits.parse().map(ExpressionKind::Integer).map_err(|_| too_large())
}
