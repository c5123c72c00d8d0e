//! `'…%s…' % value`.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::text::{Text, TextBuilder};

use super::value::{Key, Value};
use super::{At, Evaluator, Failure, Result, fail, number};

/// The widest field: a number for columns, not for filling memory.
const WIDTH_LIMIT: usize = 1000;

/// How one value is written.
#[derive(Default)]
pub(super) struct Style {
    is_left: bool,
    is_zero_filled: bool,
    pub(super) is_signed: bool,
    pub(super) is_spaced: bool,
    pub(super) is_marked: bool,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
}

impl Evaluator<'_> {
    /// The `%` operator on a string.
    pub(super) fn format_percent(&mut self, format: &Text, value: &Value, span: Span) -> Result<Value> {
        let text = format.as_str();
        let mut values = match value {
            Value::Tuple(items) => items.to_vec(),
            other => vec![other.clone()],
        }
        .into_iter();
        let is_tuple = matches!(value, Value::Tuple(_));
        let mut out = TextBuilder::default();
        let mut rest = 0;
        let mut is_by_name = false;
        while let Some(at) = text[rest..].find('%').map(|at| at + rest) {
            out.push_range(format, rest, at);
            let place = |end: usize| format.span_of(at, end).unwrap_or(span);
            let mut cursor = Cursor { text, at: at + 1 };
            let named = if cursor.take('(') {
                let (name, after) =
                    text[cursor.at..].split_once(')').ok_or_else(|| wrong(place(at + 1), "`%(` is never closed"))?;
                cursor.at = text.len() - after.len();
                is_by_name = true;
                Some(name)
            } else {
                None
            };
            let mut next = || values.next().ok_or_else(|| wrong(place(at + 2), "there are more `%` than values"));
            let style = cursor.style(&mut next)?;
            let Some(conversion) = cursor.next() else {
                return Err(wrong(place(text.len()), "`%` is followed by nothing; write `%%` for the sign itself"));
            };
            let end = cursor.at;
            if conversion == '%' {
                out.push_written("%", format.span_of(at, end));
            } else {
                let argument = match named {
                    None => next()?,
                    Some(name) => self.named_value(value, name, place(end))?,
                };
                self.percent_value(&mut out, &argument, conversion, &style, place(end))?;
            }
            self.budget.text(out.len()).at(span)?;
            rest = end;
        }
        out.push_range(format, rest, text.len());
        let may_be_left = is_by_name || matches!(value, Value::Dict(_) | Value::List(_));
        let is_left_over = values.next().is_some() && (is_tuple || !may_be_left);
        if is_left_over {
            return Err(wrong(span, "there are more values than `%`"));
        }
        self.budget.text(out.len()).at(span)?;
        Ok(Value::Text(out.finish()))
    }

    fn named_value(&self, value: &Value, name: &str, span: Span) -> Result<Value> {
        let Value::Dict(entries) = value else {
            return fail(Code::Type, span, "`%(name)` needs a dict on the right");
        };
        match entries.borrow().get(&Key::Text(name.into())) {
            Some(value) => Ok(value.clone()),
            None => fail(Code::Name, span, format!("the dict has no key `{name}`")),
        }
    }

    fn percent_value(
        &self,
        out: &mut TextBuilder,
        value: &Value,
        conversion: char,
        style: &Style,
        span: Span,
    ) -> Result<()> {
        if matches!(value, Value::Unknown) {
            return Err(Failure::Reported);
        }
        let written = match conversion {
            's' if style.width == 0 && style.precision.is_none() => {
                if let Value::Text(text) = value {
                    out.push_text(text);
                    return Ok(());
                }
                self.shown(value)
            }
            's' | 'r' => {
                let text = if conversion == 's' { self.shown(value) } else { self.repr(value) };
                let cut = style.precision.and_then(|precision| text.char_indices().nth(precision)).map(|(cut, _)| cut);
                padded(text[..cut.unwrap_or(text.len())].to_owned(), style, false)
            }
            'c' => match value {
                Value::Integer(code) => {
                    let c = u32::try_from(*code).ok().and_then(char::from_u32);
                    c.map(|c| padded(c.to_string(), style, false))
                        .ok_or_else(|| wrong(span, "this number is no character"))?
                }
                Value::Text(text) if text.as_str().chars().count() == 1 => {
                    padded(text.as_str().to_owned(), style, false)
                }
                other => return Err(wrong(span, &format!("`%c` needs a single character, not {}", other.described()))),
            },
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
                let integer = match value {
                    Value::Integer(value) => *value,
                    Value::Boolean(value) => i64::from(*value),
                    Value::Float(value) => *value as i64,
                    other => {
                        return Err(wrong(span, &format!("`%{conversion}` needs a number, not {}", other.described())));
                    }
                };
                padded(integer_digits(integer, conversion, style), style, style.precision.is_none())
            }
            'f' | 'F' | 'g' | 'G' | 'e' | 'E' => {
                let float = match value {
                    Value::Float(value) => *value,
                    Value::Integer(value) => *value as f64,
                    Value::Boolean(value) => f64::from(u8::from(*value)),
                    other => {
                        return Err(wrong(span, &format!("`%{conversion}` needs a number, not {}", other.described())));
                    }
                };
                padded(float_text(float, conversion, style), style, true)
            }
            other => return Err(wrong(span, &format!("`%{other}` is no conversion; write `%%` for the sign itself"))),
        };
        out.push_written(&written, None);
        Ok(())
    }
}

