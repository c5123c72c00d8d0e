//! What happens because time has passed, and the offers that follow from everything that happened since.

use super::timers::Timer;
use super::{Effects, Kernel, Now};

impl Kernel {
    /// Lets what is due take effect, makes offers, and sets `out.wake`. To be called after each run of inputs and at `wake`.
    pub fn settle(&mut self, now: Now, out: &mut Effects) {
        self.forgive_own_delay(now);
        while let Some(timer) = self.timers.pop_due(now.tick) {
            match timer {
                Timer::FrameworkAway(framework) => self.framework_away_due(now, &framework, out),
                Timer::AgentSilent(agent) => self.agent_silent_due(now, &agent, out),
                Timer::UnreachablePermit => {}
                Timer::Resend(framework, task) => self.resend_due(now, &framework, &task, out),
                Timer::AskToLeave(agent) => self.ask_to_leave(now, &agent, out),
                Timer::ResendOperation(operation) => self.operation_resend_due(now, operation, out),
            }
        }
        self.declare_unreachable(now, out);
        self.forget_old_agents(now, out);
        self.finish_drains(now, out);
        let expired = self.allocator.expire(now.tick);
        self.rescind(expired, out);
        self.make_offers(now, out);
        let forget_at = self.unreachable.first().map(|(forget_at, _)| *forget_at);
        self.wake = self.timers.next().into_iter().chain(self.allocator.next_wake()).chain(forget_at).min();
        out.wake = self.wake;
        self.turn += 1;
    }

    /// When this process was not running on time, the silence of agents proves nothing: what they said may be waiting still. They get
    /// as much more time as we were late, and that of a heartbeat on top.
    fn forgive_own_delay(&mut self, now: Now) {
        let Some(late_ms) = self.wake.map(|wake| now.tick.since(wake)) else { return };
        let heartbeat_ms = self.config.agent_heartbeat_ms;
        if late_ms < heartbeat_ms {
            return;
        }
        for agent in self.agents.values_mut() {
            agent.heard = agent.heard.after(late_ms + heartbeat_ms).min(now.tick);
        }
    }
}
