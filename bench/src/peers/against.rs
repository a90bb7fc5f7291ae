//! How the service compares with the faster of its peers, each at its best.

use std::fmt::Write;

use serde::Serialize;

use super::Peers;
use crate::database::Engine;
use crate::report::{Line, Report};
use crate::table::aligned;

const ZUMRA: &str = "zumra";
/// Compared by what they do in a second, and by what one request takes.
const BY_RATE: [&str; 3] = ["add-1", "add-100", "add-1000"];
const BY_TIME: &str = "add-10000";

/// One workload: the fastest peer, and the service beside it.
#[derive(Serialize)]
pub(crate) struct Against {
    workload: &'static str,
    /// Customers of one request.
    size: i64,
    /// The fastest peer, with the number of processes with which it was that.
    peer: String,
    processes: usize,
    customers_per_second: f64,
    zumra: Vec<Ours>,
}

/// What the service does.
#[derive(Serialize)]
struct Ours {
    engine: Engine,
    processes: usize,
    customers_per_second: f64,
    /// How many times what the peer does.
    times: f64,
}

/// The comparison, of what was measured so far.
pub(super) fn against(report: &Report) -> Vec<Against> {
    BY_RATE.iter().filter_map(|workload| one(report, workload)).collect()
}

fn one(report: &Report, workload: &str) -> Option<Against> {
    let lines = || all(report).filter(|(_, line)| line.workload == workload);
    let peers = lines().map(|(_, line)| line).filter(|line| line.system != ZUMRA);
    let best = peers.max_by(|one, other| rate(one).total_cmp(&rate(other)))?;
    let ours = lines().filter(|(_, line)| line.system == ZUMRA).map(|(engine, line)| Ours {
        engine,
        processes: line.processes,
        customers_per_second: rate(line),
        times: rate(line) / rate(best),
    });
    Some(Against {
        workload: best.workload,
        size: best.size,
        peer: best.system.clone(),
        processes: best.processes,
        customers_per_second: rate(best),
        zumra: ours.collect(),
    })
}

/// All lines, with the engine of each.
fn all(report: &Report) -> impl Iterator<Item = (Engine, &Line)> {
    report.engines.iter().flat_map(|engine| engine.lines.iter().map(|line| (engine.engine, line)))
}

/// Customers a second.
#[expect(clippy::cast_precision_loss, reason = "a count of customers")]
fn rate(line: &Line) -> f64 {
    line.summary.requests * line.size as f64
}

fn named(system: &str, processes: usize) -> String {
    if processes == 1 { system.to_owned() } else { format!("{system} × {processes}") }
}

/// The comparison as people read it.
pub(crate) fn table(report: &Report) -> String {
    let Some(peers) = &report.peers else { return String::new() };
    let mut text = format!(
        "\nagainst peers: medusa {}, vendure {}, node {}, on PostgreSQL, with 1 or 2 processes; medians of {} runs\n",
        peers.medusa, peers.vendure, peers.node, peers.runs
    );
    if !peers.against.is_empty() {
        text += &by_rate(&peers.against);
    }
    let rows = by_time(report, peers);
    if rows.len() > 1 {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", aligned(&rows));
    }
    text
}

fn by_rate(against: &[Against]) -> String {
    // What was measured at any size has a column, in the order of the tables.
    let mut ours: Vec<(Engine, usize)> = Vec::new();
    for our in against.iter().flat_map(|against| &against.zumra) {
        if !ours.contains(&(our.engine, our.processes)) {
            ours.push((our.engine, our.processes));
        }
    }
    ours.sort_by_key(|(engine, processes)| (*engine == Engine::Postgres, *processes));
    let mut head = ["workload", "fastest peer", "customers/s"].map(str::to_owned).to_vec();
    head.extend(
        ours.iter().map(|(engine, processes)| named(&format!("zumra, {}", engine.name()), *processes)),
    );
    let mut rows = vec![head];
    for against in against {
        let mut row = vec![
            against.workload.to_owned(),
            named(&against.peer, against.processes),
            format!("{:.0}", against.customers_per_second),
        ];
        row.extend(ours.iter().map(|wanted| {
            let our = against.zumra.iter().find(|our| (our.engine, our.processes) == *wanted);
            our.map_or(String::new(), |our| format!("{:.1} times", our.times))
        }));
        rows.push(row);
    }
    aligned(&rows)
}

fn by_time(report: &Report, peers: &Peers) -> Vec<Vec<String>> {
    let mut rows = vec![[BY_TIME, "ms a request"].map(str::to_owned).to_vec()];
    for (engine, line) in all(report).filter(|(_, line)| line.workload == BY_TIME) {
        let name = named(&line.system, line.processes);
        rows.push(vec![format!("{name}, {}", engine.name()), format!("{:.0}", line.summary.p50_ms)]);
    }
    for refused in &peers.refusals {
        rows.push(vec![named(refused.system, refused.processes), format!("refused: {}", refused.answer)]);
    }
    rows
}
