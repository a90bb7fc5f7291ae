//! A primary and its standby, for tests of failover and of replicas.

use tokio_postgres::Client;

use super::shell::{ServerShell, free_ports, shell};
use super::{connect, url};

/// Runs the two servers, and fails over on command.
const PAIR: &str = concat!(include_str!("common.sh"), include_str!("pair.sh"));

/// A primary and a synchronous standby. The *first* server starts as the primary, the *second* as the standby. Stopped
/// and deleted when the process exits.
pub struct TestPair {
    shell: ServerShell,
    ports: [u16; 2],
}

impl TestPair {
    /// Creates and starts both servers. Returns when the standby confirms commits.
    pub fn start() -> Self {
        let ports = free_ports();
        Self { shell: ServerShell::start(&mut shell(PAIR, &ports)), ports }
    }

    /// Returns a URL with both hosts; a driver connects to the one that accepts writes.
    pub fn url(&self) -> String {
        let [first, second] = self.ports;
        format!(
            "postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/postgres?target_session_attrs=read-write&sslmode=disable"
        )
    }

    /// Returns the URL of the first server, whatever its role is now.
    pub fn first_url(&self) -> String {
        url(self.ports[0], "postgres")
    }

    /// Returns the URL of the second server, whatever its role is now.
    pub fn second_url(&self) -> String {
        url(self.ports[1], "postgres")
    }

    /// Crashes the primary and promotes the standby.
    pub fn fail_over(&mut self) {
        self.shell.send_command("fail over", "promoted");
    }

    /// Like [`fail_over`](Self::fail_over), but the old primary has commits that the standby never received. It
    /// restarts as a standby that contains these commits, so it can never follow the new primary.
    pub fn fail_over_with_divergence(&mut self) {
        self.shell.send_command("diverge", "promoted");
    }

    /// Waits until the standby shows all commits.
    pub async fn wait_for_replay(&self) {
        let client = self.connect().await;
        client.batch_execute("SET synchronous_commit = remote_apply").await.expect("the setting exists");
        // A commit without changes, acknowledged when the standby has replayed it.
        let message = "SELECT pg_logical_emit_message(true, 'zumra', '')";
        client.batch_execute(message).await.expect("the standby replays the commit");
    }

    /// Connects to the server that accepts writes.
    pub async fn connect(&self) -> Client {
        connect(&self.url()).await
    }

    /// Connects to the first server.
    pub async fn connect_to_first(&self) -> Client {
        connect(&self.first_url()).await
    }

    /// Connects to the second server.
    pub async fn connect_to_second(&self) -> Client {
        connect(&self.second_url()).await
    }
}
