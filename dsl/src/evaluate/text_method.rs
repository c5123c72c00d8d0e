//! The methods of strings.

use std::rc::Rc;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::text::{Text, TextBuilder};

use super::value::{Argument, Arguments, Value};
use super::{At, Evaluator, Failure, Result, fail};

/// The widest text that is padded: a number for columns, not for filling memory.
const WIDTH_LIMIT: usize = 1000;

const TAB_COLUMNS: usize = 8;

pub(super) const METHODS: &[&str] = &[
    "capitalize",
    "center",
    "count",
    "decode",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "index",
    "isalnum",
    "isalpha",
    "isdigit",
    "islower",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
];

/// How many values a method takes at least and at most.
fn arity(method: &str) -> (usize, usize) {
    match method {
        "decode" | "encode" | "expandtabs" | "lstrip" | "rstrip" | "splitlines" | "strip" => (0, 1),
        "rsplit" | "split" => (0, 2),
        "format" => (0, usize::MAX),
        "join" | "partition" | "rpartition" | "zfill" => (1, 1),
        "center" | "ljust" | "rjust" => (1, 2),
        "count" | "endswith" | "find" | "index" | "rfind" | "rindex" | "startswith" => (1, 3),
        "replace" => (2, 3),
        _ => (0, 0),
    }
}

/// A call of a method of a string.
struct Call<'a> {
    name: &'a str,
    arguments: &'a Arguments,
    span: Span,
}

impl Call<'_> {
    fn given(&self, index: usize) -> Option<&Argument> {
        self.arguments.plain.get(index)
    }

    fn text(&self, index: usize) -> Result<String> {
        match self.given(index) {
            Some(argument) => self.text_of(&argument.value, argument.span),
            None => fail(Code::Type, self.span, format!("`{}` needs a string", self.name)),
        }
    }

    fn text_of(&self, value: &Value, span: Span) -> Result<String> {
        match value {
            Value::Text(text) => Ok(text.as_str().to_owned()),
            Value::Unknown => Err(Failure::Reported),
            other => {
                let message = format!("`{}` takes a string, and {} is none", self.name, other.described());
                Err(Diagnostic::error(Code::Type, span, message).help("write str(value)").into())
            }
        }
    }

    /// A string, or nothing where there is none or None.
    fn optional_text(&self, index: usize) -> Result<Option<String>> {
        match self.given(index) {
            None | Some(Argument { value: Value::None, .. }) => Ok(None),
            Some(_) => self.text(index).map(Some),
        }
    }

    fn integer(&self, index: usize) -> Result<Option<i64>> {
        match self.given(index) {
            None | Some(Argument { value: Value::None, .. }) => Ok(None),
            Some(Argument { value, span }) => match value {
                Value::Integer(value) => Ok(Some(*value)),
                Value::Boolean(value) => Ok(Some(i64::from(*value))),
                Value::Unknown => Err(Failure::Reported),
                other => {
                    let message =
                        format!("`{}` takes a whole number here, and {} is none", self.name, other.described());
                    fail(Code::Type, *span, message)
                }
            },
        }
    }

    /// How often at most: a negative number means without end.
    fn limit(&self, index: usize) -> Result<usize> {
        Ok(self.integer(index)?.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX - 1))
    }

    fn width(&self) -> Result<usize> {
        Ok(usize::try_from(self.integer(0)?.unwrap_or(0)).unwrap_or(0).min(WIDTH_LIMIT))
    }

    /// The part of the text that the positions behind the first argument leave, and how many characters come before it; nothing
    /// where they leave less than nothing.
    fn window<'t>(&self, text: &'t str) -> Result<Option<(&'t str, usize)>> {
        let length = text.chars().count() as i64;
        let bound = |at: i64| if at < 0 { (at + length).max(0) } else { at };
        let start = bound(self.integer(1)?.unwrap_or(0).max(-length));
        let end = bound(self.integer(2)?.unwrap_or(length).max(-length - 1)).min(length);
        if start > end || start > length {
            return Ok(None);
        }
        let byte = |at: i64| text.char_indices().nth(at as usize).map_or(text.len(), |(byte, _)| byte);
        Ok(Some((&text[byte(start)..byte(end)], start as usize)))
    }
}

