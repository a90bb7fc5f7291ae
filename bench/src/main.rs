//! `cargo run --release -p zumra-bench`: starts what it measures, loads it, prints one table, and saves it as JSON.
//!
//! What belongs here: the order of things. Numbers mean something only beside others of the same run, so the bounds are
//! measured with every workload: `bounds.rs`. How requests are sent is `load.rs`, what is sent `workloads.rs`.

mod bounds;
mod load;
mod report;
mod service;
mod workloads;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use report::{Line, Report};
use service::{Installation, Service};
use workloads::WORKLOADS;

/// Measure Zumra against bounds of the same run
#[derive(Parser)]
struct Arguments {
    /// Seconds of one run
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Runs of each workload; the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only workloads whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Where to save the result as JSON
    #[arg(long, default_value = "bench/results/latest.json")]
    out: PathBuf,
    /// Be the server of the HTTP bound; the benchmark starts itself so
    #[arg(long, hide = true)]
    bound: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.bound {
        return bounds::serve();
    }
    let time = Duration::from_secs(arguments.seconds);
    eprintln_line("building the installation that every workload begins with");
    let installation = Installation::new()?;
    let mut report = Report::new(arguments.seconds, arguments.runs, bounds::syncs_per_second()?);
    for workload in WORKLOADS.iter().filter(|workload| workload.name.contains(&arguments.only)) {
        eprintln_line(workload.name);
        let bound = Service::bound()?;
        let http = load::measure(&bound, workload, time, arguments.runs)?;
        drop(bound);
        let engine = bounds::engine(&installation, workload, time)?;
        let service = Service::zumra(&installation)?;
        let zumra = load::measure(&service, workload, time, arguments.runs)?;
        report.lines.push(Line::new(workload, &zumra, &http, engine, service.memory()));
    }
    report.print();
    report.save(&arguments.out)
}

/// Tells whoever waits what is being done.
#[expect(clippy::print_stderr, reason = "a program for people at a terminal")]
fn eprintln_line(text: &str) {
    eprintln!("· {text}");
}
