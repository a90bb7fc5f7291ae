//! Compares the service with the fastest other product.

use std::fmt::Write;

use crate::engine::Engine;
use crate::report::{Baselines, ComparedService, Comparison, Report, WorkloadResult, ZUMRA};
use crate::text::{aligned_table, system_label, text_row};

/// Workloads that are compared by throughput.
const THROUGHPUT_WORKLOADS: [&str; 3] = ["add-1", "add-100", "add-1000"];
/// The workload that is compared by the time of one request.
const RESPONSE_TIME_WORKLOAD: &str = "add-10000";

/// Compares the results that exist so far.
pub(crate) fn comparisons(report: &Report) -> Vec<Comparison> {
    THROUGHPUT_WORKLOADS.iter().filter_map(|workload| comparison(report, workload)).collect()
}

/// Compares one workload. Returns `None` if no other product was measured with it.
fn comparison(report: &Report, workload: &str) -> Option<Comparison> {
    let results = || report.results().filter(|(_, result)| result.workload == workload);
    let others = results().map(|(_, result)| result).filter(|result| result.system != ZUMRA);
    let fastest = others.max_by(|a, b| a.customers_per_second().total_cmp(&b.customers_per_second()))?;
    let compared = |(engine, result): (Engine, &WorkloadResult)| ComparedService {
        engine,
        processes: result.processes,
        customers_per_second: result.customers_per_second(),
        ratio: result.customers_per_second() / fastest.customers_per_second(),
    };
    Some(Comparison {
        workload: fastest.workload,
        size: fastest.size,
        product: fastest.system.clone(),
        processes: fastest.processes,
        customers_per_second: fastest.customers_per_second(),
        zumra: results().filter(|(_, result)| result.system == ZUMRA).map(compared).collect(),
    })
}

/// Formats the comparison for a terminal. Empty if no other product was measured.
pub(crate) fn table(report: &Report) -> String {
    let Some(baselines) = &report.baselines else { return String::new() };
    let mut text = format!(
        "\ncompared with medusa {}, vendure {}, node {}, on PostgreSQL, with 1 or 2 processes; medians of {} runs\n",
        baselines.medusa, baselines.vendure, baselines.node, baselines.runs
    );
    if !baselines.comparisons.is_empty() {
        text += &throughput_table(&baselines.comparisons);
    }
    let rows = response_time_rows(report, baselines);
    if rows.len() > 1 {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", aligned_table(&rows));
    }
    text
}

fn throughput_table(comparisons: &[Comparison]) -> String {
    let services = compared_services(comparisons);
    let mut header = text_row(["workload", "fastest product", "customers/s"]);
    header.extend(services.iter().map(|(engine, processes)| {
        let name = format!("zumra, {}", engine.name());
        system_label(&name, *processes)
    }));
    let mut rows = vec![header];
    for comparison in comparisons {
        let mut row = vec![
            comparison.workload.to_owned(),
            system_label(&comparison.product, comparison.processes),
            format!("{:.0}", comparison.customers_per_second),
        ];
        row.extend(services.iter().map(|column| {
            let service =
                comparison.zumra.iter().find(|service| (service.engine, service.processes) == *column);
            service.map_or(String::new(), |service| format!("{:.1} times", service.ratio))
        }));
        rows.push(row);
    }
    aligned_table(&rows)
}

/// Returns the engines and numbers of processes that occur in any comparison: SQLite first, then by
/// processes.
fn compared_services(comparisons: &[Comparison]) -> Vec<(Engine, usize)> {
    let mut services: Vec<(Engine, usize)> = Vec::new();
    for service in comparisons.iter().flat_map(|comparison| &comparison.zumra) {
        if !services.contains(&(service.engine, service.processes)) {
            services.push((service.engine, service.processes));
        }
    }
    services.sort_by_key(|(engine, processes)| (*engine == Engine::Postgres, *processes));
    services
}

fn response_time_rows(report: &Report, baselines: &Baselines) -> Vec<Vec<String>> {
    let mut rows = vec![text_row([RESPONSE_TIME_WORKLOAD, "ms/request"])];
    for (engine, result) in report.results().filter(|(_, result)| result.workload == RESPONSE_TIME_WORKLOAD) {
        let name = system_label(&result.system, result.processes);
        rows.push(vec![format!("{name}, {}", engine.name()), format!("{:.0}", result.summary.p50_ms)]);
    }
    for rejection in &baselines.rejections {
        let name = system_label(rejection.system, rejection.processes);
        rows.push(vec![name, format!("rejected: {}", rejection.response)]);
    }
    rows
}
