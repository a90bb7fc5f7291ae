//! Statistics of the runs of one workload on one system.

use serde::Serialize;

use crate::load::Run;

/// Throughput, response times and resource usage over all runs.
#[derive(Serialize, Clone)]
pub(crate) struct Summary {
    /// Requests per second: median, minimum and maximum of the runs.
    #[serde(rename = "requests")]
    pub(crate) median_per_second: f64,
    #[serde(rename = "slowest")]
    pub(crate) slowest_per_second: f64,
    #[serde(rename = "fastest")]
    pub(crate) fastest_per_second: f64,
    /// Percentiles of the response time over the requests of all runs.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) requests_per_run: usize,
    /// CPU time of the generator's thread divided by the elapsed time. Near 1, the generator is the
    /// bottleneck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generator_busy: Option<f64>,
    /// CPU time of the measured processes per request, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_micros: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_mib: Option<u64>,
}

impl Summary {
    /// Summarizes at least one run; every run has at least one request.
    pub(crate) fn from_runs(runs: &[Run], cpu_seconds: Option<f64>, memory_mib: Option<u64>) -> Self {
        debug_assert!(!runs.is_empty() && runs.iter().all(|run| !run.micros.is_empty()));
        let mut rates: Vec<f64> =
            runs.iter().map(|run| to_f64(run.micros.len()) / run.elapsed.as_secs_f64()).collect();
        rates.sort_by(f64::total_cmp);
        let mut micros: Vec<u32> = runs.iter().flat_map(|run| run.micros.iter().copied()).collect();
        micros.sort_unstable();
        let elapsed: f64 = runs.iter().map(|run| run.elapsed.as_secs_f64()).sum();
        let generator_seconds: Option<f64> =
            runs.iter().map(|run| Some(run.generator_busy? * run.elapsed.as_secs_f64())).sum();
        Self {
            median_per_second: rates[rates.len() / 2],
            slowest_per_second: rates[0],
            fastest_per_second: rates[rates.len() - 1],
            p50_ms: percentile_ms(&micros, 0.5),
            p99_ms: percentile_ms(&micros, 0.99),
            requests_per_run: micros.len() / runs.len(),
            generator_busy: generator_seconds.map(|seconds| seconds / elapsed),
            cpu_micros: cpu_seconds.map(|seconds| seconds * 1e6 / to_f64(micros.len())),
            memory_mib,
        }
    }
}

/// Returns the median; of an even number of values, the higher of the two middle ones. At least one value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    debug_assert!(!values.is_empty());
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the value in milliseconds that the fraction `rank` of the requests did not exceed. `micros` is
/// sorted.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index into a list of measurements"
)]
fn percentile_ms(micros: &[u32], rank: f64) -> f64 {
    debug_assert!(micros.is_sorted());
    f64::from(micros[((micros.len() - 1) as f64 * rank) as usize]) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests")]
fn to_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_an_even_number_is_the_higher_middle_value() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]).to_bits(), 3.0_f64.to_bits());
    }

    #[test]
    fn percentiles_are_elements_of_the_list() {
        let micros: Vec<u32> = (1..=101).map(|n| n * 1000).collect();
        assert!((percentile_ms(&micros, 0.5) - 51.0).abs() < 1e-9);
        assert!((percentile_ms(&micros, 0.99) - 100.0).abs() < 1e-9);
    }
}
