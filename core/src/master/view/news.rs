//! What operators who watch are told of a committed batch.
//!
//! Noted while the batch is folded in, and put into words after it: how a framework or an agent stands is known by then.

use attica_core_api::operator::{Event, TaskUpdated};
use attica_core_api::v1::{AgentId, FrameworkId, FrameworkInfo, Task, TaskStatus};

use super::Model;

/// Something that has happened.
pub(super) enum News {
    FrameworkAdded(FrameworkId),
    FrameworkUpdated(FrameworkId),
    FrameworkRemoved(Box<FrameworkInfo>),
    AgentAdded(AgentId),
    AgentRemoved(AgentId),
    TaskAdded(Box<Task>),
    TaskUpdated(Box<TaskUpdated>),
}

impl Model {
    /// Notes what has happened, if anybody wants to know.
    pub(super) fn note(&mut self, news: impl FnOnce() -> News) {
        if let Some(noted) = &mut self.news {
            noted.push(news());
        }
    }

    pub(super) fn note_status(&mut self, framework: &FrameworkId, status: &TaskStatus) {
        self.note(|| {
            News::TaskUpdated(Box::new(TaskUpdated {
                framework_id: framework.clone(),
                status: status.clone(),
                state: status.state,
            }))
        });
    }

    /// What was noted, in words.
    pub(super) fn tell(&mut self) -> Vec<Event> {
        let noted = self.news.take().unwrap_or_default();
        noted.into_iter().filter_map(|news| self.event(news)).collect()
    }

    /// Nothing, when what it is about is gone already: then that follows.
    fn event(&self, news: News) -> Option<Event> {
        Some(match news {
            News::FrameworkAdded(id) => Event::framework_added(self.frameworks.get(&id)?.news()),
            News::FrameworkUpdated(id) => Event::framework_updated(self.frameworks.get(&id)?.news()),
            News::FrameworkRemoved(info) => Event::framework_removed(*info),
            News::AgentAdded(id) => Event::agent_added(self.agents.get(&id)?.message()),
            News::AgentRemoved(id) => Event::agent_removed(id),
            News::TaskAdded(task) => Event::task_added(*task),
            News::TaskUpdated(updated) => Event::task_updated(*updated),
        })
    }
}
