//! The service as a process, as `zumra serve` and `zumra dev` run it: crashes, restarts, limits, failover.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod crash;
mod dev;
mod early_responses;
mod failover;
#[cfg(target_os = "linux")]
mod hostile_bodies;
mod limits;
mod operating;
mod postgres;
mod search_index;
mod story;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use zumra_testkit::ServerProcess;

const ADD: &str = "/admin/v2/customers/groups/add_customers";
const TOKEN: &str = "the-token-of-this-installation";

/// A temporary directory with a SQLite database of one merchant: group 1, and customers with ids from 1.
struct Installation {
    directory: tempfile::TempDir,
}

impl Installation {
    fn new(customers: i64) -> Self {
        let installation = Self { directory: tempfile::tempdir().unwrap() };
        installation.load(customers, &installation.database());
        installation
    }

    /// Loads the merchant with this number of customers into a database.
    fn load(&self, customers: i64, database: &Path) {
        let customers: Vec<_> = (1..=customers).map(|id| json!({"id": id, "first_name": "c"})).collect();
        let shop = json!({"merchants": [{"id": 1, "name": "shop", "groups": [{"id": 1, "name": "VIP"}],
            "tokens": [{"token": TOKEN, "scopes": ["customers.read_write"]}], "customers": customers}]});
        let file = self.directory.path().join("shop.json");
        std::fs::write(&file, shop.to_string()).unwrap();
        let loaded = command().arg("load").arg(&file).arg("--database").arg(database).output().unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("zumra.db")
    }

    /// Starts a service on the database, with additional flags.
    fn serve(&self, flags: &[&str]) -> ServerProcess {
        ServerProcess::start(zumra_testkit::serve_command(binary(), &self.database()).args(flags))
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_zumra"))
}

/// Returns the command `zumra` with an empty environment.
fn command() -> Command {
    let mut command = Command::new(binary());
    command.env_clear();
    command
}

fn add_body(customers: impl IntoIterator<Item = i64>) -> Value {
    json!({"group_id": 1, "customers": customers.into_iter().collect::<Vec<_>>()})
}

/// Returns true if group 1 is the only group of the customer.
fn is_member(server: &ServerProcess, customer: i64) -> bool {
    let (status, body) = server.get(&format!("/admin/v2/customers/{customer}"), TOKEN).unwrap();
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    body["data"]["groups"] == json!([1])
}
