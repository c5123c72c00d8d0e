//! I10: folding the facts gives the same state as the tables, and either is what the leader has in its memory. The simulated tables are
//! the fold; what is compared with it is the live kernel and the live engine.

use attica_paas::engine::Snapshot;

use crate::master::Master;
use crate::paas::Leader;
use crate::{paas, store};

/// Compares the leading kernel, if it has all its facts in the store. Returns how many were compared.
pub(super) fn kernel(now: u64, masters: &[Master], store: &store::Store) -> Result<u64, String> {
    let leads = |master: &&Master| master.leader().is_some_and(|leader| leader.epoch == store.lead.epoch);
    let Some(master) = masters.iter().find(leads) else { return Ok(0) };
    let compared = master.check_fold(now, &store.snapshot).map_err(|difference| format!("I10: {difference}"))?;
    Ok(u64::from(compared))
}

/// Compares the leading engine, which has all its facts in the store.
pub(super) fn engine(leader: &Leader, store: &paas::Store) -> Result<(), String> {
    compare(leader.engine.snapshot(), &store.snapshot)
}

fn compare(live: &Snapshot, folded: &Snapshot) -> Result<(), String> {
    if live == folded {
        return Ok(());
    }
    if live.deployments != folded.deployments {
        return Err(format!("I10: deployments {:?}, but folded {:?}", live.deployments, folded.deployments));
    }
    let differs = |id: &&_| live.run_specs.get(*id) != folded.run_specs.get(*id);
    let apart = live.run_specs.keys().chain(folded.run_specs.keys()).find(differs);
    Err(format!("I10: the live state is not the fold of its facts, at {apart:?}"))
}
