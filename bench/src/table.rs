//! What was measured, as people read it: a table for each engine.

use std::fmt::Write;

use crate::growth::{self, Growth, Point};
use crate::peers::against;
use crate::report::{EngineReport, Line, Report};

/// A generator that was busy for more than this part of a run may be what was measured.
const TOO_BUSY: f64 = 0.9;

/// All tables, with what they were measured on.
pub(crate) fn tables(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = format!(
        "{}, {} cores ({}), kernel {}, {:.0} synced pages a second; zumra {}, medians of {} runs\n",
        report.date,
        machine.cores,
        machine.processor.as_deref().unwrap_or("unknown"),
        machine.kernel.as_deref().unwrap_or("unknown"),
        machine.syncs_per_second,
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
        if !engine.lines.is_empty() {
            text += &lines(engine);
        }
        if let Some(growth) = &engine.growth {
            text += &of_growth(growth);
        }
    }
    text += &against::table(report);
    for failure in &report.failures {
        let _ = writeln!(text, "\nnot measured: {failure}");
    }
    text
}

fn lines(engine: &EngineReport) -> String {
    let mut rows = vec![
        [
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
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    rows.extend(engine.lines.iter().map(row));
    let text = aligned(&rows);
    if engine.lines.iter().any(is_too_busy) {
        return text + "! the generator was the bottleneck, or near it: the service may be faster\n";
    }
    text
}

fn is_too_busy(line: &Line) -> bool {
    line.summary.generator_busy.is_some_and(|busy| busy > TOO_BUSY)
}

fn row(line: &Line) -> Vec<String> {
    let summary = &line.summary;
    let number = |number: Option<f64>| number.map_or(String::new(), |number| format!("{number:.0}"));
    let percent = |part: Option<f64>| part.map_or(String::new(), |part| format!("{:.0} %", part * 100.0));
    let system = match line.processes {
        1 => line.system.clone(),
        processes => format!("{} × {processes}", line.system),
    };
    #[expect(clippy::cast_precision_loss, reason = "a count of customers")]
    let customers = (line.workload != "mixed").then_some(summary.requests * line.size as f64);
    vec![
        line.workload.to_owned(),
        system,
        line.clients.to_string(),
        rate(summary.requests),
        format!("{}..{}", rate(summary.slowest), rate(summary.fastest)),
        number(customers),
        format!("{:.2}", summary.p50_ms),
        format!("{:.2}", summary.p99_ms),
        percent(line.part_of(line.bounds.http.as_ref())),
        percent(line.part_of(line.bounds.server.as_ref())),
        percent(line.part_of(line.bounds.engine.as_ref())),
        percent(line.part_of(line.bounds.driver.as_ref())),
        number(summary.cpu_micros),
        summary.memory_mib.map_or(String::new(), |memory| memory.to_string()),
        percent(summary.generator_busy) + if is_too_busy(line) { " !" } else { "" },
    ]
}

/// Requests a second, with a digit more where a whole number would say little.
fn rate(requests: f64) -> String {
    let digits = if requests < 1.0 { 3 } else { usize::from(requests < 100.0) };
    format!("{requests:.digits$}")
}

fn of_growth(growth: &Growth) -> String {
    let heads = [
        "merchants",
        "members",
        "ms/request",
        "spread",
        "customers/s",
        "of an empty group",
        "MiB",
        "start ms",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(growth.points.iter().map(point_row));
    let mut text = aligned(&rows);
    text.insert_str(
        0,
        &format!(
            "\nadd-100 by how many members there are, medians of {} runs, with many merchants of {}\n",
            growth::RUNS,
            growth::MANY_RUNS
        ),
    );
    let mut rows = vec![["customers", "list", "p50 ms", "p99 ms"].map(str::to_owned).to_vec()];
    for list in &growth.lists {
        let times = [format!("{:.2}", list.p50_ms), format!("{:.2}", list.p99_ms)];
        let [p50, p99] = times;
        rows.push(vec![list.customers.to_string(), list.list.to_owned(), p50, p99]);
    }
    text.push('\n');
    text + &aligned(&rows)
}

fn point_row(point: &Point) -> Vec<String> {
    vec![
        point.merchants.to_string(),
        point.members.to_string(),
        format!("{:.3}", point.ms_per_request),
        format!("{:.3}..{:.3}", point.fastest_ms, point.slowest_ms),
        format!("{:.0}", 100_000.0 / point.ms_per_request),
        format!("{:.2}", point.of_empty),
        point.memory_mib.map_or(String::new(), |memory| memory.to_string()),
        format!("{:.0}", point.start_ms),
    ]
}

/// A table in Markdown, with columns that stand below each other in a terminal too. The first row is its head.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text += "|\n";
        if i == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text += "|\n";
        }
    }
    text
}
