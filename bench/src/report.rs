//! The result of a benchmark, as it is saved in JSON. The names in the file stay the same, so that saved
//! results remain comparable; `serde` renames fields whose names in code differ.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use zumra_core::{Clock, SystemClock};

use crate::engine::Engine;
use crate::proc;
use crate::progress::progress;
use crate::summary::Summary;

/// The service's name among the measured systems.
pub(crate) const ZUMRA: &str = "zumra";

/// The result of one benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    #[serde(rename = "machine")]
    pub(crate) host: Host,
    pub(crate) zumra: &'static str,
    pub(crate) runs: u64,
    pub(crate) scale: f64,
    pub(crate) engines: Vec<EngineReport>,
    #[serde(rename = "peers", skip_serializing_if = "Option::is_none")]
    pub(crate) baselines: Option<Baselines>,
    /// What could not be measured, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) failures: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Host {
    pub(crate) cores: usize,
    pub(crate) processor: Option<String>,
    pub(crate) memory_mib: Option<u64>,
    architecture: &'static str,
    system: &'static str,
    pub(crate) kernel: Option<String>,
    /// 4 KiB pages that the disk makes durable per second.
    #[serde(rename = "syncs_per_second")]
    pub(crate) fsyncs_per_second: f64,
}

/// The results on one engine.
#[derive(Serialize)]
pub(crate) struct EngineReport {
    pub(crate) engine: Engine,
    pub(crate) version: String,
    /// Settings that the benchmark changes or relies on, as `name=value`.
    pub(crate) settings: Vec<String>,
    #[serde(rename = "lines")]
    pub(crate) results: Vec<WorkloadResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) growth: Option<Growth>,
}

/// The result of one workload on one system.
#[derive(Serialize)]
pub(crate) struct WorkloadResult {
    /// [`ZUMRA`], or the name of another product.
    pub(crate) system: String,
    /// Number of processes that share the database.
    pub(crate) processes: usize,
    pub(crate) workload: &'static str,
    pub(crate) clients: usize,
    /// Customers per add request.
    pub(crate) size: i64,
    #[serde(flatten)]
    pub(crate) summary: Summary,
    /// Empty for other products.
    #[serde(skip_serializing_if = "Bounds::is_empty")]
    pub(crate) bounds: Bounds,
}

/// The bounds of a workload, measured with the same requests.
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

/// The result of the growth benchmark on one engine.
#[derive(Serialize)]
pub(crate) struct Growth {
    pub(crate) points: Vec<GrowthPoint>,
    pub(crate) lists: Vec<ListTimes>,
}

/// `add-100` with groups of one size.
#[derive(Serialize)]
pub(crate) struct GrowthPoint {
    pub(crate) merchants: i64,
    /// Members of all merchants before each run.
    pub(crate) members: i64,
    pub(crate) customers: i64,
    /// Elapsed time of a run divided by its requests: median, minimum and maximum of the runs.
    pub(crate) ms_per_request: f64,
    /// Elapsed time of a run divided by that of a run on an empty group just before it: the median of the
    /// turns.
    ///
    /// With one merchant, the empty group is compared with another empty group. How far that ratio differs
    /// from 1 is noise.
    #[serde(rename = "of_empty")]
    pub(crate) ratio_to_empty: f64,
    pub(crate) fastest_ms: f64,
    pub(crate) slowest_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Peak memory of a freshly started service at the end of the runs.
    pub(crate) memory_mib: Option<u64>,
    /// Time from the start of a service to its first response; the median.
    pub(crate) start_ms: f64,
}

/// Response times of one list, requested by one client.
#[derive(Serialize)]
pub(crate) struct ListTimes {
    /// Customers of the merchant.
    pub(crate) customers: i64,
    pub(crate) list: &'static str,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// The other products, and how the service compares with them.
#[derive(Serialize)]
pub(crate) struct Baselines {
    pub(crate) medusa: String,
    pub(crate) vendure: String,
    pub(crate) node: String,
    /// Runs of each workload.
    pub(crate) runs: u64,
    /// Workloads that a product rejected.
    #[serde(rename = "refusals", skip_serializing_if = "Vec::is_empty")]
    pub(crate) rejections: Vec<Rejection>,
    #[serde(rename = "against")]
    pub(crate) comparisons: Vec<Comparison>,
}

/// A workload that a product rejected.
#[derive(Serialize)]
pub(crate) struct Rejection {
    pub(crate) system: &'static str,
    pub(crate) processes: usize,
    pub(crate) workload: &'static str,
    #[serde(rename = "answer")]
    pub(crate) response: String,
}

/// The fastest other product in one workload, compared with the service.
#[derive(Serialize)]
pub(crate) struct Comparison {
    pub(crate) workload: &'static str,
    /// Customers per request.
    pub(crate) size: i64,
    /// The fastest product, and the number of processes with which it was the fastest.
    #[serde(rename = "peer")]
    pub(crate) product: String,
    pub(crate) processes: usize,
    pub(crate) customers_per_second: f64,
    pub(crate) zumra: Vec<ComparedService>,
}

/// The service's side of a [`Comparison`].
#[derive(Serialize)]
pub(crate) struct ComparedService {
    pub(crate) engine: Engine,
    pub(crate) processes: usize,
    pub(crate) customers_per_second: f64,
    /// Throughput divided by that of the fastest other product.
    #[serde(rename = "times")]
    pub(crate) ratio: f64,
}

impl Bounds {
    fn is_empty(&self) -> bool {
        [&self.http, &self.server, &self.engine, &self.driver].into_iter().all(Option::is_none)
    }
}

impl WorkloadResult {
    /// Returns the throughput as a fraction of a bound's, if the bound was measured.
    pub(crate) fn ratio_to(&self, bound: Option<&Summary>) -> Option<f64> {
        bound.map(|bound| self.summary.median_per_second / bound.median_per_second)
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of customers")]
    pub(crate) fn customers_per_second(&self) -> f64 {
        self.summary.median_per_second * self.size as f64
    }
}

impl Report {
    pub(crate) fn new(runs: u64, scale: f64, fsyncs_per_second: f64) -> Self {
        Self {
            date: SystemClock.now().strftime("%Y-%m-%d").to_string(),
            host: Host {
                cores: std::thread::available_parallelism().map_or(0, usize::from),
                processor: proc::processor(),
                memory_mib: proc::host_memory_mib(),
                architecture: std::env::consts::ARCH,
                system: std::env::consts::OS,
                kernel: proc::kernel(),
                fsyncs_per_second,
            },
            zumra: env!("CARGO_PKG_VERSION"),
            runs,
            scale,
            engines: Vec::new(),
            baselines: None,
            failures: Vec::new(),
        }
    }

