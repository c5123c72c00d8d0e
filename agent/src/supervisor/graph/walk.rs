//! The way through a task's graph of processes: what runs when, and when the task is over. Pure: it knows places in the graph, ends of
//! runs and the time.
//!
//! ```text
//!            all done, failed or stuck                 nothing runs              done, stuck
//!   Active ───────────────────────────► Cleaning ───────────────────► Finalizing ────────────► Ending ──► Over
//!      │ kill                             ▲   └─── wait is over ───────────┴─── wait is over ───▲
//!      └► Quitting ──► Aborting ──────────┘     (SIGTERM)           (final processes)         (SIGKILL)
//!          (asked over HTTP, if the task can be)
//! ```
//!
//! Aurora's rules: a process is run again until it has succeeded (a daemon for ever) or failed `max_failures` times, and not before
//! `min_duration` has passed since its last run; of those that may run, `max_concurrency` do. The task has failed when `max_failures` of
//! its processes have, or when nothing can run any more and something is left; it is over when all that are not ephemeral are. A run
//! whose end nobody saw does not count.

use attica_core_api::processes::InvalidGraph;
use attica_core_api::v1::{ProcessGraph, ProcessState};
use attica_core_api::{Now, Tick};

use crate::checkpoint::{GraphStage, GraphVerdict, ProcessStanding, RunPhase, StageStanding};
use crate::launcher::protocol::{ContainerId, Ending, Exit};

/// A process that ends at once is not run more often than this, whatever its `min_duration`.
const MIN_PAUSE_MS: u64 = 100;
/// From the beginning of a kill to SIGKILL, at most.
const KILL_BOUND_MS: u64 = 120_000;

/// Which of the two paths of a lifecycle is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plea {
    Graceful,
    Final,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Run the process at this place.
    Start(usize),
    /// SIGTERM.
    Terminate(usize),
    /// SIGKILL.
    Destroy(usize),
    /// Ask the task over HTTP to end.
    Plead(Plea),
    /// Nothing runs, and nothing will.
    Finish,
}

/// What a process may do.
#[derive(Clone, Debug)]
struct Rules {
    before: Vec<usize>,
    max_failures: u32,
    is_daemon: bool,
    is_ephemeral: bool,
    is_final: bool,
    min_duration_ms: u64,
}

/// What a running process was asked since the launcher is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Nothing,
    ToEnd,
    Killed,
}

/// How a run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Succeeded,
    Failed,
    Lost,
}

#[derive(Clone, Debug)]
struct Process {
    rules: Rules,
    /// Durable.
    standing: ProcessStanding,
    /// Not before then it is run again.
    not_before: Tick,
    asked: Asked,
    /// Whether its standing is to be written down.
    is_changed: bool,
}

/// How long is waited after each plea, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Patience {
    graceful_ms: u64,
    final_ms: u64,
}

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    processes: Vec<Process>,
    max_failures: u32,
    max_concurrency: usize,
    wait_ms: u64,
    lifecycle: Option<Patience>,
    /// Durable.
    stage: GraphStage,
    /// When the stage ends at the latest.
    until: Option<Tick>,
    /// As above, in seconds since 1970.
    until_seconds: Option<f64>,
    /// Durable, once there is one.
    verdict: Option<GraphVerdict>,
    /// Of the kill on its way: how long is waited after SIGTERM, and when it ends at the latest.
    kill: Option<(u64, Tick)>,
    /// To be made with the next step.
    plea: Option<Plea>,
    is_stage_changed: bool,
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1_000.0) as u64
}

impl Process {
    fn is_running(&self) -> bool {
        matches!(self.standing.phase, RunPhase::Launching | RunPhase::Running)
    }

    /// Whether nothing of it is to be waited for.
    fn is_settled(&self) -> bool {
        self.rules.is_ephemeral || matches!(self.standing.phase, RunPhase::Succeeded | RunPhase::Failed)
    }
}

