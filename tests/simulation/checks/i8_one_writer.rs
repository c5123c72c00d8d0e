//! I8: nothing of an epoch takes effect, in the store or on an agent, after a later epoch has begun there.

use crate::agent::Obeyed;

/// The epoch that wrote last.
#[derive(Default)]
pub(super) struct OneWriter {
    epoch: u64,
}

impl OneWriter {
    pub(super) fn committed(&mut self, epoch: u64) -> Result<(), String> {
        if epoch < self.epoch {
            return Err(format!("I8: epoch {epoch} writes after epoch {}", self.epoch));
        }
        self.epoch = epoch;
        Ok(())
    }
}

/// An agent carried an order out.
pub(super) fn obeyed(obeyed: &Obeyed) -> Result<(), String> {
    if obeyed.epoch < obeyed.highest {
        return Err(format!("I8: an agent obeys epoch {} after epoch {}", obeyed.epoch, obeyed.highest));
    }
    Ok(())
}
