//! One file per write.
//!
//! A write that changes definitions is drafted first: everything about it is judged and its deployment planned, and nothing is changed. A
//! dry run ends there; otherwise the draft is carried out as it is.

mod acknowledge;
mod callback;
mod cancel;
mod delete;
mod group;
mod judge;
mod kill;
mod names;
mod precondition;
mod put;
mod reset_delay;
mod restart;
mod restore;
mod roles;
mod secrets;
mod users;

use std::sync::Arc;

use attica_core_api::Now;

use super::deployments::{Conflict, Draft, Target};
use super::{
    CancelMode, Changes, Effects, Engine, Fact, Origin, PlannedChange, PlannedGroup, PlannedUser, Refusal, Reply,
    TaskSelection, Terms, Write,
};
use crate::access::User;
use crate::model::{Goal, Group, GroupId, RunSpecId, TaskIdentity, Version};
use judge::Notes;

impl Engine {
    /// Does a write, or refuses it and leaves everything as it is. Where its author has a name, it is written down.
    pub(super) fn write(
        &mut self,
        now: Now,
        write: Write,
        terms: &Terms,
        origin: &Origin,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let mut notes = Notes::default();
        let outcome = self.decide(now, &write, terms, origin, &mut notes, out);
        if let (Some(user), false) = (origin.caller.name(), terms.dry_run)
            && let Some(entry) = notes.entry(user, &write, origin, &outcome)
        {
            self.record(now, Fact::Audited { entry: Box::new(entry) }, out);
        }
        outcome
    }

    fn decide(
        &mut self,
        now: Now,
        write: &Write,
        terms: &Terms,
        origin: &Origin,
        notes: &mut Notes,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        self.judge_named(write, &origin.caller, notes)?;
        self.check_precondition(write, terms)?;
        let draft = match write {
            Write::Put { changes, force } => self.draft_put(now, changes, conflict(*force), &origin.caller),
            Write::Delete { id, force } => self.draft_delete(now, id, conflict(*force)),
            Write::DeletePod { id, force } => self.draft_pod_removal(now, id, conflict(*force)),
            Write::Restart { id, force } => self.draft_restart(now, id, conflict(*force)),
            Write::PutGroup { id, to, force } => self.draft_group(now, id, to, conflict(*force), &origin.caller),
            Write::DeleteGroup { id, force } => self.draft_group_removal(now, id, conflict(*force), &origin.caller),
            Write::Cancel { id, mode: CancelMode::RollBack } => self.draft_roll_back(now, *id),
            Write::Kill { tasks, mode: super::KillMode::Scale, force } => {
                self.draft_scale(now, tasks, conflict(*force))
            }
            Write::Kill { tasks, mode, .. } => return self.kill(now, tasks, *mode, terms, out),
            Write::Cancel { id, mode: CancelMode::Leave } => return self.cancel(now, *id, terms, out),
            Write::Hold { id, paused } => return self.hold(now, *id, *paused, terms, out),
            Write::EnforceRole { group, enforced } => {
                return self.enforce_role(now, group, *enforced, terms, notes, out);
            }
            Write::ResetDelay { id } => return self.reset_delay(now, id, terms, out),
            Write::Acknowledge { consumer, seen } => return self.acknowledge(now, consumer.clone(), *seen, out),
            Write::User { name, change } => return self.change_user(now, name, change, terms, notes, out),
            Write::BeginSession(session) => return self.begin_session(now, session, out),
            Write::EndSession(digest) => return self.end_session(now, digest, out),
            Write::Note { .. } => return Ok(Reply::Done),
            Write::AddCallback { url, secret, position } => {
                return self.add_callback(now, url.clone(), secret.clone(), *position, (origin, terms), out);
            }
            Write::RemoveCallback { url } => return self.remove_callback(now, url.clone(), (origin, terms), out),
            Write::CallbackReached { url, position } => {
                return self.callback_reached(now, url.clone(), *position, out);
            }
            Write::KeepSecret { path, secret, former } => {
                return self.keep_secret(now, path, secret, *former, terms, out);
            }
            Write::RemoveSecret { path } => return self.remove_secret(now, path, terms, &origin.caller, out),
        };
        let draft = draft.and_then(|draft| self.judge(&draft, &origin.caller).map(|()| draft));
        match draft {
            Ok(draft) if terms.dry_run => Ok(Reply::Planned(Box::new(self.forecast(now, draft, terms.room.clone())))),
            Ok(draft) => {
                if origin.caller.name().is_some() {
                    self.note(&draft, notes);
                }
                Ok(self.carry_out(now, draft, origin, out))
            }
            Err(refusal) => {
                if matches!(refusal, Refusal::Locked { .. }) && !terms.dry_run {
                    // Subscribers get to know of a write that running deployments stood in the way of.
                    let refused = Fact::ChangeRefused {
                        group: group_around(write).to_string(),
                        version: Version(now.wall),
                        reason: refusal.to_string(),
                    };
                    self.record(now, refused, out);
                }
                Err(refusal)
            }
        }
    }

