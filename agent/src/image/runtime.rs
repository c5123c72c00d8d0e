//! What an image says about how it is run, and what a task makes of that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The part of an image's configuration that matters for running it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Runtime {
    pub(crate) entrypoint: Vec<String>,
    pub(crate) command: Vec<String>,
    /// The later of two of the same name counts.
    pub(crate) environment: Vec<(String, String)>,
    /// A name or number, perhaps with `:group`.
    pub(crate) user: Option<String>,
    pub(crate) working_directory: Option<String>,
}

/// As an image's configuration is written.
#[derive(Deserialize)]
struct Image {
    #[serde(default)]
    config: Option<Config>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
}

/// What a task's command says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command<'a> {
    pub(crate) shell: bool,
    pub(crate) value: Option<&'a str>,
    pub(crate) arguments: &'a [String],
}

/// Who is asked for the container, which makes a difference for commands without a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Mesos's own containerizer: `value` is the program, whatever the image's entry point.
    Mesos,
    /// As `docker run`: value and arguments come after the image's entry point, in the place of its command.
    Docker,
}

/// A task's command and its image's give no program.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum NoProgram {
    #[error("The command has a shell and no `value` for it")]
    Shell,
    #[error("Neither the command nor the image says what to run")]
    Nothing,
}

impl Runtime {
    pub(super) fn parse(json: &[u8]) -> Result<Runtime, serde_json::Error> {
        let image: Image = serde_json::from_slice(json)?;
        let config = image.config.unwrap_or_default();
        let environment: BTreeMap<String, String> = config
            .env
            .unwrap_or_default()
            .iter()
            .filter_map(|variable| variable.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .filter(|(name, value)| !name.is_empty() && !name.contains('\0') && !value.contains('\0'))
            .collect();
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Runtime {
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            environment: environment.into_iter().collect(),
            user: said(config.user),
            working_directory: said(config.working_dir),
        })
    }

    /// The program and its arguments, beginning with its name. As in the table of Mesos's docker/runtime isolator: arguments of the task
    /// replace the image's command, and follow its entry point; `value` replaces both.
    pub(crate) fn argv(&self, manner: Manner, command: Command<'_>) -> Result<(String, Vec<String>), NoProgram> {
        let Command { shell, value, arguments } = command;
        if shell {
            let value = value.ok_or(NoProgram::Shell)?;
            return Ok(("/bin/sh".to_owned(), vec!["sh".to_owned(), "-c".to_owned(), value.to_owned()]));
        }
        let own: Vec<String> = match (manner, value) {
            (Manner::Mesos, Some(value)) => {
                let argv = if arguments.is_empty() { vec![value.to_owned()] } else { arguments.to_vec() };
                return Ok((value.to_owned(), argv));
            }
            (Manner::Docker, Some(value)) => {
                // A task whose arguments begin with the program's own name names it twice.
                let rest = arguments.strip_prefix(&[value.to_owned()]).unwrap_or(arguments);
                std::iter::once(value).map(str::to_owned).chain(rest.iter().cloned()).collect()
            }
            (Manner::Mesos | Manner::Docker, None) => arguments.to_vec(),
        };
        let argv = match (self.entrypoint.is_empty(), own.is_empty()) {
            (false, false) => [self.entrypoint.clone(), own].concat(),
            (false, true) => [self.entrypoint.clone(), self.command.clone()].concat(),
            (true, true) => self.command.clone(),
            // The image's program, with the task's arguments.
            (true, false) if manner == Manner::Mesos => self.command.first().cloned().into_iter().chain(own).collect(),
            (true, false) => own,
        };
        let program = argv.first().cloned().ok_or(NoProgram::Nothing)?;
        if argv.iter().any(|argument| argument.contains('\0')) {
            return Err(NoProgram::Nothing);
        }
        Ok((program, argv))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(entrypoint: &[&str], command: &[&str]) -> Runtime {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Runtime { entrypoint: owned(entrypoint), command: owned(command), ..Runtime::default() }
    }

    fn argv(image: &Runtime, manner: Manner, shell: bool, value: Option<&str>, arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        match image.argv(manner, Command { shell, value, arguments: &arguments }) {
            Ok((program, argv)) => format!("{program}: {}", argv.join(" ")),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn commands_follow_the_table_of_mesos() {
        const SHELL: &str = "The command has a shell and no `value` for it";
        const NOTHING: &str = "Neither the command nor the image says what to run";
        let images =
            [image(&[], &[]), image(&[], &["c", "d"]), image(&["e", "f"], &[]), image(&["e", "f"], &["c", "d"])];
        type Row = (bool, Option<&'static str>, &'static [&'static str], [&'static str; 4]);
        let rows: [Row; 7] = [
            (false, None, &[], [NOTHING, "c: c d", "e: e f", "e: e f c d"]),
            (false, None, &["x"], ["x: x", "c: c x", "e: e f x", "e: e f x"]),
            (false, Some("v"), &[], ["v: v"; 4]),
            (false, Some("v"), &["x", "y"], ["v: x y"; 4]),
            (true, None, &[], [SHELL; 4]),
            (true, None, &["x"], [SHELL; 4]),
            (true, Some("v"), &["x"], ["/bin/sh: sh -c v"; 4]),
        ];
        for (shell, value, arguments, expected) in rows {
            for (image, expected) in images.iter().zip(expected) {
                assert_eq!(argv(image, Manner::Mesos, shell, value, arguments), expected, "{image:?}");
            }
        }
    }

    #[test]
    fn docker_keeps_the_entry_point() {
        let image = image(&["e"], &["c"]);
        assert_eq!(argv(&image, Manner::Docker, false, Some("v"), &["x"]), "e: e v x");
        assert_eq!(argv(&image, Manner::Docker, false, Some("v"), &["v", "x"]), "e: e v x");
        assert_eq!(argv(&image, Manner::Docker, false, None, &["x"]), "e: e x");
        assert_eq!(argv(&image, Manner::Docker, true, Some("v"), &[]), "/bin/sh: sh -c v");
    }

    #[test]
    fn a_configuration_is_read() {
        let json = br#"{"architecture":"amd64","config":{"Env":["A=1","B=x=y","broken"],"Cmd":["sh"],"Entrypoint":null,
            "User":"","WorkingDir":"/srv"},"rootfs":{"type":"layers"}}"#;
        let read = Runtime::parse(json).unwrap();
        let expected = Runtime {
            command: vec!["sh".to_owned()],
            environment: vec![("A".to_owned(), "1".to_owned()), ("B".to_owned(), "x=y".to_owned())],
            working_directory: Some("/srv".to_owned()),
            ..Runtime::default()
        };
        assert_eq!(read, expected);
        assert_eq!(Runtime::parse(b"{}").unwrap(), Runtime::default());
    }
}
