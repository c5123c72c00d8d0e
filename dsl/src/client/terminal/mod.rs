//! What is shown to a person: lines of visible text, tables, and the streams that they go to.

mod line;
mod screen;
mod table;
#[cfg(test)]
mod tests;
mod visible;

pub(super) use line::{Line, Tone};
#[cfg(test)]
pub(super) use screen::{Colour, Sink};
pub(super) use screen::{Reader, Screen};
pub(super) use table::{Column, Table};
pub(super) use visible::{visible, visible_output};
