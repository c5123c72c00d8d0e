//! Which upstream of a service gets a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::live::LiveService;
use super::upstream::{Upstream, mark, mixed};
use crate::lb::table::Balance;

/// What a choice may depend on.
pub(super) struct Chooser<'a> {
    pub(super) client: IpAddr,
    /// The upstream that a cookie names.
    pub(super) wanted: Option<u64>,
    /// Where the request was tried already.
    pub(super) tried: &'a [Arc<Upstream>],
}

impl Chooser<'_> {
    /// An upstream that was not tried yet; one that could not be connected to a moment ago only when there is no other.
    pub(super) fn choose<'s>(&self, service: &'s LiveService) -> Option<&'s Arc<Upstream>> {
        let fresh = |upstream: &&Arc<Upstream>| !self.tried.iter().any(|tried| Arc::ptr_eq(tried, upstream));
        let well = |upstream: &&Arc<Upstream>| fresh(upstream) && !upstream.is_suspended();
        if let Some(mark) = self.wanted
            && let Some(upstream) = service.upstreams.iter().find(|upstream| upstream.mark == mark && well(upstream))
        {
            return Some(upstream);
        }
        let turn = service.turn.fetch_add(1, Ordering::Relaxed);
        self.among(service, turn, well).or_else(|| self.among(service, turn, fresh))
    }

    fn among<'s>(
        &self,
        service: &'s LiveService,
        turn: usize,
        fit: impl Fn(&&'s Arc<Upstream>) -> bool,
    ) -> Option<&'s Arc<Upstream>> {
        let upstreams = &service.upstreams;
        let (before, from) = upstreams.split_at(turn.checked_rem(upstreams.len())?);
        let mut round = from.iter().chain(before).filter(fit);
        match service.service.balance {
            Balance::RoundRobin => round.next(),
            // Of equals the first one, and the round begins elsewhere each time.
            Balance::LeastConnections => round.min_by_key(|upstream| upstream.in_progress()),
            // Whoever weighs most for this client: when one leaves, only its clients move.
            Balance::Source => {
                let client = mark(&self.client.to_string());
                round.max_by_key(|upstream| mixed(upstream.mark ^ client))
            }
        }
    }
}