impl Evaluator<'_> {
    pub(super) fn text_method(&mut self, text: &Text, name: &str, arguments: &Arguments, span: Span) -> Result<Value> {
        let call = Call { name, arguments, span };
        let s = text.as_str();
        let texts = |parts: Vec<&str>| Value::list(parts.into_iter().map(Value::text).collect());
        let (least, most) = arity(name);
        arguments.check(name, least, most, if name == "format" { None } else { Some(&[]) }, span)?;
        self.budget.text(s.len()).at(span)?;
        Ok(match name {
            "format" => return self.format_braces(text, arguments, span),
            "join" => return self.join(text, arguments, span),
            "lower" => Value::text(s.to_lowercase()),
            "upper" => Value::text(s.to_uppercase()),
            "capitalize" => {
                let mut chars = s.chars();
                let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
                Value::text(first + &chars.as_str().to_lowercase())
            }
            "title" => Value::text(title(s)),
            "swapcase" => {
                let swapped = |c: char| -> String {
                    if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() }
                };
                Value::text(s.chars().map(swapped).collect::<String>())
            }
            "encode" | "decode" => {
                if let Some(encoding) = call.optional_text(0)?
                    && !matches!(
                        encoding.to_ascii_lowercase().replace('_', "-").as_str(),
                        "utf-8" | "utf8" | "ascii" | "us-ascii"
                    )
                {
                    let error = Diagnostic::error(
                        Code::Unsupported,
                        span,
                        format!("`{encoding}` is no encoding of config files"),
                    );
                    return Err(error.help("texts are UTF-8 and need none").into());
                }
                Value::Text(text.clone())
            }
            "strip" | "lstrip" | "rstrip" => {
                let set = call.optional_text(0)?;
                let is_stripped = |c: char| set.as_ref().map_or(c.is_whitespace(), |set| set.contains(c));
                let start = if name == "rstrip" { 0 } else { s.len() - s.trim_start_matches(is_stripped).len() };
                let end = if name == "lstrip" { s.len() } else { s.trim_end_matches(is_stripped).len().max(start) };
                let mut out = TextBuilder::default();
                out.push_range(text, start, end);
                Value::Text(out.finish())
            }
            "replace" => {
                let (from, to) = (call.text(0)?, call.text(1)?);
                let count = s.matches(from.as_str()).count();
                self.budget.text(s.len() + count.saturating_mul(to.len())).at(span)?;
                Value::text(s.replacen(from.as_str(), &to, call.limit(2)?))
            }
            "startswith" | "endswith" => {
                let wanted = match call.given(0) {
                    Some(Argument { value: Value::Tuple(items), span }) => {
                        items.iter().map(|item| call.text_of(item, *span)).collect::<Result<_>>()?
                    }
                    _ => vec![call.text(0)?],
                };
                let is_there = |part: &str, wanted: &str| {
                    if name == "startswith" { part.starts_with(wanted) } else { part.ends_with(wanted) }
                };
                let part = call.window(s)?;
                Value::Boolean(part.is_some_and(|(part, _)| wanted.iter().any(|wanted| is_there(part, wanted))))
            }
            "find" | "index" | "rfind" | "rindex" => {
                let wanted = call.text(0)?;
                let found = call.window(s)?.and_then(|(part, before)| {
                    let at = if name.starts_with('r') { part.rfind(&wanted) } else { part.find(&wanted) };
                    at.map(|at| before + part[..at].chars().count())
                });
                match found {
                    Some(at) => Value::Integer(at as i64),
                    None if name.ends_with("find") => Value::Integer(-1),
                    None => return fail(Code::Type, span, "the text does not contain this"),
                }
            }
            "count" => {
                let wanted = call.text(0)?;
                Value::Integer(call.window(s)?.map_or(0, |(part, _)| part.matches(wanted.as_str()).count() as i64))
            }
            "isalnum" => Value::Boolean(!s.is_empty() && s.chars().all(char::is_alphanumeric)),
            "isalpha" => Value::Boolean(!s.is_empty() && s.chars().all(char::is_alphabetic)),
            "isdigit" => Value::Boolean(!s.is_empty() && s.chars().all(|c| c.is_ascii_digit())),
            "isspace" => Value::Boolean(!s.is_empty() && s.chars().all(char::is_whitespace)),
            "islower" => Value::Boolean(s.chars().any(char::is_lowercase) && !s.chars().any(char::is_uppercase)),
            "isupper" => Value::Boolean(s.chars().any(char::is_uppercase) && !s.chars().any(char::is_lowercase)),
            "istitle" => Value::Boolean(s.chars().any(char::is_alphabetic) && title(s) == s),
            "ljust" | "rjust" | "center" => {
                let fill = call.optional_text(1)?.unwrap_or_else(|| " ".to_owned());
                if fill.chars().count() != 1 {
                    return fail(Code::Type, span, format!("`{name}` fills with a single character"));
                }
                let width = call.width()?;
                let missing = width.saturating_sub(s.chars().count());
                // Where it is not even, Python puts the greater half left in a field of odd width.
                let left = match name {
                    "ljust" => 0,
                    "rjust" => missing,
                    _ => missing / 2 + (missing & width & 1),
                };
                Value::text(format!("{}{s}{}", fill.repeat(left), fill.repeat(missing - left)))
            }
            "zfill" => {
                let missing = call.width()?.saturating_sub(s.chars().count());
                let sign = usize::from(s.starts_with(['-', '+']));
                Value::text(format!("{}{}{}", &s[..sign], "0".repeat(missing), &s[sign..]))
            }
            "expandtabs" => {
                let columns = call.integer(0)?.map_or(TAB_COLUMNS, |columns| usize::try_from(columns).unwrap_or(0));
                let columns = columns.min(WIDTH_LIMIT);
                let tabs = s.matches('\t').count();
                self.budget.text(s.len() + tabs.saturating_mul(columns)).at(span)?;
                Value::text(expanded(s, columns))
            }
            "splitlines" => {
                let keeps_ends = call.given(0).is_some_and(|argument| argument.value.is_true());
                texts(lines(s, keeps_ends))
            }
            "split" | "rsplit" => {
                let limit = call.limit(1)?;
                texts(match (call.optional_text(0)?, name) {
                    (Some(separator), _) if separator.is_empty() => {
                        return fail(Code::Type, span, "nothing to split at");
                    }
                    (Some(separator), "split") => s.splitn(limit + 1, separator.as_str()).collect(),
                    (Some(separator), _) => {
                        let mut parts: Vec<&str> = s.rsplitn(limit + 1, separator.as_str()).collect();
                        parts.reverse();
                        parts
                    }
                    (None, "split") => words(s, limit),
                    (None, _) => words_from_end(s, limit),
                })
            }
            _ => {
                let separator = call.text(0)?;
                if separator.is_empty() {
                    return fail(Code::Type, span, "nothing to split at");
                }
                let found = if name == "partition" {
                    s.split_once(separator.as_str())
                } else {
                    s.rsplit_once(separator.as_str())
                };
                let (before, middle, after) = match found {
                    Some((before, after)) => (before, separator.as_str(), after),
                    None if name == "partition" => (s, "", ""),
                    None => ("", "", s),
                };
                Value::Tuple(Rc::new([before, middle, after].map(Value::text)))
            }
        })
    }

    fn join(&mut self, separator: &Text, arguments: &Arguments, span: Span) -> Result<Value> {
        let Some(Argument { value, span: place }) = arguments.plain.first() else {
            return fail(Code::Type, span, "`join` takes a list of strings");
        };
        let items = self.iterate(value, *place)?;
        let mut out = TextBuilder::default();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push_text(separator);
            }
            match item {
                Value::Text(text) => out.push_text(text),
                Value::Object(object) if object.raw().is_some() => out.push_written(&self.shown(item), object.span),
                Value::Unknown => return Err(Failure::Reported),
                other => {
                    return fail(
                        Code::Type,
                        *place,
                        format!("`join` takes strings, and element {index} is {}", other.described()),
                    );
                }
            }
            if out.len() > super::budget::TEXT_LIMIT_BYTES {
                break;
            }
        }
        self.budget.text(out.len()).at(span)?;
        Ok(Value::Text(out.finish()))
    }
}

fn title(text: &str) -> String {
    let mut is_inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        is_inside = c.is_alphabetic();
    }
    out
}

fn expanded(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' if columns == 0 => {}
            '\t' => {
                let blanks = columns - column % columns;
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            _ => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

fn lines(text: &str, keeps_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let ending = if rest[end..].starts_with("\r\n") { 2 } else { usize::from(end < rest.len()) };
        lines.push(&rest[..if keeps_ends { end + ending } else { end }]);
        rest = &rest[end + ending..];
    }
    lines
}

/// What stands between blanks; behind the last cut everything stays together.
fn words(text: &str, limit: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if words.len() == limit {
            words.push(rest);
            break;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    words
}

fn words_from_end(text: &str, limit: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        if words.len() == limit {
            words.push(rest);
            break;
        }
        let start = rest.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8());
        words.push(&rest[start..]);
        rest = rest[..start].trim_end();
    }
    words.reverse();
    words
}
