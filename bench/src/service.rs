//! Processes that answer: how they are built, started and watched.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::database::Database;
use crate::keeper::Keeper;
use crate::proc;

const ZUMRA: &str = "zumra";
const BENCH: &str = "zumra-bench";
/// How long to wait between two looks whether a process listens.
const LOOK: Duration = Duration::from_micros(500);

/// Builds the service in the profile that this program was built in, and keeps what is started later in the keeper's folder:
/// somebody may build again meanwhile.
pub(crate) fn build(keeper: &Keeper) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let this = std::env::current_exe()?;
    let profile = this.parent().and_then(Path::file_name).context("this program has no folder")?;
    let mut build = Command::new(cargo);
    build.args(["build", "--package", "zumra", "--profile"]).arg(profile);
    // What `cargo run` says of this package would make dependencies that look at it be built anew, each time.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&*name);
        }
    }
    anyhow::ensure!(build.status().context("cargo cannot be run")?.success(), "the service cannot be built");
    std::fs::copy(this.with_file_name(ZUMRA), keeper.folder().join(ZUMRA))?;
    std::fs::copy(this, keeper.folder().join(BENCH))?;
    Ok(())
}

/// A process that listens. Killed when it is dropped, with those that it started.
pub(crate) struct Process {
    child: Child,
    command: Command,
    address: SocketAddr,
    keeper: Rc<Keeper>,
}

impl Process {
    /// `zumra serve` on a database. It writes its log as it always does; nobody keeps it.
    pub(crate) fn zumra(keeper: &Rc<Keeper>, database: &Database) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(keeper.folder().join(ZUMRA));
        command.args(["serve", "--log-level", "info", "--listen", &address.to_string()]);
        command.arg("--database").arg(database.argument());
        Self::start(keeper, command, address)
    }

    /// The server bound: this program, as our server over a storage that adds nothing.
    pub(crate) fn constant(keeper: &Rc<Keeper>, database: &Database) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(keeper.folder().join(BENCH));
        command.args(["--bound", &address.to_string(), "--constant", &database.argument()]);
        Self::start(keeper, command, address)
    }

    /// The HTTP bound: this program, as a server.
    pub(crate) fn bound(keeper: &Rc<Keeper>) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(keeper.folder().join(BENCH));
        command.args(["--bound", &address.to_string()]);
        Self::start(keeper, command, address)
    }

    /// Starts what will listen at an address, and waits until it does.
    fn start(keeper: &Rc<Keeper>, command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        let mut process = Self::launch(keeper, command, address)?;
        while TcpStream::connect(address).is_err() {
            process.check()?;
            std::thread::sleep(LOOK);
        }
        Ok(process)
    }

    /// Starts it. What it writes is thrown away. It is a group of its own, and what it starts ends with it.
    pub(crate) fn launch(
        keeper: &Rc<Keeper>,
        mut command: Command,
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        command.process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("{command:?} cannot be started"))?;
        let process = Self { child, address, command, keeper: Rc::clone(keeper) };
        keeper.started(process.child.id())?;
        Ok(process)
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{:?} ended with {status}; run it by hand to see why", self.command);
        }
        Ok(())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The most memory that it and those that it started have had, in MiB, where the system tells.
    pub(crate) fn memory(&self) -> Option<u64> {
        proc::family(self.child.id()).into_iter().map(proc::peak_memory).sum()
    }

    /// Seconds of processor time that it and those that it started have used, where the system tells.
    pub(crate) fn cpu(&self) -> Option<f64> {
        proc::family(self.child.id()).into_iter().map(proc::cpu_seconds).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // All of its group, before its number is anybody else's. They may have ended by themselves.
        let kill = r#"kill -s KILL -- "-$0" 2>/dev/null"#;
        let _ = Command::new("sh").args(["-c", kill, &self.child.id().to_string()]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.keeper.ended(self.child.id()); // a keeper that is gone has nothing to watch
    }
}

/// An address that nobody listens at.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
