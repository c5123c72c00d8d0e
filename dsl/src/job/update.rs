//! What an update of the job would be started with.

use serde_json::{Value as Json, json};

use crate::schema::Object;

/// The settings; a sentence where none can be made.
pub(super) fn settings(config: &Object) -> Result<Json, String> {
    let Some(update) = config.field("update_config") else { return Err("the job has no update_config".to_owned()) };
    let number = |field: &str| update.integer(field).unwrap_or_default();
    let mut group_size = number("batch_size");
    let strategy = match update.field("update_strategy") {
        None if update.is_true("wait_for_batch_completion") => {
            json!({"batchStrategy": {"groupSize": group_size, "autopauseAfterBatch": false}})
        }
        None => json!({"queueStrategy": {"groupSize": group_size}}),
        Some(strategy) => {
            let kind = strategy.struct_type().map(|kind| &*kind.name).unwrap_or_default();
            if let Some(other) = &strategy.fits_also {
                return Err(format!(
                    "the update_strategy may be a {kind} or a {}: name the one that is meant",
                    other.name
                ));
            }
            let autopause = strategy.is_true("autopause_after_batch");
            let size = strategy.integer("batch_size");
            group_size = size.unwrap_or(group_size);
            match kind {
                "QueueUpdateStrategy" => json!({"queueStrategy": {"groupSize": group_size}}),
                "BatchUpdateStrategy" => {
                    json!({"batchStrategy": {"groupSize": group_size, "autopauseAfterBatch": autopause}})
                }
                _ => {
                    json!({"varBatchStrategy": {"groupSizes": strategy.field("batch_sizes").map(|sizes| sizes.to_json()), "autopauseAfterBatch": autopause}})
                }
            }
        }
    };
    let mut settings = json!({
        "updateGroupSize": group_size,
        "maxPerInstanceFailures": number("max_per_shard_failures"),
        "maxFailedInstances": number("max_total_failures"),
        "minWaitInInstanceRunningMs": number("watch_secs").saturating_mul(1000),
        "rollbackOnFailure": update.is_true("rollback_on_failure"),
        "waitForBatchCompletion": update.is_true("wait_for_batch_completion"),
        "slaAware": update.is_true("sla_aware"),
        "updateStrategy": strategy,
    });
    if let Some(seconds) = update.integer("pulse_interval_secs") {
        settings["blockIfNoPulsesAfterMs"] = json!(seconds.saturating_mul(1000));
    }
    Ok(settings)
}
