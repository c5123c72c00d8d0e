//! A task has ended: which state that is, and in which words.

use attica_core_api::Now;
use attica_core_api::v1::{
    FrameworkCapabilityType, Resource, Scalar, TaskResourceLimitation, TaskState, TaskStatusReason, TaskStatusSource,
    ValueType,
};

use super::task::{News, Phase, Task};
use super::{Effect, Supervisor, TaskKey};
use crate::checkpoint::KillCause;
use crate::launcher::protocol::{ContainerId, Ending, Exit, MemoryVerdict, Request};

const BYTES_PER_MEGABYTE: u64 = 1 << 20;

impl Supervisor {
    /// The container has ended and nothing of it is left.
    pub(super) fn ended(&mut self, now: Now, container: &ContainerId, ending: Ending, out: &mut Vec<Effect>) {
        if let Some(key) = self.key_of(container)
            && let Some(task) = self.tasks.get_mut(&key).filter(|task| task.phase != Phase::Ended)
        {
            task.phase = Phase::Ended;
            if task.kill.as_ref().is_some_and(|kill| kill.cause == KillCause::Unhealthy) {
                task.health.condemn();
            }
            out.push(Effect::Unwatch(container.clone()));
            self.end_checks(&key, out);
            self.counters.executors_terminated += 1;
            self.report_ending(now, &key, ending, out);
            self.answer_waiting(container, ending, out);
            if let Some(path) = self.tasks.get(&key).map(Task::path) {
                self.whole_over(&path, out);
            }
        }
        // Only now: what the launcher forgets has to be written down.
        out.push(Effect::Ask(Request::Forget(vec![container.clone()])));
    }

    fn report_ending(&mut self, now: Now, key: &TaskKey, ending: Ending, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get(key) else { return };
        let (news, memory) = verdict(task, ending);
        let mut status = task.status(now, &self.config, &mut self.entropy, news);
        if status.reason == Some(TaskStatusReason::ContainerLimitationMemory) {
            status.limitation = Some(limitation(memory));
        }
        if let Some(KillCause::Exceeded(excess)) = task.kill.as_ref().map(|kill| kill.cause) {
            status.limitation = Some(super::limitation::limitation(excess));
        }
        self.update_with(now, key, status, out);
    }

    /// Ends a task that did not survive the machine's restart.
    pub(super) fn lost_by_reboot(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        let ran = task.running_since.is_some();
        task.phase = Phase::Ended;
        let state = match (task.has_capability(FrameworkCapabilityType::PartitionAware), ran) {
            (true, true) => TaskState::Gone,
            (true, false) => TaskState::Dropped,
            (false, true | false) => TaskState::Lost,
        };
        let message = Some("The agent's machine was restarted".to_owned());
        let reason = Some(TaskStatusReason::AgentRestarted);
        self.update(now, key, News { state, source: TaskStatusSource::Agent, reason, message }, out);
    }
}

/// What is said of the end, and what became of its memory.
fn verdict(task: &Task, ending: Ending) -> (News, MemoryVerdict) {
    let killed = |cause| killed(task, cause, ending);
    let of_kill = task.kill.as_ref().map(|kill| (killed(kill.cause), ending.memory));
    of_kill.or_else(|| task.graph_news(ending.memory)).unwrap_or_else(|| (ended_by_itself(ending), ending.memory))
}

fn killed(task: &Task, cause: KillCause, ending: Ending) -> News {
    let message = if task.graph.is_some() { "Task killed.".to_owned() } else { describe(ending.exit) };
    let message = Some(message);
    match cause {
        KillCause::TimeOver => {
            let reason = Some(TaskStatusReason::MaxCompletionTimeReached);
            News { message, reason, ..News::of(TaskState::Failed) }
        }
        KillCause::Exceeded(excess) => super::limitation::verdict(excess),
        KillCause::Requested | KillCause::Unhealthy | KillCause::Shutdown | KillCause::Group => {
            News { message, ..News::of(TaskState::Killed) }
        }
    }
}

fn ended_by_itself(ending: Ending) -> News {
    let message = Some(describe(ending.exit));
    match (ending.exit, ending.memory) {
        (Exit::Code(0), MemoryVerdict::WithinLimit | MemoryVerdict::OutOfMemory { .. }) => {
            News { message, ..News::of(TaskState::Finished) }
        }
        (Exit::Code(_) | Exit::Signal(_) | Exit::Unknown, MemoryVerdict::OutOfMemory { .. }) => News {
            state: TaskState::Failed,
            source: TaskStatusSource::Agent,
            reason: Some(TaskStatusReason::ContainerLimitationMemory),
            message: Some(memory_message(ending.memory)),
        },
        (Exit::Code(_) | Exit::Signal(_), MemoryVerdict::WithinLimit) => {
            News { message, ..News::of(TaskState::Failed) }
        }
        (Exit::Unknown, MemoryVerdict::WithinLimit) => News {
            message,
            source: TaskStatusSource::Agent,
            reason: Some(TaskStatusReason::ExecutorTerminated),
            ..News::of(TaskState::Failed)
        },
    }
}

/// The words of Mesos's containerizer.
pub(super) fn memory_message(memory: MemoryVerdict) -> String {
    match memory {
        MemoryVerdict::WithinLimit => String::new(),
        MemoryVerdict::OutOfMemory { limit_bytes, peak_bytes } => format!(
            "Memory limit exceeded: Requested: {}MB Maximum Used: {}MB",
            limit_bytes / BYTES_PER_MEGABYTE,
            peak_bytes / BYTES_PER_MEGABYTE
        ),
    }
}

pub(super) fn limitation(memory: MemoryVerdict) -> TaskResourceLimitation {
    let used_bytes = match memory {
        MemoryVerdict::WithinLimit => 0,
        MemoryVerdict::OutOfMemory { peak_bytes, .. } => peak_bytes,
    };
    let megabytes = Scalar { value: used_bytes as f64 / BYTES_PER_MEGABYTE as f64 };
    let resource =
        Resource { name: "mem".to_owned(), r#type: ValueType::Scalar, scalar: Some(megabytes), ..Resource::default() };
    TaskResourceLimitation { resources: vec![resource] }
}

/// The words of Mesos's command executor.
pub(super) fn describe(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("Command exited with status {code}"),
        Exit::Signal(signal) => format!("Command terminated with signal {}", signal_name(signal)),
        Exit::Unknown => "Command ended with unknown exit status: the launcher that ran it was lost".to_owned(),
    }
}

/// As the C library describes signals.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "Hangup",
        libc::SIGINT => "Interrupt",
        libc::SIGQUIT => "Quit",
        libc::SIGILL => "Illegal instruction",
        libc::SIGTRAP => "Trace/breakpoint trap",
        libc::SIGABRT => "Aborted",
        libc::SIGBUS => "Bus error",
        libc::SIGFPE => "Floating point exception",
        libc::SIGKILL => "Killed",
        libc::SIGUSR1 => "User defined signal 1",
        libc::SIGSEGV => "Segmentation fault",
        libc::SIGUSR2 => "User defined signal 2",
        libc::SIGPIPE => "Broken pipe",
        libc::SIGALRM => "Alarm clock",
        libc::SIGTERM => "Terminated",
        libc::SIGXCPU => "CPU time limit exceeded",
        libc::SIGXFSZ => "File size limit exceeded",
        libc::SIGSYS => "Bad system call",
        other => return format!("number {other}"),
    };
    name.to_owned()
}
