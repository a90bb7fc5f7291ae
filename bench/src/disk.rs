//! The fsync rate of the disk that holds the databases: the reference for every durable write.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Measures for one second how many 4 KiB pages per second the disk of a directory makes durable
/// (`fdatasync`).
pub(crate) fn fsyncs_per_second(directory: &Path) -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile_in(directory)?;
    let started = Instant::now();
    let mut fsyncs = 0_u32;
    while started.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        fsyncs += 1;
    }
    Ok(f64::from(fsyncs) / started.elapsed().as_secs_f64())
}
