//! Measured server processes: building, starting and stopping them.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::database::Database;
use crate::janitor::Janitor;
use crate::proc;

/// File names of the executables.
const ZUMRA: &str = "zumra";
const BENCH: &str = "zumra-bench";
/// Interval between two attempts to connect to a process that starts.
const CONNECT_INTERVAL: Duration = Duration::from_micros(500);

/// How long a service or bound may take until it accepts connections.
const START_TIMEOUT: Duration = Duration::from_mins(3);

/// Builds the service in the profile of this program. Copies both executables to the janitor's directory,
/// because another build may replace them while the benchmark runs.
pub(crate) fn build(janitor: &Janitor) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let bench = std::env::current_exe()?;
    let profile = bench.parent().and_then(Path::file_name).context("the executable has no directory")?;
    let mut build = Command::new(cargo);
    build.args(["build", "--package", "zumra", "--profile"]).arg(profile);
    // `cargo run` sets variables of this package. Build scripts that depend on them would run again at every
    // start.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&*name);
        }
    }
    let status = build.status().context("cannot run cargo")?;
    anyhow::ensure!(status.success(), "cannot build the service; the error of cargo is above");
    std::fs::copy(bench.with_file_name(ZUMRA), janitor.directory().join(ZUMRA))?;
    std::fs::copy(bench, janitor.directory().join(BENCH))?;
    Ok(())
}

/// A server process. Killed on drop, together with its children.
pub(crate) struct Process {
    child: Child,
    command: Command,
    address: SocketAddr,
    janitor: Rc<Janitor>,
}

impl Process {
    /// Starts `zumra serve` on a database. It writes its log as in production; the output is discarded.
    pub(crate) fn start_zumra(janitor: &Rc<Janitor>, database: &Database) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(janitor.directory().join(ZUMRA));
        command.args(["serve", "--log-level", "info", "--listen", &address.to_string()]);
        command.arg("--database").arg(database.argument());
        Self::start(janitor, command, address)
    }

    /// Starts this program as the server of the server bound.
    pub(crate) fn start_server_bound(janitor: &Rc<Janitor>, database: &Database) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(janitor.directory().join(BENCH));
        command.args(["--bound", &address.to_string(), "--constant", &database.argument()]);
        Self::start(janitor, command, address)
    }

    /// Starts this program as the server of the HTTP bound.
    pub(crate) fn start_http_bound(janitor: &Rc<Janitor>) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(janitor.directory().join(BENCH));
        command.args(["--bound", &address.to_string()]);
        Self::start(janitor, command, address)
    }

    /// Starts a server and waits until it accepts connections.
    fn start(janitor: &Rc<Janitor>, command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        let mut process = Self::spawn(janitor, command, address)?;
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            process.ensure_running()?;
            anyhow::ensure!(
                started.elapsed() < START_TIMEOUT,
                "{:?} does not accept connections after {} s; run it by hand to see why",
                process.command,
                START_TIMEOUT.as_secs()
            );
            std::thread::sleep(CONNECT_INTERVAL);
        }
        Ok(process)
    }

    /// Spawns a server in its own process group without waiting for it. Its output is discarded.
    pub(crate) fn spawn(
        janitor: &Rc<Janitor>,
        mut command: Command,
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        command.process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let process = Self { child, address, command, janitor: Rc::clone(janitor) };
        janitor.track(process.child.id())?;
        Ok(process)
    }

    /// Fails if the process has ended.
    pub(crate) fn ensure_running(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{:?} ended with {status}; run it by hand to see why", self.command);
        }
        Ok(())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the sum of the peak memory of the process and its descendants in MiB, where the system reports
    /// it.
    pub(crate) fn peak_memory_mib(&self) -> Option<u64> {
        proc::process_tree(self.child.id()).into_iter().map(proc::peak_memory_mib).sum()
    }

    /// Returns the CPU time of the process and its descendants in seconds, where the system reports it.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        proc::process_tree(self.child.id()).into_iter().map(proc::cpu_seconds).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Kill the whole group before the child is reaped, because its id may be reused after that. The
        // processes may have ended already.
        let kill = r#"kill -s KILL -- "-$0" 2>/dev/null"#;
        let _ = Command::new("sh").args(["-c", kill, &self.child.id().to_string()]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.janitor.untrack(self.child.id()); // fails only if the janitor has ended
    }
}

/// Returns a local address with a free port.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
