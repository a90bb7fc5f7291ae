//! Runs of one workload: by what is measured and by its bounds, in turns, so that whatever else the machine does meets all
//! of them alike.

use std::net::SocketAddr;
use std::ops::Range;

use serde::Serialize;
use zumra_storage::postgres::ADD_MEMBERS;

use crate::bounds;
use crate::database::{Database, Site};
use crate::driver::Driver;
use crate::load::{self, Run};
use crate::requests::Writer;
use crate::service::Process;
use crate::workloads::Workload;

/// A run before the others, of which nothing is kept, has one part in so many of their requests.
const WARM_UP: u64 = 5;

/// Something that answers a workload's requests.
pub(crate) enum System {
    /// Services; clients are spread over them.
    Served(Vec<Process>),
    Engine(bounds::Engine),
    Driver(Driver),
}

impl System {
    /// The HTTP bound.
    pub(crate) fn http(site: &Site) -> anyhow::Result<Self> {
        Ok(Self::Served(vec![Process::bound(site.keeper())?]))
    }

    /// The server bound.
    pub(crate) fn constant(site: &Site, database: &Database) -> anyhow::Result<Self> {
        Ok(Self::Served(vec![Process::constant(site.keeper(), database)?]))
    }

    /// So many services on one database.
    pub(crate) fn services(site: &Site, database: &Database, count: usize) -> anyhow::Result<Self> {
        let services = (0..count).map(|_| Process::zumra(site.keeper(), database));
        Ok(Self::Served(services.collect::<anyhow::Result<_>>()?))
    }

    /// The engine bound.
    pub(crate) fn engine(database: &Database) -> anyhow::Result<Self> {
        Ok(Self::Engine(bounds::Engine::open(database)?))
    }

    /// The driver bound.
    pub(crate) fn driver(database: &Database, workload: &Workload) -> anyhow::Result<Self> {
        Ok(Self::Driver(Driver::open(database, ADD_MEMBERS, workload.clients)?))
    }

    fn run(&self, workload: &Workload, writer: &Writer, numbers: Range<u64>) -> anyhow::Result<Run> {
        match self {
            Self::Served(processes) => {
                let addresses: Vec<SocketAddr> = processes.iter().map(Process::address).collect();
                load::run(&addresses, workload.clients, numbers, &|_, number, to: &mut Vec<u8>| {
                    writer.write(number, to)
                })
            }
            Self::Engine(engine) => engine.run(workload, numbers),
            Self::Driver(driver) => driver.run(workload, numbers),
        }
    }

    /// Seconds of processor time of all its processes, where the system tells.
    fn cpu(&self) -> Option<f64> {
        let Self::Served(processes) = self else { return None };
        processes.iter().map(Process::cpu).sum()
    }

    /// The most memory that its processes had, all together.
    fn memory(&self) -> Option<u64> {
        let Self::Served(processes) = self else { return None };
        processes.iter().map(Process::memory).sum()
    }
}

/// What the runs came to.
#[derive(Serialize, Clone)]
pub(crate) struct Summary {
    /// Requests a second: the median of the runs, and the slowest and the fastest of them.
    pub(crate) requests: f64,
    pub(crate) slowest: f64,
    pub(crate) fastest: f64,
    /// Of all requests of all runs.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Requests of one run.
    pub(crate) requests_per_run: usize,
    /// Part of the time in which the generator was on a processor: near 1 it is what was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generator_busy: Option<f64>,
    /// Microseconds of processor time of the processes that answered, for each request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_micros: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_mib: Option<u64>,
}

impl Summary {
    /// Sums up. At least one run with at least one request.
    pub(crate) fn of(runs: &[Run], cpu_seconds: Option<f64>, memory_mib: Option<u64>) -> Self {
        let mut rates: Vec<f64> =
            runs.iter().map(|run| count(run.micros.len()) / run.elapsed.as_secs_f64()).collect();
        rates.sort_by(f64::total_cmp);
        let mut micros: Vec<u32> = runs.iter().flat_map(|run| run.micros.iter().copied()).collect();
        micros.sort_unstable();
        let time: f64 = runs.iter().map(|run| run.elapsed.as_secs_f64()).sum();
        let busy: Option<f64> =
            runs.iter().map(|run| Some(run.busy? * run.elapsed.as_secs_f64())).sum::<Option<f64>>();
        Self {
            requests: rates[rates.len() / 2],
            slowest: rates[0],
            fastest: rates[rates.len() - 1],
            p50_ms: quantile(&micros, 0.5),
            p99_ms: quantile(&micros, 0.99),
            requests_per_run: micros.len() / runs.len(),
            generator_busy: busy.map(|busy| busy / time),
            cpu_micros: cpu_seconds.map(|seconds| seconds * 1e6 / count(micros.len())),
            memory_mib,
        }
    }
}

/// Milliseconds that this part of the requests did not exceed; `micros` ascending.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index into a list of measurements"
)]
pub(crate) fn quantile(micros: &[u32], part: f64) -> f64 {
    f64::from(micros[((micros.len() - 1) as f64 * part) as usize]) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests")]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}

/// Warms all of them up and runs the workload so many times, one system after the other in each round. A summary for
/// each, in their order.
pub(crate) fn rounds(
    workload: &Workload,
    systems: &[System],
    requests: u64,
    runs: u64,
) -> anyhow::Result<Vec<Summary>> {
    let warm_up = (requests / WARM_UP).max(workload.clients as u64);
    anyhow::ensure!(
        warm_up + requests * runs <= workload.pairs(),
        "{} would add somebody twice: make it fewer runs, or a smaller scale",
        workload.name
    );
    let writer = Writer::new(workload);
    let mut measured: Vec<(Vec<Run>, Option<f64>)> =
        systems.iter().map(|_| (Vec::new(), Some(0.0))).collect();
    for system in systems {
        system.run(workload, &writer, 0..warm_up)?;
    }
    for run in 0..runs {
        let first = warm_up + run * requests;
        for (system, (runs, cpu)) in systems.iter().zip(&mut measured) {
            let before = system.cpu();
            runs.push(system.run(workload, &writer, first..first + requests)?);
            let used = system.cpu().zip(before).map(|(to, from)| to - from);
            *cpu = cpu.zip(used).map(|(sum, used)| sum + used);
        }
    }
    let sum_up =
        |(system, (runs, cpu)): (&System, (Vec<Run>, Option<f64>))| Summary::of(&runs, cpu, system.memory());
    Ok(systems.iter().zip(measured).map(sum_up).collect())
}
