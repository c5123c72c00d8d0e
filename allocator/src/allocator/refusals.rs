use smallvec::SmallVec;

use super::shares::ClientIndex;
use crate::bits::Bits;
use crate::{Resources, Tick};

/// How many different refusals an agent remembers. Beyond them the one that ends first is forgotten early: its clients
/// see an offer again sooner than they asked for, which is safe.
const MOST: usize = 64;

/// The end of a refusal is rounded up by at most this part of its length, so that many refusals end together.
const COARSENESS: u64 = 16;

/// The decline filters on one agent. A filter blocks offers that hold nothing beyond what was refused. All clients
/// that refused the same resources until the same moment share one record, a bit each: a thousand frameworks that all
/// refuse an agent cost one comparison of resources, not a thousand.
#[derive(Debug, Default)]
pub(super) struct Refusals(SmallVec<[Refusal; 1]>);

#[derive(Debug)]
struct Refusal {
    refused: Resources,
    until: Tick,
    clients: Bits,
}

/// When a refusal for `refuse_ms` from `now` ends: not before, and at most a sixteenth of its length later.
pub(super) fn end_of_refusal(now: Tick, refuse_ms: u64) -> Tick {
    let step_ms = match refuse_ms / COARSENESS {
        0 => 1,
        coarse_ms => 1 << coarse_ms.ilog2(),
    };
    let end = now.after(refuse_ms);
    end.0.checked_next_multiple_of(step_ms).map_or(end, Tick)
}

impl Refusals {
    /// Remembers that `client` does not want `refused`, nor less, before `until`. True when another refusal had to be
    /// forgotten for it.
    #[must_use]
    pub(super) fn record(&mut self, client: ClientIndex, refused: &Resources, until: Tick) -> bool {
        let same = |refusal: &&mut Refusal| refusal.until == until && refusal.refused == *refused;
        if let Some(refusal) = self.0.iter_mut().find(same) {
            refusal.clients.insert(client);
            return false;
        }
        let full = self.0.len() >= MOST;
        if full && let Some((first, _)) = self.0.iter().enumerate().min_by_key(|(_, refusal)| refusal.until) {
            self.0.swap_remove(first);
        }
        let mut clients = Bits::default();
        clients.insert(client);
        self.0.push(Refusal { refused: refused.clone(), until, clients });
        full
    }

    /// Takes those clients out of `candidates` who would refuse every part of `free`.
    pub(super) fn subtract_from(&self, candidates: &mut Bits, free: &Resources) {
        for refusal in self.0.iter().filter(|refusal| refusal.refused.contains(free)) {
            candidates.subtract(&refusal.clients);
        }
    }

    /// True when `client` would refuse `offered`.
    pub(super) fn block(&self, client: ClientIndex, offered: &Resources) -> bool {
        self.0.iter().any(|refusal| refusal.clients.contains(client) && refusal.refused.contains(offered))
    }

    /// Forgets what `client` refused.
    pub(super) fn forget(&mut self, client: ClientIndex) {
        self.0.retain_mut(|refusal| !(refusal.clients.remove(client) && refusal.clients.is_empty()));
    }

    /// Forgets everything. True when there was something.
    pub(super) fn clear(&mut self) -> bool {
        let some = !self.0.is_empty();
        self.0.clear();
        some
    }

    /// Forgets what has ended.
    pub(super) fn expire(&mut self, now: Tick) {
        self.0.retain(|refusal| now < refusal.until);
    }

    /// When the next refusal ends.
    pub(super) fn next_end(&self) -> Option<Tick> {
        self.0.iter().map(|refusal| refusal.until).min()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
