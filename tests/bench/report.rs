//! How every benchmark reports: a table for people, then one JSON object per figure, the row's first figure last.

#![allow(dead_code, reason = "every benchmark uses a part of it")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::path::Path;
use std::process::Command;

use serde_json::json;

/// Which way a figure should go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// One measured value.
pub(crate) struct Figure {
    /// Row and name, as in `f1.launch`.
    pub(crate) bench: String,
    /// The median of the runs.
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// The number to reach, where there is one.
    pub(crate) reach: Option<f64>,
    pub(crate) better: Better,
    /// What an fdatasync cost while it was measured, where commits took part.
    pub(crate) fsync_ms: Option<f64>,
}

/// Whether the command line asks for this row: it names the row, or nothing at all.
pub(crate) fn is_wanted(row: &str) -> bool {
    let mut rows = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    rows.peek().is_none() || rows.any(|wanted| wanted == row || wanted == "all")
}

/// The middle of the runs: of five where one takes under a minute, else of one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints the figures, of which the first is the row's own.
pub(crate) fn print(figures: &[Figure]) {
    print_beside(figures, &[]);
}

/// Prints the figures with what another system needs for the same, by the names of the figures.
pub(crate) fn print_beside(figures: &[Figure], others: &[(&str, f64)]) {
    let other = |figure: &Figure| others.iter().find(|(bench, _)| *bench == figure.bench).map(|(_, value)| *value);
    println!("{:<44} {:>12} {:<10} {:>10} {:>10} {:>10}", "bench", "value", "unit", "reach", "Mesos", "fsync ms");
    for figure in figures {
        let text = |value: Option<f64>| value.map_or("–".to_owned(), |value| rounded(value).to_string());
        let (reach, mesos, fsync) = (text(figure.reach), text(other(figure)), text(figure.fsync_ms));
        let value = rounded(figure.value);
        println!("{:<44} {value:>12} {:<10} {reach:>10} {mesos:>10} {fsync:>10}", figure.bench, figure.unit);
    }
    let commit = commit();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for figure in figures.iter().rev() {
        let line = json!({
            "bench": figure.bench,
            "value": rounded(figure.value),
            "unit": figure.unit,
            "reach": figure.reach,
            "mesos": other(figure),
            "better": match figure.better { Better::Higher => "higher", Better::Lower => "lower" },
            "commit": commit,
            "cores": cores,
            "load": load(),
            "fsync_ms": figure.fsync_ms.map(rounded),
        });
        println!("{line}");
    }
}

/// Four significant digits are more than a benchmark knows.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}

fn commit() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// How busy the machine was, as the average of the last minute.
fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}
