//! Braces that are meant literally.
//!
//! While a template is being resolved, an escaped `{{x}}` must never be taken for a reference again, in whatever text it is pasted
//! into. So escaped braces travel as two Unicode noncharacters, which are reserved for such internal use and refused in input, and
//! become braces again where a text leaves the language.

use std::borrow::Cow;

const OPEN: char = '\u{fdd0}';
const CLOSE: char = '\u{fdd1}';

/// Whether a text contains the characters that stand for literal braces, which no input may.
pub(crate) fn is_reserved(text: &str) -> bool {
    text.contains([OPEN, CLOSE])
}

/// A reference's text as literal braces around it.
pub(crate) fn veil(out: &mut String, reference: &str) {
    out.extend([OPEN, OPEN]);
    out.push_str(reference);
    out.extend([CLOSE, CLOSE]);
}

/// The text with its literal braces as braces.
pub(crate) fn reveal(text: &str) -> Cow<'_, str> {
    if is_reserved(text) { Cow::Owned(text.replace(OPEN, "{").replace(CLOSE, "}")) } else { Cow::Borrowed(text) }
}
