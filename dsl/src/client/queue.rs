//! `attica queue`

use std::time::{Duration, SystemTime};

use attica_paas_api::deployment::Free;
use attica_paas_api::queue::{OffersSummary, Queue, QueueItem, RejectRow};
use clap::Args;

use super::age::{age, short};
use super::failure::Failure;
use super::options::GlobalOptions;
use super::server::Request;
use super::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// Shows what waits to be started, and why.
#[derive(Clone, Debug, Args)]
pub struct QueueCommand {
    #[command(flatten)]
    pub(super) options: GlobalOptions,
}

pub(super) async fn show(session: &mut Session<'_>) -> Result<(), Failure> {
    let answer = session.server.call(&Request::get("/v2/queue?embed=conditions&embed=nearestFits")).await?;
    match session.form {
        Form::Json => session.show_document(&answer),
        Form::Text => {
            let Queue { queue } = answer.read()?;
            if queue.is_empty() {
                session.remark("nothing waits");
                return Ok(());
            }
            let columns =
                [Column::text("APP"), Column::number("WAITING"), Column::number("SINCE"), Column::prose("WHY")];
            let mut table = Table::new(&columns);
            let now = session.now();
            for item in &queue {
                table.row([
                    Line::toned(Tone::Strong, item.subject()),
                    Line::plain(item.count.to_string()),
                    Line::toned(Tone::Faint, age(&item.since, now)),
                    Line::plain(why_and_how_long(item, now)),
                ]);
            }
            session.show_table(&table)
        }
    }
}

/// Why instances of an app are not started yet, in words that stay the same while nothing changes.
pub(super) fn why(item: &QueueItem) -> String {
    match item.delay.overdue {
        true => offers(&item.processed_offers_summary, |_| String::new()),
        false => "held back after failures".to_owned(),
    }
}

/// The same, for how long, and who comes nearest to having room.
fn why_and_how_long(item: &QueueItem, now: SystemTime) -> String {
    if !item.delay.overdue {
        return format!("{}, for another {}", why(item), short(Duration::from_secs(item.delay.time_left_seconds)));
    }
    let nearest = item.nearest_fits.iter().flatten().next().map(|fit| {
        let Free { cpus, mem, disk } = fit.free;
        let free = format!("{} cpus, {} MiB of memory and {} MiB of disk free", cpus.0, mem.0, disk.0);
        format!("; the nearest fit {} {}, with {free}", fit.hostname, all_words(&fit.reasons))
    });
    let lasting = |reason: &str| {
        let held = item.conditions.iter().flatten().find(|held| held.reason == reason && held.since != item.since);
        held.map_or_else(String::new, |held| format!(" for {}", age(&held.since, now)))
    };
    offers(&item.processed_offers_summary, lasting) + &nearest.unwrap_or_default()
}

/// What was wrong with the offers last seen; `lasting` says for how long.
fn offers(summary: &OffersSummary, lasting: impl Fn(&str) -> String) -> String {
    let rows = &summary.reject_summary_last_offers;
    let looked_at = rows.iter().map(|row| row.processed).max().unwrap_or_default();
    let reasons: Vec<String> =
        rows.iter().filter(|row| row.declined > 0).map(|row| reason(row) + &lasting(&row.reason)).collect();
    match (looked_at, reasons.is_empty()) {
        (0, _) => "no agent has offered anything yet".to_owned(),
        (_, true) => "offers are being looked at".to_owned(),
        (1, false) => format!("the one agent that offers something: {}", reasons.join(", ")),
        (agents, false) => format!("of {agents} agents that offer something: {}", reasons.join(", ")),
    }
}

/// What one agent is like that has no room, for all these reasons.
pub(super) fn all_words(reasons: &[String]) -> String {
    reasons.iter().map(|reason| words(reason, 1)).collect::<Vec<_>>().join(", ")
}

/// `2 have too little memory`
fn reason(row: &RejectRow) -> String {
    format!("{} {}", row.declined, words(&row.reason, row.declined))
}

/// What so many agents are like that had no room, in the words of the console.
fn words(reason: &str, agents: u64) -> &str {
    let (one, many) = match reason {
        "UnfulfilledRole" => ("is kept for another role", "are kept for another role"),
        "UnfulfilledConstraint" => ("does not meet its constraints", "do not meet its constraints"),
        "NoCorrespondingReservationFound" => ("lacks its reservation", "lack its reservation"),
        "AgentMaintenance" => ("is under maintenance", "are under maintenance"),
        "InsufficientCpus" => ("has too little cpu", "have too little cpu"),
        "InsufficientMemory" => ("has too little memory", "have too little memory"),
        "InsufficientDisk" => ("has too little disk", "have too little disk"),
        "InsufficientGpus" => ("has too few gpus", "have too few gpus"),
        "InsufficientPorts" => ("has no suitable ports", "have no suitable ports"),
        "DeclinedScarceResources" => {
            ("is kept for those who need its scarce resources", "are kept for those who need scarce resources")
        }
        other => (other, other),
    };
    if agents == 1 { one } else { many }
}
