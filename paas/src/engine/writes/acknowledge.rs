use attica_core_api::Now;

use super::super::{Effects, Engine, Fact, Refusal, Reply};
use crate::model::ConsumerName;

impl Engine {
    /// Notes how far a consumer of the event stream has come, and that it is waited for.
    pub(super) fn acknowledge(
        &mut self,
        now: Now,
        name: ConsumerName,
        seen: i64,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        if !self.state.consumers.contains(&name) {
            let limit = self.config.consumers_max;
            if self.state.consumers.len() >= limit {
                return Err(Refusal::TooManyConsumers { limit });
            }
            self.record(now, Fact::ConsumerJoined { name: name.clone() }, out);
        }
        self.consumer_heard(now, name, seen);
        Ok(Reply::Done)
    }
}
