//! `'…{}…'.format(value)`: fields by position and name, with Python 2's own little language of widths and kinds.

use crate::diagnostic::Code;
use crate::source::Span;
use crate::text::{Text, TextBuilder};

use super::format::{Style, float_text, integer_digits, signed, wrong};
use super::value::{Arguments, Value};
use super::{At, Evaluator, Failure, Result, fail};

/// The widest field: a number for columns, not for filling memory.
const WIDTH_LIMIT: usize = 1000;

/// Which values the fields without a name took so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbering {
    Open,
    Automatic(usize),
    ByHand,
}

/// What stands behind a field's colon.
struct Layout {
    fill: char,
    /// `<`, `>`, `^` or `=`, where it is said.
    align: Option<char>,
    style: Style,
    has_commas: bool,
    kind: Option<char>,
}

impl Evaluator<'_> {
    /// `text.format(…)`.
    pub(super) fn format_braces(&mut self, format: &Text, arguments: &Arguments, span: Span) -> Result<Value> {
        let text = format.as_str();
        let mut out = TextBuilder::default();
        let mut numbering = Numbering::Open;
        let mut at = 0;
        while let Some(found) = text[at..].find(['{', '}']).map(|found| found + at) {
            out.push_range(format, at, found);
            let rest = &text[found..];
            let place = format.span_of(found, found + 1).unwrap_or(span);
            if rest.starts_with("{{") || rest.starts_with("}}") {
                out.push_range(format, found, found + 1);
                at = found + 2;
                continue;
            }
            let Some(end) = field_end(rest).filter(|_| rest.starts_with('{')) else {
                return Err(wrong(place, "a single brace; write it twice for the sign itself"));
            };
            let written = self.replacement(&rest[1..end], arguments, &mut numbering, place, true)?;
            out.push_text(&written);
            self.budget.text(out.len()).at(span)?;
            at = found + end + 1;
        }
        out.push_range(format, at, text.len());
        Ok(Value::Text(out.finish()))
    }

    /// A field, `name!conversion:layout`, as text. A layout may contain fields itself, one level deep.
    fn replacement(
        &mut self,
        field: &str,
        arguments: &Arguments,
        numbering: &mut Numbering,
        place: Span,
        may_nest: bool,
    ) -> Result<Text> {
        let (field, layout) = field.split_once(':').unwrap_or((field, ""));
        let (name, conversion) = field.split_once('!').unwrap_or((field, ""));
        let value = self.field_argument(name, arguments, numbering, place)?;
        let value = match conversion {
            "" => value,
            "s" => Value::text(self.shown(&value)),
            "r" => Value::text(self.repr(&value)),
            other => return Err(wrong(place, &format!("`!{other}` is no conversion: there are !s and !r"))),
        };
        let mut resolved = String::new();
        let mut rest = layout;
        while let Some(open) = rest.find('{') {
            let end = rest[open..].find('}').filter(|_| may_nest);
            let Some(end) = end else { return Err(wrong(place, "fields nest too deep, or a brace is never closed")) };
            resolved.push_str(&rest[..open]);
            let inner = self.replacement(&rest[open + 1..open + end], arguments, numbering, place, false)?;
            resolved.push_str(inner.as_str());
            rest = &rest[open + end + 1..];
        }
        resolved.push_str(rest);
        if resolved.is_empty() {
            return Ok(match value {
                Value::Text(text) => text,
                other => self.shown(&other).into(),
            });
        }
        let layout = Layout::of(&resolved, place)?;
        self.laid_out(&value, &layout, place).map(Text::from)
    }

    /// What `0`, `name`, `name.attribute` or `name[key]` stands for.
    fn field_argument(
        &mut self,
        name: &str,
        arguments: &Arguments,
        numbering: &mut Numbering,
        place: Span,
    ) -> Result<Value> {
        let first_end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut path) = name.split_at(first_end);
        let position = first.parse::<usize>().ok();
        let found = if first.is_empty() || position.is_some() {
            let index = match (position, *numbering) {
                (Some(index), Numbering::Open | Numbering::ByHand) => {
                    *numbering = Numbering::ByHand;
                    index
                }
                (None, Numbering::Open) => {
                    *numbering = Numbering::Automatic(1);
                    0
                }
                (None, Numbering::Automatic(index)) => {
                    *numbering = Numbering::Automatic(index + 1);
                    index
                }
                (Some(_), Numbering::Automatic(_)) | (None, Numbering::ByHand) => {
                    return Err(wrong(place, "fields are numbered all or none: `{}` and `{0}` do not go together"));
                }
            };
            arguments.plain.get(index).map(|argument| argument.value.clone())
        } else {
            arguments.named(first).cloned()
        };
        let Some(mut value) = found else {
            return Err(wrong(place, &format!("there is no value for `{{{name}}}`")));
        };
        while !path.is_empty() {
            if let Some((key, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) {
                let key = key.parse().map_or_else(|_| Value::text(key), Value::Integer);
                value = self.item(&value, &key, place)?;
                path = rest;
            } else if let Some(rest) = path.strip_prefix('.') {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let name = crate::syntax::ast::Name { text: rest[..end].into(), span: place };
                value = self.attribute(&value, &name)?;
                path = &rest[end..];
            } else {
                return Err(wrong(place, &format!("`{name}` names no value")));
            }
        }
        match value {
            Value::Unknown => Err(Failure::Reported),
            value => Ok(value),
        }
    }

    fn laid_out(&self, value: &Value, layout: &Layout, place: Span) -> Result<String> {
        let Layout { style, .. } = layout;
        let unknown =
            |kind: char| fail(Code::Type, place, format!("`{kind}` is no way to write {}", value.described()));
        let integer = match value {
            Value::Integer(value) => Some(*value),
            Value::Boolean(value) if layout.kind.is_some_and(|kind| kind != 's') => Some(i64::from(*value)),
            _ => None,
        };
        let float = match value {
            Value::Float(value) => Some(*value),
            _ => integer.map(|value| value as f64),
        };
        let (text, is_number) = match (layout.kind, integer, float) {
            (None | Some('d' | 'n'), Some(value), _) => (commas(integer_digits(value, 'd', style), layout), true),
            (Some(kind @ ('x' | 'X' | 'o' | 'b')), Some(value), _) => (integer_digits(value, kind, style), true),
            (Some('c'), Some(value), _) => {
                let c = u32::try_from(value).ok().and_then(char::from_u32);
                (c.map_or_else(|| unknown('c'), |c| Ok(c.to_string()))?, true)
            }
            (Some('%'), _, Some(value)) => (commas(float_text(value * 100.0, 'f', style), layout) + "%", true),
            (Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G')), _, Some(value)) => {
                (commas(float_text(value, kind, style), layout), true)
            }
            (Some('n'), None, Some(value)) => (float_text(value, 'g', style), true),
            (None, None, Some(value)) if style.precision.is_none() => {
                (commas(signed(super::number::float_text(value), style), layout), true)
            }
            (None, None, Some(value)) => (commas(float_text(value, 'g', style), layout), true),
            (None | Some('s'), None, None) => {
                let text = self.shown(value);
                let cut = style.precision.and_then(|precision| text.char_indices().nth(precision)).map(|(cut, _)| cut);
                (text[..cut.unwrap_or(text.len())].to_owned(), false)
            }
            (Some(kind), _, _) => return unknown(kind),
        };
        Ok(aligned(text, layout, is_number))
    }
}

