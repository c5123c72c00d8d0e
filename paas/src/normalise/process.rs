//! Instances of more than one process, as clients read them.

use attica_paas_api::Number;
use attica_paas_api::process::{
    GraphLifecycle, GraphLogger, GraphProcess as ReadProcess, GraphRotation, ProcessGraph, ProcessStatus,
};

use crate::model::{Graph, GraphProcess, Lifecycle, Output, ProcessReport, Rotation};

pub(super) fn graph(graph: &Graph) -> ProcessGraph {
    ProcessGraph {
        processes: graph.processes.iter().map(process).collect(),
        orders: graph.orders.clone(),
        max_failures: graph.max_failures.into(),
        max_concurrency: graph.max_concurrency.into(),
        finalization_wait_seconds: seconds(graph.finalization_wait_ms),
        lifecycle: graph.lifecycle.as_ref().map(lifecycle),
    }
}

fn process(process: &GraphProcess) -> ReadProcess {
    ReadProcess {
        name: process.name.clone(),
        cmd: process.line.clone(),
        max_failures: process.max_failures.into(),
        daemon: process.daemon,
        ephemeral: process.ephemeral,
        r#final: process.last,
        min_duration_seconds: seconds(process.min_duration_ms),
        logger: match process.output {
            Output::File => GraphLogger::File,
            Output::Console => GraphLogger::Console,
            Output::Both => GraphLogger::Both,
            Output::Nowhere => GraphLogger::None,
        },
        rotate: process.rotation.map(|Rotation { size_bytes, backups }| GraphRotation {
            size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX),
            backups: backups.into(),
        }),
    }
}

fn lifecycle(lifecycle: &Lifecycle) -> GraphLifecycle {
    GraphLifecycle {
        port_index: lifecycle.port_index.into(),
        graceful_shutdown_path: lifecycle.graceful_path.clone(),
        shutdown_path: lifecycle.final_path.clone(),
        graceful_shutdown_wait_seconds: seconds(lifecycle.graceful_wait_ms),
        shutdown_wait_seconds: seconds(lifecycle.final_wait_ms),
    }
}

pub(super) fn report(report: &ProcessReport) -> ProcessStatus {
    ProcessStatus {
        name: report.name.clone(),
        state: report.state.name().to_owned(),
        runs: report.runs,
        failures: report.failures,
        exit_code: report.exit_code,
        signal: report.signal,
        message: report.message.clone(),
    }
}

fn seconds(milliseconds: u64) -> Number {
    Number(milliseconds as f64 / 1_000.0)
}
