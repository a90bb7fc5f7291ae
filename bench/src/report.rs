//! What was measured: a table for people, JSON for later.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use zumra_core::{Clock, SystemClock};

use crate::load::Measured;
use crate::workloads::Workload;

/// One run of the benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    date: String,
    machine: String,
    version: &'static str,
    seconds: u64,
    runs: usize,
    /// How often a second the disk keeps a page.
    syncs_per_second: f64,
    pub(crate) lines: Vec<Line>,
}

/// One workload.
#[derive(Serialize)]
pub(crate) struct Line {
    workload: &'static str,
    clients: i64,
    /// Requests a second: the median of the runs, and the slowest and the fastest run.
    requests: f64,
    slowest: f64,
    fastest: f64,
    customers: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Part of what the server does that only reads the body.
    of_http_bound: f64,
    /// Part of what the engine does without a server.
    of_engine_bound: Option<f64>,
    memory_mib: Option<u64>,
}

impl Line {
    pub(crate) fn new(
        workload: &Workload,
        zumra: &Measured,
        http: &Measured,
        engine: Option<f64>,
        memory_mib: Option<u64>,
    ) -> Self {
        let requests = zumra.median();
        #[expect(clippy::cast_precision_loss, reason = "a count of customers")]
        let customers = requests * workload.size as f64;
        Self {
            workload: workload.name,
            clients: workload.clients,
            requests,
            slowest: zumra.rates[0],
            fastest: zumra.rates[zumra.rates.len() - 1],
            customers,
            p50_ms: zumra.quantile(0.5),
            p99_ms: zumra.quantile(0.99),
            of_http_bound: requests / http.median(),
            of_engine_bound: engine.map(|engine| requests / engine),
            memory_mib,
        }
    }
}

impl Report {
    pub(crate) fn new(seconds: u64, runs: usize, syncs_per_second: f64) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        Self {
            date: SystemClock.now().strftime("%Y-%m-%d").to_string(),
            machine: format!("{cores} cores, {}, {}", std::env::consts::ARCH, std::env::consts::OS),
            version: env!("CARGO_PKG_VERSION"),
            seconds,
            runs,
            syncs_per_second,
            lines: Vec::new(),
        }
    }

    #[expect(clippy::print_stdout, reason = "a program for people at a terminal")]
    pub(crate) fn print(&self) {
        println!("SQLite, {}; {:.0} syncs of a page a second", self.machine, self.syncs_per_second);
        println!("{} runs of {} s, medians\n", self.runs, self.seconds);
        println!(
            "| workload | clients | requests/s | spread | customers/s | p50 ms | p99 ms | of HTTP bound | of engine bound | MiB |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for line in &self.lines {
            let engine = line.of_engine_bound.map_or(String::new(), |part| format!("{:.0} %", part * 100.0));
            let memory = line.memory_mib.map_or(String::new(), |memory| memory.to_string());
            println!(
                "| {} | {} | {:.0} | {:.0} to {:.0} | {:.0} | {:.2} | {:.2} | {:.0} % | {engine} | {memory} |",
                line.workload,
                line.clients,
                line.requests,
                line.slowest,
                line.fastest,
                line.customers,
                line.p50_ms,
                line.p99_ms,
                line.of_http_bound * 100.0,
            );
        }
    }

    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, json).with_context(|| format!("{} cannot be written", path.display()))
    }
}
