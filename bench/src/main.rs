//! `cargo run --release -p zumra-bench`: builds the service, starts what it measures, loads it, prints a table for each
//! engine, and saves everything as JSON with a picture beside it.
//!
//! What belongs here: the order of things. Numbers mean something only beside others of the same run, so the bounds are
//! measured with every workload: `bounds.rs`, `driver.rs`. What is asked stands in `workloads.rs`, how it is written in
//! `requests.rs`, how it is sent in `load.rs`; `measure.rs` puts them together, `growth.rs` does it with ever more
//! customers, and `peers.rs` with other services.

mod bounds;
mod chart;
mod constant;
mod database;
mod driver;
mod growth;
mod installation;
mod keeper;
mod load;
mod measure;
mod peers;
mod proc;
mod report;
mod requests;
mod service;
mod table;
mod workloads;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Parser, ValueEnum};
use zumra_testkit::postgres::DurableServer;

use database::{Database, Engine, Site};
use keeper::Keeper;
use measure::System;
use report::{Bounds, EngineReport, Line, Report};
use workloads::{Kind, WORKLOADS, Workload};

/// Measure Zumra against bounds of the same run
#[derive(Parser)]
struct Arguments {
    /// What to measure on
    #[arg(long, value_enum, default_value = "all")]
    engine: Which,
    /// Only what has this in its name: a workload as add-1 or mixed, or growth
    #[arg(long, default_value = "", value_name = "PART")]
    only: String,
    /// Runs of each workload; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Multiplies the requests of each run
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    scale: f64,
    /// The largest group that growth is measured with
    #[arg(long, default_value_t = 10_000_000, value_name = "MEMBERS")]
    growth_limit: i64,
    /// Where to save the result as JSON; growth.svg, and while it runs the databases, go to the same folder
    #[arg(long, default_value = "bench/results/latest.json", value_name = "FILE")]
    out: PathBuf,
    /// Measure Medusa and Vendure on PostgreSQL too; they are installed into this folder
    #[arg(long, value_name = "FOLDER")]
    peers: Option<PathBuf>,
    /// Be the server of the HTTP bound; the benchmark starts itself so
    #[arg(long, hide = true, value_name = "ADDRESS")]
    bound: Option<SocketAddr>,
    /// Be the server of the server bound instead, with the tokens of a database
    #[arg(long, hide = true, value_name = "DATABASE", requires = "bound")]
    constant: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Sqlite,
    Postgres,
    All,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    fn engines(&self) -> &'static [Engine] {
        match self.engine {
            Which::Sqlite => &[Engine::Sqlite],
            Which::Postgres => &[Engine::Postgres],
            Which::All => &[Engine::Sqlite, Engine::Postgres],
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(address) = arguments.bound {
        return match &arguments.constant {
            Some(database) => constant::serve(address, database),
            None => bounds::serve(address),
        };
    }
    anyhow::ensure!(!cfg!(debug_assertions), "this build is slow by design: use cargo run --release");
    anyhow::ensure!(
        arguments.peers.is_none() || arguments.engines().contains(&Engine::Postgres),
        "the peers need PostgreSQL: use --engine postgres or all"
    );
    let folder = arguments.out.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let keeper = Rc::new(Keeper::start(folder)?);
    service::build(&keeper)?;
    let syncs = bounds::syncs_per_second(keeper.folder())?;
    let mut report = Report::new(arguments.runs, arguments.scale, syncs);
    for &engine in arguments.engines() {
        measure(engine, &keeper, &arguments, &mut report)?;
    }
    let growths: Vec<_> =
        report.engines.iter().filter_map(|e| Some((e.engine.name(), e.growth.as_ref()?))).collect();
    if !growths.is_empty() {
        std::fs::write(arguments.out.with_file_name("growth.svg"), chart::growth(&growths))?;
    }
    print(&table::tables(&report));
    anyhow::ensure!(report.failures.is_empty(), "not everything could be measured");
    Ok(())
}

fn fail(report: &mut Report, what: &str, error: &anyhow::Error) {
    let failure = format!("{what}: {error:#}");
    progress(&failure);
    report.failures.push(failure);
}

/// Everything on one engine. What was measured is saved after each workload.
fn measure(
    engine: Engine,
    keeper: &Rc<Keeper>,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let site = Site::new(engine, keeper)?;
    let settings = if engine == Engine::Postgres { DurableServer::SETTINGS } else { &[] };
    let this = report.engines.len();
    report.engines.push(EngineReport {
        engine,
        version: site.version()?,
        settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
        lines: Vec::new(),
        growth: None,
    });
    let wanted: Vec<_> = WORKLOADS.iter().filter(|workload| arguments.wants(workload.name)).collect();
    if !wanted.is_empty() {
        progress(&format!("{}: making the installation that every workload begins with", engine.name()));
        let installation = installation::build(&site)?;
        for workload in wanted {
            match lines(&site, &installation, workload, arguments) {
                Ok(lines) => report.engines[this].lines.extend(lines),
                // The others are worth measuring all the same.
                Err(error) => fail(report, &format!("{} on {}", workload.name, engine.name()), &error),
            }
            report.save(&arguments.out)?;
        }
        site.drop(&installation)?;
    }
    if let (Engine::Postgres, Some(folder)) = (engine, &arguments.peers) {
        peers::measure(&site, folder, arguments, report)?;
    }
    if arguments.wants("growth") {
        match growth::measure(&site, arguments.growth_limit, arguments.scale) {
            Ok(growth) => report.engines[this].growth = Some(growth),
            Err(error) => fail(report, &format!("growth on {}", engine.name()), &error),
        }
        report.save(&arguments.out)?;
    }
    Ok(())
}

/// One workload: the service, as often as it is shared, and its bounds, each on a copy of its own.
fn lines(
    site: &Site,
    installation: &Database,
    workload: &Workload,
    arguments: &Arguments,
) -> anyhow::Result<Vec<Line>> {
    let engine = site.engine();
    progress(&format!("{}: {}", engine.name(), workload.name));
    let is_shared = engine == Engine::Postgres;
    let services = if is_shared { workload.services } else { &[1] };
    let has_driver = is_shared && workload.size == 1 && workload.kind == Kind::New;
    // Only new customers are added at once by a storage that looks for none.
    let has_server = workload.kind == Kind::New;
    let copies = (0..services.len() + 1 + usize::from(has_driver) + usize::from(has_server))
        .map(|_| site.copy(installation));
    let copies = copies.collect::<anyhow::Result<Vec<_>>>()?;
    let mut systems = vec![System::http(site)?, System::engine(&copies[0])?];
    if has_server {
        systems.push(System::constant(site, &copies[copies.len() - 1])?);
    }
    for (&count, copy) in services.iter().zip(&copies[1..]) {
        systems.push(System::services(site, copy, count)?);
    }
    if has_driver {
        systems.push(System::driver(&copies[services.len() + 1], workload)?);
    }
    let requests = workload.requests(engine, arguments.scale);
    let mut measured = measure::rounds(workload, &systems, requests, arguments.runs)?.into_iter();
    drop(systems);
    copies.iter().try_for_each(|copy| site.drop(copy))?;
    let mut bounds = Bounds { http: measured.next(), engine: measured.next(), ..Bounds::default() };
    if has_server {
        bounds.server = measured.next();
    }
    let summaries: Vec<_> = measured.by_ref().take(services.len()).collect();
    bounds.driver = measured.next();
    let line = |(&processes, summary)| Line {
        system: "zumra".to_owned(),
        processes,
        workload: workload.name,
        clients: workload.clients,
        size: workload.size,
        summary,
        bounds: bounds.clone(),
    };
    Ok(services.iter().zip(summaries).map(line).collect())
}

/// Tells whoever waits what is being done.
#[expect(clippy::print_stderr, reason = "a program for people at a terminal")]
fn progress(text: &str) {
    eprintln!("· {text}");
}

#[expect(clippy::print_stdout, reason = "a program for people at a terminal")]
fn print(text: &str) {
    print!("{text}");
}
