//! Instances of more than one process.

use attica_core_api::processes::{InvalidGraph, MAX_ROTATION_BACKUPS, MIN_ROTATION_BYTES};
use attica_paas_api::process::{GraphLifecycle, GraphLogger, GraphProcess as Written, GraphRotation, ProcessGraph};

use super::{Faults, numbers};
use crate::model::{Graph, GraphProcess, Lifecycle, Output, Rotation};
use crate::placement::process_graph;

const PATH: &str = "/processGraph";

pub(super) fn graph(written: Option<ProcessGraph>, faults: &mut Faults) -> Option<Graph> {
    let ProcessGraph { processes, orders, max_failures, max_concurrency, finalization_wait_seconds, lifecycle } =
        written?;
    let count = |name: &str, value, faults: &mut Faults| {
        numbers::count(&format!("{PATH}/{name}"), Some(value), u32::MAX, faults)
    };
    let processes: Vec<Option<GraphProcess>> = processes
        .into_iter()
        .enumerate()
        .map(|(index, written)| process(&format!("{PATH}/processes({index})"), written, faults))
        .collect();
    let max_failures = count("maxFailures", max_failures, faults);
    let max_concurrency = count("maxConcurrency", max_concurrency, faults);
    let wait = Some(finalization_wait_seconds);
    let finalization_wait_ms = numbers::milliseconds(&format!("{PATH}/finalizationWaitSeconds"), wait, faults);
    let lifecycle = match lifecycle {
        Some(written) => Some(self::lifecycle(written, faults)?),
        None => None,
    };
    let graph = Graph {
        processes: processes.into_iter().collect::<Option<_>>()?,
        orders,
        max_failures: max_failures?,
        max_concurrency: max_concurrency?,
        finalization_wait_ms: finalization_wait_ms?,
        lifecycle,
    };
    // Any port will do: which one it is follows from an offer.
    match process_graph(&graph, |_| Some(1)).map(|graph| graph.predecessors()) {
        Some(Ok(_)) | None => Some(graph),
        Some(Err(error)) => {
            faults.add(place(&graph, &error), error.to_string());
            None
        }
    }
}

fn place(graph: &Graph, error: &InvalidGraph) -> String {
    let of_process = |name: &str, field: &str| {
        let index = graph.processes.iter().rposition(|process| process.name == *name);
        index.map_or(format!("{PATH}/processes"), |index| format!("{PATH}/processes({index})/{field}"))
    };
    match error {
        InvalidGraph::Empty | InvalidGraph::Long(_) => format!("{PATH}/processes"),
        InvalidGraph::Name(name) | InvalidGraph::Twice(name) => of_process(name, "name"),
        InvalidGraph::CommandLine(name) => of_process(name, "cmd"),
        InvalidGraph::Rotation(name) => of_process(name, "rotate"),
        InvalidGraph::Unknown(_)
        | InvalidGraph::Mixed(..)
        | InvalidGraph::Daemon(..)
        | InvalidGraph::Ephemeral(..)
        | InvalidGraph::Cycle(_) => format!("{PATH}/orders"),
        InvalidGraph::Port(_) | InvalidGraph::Path(_) => format!("{PATH}/lifecycle"),
        InvalidGraph::Seconds(_) => PATH.to_owned(),
    }
}

fn process(path: &str, written: Written, faults: &mut Faults) -> Option<GraphProcess> {
    let max_failures = numbers::count(&format!("{path}/maxFailures"), Some(written.max_failures), u32::MAX, faults);
    let pause = Some(written.min_duration_seconds);
    let min_duration_ms = numbers::milliseconds(&format!("{path}/minDurationSeconds"), pause, faults);
    Some(GraphProcess {
        name: written.name,
        line: written.cmd,
        max_failures: max_failures?,
        daemon: written.daemon,
        ephemeral: written.ephemeral,
        last: written.r#final,
        min_duration_ms: min_duration_ms?,
        output: match written.logger {
            GraphLogger::File => Output::File,
            GraphLogger::Console => Output::Console,
            GraphLogger::Both => Output::Both,
            GraphLogger::None => Output::Nowhere,
        },
        rotation: match written.rotate {
            Some(written) => Some(rotation(&format!("{path}/rotate"), written, faults)?),
            None => None,
        },
    })
}

fn rotation(path: &str, written: GraphRotation, faults: &mut Faults) -> Option<Rotation> {
    let backups = numbers::count(&format!("{path}/backups"), Some(written.backups), MAX_ROTATION_BACKUPS, faults);
    let size_bytes = u64::try_from(written.size_bytes).ok().filter(|bytes| *bytes >= MIN_ROTATION_BYTES);
    if size_bytes.is_none() {
        faults.add(
            format!("{path}/sizeBytes"),
            format!("got {}, expected {MIN_ROTATION_BYTES} or more", written.size_bytes),
        );
    }
    Some(Rotation { size_bytes: size_bytes?, backups: backups? })
}

fn lifecycle(written: GraphLifecycle, faults: &mut Faults) -> Option<Lifecycle> {
    let path = |name: &str| format!("{PATH}/lifecycle/{name}");
    let port_index = numbers::count(&path("portIndex"), Some(written.port_index), u32::MAX, faults);
    let waits = [
        ("gracefulShutdownWaitSeconds", written.graceful_shutdown_wait_seconds),
        ("shutdownWaitSeconds", written.shutdown_wait_seconds),
    ];
    let [graceful_wait_ms, final_wait_ms] =
        waits.map(|(name, seconds)| numbers::milliseconds(&path(name), Some(seconds), faults));
    Some(Lifecycle {
        port_index: port_index?,
        graceful_path: written.graceful_shutdown_path,
        final_path: written.shutdown_path,
        graceful_wait_ms: graceful_wait_ms?,
        final_wait_ms: final_wait_ms?,
    })
}
