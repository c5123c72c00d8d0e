//! What becomes of operators' containers.

use attica_core_api::agent::WaitContainer;
use attica_core_api::v1::{TaskState, TaskStatusReason};

use super::{
    Contained, ContainedRecord, ContainerPath, Kill, OperatorRefusal, OperatorReply, Premises, Progress, SharedNetwork,
    Supplied, Tenure,
};
use crate::image::Provisioned;
use crate::launcher::protocol::{ContainerId, ContainerReport, Ending, Exit, MemoryVerdict, Process, Request, Stage};
use crate::supervisor::executor::wait_status;
use crate::supervisor::{Effect, LauncherState, Owner, Supervisor, ending, network, recovery};

impl Supervisor {
    /// Its files are there, or cannot be had.
    pub(in crate::supervisor) fn contained_supplied(
        &mut self,
        path: &ContainerPath,
        outcome: Result<Option<Box<Provisioned>>, String>,
        out: &mut Vec<Effect>,
    ) {
        let Some(contained) = self.contained.get_mut(path) else { return };
        let image = match (outcome, self.launcher) {
            (Ok(image), LauncherState::Ready) => image,
            (Err(cause), _) => {
                contained.supplied = None;
                return self.contained_not_started(path, &cause, out);
            }
            // When it is back, it knows nothing of this one.
            (Ok(_), LauncherState::Unknown) => return,
        };
        let Some(supplied) = contained.supplied.take() else { return };
        let Supplied { mut spec, rooted, network } = *supplied;
        if let Some(((rooted, command), image)) = rooted.zip(image) {
            match rooted.argv(&image, &command) {
                Ok((program, argv)) => (spec.program, spec.argv) = (program, argv),
                Err(refusal) => return self.contained_not_started(path, &refusal.to_string(), out),
            }
            let written = crate::image::writable(&self.config.work_dir, &spec.container);
            rooted.surround(&mut spec, &image, &command, &written);
            let (owner, attachment) = match &network {
                Some(SharedNetwork { owner, attachment }) => (owner, Some(attachment)),
                None => (&spec.container, None),
            };
            spec.surroundings = network::surround(&self.config, owner, attachment, spec.surroundings.take());
            contained.record.image = Some(image);
            out.push(Effect::StoreContained(Box::new(contained.record.clone())));
        }
        out.push(Effect::LaunchContained(Box::new(spec), Premises::Made));
    }

    /// Its program runs.
    pub(in crate::supervisor) fn contained_started(
        &mut self,
        path: &ContainerPath,
        process: Process,
        out: &mut Vec<Effect>,
    ) {
        let Some(contained) = self.contained.get_mut(path) else { return };
        contained.record.progress = Progress::Running(process);
        out.push(Effect::StoreContained(Box::new(contained.record.clone())));
        if let Some(reply) = contained.launching.take() {
            out.push(Effect::AnswerOperator(reply, Box::new(OperatorReply::Launched)));
        }
        self.kill_on(path, out);
    }

    /// From now on it is to end, and no milder than was asked for before.
    pub(super) fn end_contained(&mut self, path: &ContainerPath, kill: Kill, out: &mut Vec<Effect>) {
        let Some(Contained { record, supplied, .. }) = self.contained.get_mut(path) else { return };
        match record.progress {
            Progress::Launching if supplied.is_some() => {
                return self.contained_not_started(path, "it was ended before its files were there", out);
            }
            Progress::Launching | Progress::Running(_) => {}
            Progress::Ended(_) => return,
        }
        if record.kill < Some(kill) {
            record.kill = Some(kill);
            out.push(Effect::StoreContained(Box::new(record.clone())));
        }
        self.kill_on(path, out);
    }

    /// The launcher is asked to end what is to end, again if it may have missed that.
    fn kill_on(&self, path: &ContainerPath, out: &mut Vec<Effect>) {
        let Some(Contained { record, .. }) = self.contained.get(path) else { return };
        match (record.kill, record.progress, self.launcher) {
            (Some(kill), Progress::Running(_), LauncherState::Ready) => {
                out.push(Effect::Ask(kill.request(record.container.clone())));
            }
            // That comes when it runs, or when the launcher is back.
            (Some(_), Progress::Launching, _) | (Some(_), Progress::Running(_), LauncherState::Unknown) => {}
            (None, _, _) | (Some(_), Progress::Ended(_), _) => {}
        }
    }

    /// It could not be started.
    pub(in crate::supervisor) fn contained_not_started(
        &mut self,
        path: &ContainerPath,
        error: &str,
        out: &mut Vec<Effect>,
    ) {
        let Some(contained) = self.contained.get_mut(path) else { return };
        if let Some(reply) = contained.launching.take() {
            let failed = OperatorReply::Refused(OperatorRefusal::Failed(error.to_owned()));
            out.push(Effect::AnswerOperator(reply, Box::new(failed)));
        }
        let container = contained.record.container.clone();
        if contained.supplied.take().is_some() {
            out.push(Effect::StopFetch(container.clone()));
        }
        if contained.record.has_own_directory() {
            // Nobody can remove it later.
            out.push(Effect::DiscardSandbox(contained.record.directory.clone()));
        }
        let exit = Ending { exit: Exit::Unknown, memory: MemoryVerdict::WithinLimit };
        self.answer_waiting(&container, exit, out);
        self.forget_contained(path, out);
    }

