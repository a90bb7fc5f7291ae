//! A running server of another product.

use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::http;
use super::product::Product;
use crate::database::Databases;
use crate::load::{self, Run};
use crate::process::{Process, free_address};
use crate::workloads::Workload;

/// The directory of the scripts `set-up` and `start`.
pub(super) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baselines");
/// How long a product may take until it is ready, and the interval between two checks.
const START_TIMEOUT: Duration = Duration::from_mins(3);
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// How long CPU time is measured to find out whether a product is idle.
const IDLE_PERIOD: Duration = Duration::from_secs(1);
/// A product that uses less CPU time than this in [`IDLE_PERIOD`] is idle.
const IDLE_CPU_SECONDS: f64 = 0.1;

/// A product's server process, with the token of its administrator.
pub(super) struct Server {
    process: Process,
    product: Product,
    token: String,
}

impl Server {
    /// Starts a server, waits until it is ready and logs in.
    pub(super) fn start(
        databases: &Databases,
        directory: &Path,
        product: Product,
        processes: usize,
    ) -> anyhow::Result<Self> {
        let ((host, port), address) = (databases.host_and_port()?, free_address()?);
        let mut command = Command::new(Path::new(SCRIPTS).join("start"));
        command.arg(product.name()).arg(directory).args([
            host,
            port.to_string(),
            address.port().to_string(),
            processes.to_string(),
        ]);
        let mut process = Process::spawn(databases.janitor(), command, address)?;
        wait_until_ready(&mut process)?;
        let response = http::send(address, &product.login_request())?;
        let token = product.token(&response).context("the login response has no token")?;
        Ok(Self { process, product, token })
    }

    pub(super) fn run(&self, workload: &Workload, numbers: Range<u64>) -> anyhow::Result<Run> {
        let addresses = [self.process.address()];
        load::run(&addresses, workload.clients, numbers, &|_, number, buffer: &mut Vec<u8>| {
            self.product.write(workload.request(number), &self.token, buffer);
            200
        })
    }

    pub(super) fn cpu_seconds(&self) -> Option<f64> {
        self.process.cpu_seconds()
    }

    pub(super) fn peak_memory_mib(&self) -> Option<u64> {
        self.process.peak_memory_mib()
    }
}

/// Waits until a server responds and then is idle. Of several processes, the first responds while the others
/// still start, and only their CPU time shows that.
fn wait_until_ready(process: &mut Process) -> anyhow::Result<()> {
    let started = Instant::now();
    let request = http::get("/health");
    let mut is_healthy = false;
    loop {
        process.ensure_running()?;
        is_healthy = is_healthy
            || http::send(process.address(), &request).is_ok_and(|response| response.status == 200);
        if is_healthy && is_idle(process) {
            return Ok(());
        }
        anyhow::ensure!(
            started.elapsed() < START_TIMEOUT,
            "the server is not ready after {} s",
            START_TIMEOUT.as_secs()
        );
        std::thread::sleep(CHECK_INTERVAL);
    }
}

/// Measures the CPU time of one [`IDLE_PERIOD`]. Returns true where the system does not report CPU time.
fn is_idle(process: &Process) -> bool {
    let before = process.cpu_seconds();
    std::thread::sleep(IDLE_PERIOD);
    let used = process.cpu_seconds().zip(before).map_or(0.0, |(after, before)| after - before);
    used < IDLE_CPU_SECONDS
}
