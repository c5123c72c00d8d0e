//! What the master says, one file per event that matters.

mod containers;
mod framework_removed;
mod health;
mod subscribed;
mod unreachable;
mod update;

use attica_core_api::Now;
use attica_core_api::scheduler::{Event, EventType};

use super::{Effects, Engine};
pub(super) use subscribed::Unconfirmed;

impl Engine {
    /// Takes an event of the scheduler's stream in. One without the member of its type is ignored: it says nothing.
    pub(super) fn scheduler_event(&mut self, now: Now, event: Event, out: &mut Effects) {
        match event.r#type.unwrap_or(EventType::Unknown) {
            EventType::Subscribed => {
                event.subscribed.into_iter().for_each(|subscribed| self.subscribed(now, subscribed, out))
            }
            EventType::Offers => self.offers.extend(event.offers.into_iter().flat_map(|offers| offers.offers)),
            EventType::Rescind => {
                let rescinded = event.rescind.map(|rescind| rescind.offer_id);
                self.offers.retain(|offer| Some(&offer.id) != rescinded.as_ref());
            }
            EventType::Update => {
                event.update.into_iter().for_each(|update| self.status_update(now, update.status, out))
            }
            // Statuses of the tasks follow a FAILURE; the others concern nothing that is built.
            EventType::Failure
            | EventType::InverseOffers
            | EventType::RescindInverseOffer
            | EventType::UpdateOperationStatus
            | EventType::Message
            | EventType::Error
            | EventType::Heartbeat
            | EventType::Unknown => {}
        }
    }
}