    /// Nothing of it is left.
    pub(in crate::supervisor) fn contained_ended(
        &mut self,
        path: &ContainerPath,
        ending: Ending,
        out: &mut Vec<Effect>,
    ) {
        let Some(contained) = self.contained.get_mut(path) else { return };
        contained.record.progress = Progress::Ended(ending);
        let container = contained.record.container.clone();
        out.push(Effect::StoreContained(Box::new(contained.record.clone())));
        if let Some(reply) = contained.launching.take() {
            out.push(Effect::AnswerOperator(reply, Box::new(OperatorReply::Launched)));
        }
        self.answer_waiting(&container, ending, out);
        self.whole_over(path, out);
        let orphaned = path.parent().is_some_and(|parent| self.find(&parent).is_none_or(|whole| !whole.alive));
        if orphaned {
            self.forget_contained(path, out);
        }
        // Only now: what the launcher forgets has to be written down.
        out.push(recovery::forget(container));
    }

    /// What was in it is not asked for any more.
    pub(in crate::supervisor) fn whole_over(&mut self, whole: &ContainerPath, out: &mut Vec<Effect>) {
        let over = |contained: &&Contained| {
            contained.record.path.is_within(whole) && matches!(contained.record.progress, Progress::Ended(_))
        };
        let paths: Vec<ContainerPath> =
            self.contained.values().filter(over).map(|contained| contained.record.path.clone()).collect();
        for path in paths {
            self.forget_contained(&path, out);
        }
    }

    /// Tells everybody who waits for the end of this container.
    pub(in crate::supervisor) fn answer_waiting(
        &mut self,
        container: &ContainerId,
        ending: Ending,
        out: &mut Vec<Effect>,
    ) {
        for reply in self.waiting.remove(container).into_iter().flatten() {
            out.push(Effect::AnswerOperator(reply, Box::new(OperatorReply::Ended(Box::new(outcome(ending))))));
        }
    }

    pub(super) fn forget_contained(&mut self, path: &ContainerPath, out: &mut Vec<Effect>) {
        let Some(Contained { record, .. }) = self.contained.remove(path) else { return };
        self.by_container.remove(&record.container);
        out.push(Effect::RemoveContained(record.container));
    }

    /// As written down. What ran in them is known once the launcher has told.
    pub(crate) fn restore_contained(&mut self, rebooted: bool, records: Vec<ContainedRecord>, out: &mut Vec<Effect>) {
        for mut record in records {
            match record.progress {
                Progress::Launching | Progress::Running(_) if rebooted => {
                    let ending = Ending { exit: Exit::Unknown, memory: MemoryVerdict::WithinLimit };
                    record.progress = Progress::Ended(ending);
                    out.push(Effect::StoreContained(Box::new(record.clone())));
                }
                Progress::Launching | Progress::Running(_) | Progress::Ended(_) => {}
            }
            // Whoever held a session is gone with the agent that they spoke to.
            if record.tenure == Tenure::Session {
                record.kill = Some(Kill::Destroy);
            }
            let path = record.path.clone();
            self.by_container.insert(record.container.clone(), Owner::Contained(path.clone()));
            self.contained.insert(path, Contained { record, launching: None, supplied: None });
        }
    }

    /// What the launcher has of it.
    pub(in crate::supervisor) fn reunite_contained(
        &mut self,
        path: &ContainerPath,
        report: ContainerReport,
        out: &mut Vec<Effect>,
    ) {
        let Some(Contained { record, .. }) = self.contained.get(path) else { return };
        match (report.stage, record.progress) {
            (Stage::Failing, _) => {}
            (Stage::Ended(_), Progress::Ended(_)) => out.push(recovery::forget(report.container)),
            (Stage::Ended(ending), Progress::Launching | Progress::Running(_)) => {
                self.contained_ended(path, ending, out);
            }
            (Stage::Running, Progress::Running(_)) => self.kill_on(path, out),
            (Stage::Running, Progress::Launching) => self.contained_started(path, report.process, out),
            (Stage::Running, Progress::Ended(_)) => out.push(Effect::Ask(Request::Destroy(report.container))),
        }
    }

    /// Those that the launcher knows nothing of.
    pub(in crate::supervisor) fn contained_missed(
        &mut self,
        known: impl Fn(&ContainerId) -> bool,
        out: &mut Vec<Effect>,
    ) {
        let missing: Vec<ContainedRecord> = self
            .contained
            .values()
            .map(|contained| &contained.record)
            .filter(|record| !known(&record.container) && !matches!(record.progress, Progress::Ended(_)))
            .cloned()
            .collect();
        for ContainedRecord { path, progress, .. } in missing {
            match progress {
                Progress::Running(_) => {
                    let ending = Ending { exit: Exit::Unknown, memory: MemoryVerdict::WithinLimit };
                    self.contained_ended(&path, ending, out);
                }
                Progress::Launching | Progress::Ended(_) => {
                    self.contained_not_started(&path, "the launcher has ended", out);
                }
            }
        }
    }

    /// The agent is about to end, with all that it runs.
    pub(in crate::supervisor) fn kill_all_contained(&mut self, out: &mut Vec<Effect>) {
        let paths: Vec<ContainerPath> = self.contained.keys().cloned().collect();
        for path in paths {
            self.end_contained(&path, Kill::Destroy, out);
        }
    }
}

/// As WAIT_CONTAINER tells it.
pub(super) fn outcome(ended: Ending) -> WaitContainer {
    let exit_status = wait_status(ended.exit);
    match ended.memory {
        MemoryVerdict::WithinLimit => WaitContainer { exit_status, ..WaitContainer::default() },
        MemoryVerdict::OutOfMemory { .. } => WaitContainer {
            exit_status,
            state: Some(TaskState::Failed),
            reason: Some(TaskStatusReason::ContainerLimitationMemory),
            limitation: Some(ending::limitation(ended.memory)),
            message: Some(ending::memory_message(ended.memory)),
        },
    }
}
