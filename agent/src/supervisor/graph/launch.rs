//! How a run of a process is started.

use std::path::Path;

use attica_core_api::v1::{LogDestination, ProcessInfo};

use super::super::accept::{self, Refusal};
use super::super::task::Task;
use super::super::{Supervisor, container, surroundings};
use super::walk::Plea;
use crate::launcher::protocol::{ContainerId, LaunchSpec, SANDBOX, Streams};
use crate::supervisor::{Users, plea};

/// What one process leaves in the environment of those after it, in the sandbox; bash reads it at its start.
const PROFILE: &str = "if [ -f .thermos_profile ]; then export BASH_ENV=.thermos_profile; fi; ";

/// The script, for bash, that leads a process's output where it belongs and becomes the process. Its first argument is the directory of
/// the run's logs, its second the command line. It runs as the task's user: nothing that a task puts in its way makes anybody else's.
fn script(destination: LogDestination) -> String {
    let rest = match destination {
        LogDestination::File => r#"mkdir -p -- "$1" && exec >>"$1/stdout" 2>>"$1/stderr" && exec bash -c "$2""#,
        LogDestination::Console => r#"exec bash -c "$2""#,
        LogDestination::Nowhere => r#"exec >/dev/null 2>&1 && exec bash -c "$2""#,
        // What copies outlives what it copies: it does not mind SIGTERM and ends when there is nothing more.
        LogDestination::Both => concat!(
            r#"mkdir -p -- "$1" || exit; trap : TERM; { trap : TERM; bash -c "$2" 2>&1 1>&3 3>&- | "#,
            r#"(trap '' TERM; exec tee -a -- "$1/stderr" >&2 3>&-); exit "${PIPESTATUS[0]}"; } 3>&1 | "#,
            r#"(trap '' TERM; exec tee -a -- "$1/stdout"); exit "${PIPESTATUS[0]}""#
        ),
    };
    format!("{PROFILE}{rest}")
}

/// Where a run's output is, in the sandbox.
pub(in crate::supervisor) fn log_directory(name: &str, run: u32) -> String {
    format!(".logs/{name}/{run}")
}

impl Task {
    /// Where the task is asked to end.
    pub(super) fn plea_target(&self, plea: Plea) -> Option<plea::Target> {
        let lifecycle = self.info.processes.as_ref()?.lifecycle.as_ref()?;
        let path = match plea {
            Plea::Graceful => &lifecycle.graceful_shutdown_path,
            Plea::Final => &lifecycle.shutdown_path,
        };
        Some(plea::Target { port: u16::try_from(lifecycle.port).ok()?, path: path.clone() })
    }
}

impl Supervisor {
    /// The next run of the process at this place, which was begun.
    pub(super) fn process_spec(
        &self,
        task: &Task,
        place: usize,
        container: ContainerId,
    ) -> Result<LaunchSpec, Refusal> {
        let plan = accept::plan(&self.config, &task.framework, &task.info, task.own_executor().is_some(), None)?;
        let process = task.info.processes.as_ref().and_then(|graph| graph.processes.get(place));
        let process = process.ok_or(Refusal::NoCommand)?;
        let runs = task.graph.as_ref().and_then(|graph| Some(graph.walk.standing(place)?.runs)).unwrap_or_default();
        let directory = task.sandbox(&self.config.work_dir);
        let mut environment = accept::environment(&self.config, task, &directory);
        let user = match (&plan.user, &self.config.users) {
            (Some(user), _) | (None, Users::Own(user)) => user.as_str(),
            (None, Users::Any) => "root",
        };
        let root = plan.rooted.as_ref().zip(task.image.as_deref());
        let sandbox = if root.is_some() { Path::new(SANDBOX) } else { &directory };
        for (name, value) in of_person(user, sandbox) {
            if environment.iter().all(|(given, _)| given != name) {
                environment.push((name.to_owned(), value));
            }
        }
        let mut spec = LaunchSpec {
            container,
            parent: Some(task.container.clone()),
            argv: arguments(process, runs.saturating_sub(1)),
            program: "bash".to_owned(),
            shortcut: None,
            environment,
            secrets: plan.secrets,
            user: plan.user,
            directory,
            limits: None,
            controls: None,
            rlimits: container::rlimits(task.info.container.as_deref()),
            surroundings: plan.surroundings.map(surroundings::of_part),
            streams: Streams::Sandbox,
        };
        if let (Some((rooted, image)), Some(command)) = (root, &task.info.command) {
            rooted.join(&mut spec, image, command);
            // Wherever the image would begin: a process is in its sandbox, where its logs are.
            spec.surroundings.get_or_insert_default().working_directory = None;
        }
        Ok(spec)
    }
}

fn of_person(user: &str, sandbox: &Path) -> [(&'static str, String); 3] {
    [("HOME", sandbox.to_string_lossy().into_owned()), ("LOGNAME", user.to_owned()), ("USER", user.to_owned())]
}

fn arguments(process: &ProcessInfo, run: u32) -> Vec<String> {
    let destination = process.logger.as_ref().map_or(LogDestination::File, |logger| logger.destination);
    let logs = log_directory(&process.name, run);
    vec!["bash".to_owned(), "-c".to_owned(), script(destination), "bash".to_owned(), logs, process.command_line.clone()]
}

#[cfg(test)]
mod tests {
    use attica_core_api::v1::ProcessLogger;

    use super::*;

    fn run(sandbox: &Path, destination: LogDestination, line: &str) -> std::process::Output {
        let logger = Some(ProcessLogger { destination, rotation: None });
        let process =
            ProcessInfo { name: "p q".to_owned(), command_line: line.to_owned(), logger, ..ProcessInfo::default() };
        let words = arguments(&process, 3);
        std::process::Command::new(&words[0]).args(&words[1..]).current_dir(sandbox).output().unwrap()
    }

    #[test]
    fn output_goes_where_it_is_wanted_and_the_end_is_the_processs() {
        let line = "echo out; echo \"$0 err\" >&2; exit 7";
        for (destination, console, file) in [
            (LogDestination::File, false, true),
            (LogDestination::Console, true, false),
            (LogDestination::Both, true, true),
            (LogDestination::Nowhere, false, false),
        ] {
            let sandbox = tempfile::tempdir().unwrap();
            let output = run(sandbox.path(), destination, line);
            assert_eq!(output.status.code(), Some(7), "{destination:?}");
            let expected = |shown: bool| if shown { ("out\n", "bash err\n") } else { ("", "") };
            let told = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
            assert_eq!((told.0.as_str(), told.1.as_str()), expected(console), "{destination:?}");
            let kept =
                |name| std::fs::read_to_string(sandbox.path().join(".logs/p q/3").join(name)).unwrap_or_default();
            assert_eq!((kept("stdout").as_str(), kept("stderr").as_str()), expected(file), "{destination:?}");
        }
    }

    #[test]
    fn what_is_in_the_profile_reaches_the_next_process() {
        let sandbox = tempfile::tempdir().unwrap();
        run(sandbox.path(), LogDestination::Console, "echo 'export LEFT=behind' > .thermos_profile");
        let output = run(sandbox.path(), LogDestination::Console, "echo $LEFT");
        assert_eq!(output.stdout, b"behind\n");
    }
}
