//! `cargo run --release -p zumra-bench`: builds the service, measures it under load, prints a table for each
//! engine, and saves the result as JSON and the growth chart as SVG.
//!
//! What belongs here: the order of the measurements. Numbers are only comparable within one run, so
//! `measure.rs` runs every workload alternately on the service and on its bounds: `http_bound.rs`,
//! `server_bound.rs`, `engine_bound.rs`, `driver_bound.rs`. `workloads.rs` defines the requests,
//! `requests.rs` writes them, `load.rs` sends them. `growth.rs` measures growing data, `baselines.rs` other
//! products.

mod arguments;
mod baselines;
mod chart;
mod compare;
mod database;
mod disk;
mod driver_bound;
mod engine;
mod engine_bound;
mod growth;
mod http_bound;
mod installation;
mod janitor;
mod load;
mod measure;
mod proc;
mod process;
mod progress;
mod report;
mod requests;
mod server_bound;
mod summary;
mod system;
mod table;
mod text;
mod workloads;

use std::path::Path;
use std::rc::Rc;

use clap::Parser;
use zumra_testkit::postgres::DurableServer;

use arguments::Arguments;
use database::Databases;
use engine::Engine;
use janitor::Janitor;
use measure::Repetition;
use progress::progress;
use report::{EngineReport, Report};
use workloads::{WORKLOADS, Workload};

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(address) = arguments.bound {
        return match &arguments.constant {
            Some(database) => server_bound::serve(address, database),
            None => http_bound::serve(address),
        };
    }
    anyhow::ensure!(!cfg!(debug_assertions), "debug builds are too slow to measure; use cargo run --release");
    anyhow::ensure!(
        arguments.peers.is_none() || arguments.engines().contains(&Engine::Postgres),
        "--peers needs PostgreSQL; use --engine postgres or all"
    );
    let directory =
        arguments.out.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let janitor = Rc::new(Janitor::start(directory)?);
    process::build(&janitor)?;
    let fsyncs_per_second = disk::fsyncs_per_second(janitor.directory())?;
    let mut report = Report::new(arguments.runs, arguments.scale, fsyncs_per_second);
    for &engine in arguments.engines() {
        measure_engine(engine, &janitor, &arguments, &mut report)?;
    }
    save_chart(&report, &arguments.out)?;
    print(&table::tables(&report));
    anyhow::ensure!(report.failures.is_empty(), "some measurements failed; see \"not measured\" above");
    Ok(())
}

/// Runs the selected measurements on one engine. Saves the report after each workload.
fn measure_engine(
    engine: Engine,
    janitor: &Rc<Janitor>,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let databases = Databases::start(engine, janitor)?;
    let settings = if engine == Engine::Postgres { DurableServer::SETTINGS } else { &[] };
    report.engines.push(EngineReport {
        engine,
        version: databases.version()?,
        settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
        results: Vec::new(),
        growth: None,
    });
    let index = report.engines.len() - 1;
    measure_workloads(&databases, index, arguments, report)?;
    if let (Engine::Postgres, Some(directory)) = (engine, &arguments.peers) {
        let selected: Vec<_> = selected_workloads(arguments).collect();
        let repetition = Repetition { runs: arguments.runs, scale: arguments.scale };
        let options = baselines::Options { directory, repetition, out: &arguments.out };
        baselines::measure(&databases, &selected, &options, report)?;
    }
    if arguments.selects("growth") {
        match growth::measure(&databases, arguments.growth_limit, arguments.scale) {
            Ok(growth) => report.engines[index].growth = Some(growth),
            Err(error) => report.record_failure(&format!("growth on {}", engine.name()), &error),
        }
        report.save(&arguments.out)?;
    }
    Ok(())
}

/// Measures the selected workloads and adds their results to the engine at `index`. If one fails, the others
/// still run.
fn measure_workloads(
    databases: &Databases,
    index: usize,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut workloads = selected_workloads(arguments).peekable();
    if workloads.peek().is_none() {
        return Ok(());
    }
    let engine = databases.engine();
    progress(&format!("{}: creating the initial data of all workloads", engine.name()));
    let installation = installation::create(databases)?;
    let repetition = Repetition { runs: arguments.runs, scale: arguments.scale };
    for workload in workloads {
        match measure::workload(databases, &installation, workload, repetition) {
            Ok(results) => report.engines[index].results.extend(results),
            Err(error) => {
                report.record_failure(&format!("{} on {}", workload.name, engine.name()), &error);
            }
        }
        report.save(&arguments.out)?;
    }
    databases.drop(&installation)
}

fn selected_workloads(arguments: &Arguments) -> impl Iterator<Item = &'static Workload> {
    WORKLOADS.iter().filter(|workload| arguments.selects(workload.name))
}

/// Draws the growth chart next to the result, if growth was measured.
fn save_chart(report: &Report, result_path: &Path) -> anyhow::Result<()> {
    let growths: Vec<_> = report
        .engines
        .iter()
        .filter_map(|report| Some((report.engine.name(), report.growth.as_ref()?)))
        .collect();
    if !growths.is_empty() {
        std::fs::write(result_path.with_file_name("growth.svg"), chart::growth(&growths))?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a command-line program prints its result on standard output")]
fn print(text: &str) {
    print!("{text}");
}
