//! A check without a verdict.

use attica_paas_api::check::{Check as Written, HttpCheck};

use super::{Faults, health, numbers, pod_checks};
use crate::model::{Check, Question};

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
        (None, None, Some(exec)) => {
            pod_checks::line("/check/exec/command", exec.command, faults).map(Question::Command)
        }
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
