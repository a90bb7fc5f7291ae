//! A server for benchmarks.

use std::path::Path;

use super::server::cluster;
use super::shell::{ServerShell, free_ports};
use super::url;

/// A server with the settings of production: acknowledged commits survive a power failure. Stopped and deleted on drop,
/// or when the process exits.
pub struct DurableServer {
    shell: ServerShell,
    port: u16,
}

impl DurableServer {
    /// The settings that differ from PostgreSQL's defaults, and the defaults that matter most.
    pub const SETTINGS: &[&str] = &[
        "fsync=on",
        "synchronous_commit=on",
        "full_page_writes=on",
        "autovacuum=on",
        "shared_buffers=1GB",
        "max_wal_size=8GB",
        "min_wal_size=4GB",
        "checkpoint_timeout=15min",
        "max_connections=300",
    ];

    /// Creates and starts a server. Its files are in a new directory in `directory`, which decides the disk; the user
    /// `postgres` must have access to it.
    pub fn start(directory: &Path) -> Self {
        let [port] = free_ports();
        let shell = ServerShell::start(cluster(port, Self::SETTINGS).env("TMPDIR", directory));
        Self { shell, port }
    }

    /// Returns the URL of a database on the server.
    pub fn url(&self, database: &str) -> String {
        url(self.port, database)
    }
}

impl Drop for DurableServer {
    fn drop(&mut self) {
        self.shell.stop();
    }
}
