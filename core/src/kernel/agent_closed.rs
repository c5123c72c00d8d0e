//! An agent's link broke. Its tasks go on; it gets no offers until it is back.

use super::agent::Contact;
use super::{Effects, Kernel, LinkId, View};

impl Kernel {
    pub(super) fn agent_closed(&mut self, link: &LinkId, out: &mut Effects) {
        let Some(id) = self.links.remove(link) else { return };
        self.agent_mut(&id).contact = Contact::Away;
        self.withdraw_agent(&id, out);
        out.view.push(View::AgentDisconnected { agent: id });
    }
}
