//! The flags of a daemon: `--name=value`, `--name`, `--no-name`, and `MESOS_NAME=value` in the environment. The command line counts
//! more than the environment. A value `file:///path` stands for what the file holds, or for the file, where that is what a flag is
//! about. Marathon writes some of that differently: see [`Style`].

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use thiserror::Error;

/// One documented flag.
pub struct Flag {
    pub name: &'static str,
    /// Names it had before, which still count.
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    pub effect: Effect,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Switch,
    /// A file. It is for the role to read, and to read again when it changes.
    Path,
    /// Anything else.
    Value,
}

/// What becomes of a flag.
#[derive(Clone, Copy)]
pub enum Effect {
    /// The role has a flag of the same name that does the same.
    Same,
    /// Says with others how the role is started: see `master_plan`.
    Plan,
    /// Accepted, and this takes its place.
    Replaced(&'static str),
    /// These values mean what happens anyway. Any other is refused, for this reason.
    Only(&'static [&'static str], &'static str),
}

pub const fn value(name: &'static str, effect: Effect) -> Flag {
    Flag { name, aliases: &[], kind: Kind::Value, effect }
}

pub const fn path(name: &'static str, effect: Effect) -> Flag {
    Flag { name, aliases: &[], kind: Kind::Path, effect }
}

pub const fn switch(name: &'static str, effect: Effect) -> Flag {
    Flag { name, aliases: &[], kind: Kind::Switch, effect }
}

pub const fn renamed(flag: Flag, aliases: &'static [&'static str]) -> Flag {
    Flag { aliases, ..flag }
}

/// How a daemon writes its flags.
#[derive(Clone, Copy)]
pub struct Style {
    /// What the names of its variables begin with.
    pub variables: &'static str,
    /// What turns a switch off, before its name.
    pub off: &'static str,
    /// Whether a flag's value may be the argument after it, and `file://` is nothing special.
    pub values_follow: bool,
}

/// `--name=value`, `--no-name`.
pub const MESOS: Style = Style { variables: "MESOS_", off: "no-", values_follow: false };

/// `--name value` or `--name=value`, `--disable_name`; a variable turns a switch on, or off, by being there.
pub const MARATHON: Style = Style { variables: "MARATHON_", off: "disable_", values_follow: true };

