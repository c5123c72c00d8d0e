//! I10: the fold of the facts, read back from the journal, is the state that the engine has.

use attica_paas::engine::Snapshot;

use crate::paas::{Leader, Store};

/// A leader has all its facts in the store.
pub(super) fn settled(leader: &Leader, store: &Store) -> Result<(), String> {
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
