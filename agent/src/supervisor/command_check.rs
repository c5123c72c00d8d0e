//! Checks and health checks by command: each run is a part of the task's container, in its sandbox, with its environment, as its user and
//! within its limits. The prober says when one is due; how its program ended is the result.

use attica_core_api::Now;
use attica_core_api::v1::CommandInfo;

use super::image;
use super::probe::{Finding, Target};
use super::task::Phase;
use super::{Effect, LauncherState, Owner, Supervisor, TaskKey, accept, container, daemon, secret, surroundings};
use crate::daemon::Containerizer;
use crate::launcher::protocol::{ContainerId, Ending, LaunchSpec, Request, Streams};

/// A command on its way.
#[derive(Clone, Debug)]
pub(super) struct CheckRun {
    task: TaskKey,
    /// Which of the task's checks.
    check: usize,
    timeout_ms: u64,
    /// Whether it was ended because it took too long.
    late: bool,
}

impl Supervisor {
    /// It is time for a check by command. One that still runs skips its turn.
    pub(super) fn check_due(&mut self, now: Now, container: &ContainerId, check: usize, out: &mut Vec<Effect>) {
        let Some(key) = self.key_of(container) else { return };
        let running = self.check_runs.values().any(|run| run.task == key && run.check == check);
        let Some(task) = self.tasks.get(&key).filter(|task| task.phase == Phase::Running && task.kill.is_none()) else {
            return;
        };
        if running || self.readiness(task.containerizer) == LauncherState::Unknown {
            return;
        }
        let Some(probe) = task.health.probes().into_iter().nth(check) else { return };
        let Target::Command(command) = probe.target else { return };
        if task.containerizer == Containerizer::Daemon {
            let exec = daemon::exec(ContainerId::from_uuid(self.entropy.uuid()), task.container.clone(), &command);
            self.check_begins(
                now,
                exec.run.clone(),
                CheckRun { task: key, check, timeout_ms: probe.timeout_ms, late: false },
            );
            return out.push(Effect::Execute(Box::new(exec)));
        }
        let directory = task.sandbox(&self.config.work_dir);
        let mut of_task = task.info.as_ref().clone();
        let environment = accept::environment(&self.config, task, &directory);
        let user = task.info.command.as_ref().and_then(|command| command.user.clone());
        of_task.command = Some(CommandInfo { user, ..*command });
        of_task.health_check = None;
        of_task.health_checks.clear();
        of_task.check = None;
        of_task.processes = None;
        let holder = secret::Holder::Task(&task.info.task_id);
        let rooted = image::of(&self.config, holder, of_task.container.as_deref()).ok().flatten();
        let rooted = task.image.as_deref().zip(rooted);
        of_task.container.take_if(|_| rooted.is_some());
        let plan = match accept::plan(&self.config, &task.framework, &of_task, task.own_executor().is_some(), None) {
            Ok(plan) => plan,
            Err(refusal) => return self.probed(now, container, check, Finding::Nothing(refusal.to_string()), out),
        };
        let own_surroundings = surroundings::surroundings(&self.config.isolators, task.info.container.as_deref());
        let own_surroundings = match own_surroundings {
            Ok(surroundings) => surroundings,
            Err(refusal) => return self.probed(now, container, check, Finding::Nothing(refusal.to_string()), out),
        };
        // What was launched could have its secrets.
        let secrets = secret::of_command(&self.config, holder, task.info.command.as_ref()).unwrap_or_default();
        let secrets = secret::with(secrets, of_task.command.as_ref(), plan.secrets);
        let own = accept::asked_environment(of_task.command.as_ref());
        let run = ContainerId::from_uuid(self.entropy.uuid());
        let mut spec = LaunchSpec {
            container: run.clone(),
            parent: Some(task.container.clone()),
            argv: plan.argv,
            program: plan.program,
            shortcut: plan.shortcut,
            environment: environment
                .into_iter()
                .filter(|(name, _)| !own.contains_key(name))
                .chain(own.clone())
                .collect(),
            secrets,
            user: plan.user,
            directory,
            limits: None,
            controls: None,
            rlimits: container::rlimits(of_task.container.as_deref()),
            surroundings: own_surroundings.map(surroundings::of_part),
            streams: Streams::Sandbox,
        };
        if let (Some((image, rooted)), Some(command)) = (rooted, &task.info.command) {
            rooted.join(&mut spec, image, command);
        }
        self.check_begins(now, run, CheckRun { task: key, check, timeout_ms: probe.timeout_ms, late: false });
        out.push(Effect::Launch(Box::new(spec), Vec::new()));
    }

