//! Who was asked to leave which agent, and what they answered.

use std::collections::HashMap;

use attica_core_api::operator::{InverseOfferAnswer, InverseOfferStatus};

use super::{Model, ReadModel};
use crate::kernel::{Answer, Asking};

impl ReadModel {
    /// What frameworks answered about agents, by the agents' hosts in lower case.
    pub(in crate::master) fn inverse_answers(&self) -> HashMap<String, Vec<InverseOfferStatus>> {
        let model = self.lock();
        let mut answers: HashMap<String, Vec<InverseOfferStatus>> = HashMap::new();
        for ((agent, framework), status) in &model.inverse_answers {
            let lives = model.frameworks.get(framework).is_some_and(|framework| !framework.is_removed());
            if let Some(agent) = model.agents.get(agent).filter(|_| lives) {
                answers.entry(agent.info().hostname.to_ascii_lowercase()).or_default().push(status.clone());
            }
        }
        answers
    }
}

impl Model {
    pub(super) fn ask(&mut self, asking: &Asking) {
        match asking {
            Asking::Anew { agent } => self.inverse_answers.retain(|(about, _), _| about != agent),
            Asking::Asked(offer) => {
                if let Some(framework) = self.frameworks.get_mut(&offer.framework_id) {
                    framework.inverse_offers.insert(offer.id.clone(), (**offer).clone());
                }
            }
            Asking::Answered { agent, framework, answer, at } => {
                let status = InverseOfferStatus {
                    status: match answer {
                        Answer::Accepted => InverseOfferAnswer::Accept,
                        Answer::Declined => InverseOfferAnswer::Decline,
                    },
                    framework_id: framework.clone(),
                    timestamp: at.time_info(),
                };
                self.inverse_answers.insert((agent.clone(), framework.clone()), status);
            }
            Asking::Over { framework, offer } => {
                if let Some(framework) = self.frameworks.get_mut(framework) {
                    framework.inverse_offers.remove(offer);
                }
            }
        }
    }
}
