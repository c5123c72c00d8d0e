//! The picture of a typical mistake: what a terminal shows, as SVG, made anew by `UPDATE_EXPECT=1` and compared otherwise.

use std::fmt::Write as _;

use expect_test::expect_file;

use super::finding_lines;
use crate::load::{self, Options};
use crate::terminal::{Colour, Line, Tone};

const LINE_HEIGHT: usize = 18;
/// Of a character in the usual monospaced fonts at this size.
const COLUMN_WIDTH: f64 = 7.9;
const MARGIN: usize = 14;

#[test]
fn the_picture_shows_what_a_terminal_shows() {
    let text = include_str!("../../tests/errors/typical.aurora");
    let configuration = load::text_of("shop.aurora", None, text, &Options::default());
    let command = Line::toned(Tone::Good, "$").then(Tone::Plain, " attica config eval shop.aurora");
    let lines: Vec<Line> = std::iter::once(command).chain(finding_lines(&configuration)).collect();
    expect_file!["../../examples/error.svg"].assert_eq(&svg(&lines));
}

fn svg(lines: &[Line]) -> String {
    let columns = lines.iter().map(Line::width).max().unwrap_or(0);
    let width = (columns as f64 * COLUMN_WIDTH).ceil() as usize + 2 * MARGIN;
    let height = lines.len() * LINE_HEIGHT + 2 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#161b22\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\" fill=\"#e6edf3\">\n"
    );
    for (index, line) in lines.iter().enumerate() {
        let y = MARGIN + (index + 1) * LINE_HEIGHT - 5;
        let _ = writeln!(out, "<text x=\"{MARGIN}\" y=\"{y}\" xml:space=\"preserve\">{}</text>", spans(line));
    }
    out + "</g>\n</svg>\n"
}

/// The line's pieces, in the colours that a terminal is told.
fn spans(line: &Line) -> String {
    let rendered = line.render(Colour::Shown).replace('&', "&amp;").replace('<', "&lt;");
    let mut out = String::new();
    for piece in rendered.split("\u{1b}[") {
        let (code, text) = piece.split_once('m').filter(|_| rendered.contains('\u{1b}')).unwrap_or(("0", piece));
        let style = match code {
            "1" => " font-weight=\"bold\"",
            "2" => " fill=\"#8b949e\"",
            "31" => " fill=\"#ff7b72\"",
            "32" => " fill=\"#7ee787\"",
            "33" => " fill=\"#e3b341\"",
            _ => "",
        };
        match style {
            "" => out.push_str(if code.bytes().all(|byte| byte.is_ascii_digit()) { text } else { piece }),
            style => {
                let _ = write!(out, "<tspan{style}>{text}</tspan>");
            }
        }
    }
    out
}
