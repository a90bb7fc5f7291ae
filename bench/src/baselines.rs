//! Measures two other commerce backends with the same requests on the same PostgreSQL server.
//! `bench/baselines` installs them.
//!
//! What belongs here: installing and measuring them. `baselines/server.rs` starts them,
//! `baselines/product.rs` knows their requests and tables, `baselines/http.rs` sends single requests.
//! `compare.rs` compares the results.

mod http;
mod product;
mod server;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::compare;
use crate::database::{Database, Databases};
use crate::load::UnexpectedStatus;
use crate::measure::Repetition;
use crate::progress::progress;
use crate::report::{Baselines, Bounds, Rejection, Report, WorkloadResult};
use crate::summary::Summary;
use crate::workloads::{Workload, WorkloadKind, scaled};
use product::Product;
use server::{SCRIPTS, Server};

/// Numbers of processes that each product is measured with. More than one per core gain nothing.
const PROCESSES: [usize; 2] = [1, 2];
/// Maximum number of runs. The products are slow and vary little, so more runs add no information.
const MAX_RUNS: u64 = 3;
/// A product may reject requests of at least this many customers: that is recorded as a result, not as a
/// failure.
const REJECTABLE_SIZE: i64 = 10_000;

/// How the other products are measured.
pub(crate) struct Options<'a> {
    /// Directory that they are installed into.
    pub(crate) directory: &'a Path,
    pub(crate) repetition: Repetition,
    /// JSON file of the report.
    pub(crate) out: &'a Path,
}

impl Options<'_> {
    fn runs(&self) -> u64 {
        self.repetition.runs.min(MAX_RUNS)
    }
}

/// Measures both products with those of `workloads` that add new customers.
pub(crate) fn measure(
    databases: &Databases,
    workloads: &[&Workload],
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<()> {
    let workloads: Vec<&Workload> =
        workloads.iter().copied().filter(|workload| workload.kind == WorkloadKind::AddNew).collect();
    if workloads.is_empty() {
        return Ok(());
    }
    progress("other products: installing them and creating their databases");
    let versions = set_up(databases, options.directory).and_then(|()| installed_versions(options));
    match versions {
        Ok(baselines) => report.baselines = Some(baselines),
        Err(error) => {
            report.record_failure("other products", &error);
            return report.save(options.out);
        }
    }
    for product in Product::ALL {
        for processes in PROCESSES {
            let database = databases.existing(product.name())?;
            let candidate = Candidate { databases, options, database, product, processes };
            candidate.measure(&workloads, report)?;
        }
    }
    Ok(())
}

/// Installs the products if necessary and creates their databases again.
fn set_up(databases: &Databases, directory: &Path) -> anyhow::Result<()> {
    let (host, port) = databases.host_and_port()?;
    let mut command = Command::new(Path::new(SCRIPTS).join("set-up"));
    command.arg(directory).args([host, port.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().context("cannot start bench/baselines/set-up")?;
    let pid = child.id();
    databases.janitor().track(pid)?;
    let output = child.wait_with_output()?;
    databases.janitor().untrack(pid)?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// Returns the installed versions, without results.
fn installed_versions(options: &Options) -> anyhow::Result<Baselines> {
    let [medusa, vendure] = Product::ALL.map(|product| product.version(options.directory));
    let node = Command::new("node").arg("--version").output().context("cannot run node")?;
    let node = String::from_utf8_lossy(&node.stdout).trim().trim_start_matches('v').to_owned();
    Ok(Baselines {
        medusa: medusa?,
        vendure: vendure?,
        node,
        runs: options.runs(),
        rejections: Vec::new(),
        comparisons: Vec::new(),
    })
}

/// One product with a number of processes.
struct Candidate<'a> {
    databases: &'a Databases,
    options: &'a Options<'a>,
    database: Database,
    product: Product,
    processes: usize,
}

impl Candidate<'_> {
    /// Measures all workloads. Saves the report after each.
    fn measure(&self, workloads: &[&Workload], report: &mut Report) -> anyhow::Result<()> {
        let mut running = None;
        for workload in workloads {
            progress(&format!("{}: {}", self.label(), workload.name));
            let result = self.running_server(&mut running).and_then(|server| self.run(server, workload));
            match result {
                Ok(result) => {
                    // The products use the PostgreSQL server of the engine that is measured last.
                    let engine = report.engines.last_mut().context("no engine was measured")?;
                    engine.results.push(result);
                }
                Err(error) => {
                    // The server may still execute old requests: the next workload starts a new one.
                    running = None;
                    self.record(workload, &error, report);
                }
            }
            let comparisons = compare::comparisons(report);
            report.baselines.as_mut().context("the versions are unknown")?.comparisons = comparisons;
            report.save(self.options.out)?;
        }
        Ok(())
    }

    fn label(&self) -> String {
        format!("{} × {}", self.product.name(), self.processes)
    }

    /// Records a rejection if the product may reject the workload, else a failure.
    fn record(&self, workload: &Workload, error: &anyhow::Error, report: &mut Report) {
        match (error.downcast_ref::<UnexpectedStatus>(), &mut report.baselines) {
            (Some(unexpected), Some(baselines)) if workload.size >= REJECTABLE_SIZE => {
                let response = unexpected.summary();
                progress(&format!("{}: {} rejected: {response}", self.label(), workload.name));
                baselines.rejections.push(Rejection {
                    system: self.product.name(),
                    processes: self.processes,
                    workload: workload.name,
                    response,
                });
            }
            _ => report.record_failure(&format!("{} on {}", workload.name, self.label()), error),
        }
    }

    /// Returns the running server. Starts one if none is running.
    fn running_server<'a>(&self, running: &'a mut Option<Server>) -> anyhow::Result<&'a Server> {
        let server = match running.take() {
            Some(server) => server,
            None => Server::start(self.databases, self.options.directory, self.product, self.processes)?,
        };
        Ok(running.insert(server))
    }

    /// Measures one workload on empty groups. Fails unless exactly the added customers are members
    /// afterwards.
    fn run(&self, server: &Server, workload: &Workload) -> anyhow::Result<WorkloadResult> {
        let product = self.product;
        self.database.fill(&[format!("TRUNCATE {}", product.tables().join(", "))])?;
        self.database.settle()?;
        // For each process, because each compiles its own code.
        let warm_up = product::warm_up_requests(workload.size) * self.processes as u64;
        let requests = scaled(product.requests_per_run(workload.size), self.options.repetition.scale);
        let requests = requests.max(workload.clients as u64);
        if warm_up > 0 {
            server.run(workload, 0..warm_up)?;
        }
        let (mut runs, mut cpu_seconds) = (Vec::new(), Some(0.0));
        let mut sent = warm_up;
        for _ in 0..self.options.runs() {
            let cpu_before = server.cpu_seconds();
            runs.push(server.run(workload, sent..sent + requests)?);
            sent += requests;
            let cpu_used = server.cpu_seconds().zip(cpu_before).map(|(after, before)| after - before);
            cpu_seconds = cpu_seconds.zip(cpu_used).map(|(sum, used)| sum + used);
        }
        let added = i64::try_from(sent)? * workload.size;
        let members = self.database.count_rows(product.membership_table())?;
        anyhow::ensure!(members == added, "{members} memberships after adding {added} customers");
        Ok(WorkloadResult {
            system: product.name().to_owned(),
            processes: self.processes,
            workload: workload.name,
            clients: workload.clients,
            size: workload.size,
            summary: Summary::from_runs(&runs, cpu_seconds, server.peak_memory_mib()),
            bounds: Bounds::default(),
        })
    }
}
