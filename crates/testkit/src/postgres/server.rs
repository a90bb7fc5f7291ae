//! A throwaway server, and the server that all tests of a process share.

use std::process::Command;
use std::sync::OnceLock;

use super::shell::{ServerShell, free_ports, shell};
use super::url;

/// Durability and vacuum off: the data of a test does not outlive its process.
const TEST_SETTINGS: &[&str] =
    &["max_connections=200", "fsync=off", "full_page_writes=off", "autovacuum=off"];

/// Runs one server, and stops it when its standard input closes.
const CLUSTER: &str = concat!(include_str!("common.sh"), include_str!("cluster.sh"));

/// A server without durability. Stopped and deleted on drop, or when the process exits.
pub struct ThrowawayServer {
    shell: ServerShell,
    port: u16,
}

impl ThrowawayServer {
    /// Creates and starts a server. Panics if PostgreSQL is missing, and says what to install.
    pub fn start() -> Self {
        let [port] = free_ports();
        Self { shell: ServerShell::start(&mut cluster(port, TEST_SETTINGS)), port }
    }

    /// Returns the URL of its database `postgres`, whose user may create databases.
    pub fn url(&self) -> String {
        url(self.port, "postgres")
    }
}

impl Drop for ThrowawayServer {
    fn drop(&mut self) {
        self.shell.stop();
    }
}

/// Returns the command that runs one server with these settings.
pub(super) fn cluster(port: u16, settings: &[&str]) -> Command {
    let mut command = shell(CLUSTER, &[port]);
    command.args(settings);
    command
}

/// Returns the URL of the server that the tests of this process share. Starts it if no URL was given.
pub(super) fn shared_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        // A static is never dropped, so leak the server. It stops when the process exits.
        given_url().unwrap_or_else(|| Box::leak(Box::new(ThrowawayServer::start())).url())
    })
}

#[expect(clippy::disallowed_methods, reason = "selects the server of a test run")]
fn given_url() -> Option<String> {
    std::env::var("ZUMRA_TEST_POSTGRES_URL").ok()
}