    fn check_begins(&mut self, now: Now, run: ContainerId, check: CheckRun) {
        self.by_container.insert(run.clone(), Owner::Check);
        self.check_wakes.insert((now.tick.after(check.timeout_ms), run.clone()));
        self.check_runs.insert(run, check);
    }

    /// Ends what takes too long.
    pub(super) fn end_late_checks(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some((tick, _)) = self.check_wakes.first()
            && *tick <= now.tick
            && let Some((_, container)) = self.check_wakes.pop_first()
        {
            if let Some(run) = self.check_runs.get_mut(&container) {
                run.late = true;
                out.push(Effect::Ask(Request::Destroy(container)));
            }
        }
    }

    /// A command runs, or is found running. The launcher may have been asked to end it before it ran, or when it was away.
    pub(super) fn check_runs_on(&self, container: &ContainerId, out: &mut Vec<Effect>) {
        if self.check_runs.get(container).is_some_and(|run| run.late) {
            out.push(Effect::Ask(Request::Destroy(container.clone())));
        }
    }

    /// Nothing of a command is left.
    pub(super) fn check_ended(&mut self, now: Now, container: &ContainerId, ending: Ending, out: &mut Vec<Effect>) {
        let finding = |run: &CheckRun| match run.late {
            true => Finding::Nothing(format!("the command took longer than {} s", run.timeout_ms as f64 / 1e3)),
            false => Finding::Exited(ending.exit),
        };
        self.conclude_check(now, container, finding, out);
        out.push(super::recovery::forget(container.clone()));
    }

    /// A command could not be started.
    pub(super) fn check_not_started(&mut self, now: Now, container: &ContainerId, error: &str, out: &mut Vec<Effect>) {
        self.conclude_check(now, container, |_| Finding::Nothing(error.to_owned()), out);
    }

    fn conclude_check(
        &mut self,
        now: Now,
        container: &ContainerId,
        finding: impl FnOnce(&CheckRun) -> Finding,
        out: &mut Vec<Effect>,
    ) {
        self.by_container.remove(container);
        let Some(run) = self.check_runs.remove(container) else { return };
        let Some(task) = self.tasks.get(&run.task).map(|task| task.container.clone()) else { return };
        let finding = finding(&run);
        self.probed(now, &task, run.check, finding, out);
    }

    #[cfg(test)]
    pub(super) fn is_check(&self, container: &ContainerId) -> bool {
        self.check_runs.contains_key(container)
    }

    /// A task has ended: its checks have no meaning any more.
    pub(super) fn end_checks(&self, key: &TaskKey, out: &mut Vec<Effect>) {
        let runs = self.check_runs.iter().filter(|(_, run)| run.task == *key);
        out.extend(runs.map(|(container, _)| Effect::Ask(Request::Destroy(container.clone()))));
    }

    /// What the launcher, or the daemon, does not know is over, with no result.
    pub(super) fn forget_checks(&mut self, containerizer: Containerizer, known: impl Fn(&ContainerId) -> bool) {
        let is_its = |run: &CheckRun| self.tasks.get(&run.task).is_none_or(|task| task.containerizer == containerizer);
        let lost = self.check_runs.iter().filter(|(container, run)| is_its(run) && !known(container));
        let lost: Vec<ContainerId> = lost.map(|(container, _)| container.clone()).collect();
        for container in lost {
            self.check_runs.remove(&container);
            self.by_container.remove(&container);
        }
    }
}
