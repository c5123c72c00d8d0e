//! What programs write to `stdout` and `stderr` is kept within limits: a file that has become too large goes on from nothing, and what was
//! in it is beside it, as `stdout.1`.
//!
//! Programs write straight into their files; no pipe, no helper and no step of a launch is there for this. From time to time [`keeper`] looks
//! how large the files are, those that grow more often, and [`cut`] takes away what is too much at their front, with what is appended
//! meanwhile left in them.

pub(crate) mod args;
pub(crate) mod cut;
pub(crate) mod keeper;

use std::path::PathBuf;

use args::parse_size;

/// As Mesos's logger is told by a task about itself: the name of the variable without the file's.
const PREFIX: &str = "CONTAINER_LOGGER_";
/// As in Mesos: less than a page is no limit.
const MIN_BYTES: u64 = 4096;
/// The files of a directory.
pub(crate) const NAMES: [&str; 2] = ["stdout", "stderr"];

/// How much of a file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// What may be in it, about.
    pub(crate) bytes: u64,
    /// Earlier ones that are kept beside it.
    pub(crate) backups: u32,
}

/// Of both files, in the order of [`NAMES`].
pub(crate) type Limits = [Limit; 2];

/// A directory that a program's output is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) directory: PathBuf,
    pub(crate) limits: Limits,
}

/// A wish of a task that cannot be fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidLimit {
    #[error("{0}")]
    Size(String),
    #[error("`{0}` is less than a page of {MIN_BYTES} bytes")]
    Small(String),
    #[error("`{0}`: of logrotate's options there is only `rotate NUMBER`, from 0 to 1000")]
    Option(String),
}

/// `limits`, and what these variables of a task say instead.
pub(crate) fn limits_of<'a>(
    limits: Limits,
    variables: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Limits, InvalidLimit> {
    let mut limits = limits;
    for (name, value) in variables {
        let Some(name) = name.strip_prefix(PREFIX) else { continue };
        match name {
            "MAX_STDOUT_SIZE" => limits[0].bytes = bytes(value)?,
            "MAX_STDERR_SIZE" => limits[1].bytes = bytes(value)?,
            "LOGROTATE_STDOUT_OPTIONS" => limits[0].backups = backups(value)?,
            "LOGROTATE_STDERR_OPTIONS" => limits[1].backups = backups(value)?,
            _somebody_elses => {}
        }
    }
    Ok(limits)
}

fn bytes(text: &str) -> Result<u64, InvalidLimit> {
    let bytes = parse_size(text).map_err(InvalidLimit::Size)?.bytes;
    if bytes < MIN_BYTES { Err(InvalidLimit::Small(text.to_owned())) } else { Ok(bytes) }
}

/// `rotate 5`, as logrotate is told.
pub(crate) fn backups(text: &str) -> Result<u32, InvalidLimit> {
    let number = text.trim().strip_prefix("rotate").filter(|rest| rest.starts_with(char::is_whitespace));
    let number = number.and_then(|number| number.trim().parse().ok()).filter(|number| *number <= 1_000);
    number.ok_or_else(|| InvalidLimit::Option(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_says_how_much_it_wants_kept() {
        let limits = [Limit { bytes: 10 << 20, backups: 1 }; 2];
        let of = |name: &str, value: &str| limits_of(limits, [(name, value)].into_iter());
        assert_eq!(of("PATH", "x"), Ok(limits));
        assert_eq!(of("CONTAINER_LOGGER_MAX_STDOUT_SIZE", "1MB").unwrap()[0], Limit { bytes: 1 << 20, backups: 1 });
        assert_eq!(of("CONTAINER_LOGGER_MAX_STDERR_SIZE", "64KB").unwrap()[1], Limit { bytes: 64 << 10, backups: 1 });
        assert_eq!(of("CONTAINER_LOGGER_LOGROTATE_STDERR_OPTIONS", "rotate 5\n").unwrap()[1].backups, 5);
        for (name, value) in [
            ("CONTAINER_LOGGER_MAX_STDOUT_SIZE", "much"),
            ("CONTAINER_LOGGER_MAX_STDOUT_SIZE", "4095B"),
            ("CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS", "rotate 5\ncompress"),
            ("CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS", "rotate5"),
        ] {
            assert!(of(name, value).is_err(), "{name}={value}");
        }
    }
}
