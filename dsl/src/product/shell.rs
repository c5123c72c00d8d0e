//! The command lines that run a job's processes as Aurora runs them: each by `bash -c`.

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

/// A process's command line as a task of its own. What a template stands for is put in as text before bash reads it, as Aurora does: so
/// it is joined to the quoted rest outside of bash's own quotes.
pub(super) fn command(line: &str, ports: &BTreeSet<String>) -> String {
    format!("exec bash -c {}", quoted(line, ports))
}

/// A process's command line as one of several, which bash reads anyway: as it is, unless it refers to something.
pub(super) fn process(line: &str, ports: &BTreeSet<String>) -> String {
    match references(line).any(|(_, address)| variable(address, ports).is_some()) {
        true => command(line, ports),
        false => literal::reveal(line).into_owned(),
    }
}

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
        let expected = r#"exec bash -c 'echo '\''on '"$PORT1"''\'' "'"$HOST"'"'"#;
        assert_eq!(command(&line, &ports), expected);
        assert_eq!([process(&line, &ports), process("echo 'a'", &ports)], [expected, "echo 'a'"]);
        let shell = std::process::Command::new("sh")
            .args(["-c", &command(&line, &ports)])
            .envs([("PORT1", "31 000"), ("HOST", "h")])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&shell.stdout), "on 31 000 h\n", "{shell:?}");
    }
}
