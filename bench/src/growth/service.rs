//! Single requests to a service, and the time that it takes to start.

use std::time::Instant;

use crate::database::{Database, Databases};
use crate::load::{self, Run};
use crate::process::Process;
use crate::requests;
use crate::summary::median;

/// Starts of the service for each measurement.
const STARTS: u64 = 5;

/// Returns the milliseconds from the start of a service to its first response: the median of [`STARTS`]
/// starts.
pub(super) fn median_start_ms(databases: &Databases, database: &Database) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let service = Process::start_zumra(databases.janitor(), database)?;
        get_repeatedly(&service, 1, "customers/groups", 1)?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(times))
}

/// Sends the same GET request `count` times, one after another.
pub(super) fn get_repeatedly(
    service: &Process,
    merchant: i64,
    path: &str,
    count: u64,
) -> anyhow::Result<Run> {
    load::run(&[service.address()], 1, 0..count, &|_, _, buffer: &mut Vec<u8>| {
        requests::write_get(merchant, path, buffer);
        200
    })
}
