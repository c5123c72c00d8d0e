//! A check without a verdict.

use attica_paas_api::check::{Check as Written, ExecCommand, HttpCheck};

use super::{Faults, command, health, limits, numbers, text};
use crate::model::{Check, CommandLine, Question};

pub(super) fn check(written: Option<Written>, faults: &mut Faults) -> Option<Check> {
    let written = written?;
    let interval_ms = numbers::seconds("/check/intervalSeconds", Some(written.interval_seconds), faults);
    let timeout_ms = numbers::seconds("/check/timeoutSeconds", Some(written.timeout_seconds), faults);
    let delay_ms = numbers::seconds("/check/delaySeconds", Some(written.delay_seconds), faults);
    let question = match (written.http, written.tcp, written.exec) {
        (Some(http), None, None) => self::http(http, faults),
        (None, Some(tcp), None) => {
            index("/check/tcp/portIndex", tcp.port_index, faults).map(|port_index| Question::Tcp { port_index })
        }
        (None, None, Some(exec)) => line(exec.command, faults).map(Question::Command),
        (_, _, _) => {
            faults.add("/check", "Must specify a single type of check, http, tcp, or exec");
            None
        }
    };
    Some(Check { question: question?, interval_ms: interval_ms?, timeout_ms: timeout_ms?, delay_ms: delay_ms? })
}

fn http(written: HttpCheck, faults: &mut Faults) -> Option<Question> {
    if written.scheme.as_deref().is_some_and(|scheme| scheme != "HTTP") {
        faults.add("/check/http/scheme", "must be HTTP: agents ask in no other way");
    }
    let path = written.path.and_then(|path| health::request_path("/check/http", path, faults));
    Some(Question::Http { port_index: index("/check/http/portIndex", written.port_index, faults)?, path })
}

fn index(path: &str, written: i64, faults: &mut Faults) -> Option<u32> {
    numbers::count(path, Some(written), u32::MAX, faults)
}

fn line(written: ExecCommand, faults: &mut Faults) -> Option<CommandLine> {
    let path = "/check/exec/command";
    match (written.shell, written.argv) {
        (Some(line), None) => {
            text::check(&format!("{path}/shell"), &line, limits::COMMAND_LENGTH_MAX, faults);
            if line.trim().is_empty() {
                faults.add(format!("{path}/shell"), "must not be empty");
            }
            Some(CommandLine::Shell(line))
        }
        (None, Some(words)) => {
            if words.is_empty() {
                faults.add(format!("{path}/argv"), "must not be empty");
            }
            command::check_words(&format!("{path}/argv"), &words, faults);
            Some(CommandLine::Exec(words))
        }
        (_, _) => {
            faults.add(path, "needs either shell or argv");
            None
        }
    }
}