    fn carry_out(&mut self, now: Now, draft: Draft, origin: &Origin, out: &mut Effects) -> Reply {
        let version = draft.version;
        let is_new = |id: &RunSpecId| self.current(id).is_none();
        let created = draft.requested.iter().filter(|definition| is_new(&definition.id)).cloned().collect();
        for run_spec in &draft.requested {
            let Origin { client_ip, uri, .. } = origin.clone();
            self.record(now, Fact::Requested { client_ip, uri, run_spec: Arc::clone(run_spec) }, out);
        }
        if let Some(id) = draft.removed_pod.clone() {
            let Origin { client_ip, uri, .. } = origin.clone();
            self.record(now, Fact::PodRemovalRequested { client_ip, uri, id }, out);
        }
        self.regain(now, &draft.regained, origin, out);
        let killed = draft.killed.clone();
        let deployment = self.deploy(now, draft, out);
        killed.iter().for_each(|instance| self.decommission(now, instance, Goal::Stopped, out));
        Reply::Deployed { version, deployment, created }
    }

    /// What a draft changes, before and after.
    pub(super) fn changes(&self, draft: &Draft) -> Changes {
        let change = |target: &Target| PlannedChange {
            from: self.current(&target.id).cloned(),
            to: target.to.clone(),
            id: target.id.clone(),
        };
        let group = |(id, to): (&GroupId, &Option<Group>)| PlannedGroup {
            from: self.state.group(id).cloned(),
            to: to.clone(),
            id: id.clone(),
        };
        let user = |user: &Arc<User>| PlannedUser { name: user.name.clone(), from: None, to: Some(Arc::clone(user)) };
        Changes {
            run_specs: draft.targets.iter().map(change).collect(),
            groups: draft.groups.iter().map(group).collect(),
            users: draft.regained.users.iter().map(user).collect(),
            secrets: draft.regained.secrets.keys().cloned().collect(),
            callbacks: draft.regained.callbacks.keys().cloned().collect(),
        }
    }
}

fn conflict(force: bool) -> Conflict {
    if force { Conflict::TakeOver } else { Conflict::Refuse }
}

/// The group that events name when a write is refused.
fn group_around(write: &Write) -> GroupId {
    let id = match write {
        Write::Put { changes, .. } => changes.first().map(|change| change.id.clone()),
        Write::Delete { id, .. }
        | Write::DeletePod { id, .. }
        | Write::Restart { id, .. }
        | Write::ResetDelay { id } => Some(id.clone()),
        Write::Kill { tasks, .. } => match tasks {
            TaskSelection::All { run_spec }
            | TaskSelection::OnHost { run_spec, .. }
            | TaskSelection::OfPod { run_spec, .. }
            | TaskSelection::One { run_spec, .. } => Some(run_spec.clone()),
            TaskSelection::These(tasks) => tasks
                .first()
                .and_then(|task| TaskIdentity::parse(task.as_str()).ok())
                .map(|identity| identity.instance.run_spec),
        },
        Write::PutGroup { id, .. } | Write::DeleteGroup { id, .. } | Write::EnforceRole { group: id, .. } => {
            return id.clone();
        }
        Write::Cancel { .. }
        | Write::Hold { .. }
        | Write::Acknowledge { .. }
        | Write::User { .. }
        | Write::BeginSession(_)
        | Write::EndSession(_)
        | Write::Note { .. }
        | Write::AddCallback { .. }
        | Write::RemoveCallback { .. }
        | Write::CallbackReached { .. }
        | Write::KeepSecret { .. }
        | Write::RemoveSecret { .. } => None,
    };
    id.map_or_else(GroupId::root, |id| GroupId::of(&id))
}
