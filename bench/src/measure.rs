//! Measures one workload: the service and its bounds alternately, so that other load on the host affects all of
//! them alike.

use crate::database::{Database, Databases};
use crate::engine::Engine;
use crate::load::Run;
use crate::progress::progress;
use crate::report::{Bounds, WorkloadResult, ZUMRA};
use crate::requests::RequestWriter;
use crate::summary::Summary;
use crate::system::System;
use crate::workloads::{Workload, WorkloadKind};

/// The warm-up has `1 / WARM_UP_DIVISOR` of the requests of a run. Its results are discarded.
const WARM_UP_DIVISOR: u64 = 5;

/// How often a workload runs, and how long a run is.
#[derive(Clone, Copy)]
pub(crate) struct Repetition {
    pub(crate) runs: u64,
    /// Factor for the number of requests of each run.
    pub(crate) scale: f64,
}

/// What a measured system is.
#[derive(Clone, Copy)]
enum Role {
    HttpBound,
    EngineBound,
    ServerBound,
    DriverBound,
    /// The service, as this number of processes on one database.
    Service {
        processes: usize,
    },
}

impl Role {
    /// Returns what is measured with a workload, in the order of a turn.
    fn all(engine: Engine, workload: &Workload) -> Vec<Self> {
        let mut roles = vec![Self::HttpBound, Self::EngineBound];
        // The storage of the server bound validates nothing, so it can only add new customers.
        if workload.kind == WorkloadKind::AddNew {
            roles.push(Self::ServerBound);
        }
        match engine {
            Engine::Sqlite => roles.push(Self::Service { processes: 1 }),
            Engine::Postgres => {
                roles.extend(workload.services.iter().map(|&processes| Self::Service { processes }));
                if workload.size == 1 && workload.kind == WorkloadKind::AddNew {
                    roles.push(Self::DriverBound);
                }
            }
        }
        roles
    }
}

/// A system with its own copy of the installation, and the results of its runs.
struct Candidate {
    role: Role,
    system: System,
    runs: Vec<Run>,
    cpu_seconds: Option<f64>,
}

impl Candidate {
    fn start(
        role: Role,
        databases: &Databases,
        database: &Database,
        workload: &Workload,
    ) -> anyhow::Result<Self> {
        let system = match role {
            Role::HttpBound => System::http_bound(databases)?,
            Role::EngineBound => System::engine_bound(database)?,
            Role::ServerBound => System::server_bound(databases, database)?,
            Role::DriverBound => System::driver_bound(database, workload)?,
            Role::Service { processes } => System::services(databases, database, processes)?,
        };
        Ok(Self { role, system, runs: Vec::new(), cpu_seconds: Some(0.0) })
    }

    fn summary(&self) -> Summary {
        Summary::from_runs(&self.runs, self.cpu_seconds, self.system.peak_memory_mib())
    }
}

/// Measures one workload. Returns one result for each number of services.
pub(crate) fn workload(
    databases: &Databases,
    installation: &Database,
    workload: &Workload,
    repetition: Repetition,
) -> anyhow::Result<Vec<WorkloadResult>> {
    let engine = databases.engine();
    progress(&format!("{}: {}", engine.name(), workload.name));
    let roles = Role::all(engine, workload);
    // One copy for each system but the HTTP bound, all made before any system starts.
    let copies = roles.iter().map(|role| match role {
        Role::HttpBound => Ok(None),
        _ => databases.copy(installation).map(Some),
    });
    let copies = copies.collect::<anyhow::Result<Vec<_>>>()?;
    let candidates = roles.iter().zip(&copies).map(|(&role, copy)| {
        Candidate::start(role, databases, copy.as_ref().unwrap_or(installation), workload)
    });
    let mut candidates = candidates.collect::<anyhow::Result<Vec<_>>>()?;
    run_in_turns(workload, &mut candidates, engine, repetition)?;
    let results = to_results(workload, &candidates);
    drop(candidates);
    copies.iter().flatten().try_for_each(|copy| databases.drop(copy))?;
    Ok(results)
}

/// Warms up all systems. Then runs the workload on one system after the other, `repetition.runs` times.
fn run_in_turns(
    workload: &Workload,
    candidates: &mut [Candidate],
    engine: Engine,
    repetition: Repetition,
) -> anyhow::Result<()> {
    let requests = workload.requests_per_run(engine, repetition.scale);
    let warm_up = (requests / WARM_UP_DIVISOR).max(workload.clients as u64);
    anyhow::ensure!(
        warm_up + requests * repetition.runs <= workload.distinct_requests(),
        "{} would add a customer twice; use fewer --runs or a smaller --scale",
        workload.name
    );
    let writer = RequestWriter::new(workload);
    for candidate in &*candidates {
        candidate.system.run(workload, &writer, 0..warm_up)?;
    }
    for run in 0..repetition.runs {
        let first = warm_up + run * requests;
        for candidate in &mut *candidates {
            let cpu_before = candidate.system.cpu_seconds();
            candidate.runs.push(candidate.system.run(workload, &writer, first..first + requests)?);
            let cpu_used =
                candidate.system.cpu_seconds().zip(cpu_before).map(|(after, before)| after - before);
            candidate.cpu_seconds = candidate.cpu_seconds.zip(cpu_used).map(|(sum, used)| sum + used);
        }
    }
    Ok(())
}

fn to_results(workload: &Workload, candidates: &[Candidate]) -> Vec<WorkloadResult> {
    let mut bounds = Bounds::default();
    let mut services = Vec::new();
    for candidate in candidates {
        let summary = candidate.summary();
        match candidate.role {
            Role::HttpBound => bounds.http = Some(summary),
            Role::EngineBound => bounds.engine = Some(summary),
            Role::ServerBound => bounds.server = Some(summary),
            Role::DriverBound => bounds.driver = Some(summary),
            Role::Service { processes } => services.push((processes, summary)),
        }
    }
    let result = |(processes, summary)| WorkloadResult {
        system: ZUMRA.to_owned(),
        processes,
        workload: workload.name,
        clients: workload.clients,
        size: workload.size,
        summary,
        bounds: bounds.clone(),
    };
    services.into_iter().map(result).collect()
}
