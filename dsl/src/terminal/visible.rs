//! Foreign text made harmless: nothing that a terminal would obey, or that would show as something else, passes.

use std::borrow::Cow;

/// One line of text with every character visible: control characters are shown as signs for themselves.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    replace(text, is_visible)
}

/// The same for a task's output, in which tabs and line ends do their work.
pub(crate) fn visible_output(text: &str) -> Cow<'_, str> {
    let text = match text.contains("\r\n") {
        true => Cow::Owned(text.replace("\r\n", "\n")),
        false => Cow::Borrowed(text),
    };
    match replace(&text, |character| matches!(character, '\n' | '\t') || is_visible(character)) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => Cow::Owned(shown),
    }
}

fn replace(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&keep) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if keep(character) {
            shown.push(character);
        } else {
            push_sign(character, &mut shown);
        }
    }
    Cow::Owned(shown)
}

/// Neither obeyed by a terminal, nor without width, nor a change of the reading direction.
fn is_visible(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Unicode has a picture for each of the old control characters; the others are shown by number.
fn push_sign(character: char, shown: &mut String) {
    match character {
        '\0'..='\u{1f}' => shown.push(char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}')),
        '\u{7f}' => shown.push('\u{2421}'),
        other => shown.push_str(&format!("<U+{:04X}>", u32::from(other))),
    }
}