/// Where a field that begins with a brace ends: fields within it are its own.
fn field_end(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

impl Layout {
    /// Reads `[[fill]align][sign][#][0][width][,][.precision][kind]`.
    fn of(text: &str, place: Span) -> Result<Self> {
        let mut layout = Self { fill: ' ', align: None, style: Style::default(), has_commas: false, kind: None };
        let is_align = |c: char| matches!(c, '<' | '>' | '^' | '=');
        let mut chars = text.chars().peekable();
        let mut two = text.chars();
        match (two.next(), two.next()) {
            (Some(fill), Some(align)) if is_align(align) => {
                (layout.fill, layout.align) = (fill, Some(align));
                chars.nth(1);
            }
            (Some(align), _) if is_align(align) => layout.align = chars.next(),
            _ => {}
        }
        layout.style.is_signed = chars.next_if_eq(&'+').is_some();
        layout.style.is_spaced = chars.next_if_eq(&' ').is_some();
        chars.next_if_eq(&'-');
        layout.style.is_marked = chars.next_if_eq(&'#').is_some();
        if chars.next_if_eq(&'0').is_some() && layout.align.is_none() {
            (layout.fill, layout.align) = ('0', Some('='));
        }
        let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut number: Option<usize> = None;
            while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                chars.next();
                number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit as usize).min(WIDTH_LIMIT));
            }
            number
        };
        layout.style.width = number(&mut chars).unwrap_or(0);
        layout.has_commas = chars.next_if_eq(&',').is_some();
        if chars.next_if_eq(&'.').is_some() {
            let Some(precision) = number(&mut chars) else {
                return Err(wrong(place, "a number is missing behind the point"));
            };
            layout.style.precision = Some(precision);
        }
        layout.kind = chars.next();
        if chars.next().is_some() {
            return Err(wrong(place, &format!("`{text}` is no way to write a value")));
        }
        Ok(layout)
    }
}

/// The digits of the whole part in groups of three, where the layout asks for it.
fn commas(text: String, layout: &Layout) -> String {
    if !layout.has_commas {
        return text;
    }
    let start = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let end = text[start..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |end| end + start);
    let digits = &text[start..end];
    let mut grouped = String::with_capacity(text.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{}{grouped}{}", &text[..start], &text[end..])
}

fn aligned(text: String, layout: &Layout, is_number: bool) -> String {
    let missing = layout.style.width.saturating_sub(text.chars().count());
    let fill = |count: usize| -> String { std::iter::repeat_n(layout.fill, count).collect() };
    match layout.align.unwrap_or(if is_number { '>' } else { '<' }) {
        '>' => fill(missing) + &text,
        '^' => fill(missing / 2) + &text + &fill(missing - missing / 2),
        '=' if is_number => {
            let sign = text.len() - text.trim_start_matches(['-', '+', ' ']).len();
            format!("{}{}{}", &text[..sign], fill(missing), &text[sign..])
        }
        _ => text + &fill(missing),
    }
}
