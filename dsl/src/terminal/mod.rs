//! What is shown to a person: lines of visible text, tables, and the streams that they go to.

mod line;
mod screen;
mod table;
#[cfg(test)]
mod tests;
mod visible;

pub(crate) use line::{Line, Tone};
#[cfg(test)]
pub(crate) use screen::Sink;
pub(crate) use screen::{Colour, Reader, Screen};
pub(crate) use table::{Column, Table};
pub(crate) use visible::{visible, visible_output};
