//! The command line that runs a job's processes as Aurora runs them: each by `bash -c`, one after the other.

use std::collections::BTreeSet;

use crate::job::port;
use crate::template::literal;

/// What a template of a command line may name, as the variable that an app finds it in.
pub(super) fn variable(address: &str, ports: &BTreeSet<String>) -> Option<String> {
    match address {
        "thermos.task_id" => Some("$MESOS_TASK_ID".to_owned()),
        "mesos.hostname" => Some("$HOST".to_owned()),
        _ => {
            let name = port(address)?;
            ports.iter().position(|known| known == name).map(|index| format!("$PORT{index}"))
        }
    }
}

/// The references that stay open in a text, each with the byte it starts at.
pub(super) fn references(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices("{{").filter_map(|(at, _)| {
        let inside = &text[at + 2..];
        let end = inside.find("}}")?;
        (!inside[..end].contains('{')).then_some((at, &inside[..end]))
    })
}

/// The processes' command lines as one. What a template stands for is put in as text before bash reads it, as Aurora does: so it is
/// joined to the quoted rest outside of bash's own quotes.
pub(super) fn sequence(command_lines: &[String], ports: &BTreeSet<String>) -> String {
    let calls: Vec<String> = command_lines.iter().map(|line| format!("bash -c {}", quoted(line, ports))).collect();
    match calls.split_last() {
        None => String::new(),
        Some((last, [])) => format!("exec {last}"),
        Some((last, before)) => {
            // A process may leave variables for those after it, in a file that bash reads at its start.
            let mut whole = String::new();
            for call in before {
                whole.push_str(&format!("{call} && {PROFILE} && "));
            }
            whole + "exec " + last
        }
    }
}

const PROFILE: &str = "{ [ ! -f .thermos_profile ] || export BASH_ENV=.thermos_profile; }";

fn quoted(line: &str, ports: &BTreeSet<String>) -> String {
    let mut out = String::from("'");
    let mut done = 0;
    for (at, address) in references(line) {
        if let Some(variable) = variable(address, ports) {
            out.push_str(&literal::reveal(&line[done..at]).replace('\'', r"'\''"));
            out.push_str(&format!("'\"{variable}\"'"));
            done = at + address.len() + "{{}}".len();
        }
    }
    out.push_str(&literal::reveal(&line[done..]).replace('\'', r"'\''"));
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_text_before_bash_reads_them() {
        let ports = BTreeSet::from(["health".to_owned(), "http".to_owned()]);
        let line = "echo 'on {{thermos.ports[http]}}' \"{{mesos.hostname}}\"".to_owned();
        assert_eq!(
            sequence(std::slice::from_ref(&line), &ports),
            r#"exec bash -c 'echo '\''on '"$PORT1"''\'' "'"$HOST"'"'"#
        );
        let sandbox = tempfile::tempdir().unwrap();
        let shell = std::process::Command::new("sh")
            .args(["-c", &sequence(&["echo 'export A=\"a b\"' > .thermos_profile".to_owned(), line + " $A"], &ports)])
            .envs([("PORT1", "31 000"), ("HOST", "h")])
            .current_dir(sandbox.path())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&shell.stdout), "on 31 000 h a b\n", "{shell:?}");
    }
}
