//! Operators' calls about containers, on their way through the loop.

use std::collections::HashMap;

use attica_core_api::auth::Viewer;
use tokio::sync::oneshot;

use crate::supervisor::{Input, OperatorCall, OperatorReply, ReplyTo};

/// A call of an operator.
#[derive(Debug)]
pub(crate) struct OperatorCalled {
    pub(crate) call: OperatorCall,
    pub(crate) viewer: Viewer,
    pub(crate) answer: oneshot::Sender<OperatorReply>,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Operators {
    waiting: HashMap<ReplyTo, oneshot::Sender<OperatorReply>>,
    replies: u64,
}

impl Operators {
    /// What the supervisor is to make of a call.
    pub(super) fn called(&mut self, called: OperatorCalled) -> Input {
        let OperatorCalled { call, viewer, answer } = called;
        self.replies += 1;
        let reply = ReplyTo(self.replies);
        self.waiting.insert(reply, answer);
        Input::OperatorCall { call, viewer, reply }
    }

    pub(super) fn answer(&mut self, reply: ReplyTo, outcome: OperatorReply) {
        if let Some(answer) = self.waiting.remove(&reply) {
            // Whoever asked has given up waiting.
            let _gone = answer.send(outcome);
        }
    }
}