impl Walk {
    /// At the beginning of `graph`.
    pub(crate) fn new(graph: &ProcessGraph) -> Result<Walk, InvalidGraph> {
        let before = graph.predecessors()?;
        let processes = graph.processes.iter().zip(before).map(|(process, before)| Process {
            rules: Rules {
                before,
                max_failures: process.max_failures,
                is_daemon: process.daemon,
                is_ephemeral: process.ephemeral,
                is_final: process.r#final,
                min_duration_ms: milliseconds(process.min_duration_seconds).max(MIN_PAUSE_MS),
            },
            standing: ProcessStanding::default(),
            not_before: Tick(0),
            asked: Asked::Nothing,
            is_changed: false,
        });
        let patience = |lifecycle: &attica_core_api::v1::HttpLifecycle| Patience {
            graceful_ms: milliseconds(lifecycle.graceful_shutdown_wait_seconds),
            final_ms: milliseconds(lifecycle.shutdown_wait_seconds),
        };
        Ok(Walk {
            processes: processes.collect(),
            max_failures: graph.max_failures,
            max_concurrency: usize::try_from(graph.max_concurrency).unwrap_or(usize::MAX),
            wait_ms: milliseconds(graph.finalization_wait_seconds),
            lifecycle: graph.lifecycle.as_ref().map(patience),
            stage: GraphStage::Active,
            until: None,
            until_seconds: None,
            verdict: None,
            kill: None,
            plea: None,
            is_stage_changed: false,
        })
    }

    /// How long a kill waits after SIGTERM unless somebody says otherwise.
    pub(in crate::supervisor) fn wait_ms(&self) -> u64 {
        self.wait_ms
    }

    /// Whether nothing runs and nothing will.
    pub(super) fn is_over(&self) -> bool {
        self.stage == GraphStage::Over
    }

    pub(super) fn verdict(&self) -> Option<GraphVerdict> {
        self.verdict
    }

    pub(in crate::supervisor) fn standing(&self, place: usize) -> Option<&ProcessStanding> {
        Some(&self.processes.get(place)?.standing)
    }

    pub(in crate::supervisor) fn standings(&self) -> impl Iterator<Item = &ProcessStanding> {
        self.processes.iter().map(|process| &process.standing)
    }

    pub(super) fn stage(&self) -> StageStanding {
        StageStanding { stage: self.stage, until_seconds: self.until_seconds, verdict: self.verdict }
    }

    /// Everything that is to be written down, once.
    pub(super) fn take_changes(&mut self) -> (Vec<(usize, ProcessStanding)>, Option<StageStanding>) {
        let changed = self.processes.iter_mut().enumerate().filter(|(_, process)| process.is_changed);
        let changed = changed.map(|(place, process)| {
            process.is_changed = false;
            (place, process.standing.clone())
        });
        let changed = changed.collect();
        (changed, std::mem::take(&mut self.is_stage_changed).then(|| self.stage()))
    }

    /// As found in a checkpoint.
    pub(in crate::supervisor) fn restore_process(&mut self, now: Now, place: usize, standing: ProcessStanding) {
        let Some(process) = self.processes.get_mut(place) else { return };
        let since_ms = |ended: f64| milliseconds((now.wall.seconds() - ended).max(0.0));
        let pause_ms = standing.ended.map_or(0, |ended| process.rules.min_duration_ms.saturating_sub(since_ms(ended)));
        process.not_before = now.tick.after(pause_ms);
        process.standing = standing;
    }

    /// As found in a checkpoint.
    pub(in crate::supervisor) fn restore_stage(&mut self, now: Now, standing: StageStanding) {
        let StageStanding { stage, until_seconds, verdict } = standing;
        let left = |until: f64| now.tick.after(milliseconds((until - now.wall.seconds()).clamp(0.0, 1e9)));
        (self.stage, self.verdict) = (stage, verdict);
        (self.until, self.until_seconds) = (until_seconds.map(left), until_seconds);
    }

    /// The launcher may have missed what it was asked.
    pub(super) fn forget_asked(&mut self) {
        self.processes.iter_mut().for_each(|process| process.asked = Asked::Nothing);
    }

    /// The process at this place is about to run in this container.
    pub(super) fn begin(&mut self, now: Now, place: usize, container: ContainerId) {
        let Some(process) = self.processes.get_mut(place) else { return };
        let standing = &mut process.standing;
        standing.phase = RunPhase::Launching;
        standing.runs += 1;
        standing.container = Some(container);
        (standing.started, standing.ended) = (Some(now.wall.seconds()), None);
        (standing.ending, standing.message) = (None, None);
        process.asked = Asked::Nothing;
        process.is_changed = true;
    }

