//! Formats a report for a terminal: one table for each engine.

use std::fmt::Write;

use crate::compare;
use crate::growth;
use crate::report::{EngineReport, Growth, GrowthPoint, Report, WorkloadResult};
use crate::text::{aligned_table, system_label, text_row};

/// Above this fraction of CPU time, the load generator may be the bottleneck.
const BUSY_GENERATOR: f64 = 0.9;

/// Formats all tables, with the host and the versions that they were measured on.
pub(crate) fn tables(report: &Report) -> String {
    let host = &report.host;
    let mut text = format!(
        "{}, {} cores ({}), kernel {}, {:.0} fsynced pages/s; zumra {}, medians of {} runs\n",
        report.date,
        host.cores,
        host.processor.as_deref().unwrap_or("unknown"),
        host.kernel.as_deref().unwrap_or("unknown"),
        host.fsyncs_per_second,
        report.zumra,
        report.runs,
    );
    for engine in &report.engines {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{} {}", engine.engine.name(), engine.version);
        if !engine.settings.is_empty() {
            let _ = write!(text, " ({})", engine.settings.join(", "));
        }
        text.push('\n');
        if !engine.results.is_empty() {
            text += &workload_table(engine);
        }
        if let Some(growth) = &engine.growth {
            text += &growth_tables(growth);
        }
    }
    text += &compare::table(report);
    for failure in &report.failures {
        let _ = writeln!(text, "\nnot measured: {failure}");
    }
    text
}

fn workload_table(engine: &EngineReport) -> String {
    let mut rows = vec![text_row([
        "workload",
        "system",
        "clients",
        "requests/s",
        "spread",
        "customers/s",
        "p50 ms",
        "p99 ms",
        "of HTTP bound",
        "of server bound",
        "of engine bound",
        "of driver bound",
        "CPU µs",
        "MiB",
        "generator",
    ])];
    rows.extend(engine.results.iter().map(workload_row));
    let mut text = aligned_table(&rows);
    if engine.results.iter().any(is_generator_busy) {
        text += "! the load generator was the bottleneck, or nearly: the service may be faster\n";
    }
    text
}

fn is_generator_busy(result: &WorkloadResult) -> bool {
    result.summary.generator_busy.is_some_and(|busy| busy > BUSY_GENERATOR)
}

fn workload_row(result: &WorkloadResult) -> Vec<String> {
    let (summary, bounds) = (&result.summary, &result.bounds);
    let customers_per_second = (result.workload != "mixed").then(|| result.customers_per_second());
    let bound_cell = |bound: &Option<_>| percent_cell(result.ratio_to(bound.as_ref()));
    vec![
        result.workload.to_owned(),
        system_label(&result.system, result.processes),
        result.clients.to_string(),
        rate_cell(summary.median_per_second),
        format!("{}..{}", rate_cell(summary.slowest_per_second), rate_cell(summary.fastest_per_second)),
        whole_number_cell(customers_per_second),
        format!("{:.2}", summary.p50_ms),
        format!("{:.2}", summary.p99_ms),
        bound_cell(&bounds.http),
        bound_cell(&bounds.server),
        bound_cell(&bounds.engine),
        bound_cell(&bounds.driver),
        whole_number_cell(summary.cpu_micros),
        memory_cell(summary.memory_mib),
        percent_cell(summary.generator_busy) + if is_generator_busy(result) { " !" } else { "" },
    ]
}

fn whole_number_cell(number: Option<f64>) -> String {
    number.map_or(String::new(), |number| format!("{number:.0}"))
}

fn percent_cell(ratio: Option<f64>) -> String {
    ratio.map_or(String::new(), |ratio| format!("{:.0} %", ratio * 100.0))
}

fn memory_cell(memory_mib: Option<u64>) -> String {
    memory_mib.map_or(String::new(), |memory_mib| memory_mib.to_string())
}

/// Formats requests per second, with decimals where a whole number would be imprecise.
fn rate_cell(rate: f64) -> String {
    let digits = if rate < 1.0 { 3 } else { usize::from(rate < 100.0) };
    format!("{rate:.digits$}")
}

fn growth_tables(growth: &Growth) -> String {
    let mut points = vec![text_row([
        "merchants",
        "members",
        "ms/request",
        "spread",
        "customers/s",
        "of an empty group",
        "MiB",
        "start ms",
    ])];
    points.extend(growth.points.iter().map(growth_row));
    let mut lists = vec![text_row(["customers", "list", "p50 ms", "p99 ms"])];
    lists.extend(growth.lists.iter().map(|list| {
        let (p50, p99) = (format!("{:.2}", list.p50_ms), format!("{:.2}", list.p99_ms));
        vec![list.customers.to_string(), list.list.to_owned(), p50, p99]
    }));
    format!(
        "\nadd-100 by number of members, medians of {} runs, with many merchants of {}\n{}\n{}",
        growth::RUNS,
        growth::MANY_RUNS,
        aligned_table(&points),
        aligned_table(&lists)
    )
}

fn growth_row(point: &GrowthPoint) -> Vec<String> {
    vec![
        point.merchants.to_string(),
        point.members.to_string(),
        format!("{:.3}", point.ms_per_request),
        format!("{:.3}..{:.3}", point.fastest_ms, point.slowest_ms),
        format!("{:.0}", 100_000.0 / point.ms_per_request),
        format!("{:.2}", point.ratio_to_empty),
        memory_cell(point.memory_mib),
        format!("{:.0}", point.start_ms),
    ]
}
