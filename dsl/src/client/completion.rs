//! Completion in shells: a script that asks this program, and the answers, with ids from the cluster.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::Shells;
use serde_json::Value;

use super::config;
use super::failure::Failure;
use super::options::GlobalOptions;
use super::server::Server;
use crate::terminal::{Screen, visible};

/// Set by the script, which asks this program what may follow.
const VARIABLE: &str = "ATTICA_COMPLETE";
/// Nobody waits longer for a completion.
const PATIENCE: Duration = Duration::from_millis(800);
const CANDIDATES_MAX: usize = 500;

/// Prints a script that completes commands, options and ids.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
For the shell that is open, or in its start-up file:
  source <(attica completion bash)
  source <(attica completion zsh)
  attica completion fish | source")]
pub struct CompletionCommand {
    /// The shell that reads the script
    shell: Shell,
}

/// A shell that can be taught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}

impl CompletionCommand {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), Failure> {
        let name = match self.shell {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
        };
        let program = std::env::current_exe().map(|path| path.to_string_lossy().into_owned());
        let program = program.unwrap_or_else(|_| "attica".to_owned());
        let shells = Shells::builtins();
        let completer = shells.completer(name).ok_or_else(|| Failure::failed(format!("{name} is not known")))?;
        let mut script = Vec::new();
        completer.write_registration(VARIABLE, "attica", "attica", &program, &mut script)?;
        Ok(screen.out.raw(&script)?)
    }
}

/// Answers a shell that asks what may follow; none when it is not a shell that calls. To be called before anything else, with the
/// whole program's command tree.
pub fn answer_shell(tree: fn() -> clap::Command) -> Option<ExitCode> {
    let directory = std::env::current_dir().ok();
    let answered =
        CompleteEnv::with_factory(tree).var(VARIABLE).try_complete(std::env::args_os(), directory.as_deref());
    match answered {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        // There is nobody to tell: what a shell's completion writes to standard error destroys the line that is being typed.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// Ids of apps that begin with what was typed.
pub(super) fn app_ids(typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let absolute = if typed.starts_with('/') { typed.into_owned() } else { format!("/{typed}") };
    ids("/v2/apps", "/apps", &absolute)
}

/// Ids of groups directly in the root, and what was typed of deeper ones.
pub(super) fn group_ids(typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let absolute = if typed.starts_with('/') { typed.into_owned() } else { format!("/{typed}") };
    ids("/v2/groups?embed=group.groups", "/groups", &absolute)
}

/// Ids of pods that begin with what was typed.
pub(super) fn pod_ids(typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let absolute = if typed.starts_with('/') { typed.into_owned() } else { format!("/{typed}") };
    ids("/v2/pods", "", &absolute)
}

/// Paths of secrets that begin with what was typed.
pub(super) fn secret_paths(typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let absolute = if typed.starts_with('/') { typed.into_owned() } else { format!("/{typed}") };
    named("/v2/secrets", "/secrets", "path", &absolute)
}

/// Ids of running tasks.
pub(super) fn task_ids(typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let mut candidates = ids("/v2/tasks", "/tasks", &typed);
    candidates.extend(container_ids(&typed));
    candidates
}

/// Ids of the containers of pods.
fn container_ids(beginning: &str) -> Vec<CompletionCandidate> {
    let pods = ask("/v2/pods::status").unwrap_or_default();
    let parts = |whole: &Value, list: &str| whole[list].as_array().cloned().unwrap_or_default();
    let instances = pods.as_array().into_iter().flatten().flat_map(|pod| parts(pod, "instances"));
    let containers: Vec<Value> = instances.flat_map(|instance| parts(&instance, "containers")).collect();
    candidates(containers.iter().filter_map(|container| container["containerId"].as_str()), beginning)
}

/// Ids of running deployments.
pub(super) fn deployment_ids(typed: &OsStr) -> Vec<CompletionCandidate> {
    ids("/v2/deployments", "", &typed.to_string_lossy())
}

fn ids(path: &str, list: &str, beginning: &str) -> Vec<CompletionCandidate> {
    named(path, list, "id", beginning)
}

fn named(path: &str, list: &str, name: &str, beginning: &str) -> Vec<CompletionCandidate> {
    let document = ask(path).unwrap_or_default();
    let items = document.pointer(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    candidates(items.iter().filter_map(|item| item[name].as_str()), beginning)
}

fn candidates<'a>(ids: impl Iterator<Item = &'a str>, beginning: &str) -> Vec<CompletionCandidate> {
    // A shell puts the candidate into a command line.
    let harmless = ids.filter(|id| visible(id) == *id && !id.contains(char::is_whitespace));
    harmless.filter(|id| id.starts_with(beginning)).take(CANDIDATES_MAX).map(CompletionCandidate::new).collect()
}

/// Reads a document of the cluster that the command line so far, the environment or the configuration file names.
fn ask(path: &str) -> Option<Value> {
    let words: Vec<String> = std::env::args().collect();
    let target = config::target(&options_in(&words), |name| std::env::var(name).ok()).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let server = Server::new(target).ok()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, server.get(path)).await }).ok()?.ok()
}