/// What was given, by the flags' names.
pub struct Given {
    values: BTreeMap<&'static str, String>,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum FlagError {
    #[error("there is no flag --{0}; --help lists all")]
    Unknown(String),
    #[error("`{0}` is not a flag; flags are written as --name=value")]
    NotAFlag(String),
    #[error("--{0} needs a value: --{0}=VALUE")]
    NoValue(&'static str),
    #[error("--{off}{name} makes no sense: --{name} is not true or false")]
    NotASwitch { name: &'static str, off: &'static str },
    #[error("--{name}={value}: expected true or false")]
    NotABoolean { name: &'static str, value: String },
    #[error("--{name}: cannot read {}: {reason}", path.display())]
    File { name: &'static str, path: PathBuf, reason: String },
    #[error("--{name}={value} is refused: {reason}")]
    Refused { name: &'static str, value: String, reason: &'static str },
}

impl Given {
    /// Reads a command line (without the program's name) and an environment.
    pub fn read(
        style: Style,
        flags: &'static [Flag],
        arguments: impl IntoIterator<Item = String>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Given, FlagError> {
        let mut values = BTreeMap::new();
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix(style.variables).map(str::to_ascii_lowercase) else { continue };
            let (flag, value) = match style.switched_off(flags, &name) {
                Some(flag) if style.values_follow && value.is_empty() => (flag, "false".to_owned()),
                _ => match find(flags, &name) {
                    Some(flag) if style.values_follow && flag.kind == Kind::Switch && value.is_empty() => {
                        (flag, "true".to_owned())
                    }
                    Some(flag) => (flag, value),
                    None => continue,
                },
            };
            values.insert(flag.name, flag.value(style, value)?);
        }
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let Some(text) = argument.strip_prefix("--") else { return Err(FlagError::NotAFlag(argument)) };
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (text, None),
            };
            let (flag, value) = match (find(flags, name), style.switched_off(flags, name)) {
                (Some(flag), _) => match (value, flag.kind) {
                    (Some(value), _) => (flag, value),
                    (None, Kind::Switch) => (flag, "true".to_owned()),
                    (None, Kind::Value | Kind::Path) => {
                        let next = style.values_follow.then(|| arguments.next()).flatten();
                        (flag, next.ok_or(FlagError::NoValue(flag.name))?)
                    }
                },
                (None, Some(flag)) if flag.kind == Kind::Switch && value.is_none() => (flag, "false".to_owned()),
                (None, Some(flag)) => return Err(FlagError::NotASwitch { name: flag.name, off: style.off }),
                (None, None) => return Err(FlagError::Unknown(name.to_owned())),
            };
            values.insert(flag.name, flag.value(style, value)?);
        }
        Ok(Given { values })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl Style {
    /// The flag that a name turns off.
    fn switched_off(self, flags: &'static [Flag], name: &str) -> Option<&'static Flag> {
        find(flags, name.strip_prefix(self.off)?)
    }
}

impl Flag {
    /// The value as it is meant.
    fn value(&self, style: Style, text: String) -> Result<String, FlagError> {
        let text = match text.strip_prefix("file://").filter(|_| !style.values_follow) {
            Some(path) if self.kind == Kind::Path => path.to_owned(),
            Some(path) => fs::read_to_string(path).map(|text| text.trim_end().to_owned()).map_err(|error| {
                FlagError::File { name: self.name, path: PathBuf::from(path), reason: error.to_string() }
            })?,
            None => text,
        };
        match (self.kind, text.as_str()) {
            (Kind::Value | Kind::Path, _) => Ok(text),
            (Kind::Switch, "true" | "1") => Ok("true".to_owned()),
            (Kind::Switch, "false" | "0") => Ok("false".to_owned()),
            (Kind::Switch, _) => Err(FlagError::NotABoolean { name: self.name, value: text }),
        }
    }
}

/// A flag by its name, or one it had before.
pub fn find(flags: &'static [Flag], name: &str) -> Option<&'static Flag> {
    flags.iter().find(|flag| flag.name == name || flag.aliases.contains(&name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]
mod tests {
    use super::*;

    static FLAGS: [Flag; 4] = [
        Flag { name: "rules", aliases: &[], kind: Kind::Path, effect: Effect::Plan },
        Flag { name: "port", aliases: &[], kind: Kind::Value, effect: Effect::Plan },
        Flag { name: "quiet", aliases: &[], kind: Kind::Switch, effect: Effect::Plan },
        Flag { name: "agent_ping", aliases: &["slave_ping"], kind: Kind::Value, effect: Effect::Plan },
    ];

    fn read(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Vec<(&'static str, String)>, FlagError> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let given = Given::read(MESOS, &FLAGS, arguments, variables)?;
        Ok(given.iter().map(|(name, value)| (name, value.to_owned())).collect())
    }

    #[test]
    fn flags_are_read_as_mesos_reads_them() {
        let given = read(&["--port=1", "--quiet", "--slave_ping=5secs"], &[]).unwrap();
        assert_eq!(given, [("agent_ping", "5secs".into()), ("port", "1".into()), ("quiet", "true".into())]);
        assert_eq!(read(&["--no-quiet"], &[]).unwrap(), [("quiet", "false".into())]);
        assert_eq!(read(&["--quiet=0"], &[]).unwrap(), [("quiet", "false".into())]);
        assert_eq!(read(&["--port="], &[]).unwrap(), [("port", String::new())]);
    }

    #[test]
    fn flags_are_read_as_marathon_reads_them() {
        let read = |arguments: &[&str], variables: &[(&str, &str)]| {
            let arguments = arguments.iter().map(|argument| (*argument).to_owned());
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let given = Given::read(MARATHON, &FLAGS, arguments, variables)?;
            Ok::<_, FlagError>(given.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>())
        };
        assert_eq!(read(&["--port", "1", "--quiet"], &[]).unwrap(), ["port 1", "quiet true"]);
        assert_eq!(read(&["--port=file:///x", "--disable_quiet"], &[]).unwrap(), ["port file:///x", "quiet false"]);
        let variables = [("MARATHON_QUIET", ""), ("MARATHON_PORT", "2"), ("MARATHON_ELSE", "x"), ("MESOS_PORT", "3")];
        assert_eq!(read(&[], &variables).unwrap(), ["port 2", "quiet true"]);
        assert_eq!(read(&[], &[("MARATHON_DISABLE_QUIET", "")]).unwrap(), ["quiet false"]);
        assert_eq!(read(&["--port"], &[]), Err(FlagError::NoValue("port")));
    }

    #[test]
    fn the_command_line_counts_more_than_the_environment() {
        let variables = [("MESOS_PORT", "1"), ("MESOS_QUIET", "1"), ("MESOS_ELSE", "x"), ("PORT", "9")];
        assert_eq!(read(&["--port=2"], &variables).unwrap(), [("port", "2".into()), ("quiet", "true".into())]);
    }

    #[test]
    fn a_file_stands_for_what_it_holds() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "5050\n").unwrap();
        let argument = format!("--port=file://{}", file.path().display());
        assert_eq!(read(&[&argument], &[]).unwrap(), [("port", "5050".into())]);
        assert!(matches!(read(&["--port=file:///nowhere"], &[]), Err(FlagError::File { name: "port", .. })));
        // Unless the role reads it, also when it changes.
        assert_eq!(read(&["--rules=file:///nowhere"], &[]).unwrap(), [("rules", "/nowhere".into())]);
    }

    #[test]
    fn what_is_no_flag_is_refused() {
        assert_eq!(read(&["--prot=1"], &[]), Err(FlagError::Unknown("prot".into())));
        assert_eq!(read(&["port"], &[]), Err(FlagError::NotAFlag("port".into())));
        assert_eq!(read(&["--port"], &[]), Err(FlagError::NoValue("port")));
        assert_eq!(read(&["--no-port"], &[]), Err(FlagError::NotASwitch { name: "port", off: "no-" }));
        assert_eq!(read(&["--quiet=maybe"], &[]), Err(FlagError::NotABoolean { name: "quiet", value: "maybe".into() }));
    }
}