    /// Its program runs.
    pub(super) fn started(&mut self, place: usize) {
        let Some(process) = self.processes.get_mut(place) else { return };
        if process.standing.phase == RunPhase::Launching {
            process.standing.phase = RunPhase::Running;
            process.is_changed = true;
        }
    }

    /// A run that the launcher never heard of has not been.
    pub(super) fn never_began(&mut self, place: usize) {
        let Some(process) = self.processes.get_mut(place) else { return };
        if process.standing.phase == RunPhase::Launching {
            process.standing.phase = RunPhase::Waiting;
            process.standing.runs -= 1;
            process.standing.container = None;
            process.is_changed = true;
        }
    }

    /// The run at this place has ended.
    pub(super) fn ended(&mut self, now: Now, place: usize, ending: Ending) {
        self.settle(now, place, Some(ending), None);
    }

    /// The process at this place could not be run, which counts as a failed run.
    pub(super) fn not_started(&mut self, now: Now, place: usize, message: String) {
        self.settle(now, place, None, Some(message));
    }

    fn settle(&mut self, now: Now, place: usize, ending: Option<Ending>, message: Option<String>) {
        let is_over = self.is_being_ended(place);
        let Some(process) = self.processes.get_mut(place).filter(|process| process.is_running()) else { return };
        let Process { rules, standing, .. } = process;
        let run = match ending.map(|ending| ending.exit) {
            Some(Exit::Code(0)) => Run::Succeeded,
            // Nobody saw how it ended.
            Some(Exit::Unknown) => Run::Lost,
            Some(Exit::Code(_) | Exit::Signal(_)) | None => Run::Failed,
        };
        if run == Run::Failed && !is_over {
            standing.failures = standing.failures.saturating_add(1);
        }
        let may_fail_again = rules.max_failures == 0 || standing.failures < rules.max_failures;
        standing.phase = match run {
            Run::Succeeded if !rules.is_daemon => RunPhase::Succeeded,
            // It would have gone on.
            Run::Succeeded | Run::Failed | Run::Lost if is_over => RunPhase::Killed,
            Run::Failed if !may_fail_again => RunPhase::Failed,
            Run::Succeeded | Run::Failed | Run::Lost => RunPhase::Waiting,
        };
        standing.ended = Some(now.wall.seconds());
        (standing.ending, standing.message, standing.container) = (ending, message, None);
        process.not_before = now.tick.after(process.rules.min_duration_ms);
        process.is_changed = true;
    }

    /// Whether the process at this place is not to run any more.
    fn is_being_ended(&self, place: usize) -> bool {
        let is_final = self.processes.get(place).is_some_and(|process| process.rules.is_final);
        match self.stage {
            GraphStage::Active => false,
            GraphStage::Quitting | GraphStage::Aborting | GraphStage::Cleaning => true,
            GraphStage::Finalizing => !is_final,
            GraphStage::Ending | GraphStage::Over => true,
        }
    }

    /// The task is to end, `grace_ms` after SIGTERM at the latest.
    pub(in crate::supervisor) fn kill(&mut self, now: Now, grace_ms: u64) {
        let bound = self.kill.map_or(now.tick.after(KILL_BOUND_MS), |(_, bound)| bound);
        let grace_ms = self.kill.map_or(grace_ms, |(earlier_ms, _)| earlier_ms.min(grace_ms));
        self.kill = Some((grace_ms, bound));
        match self.stage {
            GraphStage::Active => {
                self.decide(GraphVerdict::Killed);
                match self.lifecycle {
                    Some(patience) if self.is_anything_running() => {
                        self.enter(now, GraphStage::Quitting, Some(patience.graceful_ms));
                    }
                    Some(_) | None => self.enter(now, GraphStage::Cleaning, Some(grace_ms)),
                }
            }
            GraphStage::Quitting | GraphStage::Aborting => {}
            GraphStage::Cleaning | GraphStage::Finalizing => {
                self.decide(GraphVerdict::Killed);
                let until = now.tick.after(grace_ms).min(bound);
                if self.until.is_none_or(|earlier| until < earlier) {
                    self.enter(now, self.stage, Some(grace_ms));
                }
            }
            GraphStage::Ending | GraphStage::Over => {}
        }
    }