    /// Prints and records that something could not be measured. The benchmark continues with the rest.
    pub(crate) fn record_failure(&mut self, subject: &str, error: &anyhow::Error) {
        let failure = format!("{subject}: {error:#}");
        progress(&failure);
        self.failures.push(failure);
    }

    /// Returns all workload results, each with its engine.
    pub(crate) fn results(&self) -> impl Iterator<Item = (Engine, &WorkloadResult)> {
        self.engines.iter().flat_map(|engine| engine.results.iter().map(|result| (engine.engine, result)))
    }

    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Collects the paths of all keys, such as `engines[].lines[].size`.
    fn collect_keys(value: &Value, prefix: &str, keys: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    let path = format!("{prefix}.{key}");
                    collect_keys(value, &path, keys);
                    keys.insert(path);
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    collect_keys(element, &format!("{prefix}[]"), keys);
                }
            }
            _ => {}
        }
    }

    fn summary() -> Summary {
        Summary {
            median_per_second: 1.0,
            slowest_per_second: 1.0,
            fastest_per_second: 1.0,
            p50_ms: 1.0,
            p99_ms: 1.0,
            requests_per_run: 1,
            generator_busy: Some(0.5),
            cpu_micros: Some(1.0),
            memory_mib: Some(1),
        }
    }

    fn engine_report() -> EngineReport {
        let bound = || Some(summary());
        let result = WorkloadResult {
            system: ZUMRA.to_owned(),
            processes: 1,
            workload: "add-1",
            clients: 1,
            size: 1,
            summary: summary(),
            bounds: Bounds { http: bound(), server: bound(), engine: bound(), driver: bound() },
        };
        let point = GrowthPoint {
            merchants: 1,
            members: 1,
            customers: 1,
            ms_per_request: 1.0,
            ratio_to_empty: 1.0,
            fastest_ms: 1.0,
            slowest_ms: 1.0,
            p50_ms: 1.0,
            p99_ms: 1.0,
            memory_mib: Some(1),
            start_ms: 1.0,
        };
        let list = ListTimes { customers: 1, list: "groups", p50_ms: 1.0, p99_ms: 1.0 };
        EngineReport {
            engine: Engine::Sqlite,
            version: "3".to_owned(),
            settings: Vec::new(),
            results: vec![result],
            growth: Some(Growth { points: vec![point], lists: vec![list] }),
        }
    }

    fn baselines() -> Baselines {
        let service =
            ComparedService { engine: Engine::Sqlite, processes: 1, customers_per_second: 1.0, ratio: 1.0 };
        let comparison = Comparison {
            workload: "add-1",
            size: 1,
            product: "medusa".to_owned(),
            processes: 1,
            customers_per_second: 1.0,
            zumra: vec![service],
        };
        Baselines {
            medusa: "1".to_owned(),
            vendure: "1".to_owned(),
            node: "1".to_owned(),
            runs: 1,
            rejections: Vec::new(),
            comparisons: vec![comparison],
        }
    }

    #[test]
    fn keys_are_those_of_saved_results() {
        let mut report = Report::new(1, 1.0, 1.0);
        report.engines.push(engine_report());
        report.baselines = Some(baselines());
        let saved = serde_json::from_str(include_str!("../results/2026-11-27.json")).unwrap();
        let [mut keys, mut saved_keys] = [BTreeSet::new(), BTreeSet::new()];
        collect_keys(&serde_json::to_value(&report).unwrap(), "", &mut keys);
        collect_keys(&saved, "", &mut saved_keys);
        let missing: Vec<_> = saved_keys.difference(&keys).collect();
        assert!(missing.is_empty(), "{missing:?}");
        // Engine and driver bounds run in the benchmark's process, so their saved summaries lack the keys for
        // processes.
        let is_optional = |key: &&String| key.contains(".bounds.engine.") || key.contains(".bounds.driver.");
        let added: Vec<_> = keys.difference(&saved_keys).filter(|key| !is_optional(key)).collect();
        assert!(added.is_empty(), "{added:?}");
    }
}
