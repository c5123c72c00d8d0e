use attica_paas_api::check::{
    Check as ReadCheck, CheckResult, CommandResult, ExecCheck, ExecCommand, HttpCheck, HttpResult, TcpCheck, TcpResult,
};

use crate::model::{Answer, Check, CommandLine, Question};

/// A check without a verdict, as clients read it.
pub(super) fn check(check: &Check) -> ReadCheck {
    let whole_seconds = |milliseconds: u64| i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX);
    let mut read = ReadCheck {
        http: None,
        tcp: None,
        exec: None,
        interval_seconds: whole_seconds(check.interval_ms),
        timeout_seconds: whole_seconds(check.timeout_ms),
        delay_seconds: whole_seconds(check.delay_ms),
    };
    match &check.question {
        Question::Http { port_index, path } => {
            let scheme = Some("HTTP".to_owned());
            read.http = Some(HttpCheck { port_index: i64::from(*port_index), path: path.clone(), scheme });
        }
        Question::Tcp { port_index } => read.tcp = Some(TcpCheck { port_index: i64::from(*port_index) }),
        Question::Command(line) => {
            let (shell, argv) = match line {
                CommandLine::Shell(line) => (Some(line.clone()), None),
                CommandLine::Exec(words) => (None, Some(words.clone())),
                CommandLine::Image | CommandLine::Graph(_) | CommandLine::Pod(_) => (None, None),
            };
            read.exec = Some(ExecCheck { command: ExecCommand { shell, argv } });
        }
    }
    read
}

/// What a check found last, as clients read it.
pub(super) fn result(answer: Answer) -> CheckResult {
    match answer {
        Answer::Http(status_code) => CheckResult { http: Some(HttpResult { status_code }), ..CheckResult::default() },
        Answer::Tcp(succeeded) => CheckResult { tcp: Some(TcpResult { succeeded }), ..CheckResult::default() },
        Answer::Command(exit_code) => {
            CheckResult { command: Some(CommandResult { exit_code }), ..CheckResult::default() }
        }
    }
}