    /// Nobody takes the plea, so nothing follows from it.
    pub(super) fn plea_is_unheard(&mut self, now: Now, plea: Plea) {
        match (self.stage, plea) {
            (GraphStage::Quitting, Plea::Graceful) | (GraphStage::Aborting, Plea::Final) => self.until = Some(now.tick),
            _ => {}
        }
    }

    fn decide(&mut self, verdict: GraphVerdict) {
        self.verdict = Some(verdict);
        self.is_stage_changed = true;
    }

    fn enter(&mut self, now: Now, stage: GraphStage, wait_ms: Option<u64>) {
        let bound = self.kill.map_or(Tick(u64::MAX), |(_, bound)| bound);
        self.stage = stage;
        self.plea = match stage {
            GraphStage::Quitting => Some(Plea::Graceful),
            GraphStage::Aborting => Some(Plea::Final),
            GraphStage::Active
            | GraphStage::Cleaning
            | GraphStage::Finalizing
            | GraphStage::Ending
            | GraphStage::Over => None,
        };
        self.until = wait_ms.map(|wait_ms| now.tick.after(wait_ms).min(bound));
        self.until_seconds = self.until.map(|until| now.wall.seconds() + until.since(now.tick) as f64 / 1e3);
        self.is_stage_changed = true;
    }

    fn is_anything_running(&self) -> bool {
        self.processes.iter().any(Process::is_running)
    }

    fn is_late(&self, now: Now) -> bool {
        self.until.is_some_and(|until| until <= now.tick)
    }

    /// Goes as far as it goes now.
    pub(super) fn step(&mut self, now: Now, acts: &mut Vec<Act>) {
        loop {
            let before = self.stage;
            match self.stage {
                GraphStage::Active => self.walk(now, acts),
                GraphStage::Quitting | GraphStage::Aborting => self.plead(now),
                GraphStage::Cleaning => match (self.is_anything_running(), self.is_late(now)) {
                    (_, true) => self.enter(now, GraphStage::Ending, None),
                    (false, false) => self.finalize(),
                    (true, false) => {}
                },
                GraphStage::Finalizing => self.walk(now, acts),
                GraphStage::Ending if !self.is_anything_running() => {
                    self.enter(now, GraphStage::Over, None);
                    acts.push(Act::Finish);
                }
                GraphStage::Ending | GraphStage::Over => {}
            }
            if before == self.stage {
                break;
            }
        }
        acts.extend(self.plea.take().map(Act::Plead));
        self.signal(acts);
    }

    fn plead(&mut self, now: Now) {
        let grace_ms = self.kill.map_or(self.wait_ms, |(grace_ms, _)| grace_ms);
        match (self.is_anything_running(), self.is_late(now), self.stage, self.lifecycle) {
            (true, false, _, _) => {}
            (true, true, GraphStage::Quitting, Some(patience)) => {
                self.enter(now, GraphStage::Aborting, Some(patience.final_ms));
            }
            (_, _, _, _) => self.enter(now, GraphStage::Cleaning, Some(grace_ms)),
        }
    }

    /// The same wait goes on.
    fn finalize(&mut self) {
        self.stage = GraphStage::Finalizing;
        self.is_stage_changed = true;
    }