/// `--addr`, `--cluster` and `--ca-file` in a command line that is not complete yet.
fn options_in(words: &[String]) -> GlobalOptions {
    let values = |option: &'static str| {
        words.iter().enumerate().filter_map(move |(index, word)| match word.strip_prefix(option)? {
            "" => words.get(index + 1).cloned(),
            rest => rest.strip_prefix('=').map(str::to_owned),
        })
    };
    let addr = values("--addr").flat_map(|value| value.split(',').map(str::to_owned).collect::<Vec<_>>()).collect();
    let ca_file = values("--ca-file").next().map(PathBuf::from);
    let token_file = values("--token-file").next().map(Into::into);
    GlobalOptions { addr, cluster: values("--cluster").next(), ca_file, token_file, json: false }
}

#[cfg(test)]
mod tests {
    use super::{GlobalOptions, Shell, options_in};
    use crate::client::CompletionCommand;
    use crate::client::tests::Paper;
    use crate::terminal::{Colour, Reader, Screen, Sink};

    #[test]
    fn a_cluster_is_found_in_a_command_line_that_is_not_complete() {
        let options = |addr: &[&str], cluster: Option<&str>| GlobalOptions {
            addr: addr.iter().map(|addr| (*addr).to_owned()).collect(),
            cluster: cluster.map(str::to_owned),
            ..GlobalOptions::default()
        };
        let with_authorities = GlobalOptions { ca_file: Some("ca.pem".into()), ..options(&["a"], None) };
        for (line, expected) in [
            ("attica app show", options(&[], None)),
            ("attica --addr a,b app --addr=c show", options(&["a", "b", "c"], None)),
            ("attica app show --cluster prod --addresses x", options(&[], Some("prod"))),
            ("attica app show --addr", options(&[], None)),
            ("attica app show --addr a --ca-file ca.pem", with_authorities),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(options_in(&words), expected, "{line}");
        }
    }

    #[test]
    fn each_shell_gets_a_script_that_asks_this_program() {
        let program = std::env::current_exe().unwrap();
        for (shell, sign) in [(Shell::Bash, "complete "), (Shell::Zsh, "#compdef attica"), (Shell::Fish, "complete ")] {
            let paper = Paper::default();
            let sink = || Sink::new(paper.clone(), Reader::Program, Colour::Hidden);
            CompletionCommand { shell }.run(&mut Screen { out: sink(), err: sink() }).unwrap();
            let script = paper.text();
            assert!(script.contains(sign) && script.contains("ATTICA_COMPLETE"), "{shell:?}: {script}");
            assert!(script.contains(program.to_str().unwrap()), "{shell:?}: {script}");
        }
    }
}
