//! Operators' calls about containers, on their way through the loop.

use std::collections::{HashMap, HashSet};

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

    /// Those who have given up waiting.
    pub(super) fn forsaken(&mut self) -> HashSet<ReplyTo> {
        self.waiting.extract_if(|_, answer| answer.is_closed()).map(|(reply, _)| reply).collect()
    }

    pub(super) fn answer(&mut self, reply: ReplyTo, outcome: OperatorReply) {
        if let Some(answer) = self.waiting.remove(&reply) {
            // Whoever asked has given up waiting.
            let _gone = answer.send(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contained::ContainerPath;

    #[test]
    fn who_has_given_up_waiting_is_known() {
        let mut operators = Operators::default();
        let mut call = || {
            let (answer, answered) = oneshot::channel();
            let call = OperatorCall::Wait(ContainerPath::root("x"));
            let Input::OperatorCall { reply, .. } =
                operators.called(OperatorCalled { call, viewer: Viewer::default(), answer })
            else {
                panic!("a call is a call")
            };
            (reply, answered)
        };
        let ((_stays, _patient), (gone, impatient)) = (call(), call());
        drop(impatient);
        assert_eq!(operators.forsaken(), HashSet::from([gone]));
        assert!(operators.forsaken().is_empty());
        assert_eq!(operators.waiting.len(), 1);
    }
}
