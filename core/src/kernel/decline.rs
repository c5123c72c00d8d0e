//! DECLINE: the offers end, and the same is not offered again for a while.

use attica_core_api::scheduler::Decline;
use attica_core_api::v1::{Filters, FrameworkId};

use super::{Effects, Kernel, Now, View};

/// How long a refusal lasts when nothing is said.
const REFUSE_DEFAULT_SECONDS: f64 = 5.0;
/// How long a refusal lasts at least. Offers follow each other as soon as something is free: without this, a scheduler that refuses
/// for no time would get the same offer again as fast as the network carries its refusals.
const REFUSE_LEAST_MS: u64 = 100;
/// How long a refusal can last.
const REFUSE_LIMIT_SECONDS: f64 = 365.0 * 86_400.0;

impl Kernel {
    /// Offers that are not (or no longer) this framework's are passed over.
    pub(super) fn decline(&mut self, now: Now, id: &FrameworkId, decline: &Decline, out: &mut Effects) {
        let framework = self.framework_key(id);
        let refuse_ms = refuse_ms(decline.filters.as_ref());
        for offer_id in &decline.offer_ids {
            let theirs = |key: &_| self.allocator.offered_to(*key) == Some(framework);
            let Some(key) = self.offer_key(offer_id).filter(theirs) else { continue };
            let Some(offer) = self.allocator.take(key) else { continue };
            self.allocator.decline(now.tick, &offer, &offer.resources, refuse_ms);
            out.view.push(View::OfferGone { offer: offer_id.clone() });
        }
    }
}

/// The length of a refusal. A negative or impossible one is the default, a very long one is cut, as in Mesos; a very short one lasts a
/// moment, as there it lasts until the next allocation.
pub(super) fn refuse_ms(filters: Option<&Filters>) -> u64 {
    let wanted = filters.map_or(REFUSE_DEFAULT_SECONDS, |filters| filters.refuse_seconds);
    let seconds = if wanted >= 0.0 { wanted.min(REFUSE_LIMIT_SECONDS) } else { REFUSE_DEFAULT_SECONDS };
    ((seconds * 1_000.0) as u64).max(REFUSE_LEAST_MS)
}
