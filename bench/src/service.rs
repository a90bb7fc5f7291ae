//! What is measured: the installation that every workload begins with, and the processes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::Context;
use serde_json::json;
use zumra_core::{Actor, Clock, IdSource, Operation, SystemClock, fixture};
use zumra_storage::Storage;
use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};

pub(crate) const TOKEN: &str = "the-token-of-the-benchmark";
/// Customers of the shop, with ids from 1.
pub(crate) const CUSTOMERS: i64 = 100_000;
/// Groups of the shop, with ids from 1.
pub(crate) const GROUPS: i64 = 400;

/// A database with one shop and no members in it.
pub(crate) struct Installation {
    folder: tempfile::TempDir,
}

/// A copy of it, for one workload.
pub(crate) struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("zumra.db")
    }
}

impl Installation {
    pub(crate) fn new() -> anyhow::Result<Self> {
        // Beside the results, not in memory: what is measured is durable.
        let folder = tempfile::tempdir_in(".")?;
        let groups: Vec<_> = (1..=GROUPS).map(|id| json!({"id": id, "name": format!("g{id}")})).collect();
        let customer = |id: i64| json!({"id": id, "first_name": format!("c{id}"), "mobile": (500_000_000 + id).to_string()});
        let customers: Vec<_> = (1..=CUSTOMERS).map(customer).collect();
        let tokens = json!([{"token": TOKEN, "scopes": ["customers.read_write"]}]);
        let shop = json!({"merchants": [{"id": 1, "name": "s", "tokens": tokens, "groups": groups, "customers": customers}]});
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let options = SqliteOptions::new(folder.path().join("zumra.db"));
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&options, SystemClock.now())?);
        runtime.block_on(async {
            for shop in fixture::parse(shop.to_string().as_bytes())? {
                let at = SystemClock.now();
                let id = IdSource::new(0).next_operation(at);
                storage.load(shop, Operation { id, at, actor: Actor::Operator }).await?;
            }
            storage.close().await;
            anyhow::Ok(())
        })?;
        Ok(Self { folder })
    }

    pub(crate) fn copy(&self) -> anyhow::Result<Copy> {
        let folder = tempfile::tempdir_in(".")?;
        std::fs::copy(self.folder.path().join("zumra.db"), folder.path().join("zumra.db"))?;
        Ok(Copy { folder })
    }
}

/// A process that answers. Killed when it is dropped.
pub(crate) struct Service {
    child: Child,
    address: String,
    _database: Option<Copy>,
}

impl Service {
    /// `zumra serve`, built by the same build.
    pub(crate) fn zumra(installation: &Installation) -> anyhow::Result<Self> {
        let database = installation.copy()?;
        let binary = sibling("zumra")?;
        let mut command = Command::new(&binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "info", "--database"]);
        let mut child = command.arg(database.path()).stderr(Stdio::piped()).spawn().with_context(|| {
            format!("{} is not there: build it with cargo build --release", binary.display())
        })?;
        let log = BufReader::new(child.stderr.take().context("no log")?);
        let mut lines = log.lines();
        let address = loop {
            let line = lines.next().context("the service ended")??;
            let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = line["listen"].as_str() {
                break address.to_owned();
            }
        };
        // Somebody has to read the log, or the service would wait for it.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address, _database: Some(database) })
    }

    /// The HTTP bound.
    pub(crate) fn bound() -> anyhow::Result<Self> {
        let this = std::env::current_exe()?;
        let mut child = Command::new(this).arg("--bound").stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().to_owned(), _database: None })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The most memory that it has had, in MiB, where the system tells.
    pub(crate) fn memory(&self) -> Option<u64> {
        let status =
            std::fs::read_to_string(Path::new("/proc").join(self.child.id().to_string()).join("status"));
        let status = status.ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
        Some(kibibytes / 1024)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

/// A program beside this one.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    Ok(this.with_file_name(name))
}
