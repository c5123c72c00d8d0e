//! From the flags that a Mesos daemon was given to the arguments of the role that stands in for it.

use std::io::Write;
use std::iter;
use std::process::ExitCode;

use clap::{Arg, Command};

use super::flags::{Effect, Flag, FlagError, Given, Kind, Style, find};

/// Arguments for the role, and one line for each flag that something else takes the place of.
#[derive(Debug, Default)]
pub struct Translation {
    pub arguments: Vec<String>,
    pub notes: Vec<String>,
}

impl Translation {
    /// Takes every flag into account but those of [`Effect::Plan`]. A flag that the role has meanwhile got itself does its job, whatever
    /// the list says.
    pub fn take(&mut self, flags: &'static [Flag], given: &Given, role: &Command) -> Result<(), FlagError> {
        for (name, value) in given.iter() {
            let Some(flag) = find(flags, name) else { unreachable!("only flags of the list are read") };
            match (flag.effect, known(role, name)) {
                (Effect::Plan, _) => {}
                (_, Some(argument)) => self.arguments.extend(passed_on(argument, value)),
                (Effect::Same, None) => unreachable!("a test knows that the role has --{name}"),
                (Effect::Replaced(instead), None) => self.notes.push(format!("--{name} is accepted: {instead}")),
                (Effect::Only(values, _), None) if values.contains(&value) => {}
                (Effect::Only(_, reason), None) => {
                    return Err(FlagError::Refused { name, value: value.to_owned(), reason });
                }
            }
        }
        Ok(())
    }
}

/// The role's flag with this name.
pub fn known<'a>(role: &'a Command, name: &str) -> Option<&'a Arg> {
    let long = name.replace('_', "-");
    role.get_arguments().find(|argument| argument.get_long() == Some(&long))
}

fn passed_on(argument: &Arg, value: &str) -> Option<String> {
    let long = argument.get_long()?;
    if argument.get_action().takes_values() {
        return Some(format!("--{long}={value}"));
    }
    (value == "true").then(|| format!("--{long}"))
}

/// Answers `--help`: an introduction, and the flags. Whoever reads it may go when it has seen enough.
pub fn help(introduction: &str, style: Style, flags: &'static [Flag], role: &Command) -> ExitCode {
    let mut output = std::io::stdout().lock();
    let mut lines = iter::once(introduction.to_owned()).chain(described(style, flags, role));
    let _nobody_reads_on = lines.try_for_each(|line| writeln!(output, "{line}"));
    ExitCode::SUCCESS
}

/// One line of `--help` for each flag, and what becomes of it.
fn described(style: Style, flags: &'static [Flag], role: &Command) -> impl Iterator<Item = String> {
    flags.iter().map(move |flag| {
        let form = match flag.kind {
            Kind::Switch => format!("--[{}]{}", style.off, flag.name),
            Kind::Value => format!("--{}=VALUE", flag.name),
            Kind::Path => format!("--{}=PATH", flag.name),
        };
        match flag.effect {
            _ if known(role, flag.name).is_some() => format!("  {form}"),
            Effect::Same | Effect::Plan => format!("  {form}"),
            Effect::Replaced(instead) => format!("  {form}\n      accepted: {instead}"),
            Effect::Only([] | [""], reason) => format!("  {form}\n      refused: {reason}"),
            Effect::Only(values, reason) => format!("  {form}\n      only {}: {reason}", values.join(", ")),
        }
    })
}