pub(super) fn wrong(span: Span, message: &str) -> Failure {
    Diagnostic::error(Code::Type, span, message).into()
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.text[self.at..].starts_with(wanted);
        self.at += if is_there { wanted.len_utf8() } else { 0 };
        is_there
    }

    fn next(&mut self) -> Option<char> {
        let next = self.text[self.at..].chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn number(&mut self, next: &mut dyn FnMut() -> Result<Value>) -> Result<Option<i64>> {
        if self.take('*') {
            return match next()? {
                Value::Integer(value) => Ok(Some(value)),
                _ => Ok(None),
            };
        }
        let digits = self.text[self.at..].bytes().take_while(u8::is_ascii_digit).count();
        let number = self.text[self.at..self.at + digits].parse().ok();
        self.at += digits;
        Ok(if digits == 0 { None } else { Some(number.unwrap_or(i64::MAX)) })
    }

    fn style(&mut self, next: &mut dyn FnMut() -> Result<Value>) -> Result<Style> {
        let mut style = Style::default();
        loop {
            if self.take('-') {
                style.is_left = true;
            } else if self.take('0') {
                style.is_zero_filled = true;
            } else if self.take('+') {
                style.is_signed = true;
            } else if self.take(' ') {
                style.is_spaced = true;
            } else if self.take('#') {
                style.is_marked = true;
            } else {
                break;
            }
        }
        let width = self.number(next)?.unwrap_or(0);
        style.is_left |= width < 0;
        style.width = usize::try_from(width.unsigned_abs()).unwrap_or(WIDTH_LIMIT).min(WIDTH_LIMIT);
        if self.take('.') {
            let precision = self.number(next)?.unwrap_or(0).max(0);
            style.precision = Some(usize::try_from(precision).unwrap_or(WIDTH_LIMIT).min(WIDTH_LIMIT));
        }
        while self.take('l') || self.take('h') {}
        Ok(style)
    }
}

fn padded(text: String, style: &Style, is_number: bool) -> String {
    let missing = style.width.saturating_sub(text.chars().count());
    if style.is_left {
        return text + &" ".repeat(missing);
    }
    if style.is_zero_filled && is_number {
        let sign = text.len() - text.trim_start_matches(['-', '+', ' ']).len();
        return format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..]);
    }
    " ".repeat(missing) + &text
}

pub(super) fn signed(text: String, style: &Style) -> String {
    match text.starts_with('-') {
        false if style.is_signed => format!("+{text}"),
        false if style.is_spaced => format!(" {text}"),
        _ => text,
    }
}

/// A whole number in the base of the conversion, with its sign.
pub(super) fn integer_digits(value: i64, conversion: char, style: &Style) -> String {
    let magnitude = value.unsigned_abs();
    let digits = match conversion {
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        'o' => format!("{magnitude:o}"),
        'b' => format!("{magnitude:b}"),
        _ => magnitude.to_string(),
    };
    // `%o` marks with the 0 of Python 2's octal literals.
    let prefix = match conversion {
        'x' if style.is_marked => "0x",
        'X' if style.is_marked => "0X",
        'b' if style.is_marked => "0b",
        'o' if style.is_marked => "0",
        _ => "",
    };
    let filled = "0".repeat(style.precision.unwrap_or(0).saturating_sub(digits.len()));
    let sign = if value < 0 { "-" } else { "" };
    signed(format!("{sign}{prefix}{filled}{digits}"), style)
}

/// A number with a point or an exponent, with its sign.
pub(super) fn float_text(value: f64, conversion: char, style: &Style) -> String {
    let precision = style.precision.unwrap_or(6);
    let text = match conversion {
        'f' | 'F' => format!("{value:.precision$}"),
        'e' | 'E' => {
            let scientific = format!("{value:.precision$e}");
            let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
            let exponent: i32 = exponent.parse().unwrap_or(0);
            format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        _ => number::general(value, precision, false),
    };
    signed(if conversion.is_ascii_uppercase() { text.to_uppercase() } else { text }, style)
}