    /// Starts what may run, and looks whether that was all.
    fn walk(&mut self, now: Now, acts: &mut Vec<Act>) {
        let is_final = self.stage == GraphStage::Finalizing;
        if is_final && self.is_late(now) {
            return self.enter(now, GraphStage::Ending, None);
        }
        let of_plan = |process: &Process| process.rules.is_final == is_final;
        let running = self.processes.iter().filter(|process| of_plan(process) && process.is_running()).count();
        let runnable = (0..self.processes.len()).filter(|place| self.is_runnable(*place, is_final));
        let (ready, waiting): (Vec<usize>, Vec<usize>) =
            runnable.partition(|place| self.processes[*place].not_before <= now.tick);
        let places = match self.max_concurrency {
            0 => usize::MAX,
            most => most.saturating_sub(running),
        };
        let is_stuck = running == 0 && ready.is_empty() && waiting.is_empty();
        let plan = self.processes.iter().filter(|process| of_plan(process));
        let is_complete = plan.clone().all(Process::is_settled);
        if is_final {
            if is_complete || is_stuck {
                self.enter(now, GraphStage::Ending, None);
            } else {
                acts.extend(ready.into_iter().take(places).map(Act::Start));
            }
            return;
        }
        let failed = plan.filter(|process| process.standing.phase == RunPhase::Failed);
        let failed = failed.filter(|process| !process.rules.is_ephemeral).count();
        let has_failed = self.max_failures > 0 && failed >= usize::try_from(self.max_failures).unwrap_or(usize::MAX);
        // As Aurora has it: also a task of nothing but ephemeral processes begins them before it is over.
        let begins = self.processes.iter().all(|process| process.standing.runs == 0);
        if has_failed || (is_stuck && !is_complete) {
            self.decide(GraphVerdict::Failed);
            self.enter(now, GraphStage::Cleaning, Some(self.wait_ms));
        } else if is_complete && !begins {
            self.decide(GraphVerdict::Success);
            self.enter(now, GraphStage::Cleaning, Some(self.wait_ms));
        } else {
            acts.extend(ready.into_iter().take(places).map(Act::Start));
        }
    }

    /// Whether it may run as soon as it has waited and there is a place.
    fn is_runnable(&self, place: usize, is_final: bool) -> bool {
        let Process { rules, standing, .. } = &self.processes[place];
        let has_succeeded = |before: &usize| {
            let Process { rules, standing, .. } = &self.processes[*before];
            standing.phase == RunPhase::Succeeded || (rules.is_ephemeral && standing.phase == RunPhase::Failed)
        };
        rules.is_final == is_final && standing.phase == RunPhase::Waiting && rules.before.iter().all(has_succeeded)
    }

    /// Sends what runs and is not to the signal of this stage.
    fn signal(&mut self, acts: &mut Vec<Act>) {
        let stage = self.stage;
        for (place, process) in self.processes.iter_mut().enumerate() {
            let due = match stage {
                GraphStage::Active | GraphStage::Quitting | GraphStage::Aborting | GraphStage::Over => Asked::Nothing,
                GraphStage::Cleaning => Asked::ToEnd,
                GraphStage::Finalizing => {
                    if process.rules.is_final {
                        Asked::Nothing
                    } else {
                        Asked::ToEnd
                    }
                }
                GraphStage::Ending => Asked::Killed,
            };
            if process.standing.phase == RunPhase::Running && process.asked < due {
                process.asked = due;
                acts.push(if due == Asked::Killed { Act::Destroy(place) } else { Act::Terminate(place) });
            }
        }
    }

    /// When [`Walk::step`] has something to do if nothing else happens.
    pub(super) fn next_wake(&self) -> Option<Tick> {
        let of_plan = match self.stage {
            GraphStage::Active => Some(false),
            GraphStage::Finalizing => Some(true),
            GraphStage::Quitting | GraphStage::Aborting | GraphStage::Cleaning => None,
            GraphStage::Ending | GraphStage::Over => return None,
        };
        let next = of_plan.and_then(|is_final| {
            let running = self.processes.iter().filter(|process| process.rules.is_final == is_final);
            let running = running.filter(|process| process.is_running()).count();
            let is_full = self.max_concurrency > 0 && running >= self.max_concurrency;
            let runnable = (0..self.processes.len()).filter(|place| !is_full && self.is_runnable(*place, is_final));
            runnable.map(|place| self.processes[place].not_before).min()
        });
        next.into_iter().chain(self.until).min()
    }

    /// How the process at this place is shown.
    pub(super) fn state(&self, place: usize) -> ProcessState {
        match self.processes.get(place).map(|process| process.standing.phase) {
            Some(RunPhase::Launching | RunPhase::Running) => ProcessState::Running,
            Some(RunPhase::Succeeded) => ProcessState::Success,
            Some(RunPhase::Failed) => ProcessState::Failed,
            Some(RunPhase::Killed) => ProcessState::Killed,
            Some(RunPhase::Waiting) | None => ProcessState::Waiting,
        }
    }
}
