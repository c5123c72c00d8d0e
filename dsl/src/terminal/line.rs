use std::borrow::Cow;

use anstyle::{AnsiColor, Effects, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::screen::Colour;
use super::visible::visible;

/// How a piece of text stands out. Never the only carrier of a meaning: without colour the words have to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Plain => Style::new(),
            Tone::Strong => Style::new().effects(Effects::BOLD),
            Tone::Faint => Style::new().effects(Effects::DIMMED),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Warning => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
        }
    }
}

/// One line of visible text in pieces of one tone each. Whatever is put in, no control character comes out but the styles' own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<(Tone, String)>);

impl Line {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self::toned(Tone::Plain, text)
    }

    pub(crate) fn toned(tone: Tone, text: impl AsRef<str>) -> Self {
        Self::new().then(tone, text)
    }

    /// The same line with more text at its end.
    pub(crate) fn then(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        let text = visible(text.as_ref());
        if !text.is_empty() {
            self.0.push((tone, text.into_owned()));
        }
        self
    }

    /// The same line followed by another one.
    pub(crate) fn and(mut self, more: Line) -> Self {
        self.0.extend(more.0);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Columns of a terminal that it takes.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// The same line, cut to `width` columns; an ellipsis shows that something is missing.
    pub(crate) fn cut(self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut left = width.saturating_sub(1);
        let mut pieces = Vec::new();
        for (tone, text) in self.0 {
            let (piece, whole) = prefix(&text, left);
            left -= piece.width();
            pieces.push((tone, piece.to_owned()));
            if !whole {
                break;
            }
        }
        match pieces.last_mut() {
            Some((_, last)) if width > 0 => last.push('…'),
            Some(_) | None => pieces.clear(),
        }
        Self(pieces)
    }

    /// The same text in lines of at most `width` columns, broken between words; a word that is longer is cut.
    pub(crate) fn wrapped(self, width: usize) -> Vec<Self> {
        if self.width() <= width {
            return vec![self];
        }
        let mut lines = vec![Self::new()];
        for (tone, text) in &self.0 {
            for word in text.split_inclusive(' ') {
                let mut last = lines.pop().unwrap_or_default();
                if !last.is_empty() && last.width() + word.trim_end().width() > width {
                    lines.push(last.trimmed());
                    last = Self::new();
                }
                lines.push(last.then(*tone, word));
            }
        }
        lines.into_iter().map(|line| line.trimmed().cut(width)).collect()
    }

    /// The same line without spaces at its end.
    pub(crate) fn trimmed(mut self) -> Self {
        while let Some((_, last)) = self.0.last_mut() {
            last.truncate(last.trim_end().len());
            if !last.is_empty() {
                break;
            }
            self.0.pop();
        }
        self
    }

    pub(crate) fn render(&self, colour: Colour) -> String {
        self.0.iter().map(|(tone, text)| paint(*tone, text, colour)).collect()
    }
}

fn paint(tone: Tone, text: &str, colour: Colour) -> Cow<'_, str> {
    let style = tone.style();
    match colour {
        Colour::Shown if !style.is_plain() => Cow::Owned(format!("{style}{text}{style:#}")),
        Colour::Shown | Colour::Hidden => Cow::Borrowed(text),
    }
}

/// The longest beginning of `text` that fits `width` columns, and whether that is all of it.
fn prefix(text: &str, width: usize) -> (&str, bool) {
    let mut used = 0;
    for (index, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > width {
            return (&text[..index], false);
        }
    }
    (text, true)
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}
