//! What was measured, as it is saved.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use zumra_core::{Clock, SystemClock};

use crate::database::Engine;
use crate::growth::Growth;
use crate::measure::Summary;
use crate::peers::Peers;
use crate::proc;

/// One run of the benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    pub(crate) machine: Machine,
    pub(crate) zumra: &'static str,
    pub(crate) runs: u64,
    pub(crate) scale: f64,
    pub(crate) engines: Vec<EngineReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peers: Option<Peers>,
    /// What could not be measured, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) failures: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: Option<String>,
    pub(crate) memory_mib: Option<u64>,
    architecture: &'static str,
    system: &'static str,
    pub(crate) kernel: Option<String>,
    /// How often a second the disk keeps a page.
    pub(crate) syncs_per_second: f64,
}

/// What was measured on one engine.
#[derive(Serialize)]
pub(crate) struct EngineReport {
    pub(crate) engine: Engine,
    pub(crate) version: String,
    /// In what it differs from what the engine does by itself.
    pub(crate) settings: Vec<String>,
    pub(crate) lines: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) growth: Option<Growth>,
}

/// One workload on one system.
#[derive(Serialize)]
pub(crate) struct Line {
    /// Zumra, or another service.
    pub(crate) system: String,
    /// Processes that shared the database.
    pub(crate) processes: usize,
    pub(crate) workload: &'static str,
    pub(crate) clients: usize,
    /// Customers of one request that adds some.
    pub(crate) size: i64,
    #[serde(flatten)]
    pub(crate) summary: Summary,
    /// None where nobody measured it; another service has none.
    #[serde(skip_serializing_if = "Bounds::is_empty")]
    pub(crate) bounds: Bounds,
}

/// What was measured beside a workload, with the same requests.
#[derive(Serialize, Clone, Default)]
pub(crate) struct Bounds {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) http: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) engine: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) driver: Option<Summary>,
}

impl Bounds {
    fn is_empty(&self) -> bool {
        [&self.http, &self.server, &self.engine, &self.driver].into_iter().all(Option::is_none)
    }
}

impl Line {
    /// What part of a bound it reaches.
    pub(crate) fn part_of(&self, bound: Option<&Summary>) -> Option<f64> {
        bound.map(|bound| self.summary.requests / bound.requests)
    }
}

impl Report {
    pub(crate) fn new(runs: u64, scale: f64, syncs_per_second: f64) -> Self {
        Self {
            date: SystemClock.now().strftime("%Y-%m-%d").to_string(),
            machine: Machine {
                cores: std::thread::available_parallelism().map_or(0, usize::from),
                processor: proc::processor(),
                memory_mib: proc::memory(),
                architecture: std::env::consts::ARCH,
                system: std::env::consts::OS,
                kernel: proc::kernel(),
                syncs_per_second,
            },
            zumra: env!("CARGO_PKG_VERSION"),
            runs,
            scale,
            engines: Vec::new(),
            peers: None,
            failures: Vec::new(),
        }
    }

    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, json).with_context(|| format!("{} cannot be written", path.display()))
    }
}
