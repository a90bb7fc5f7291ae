//! A database of its own for each test.

use tokio_postgres::Client;
use zumra_core::{Entropy, SystemEntropy, text::hex};

use super::connect;
use super::server::shared_url;

/// A new, empty database on the server that tests share. Dropped with this value.
pub struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// Creates a database with a random name. Panics if PostgreSQL is missing, and says what to install.
    pub async fn new() -> Self {
        let mut bytes = [0; 8];
        SystemEntropy.fill(&mut bytes);
        let name = format!("zumra_test_{}", hex(&bytes));
        let client = connect(shared_url()).await;
        client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .expect("the user may create databases");
        Self { name }
    }

    /// Returns the URL of the database.
    pub fn url(&self) -> String {
        let (location, query) = shared_url().split_once('?').unwrap_or((shared_url(), ""));
        let (host, _) = location.rsplit_once('/').expect("the URL names a database");
        format!("{host}/{}?{query}", self.name)
    }

    /// Closes all connections to the database and rejects new ones.
    pub async fn block_connections(&self) {
        let client = connect(shared_url()).await;
        let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname";
        let sql = format!("ALTER DATABASE {0} ALLOW_CONNECTIONS false; {terminate} = '{0}'", self.name);
        client.batch_execute(&sql).await.expect("connections are blocked");
    }

    /// Accepts connections again.
    pub async fn allow_connections(&self) {
        let client = connect(shared_url()).await;
        let sql = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name);
        client.batch_execute(&sql).await.expect("connections are allowed");
    }

    /// Connects to the database, for assertions that the storage cannot make.
    pub async fn connect(&self) -> Client {
        connect(&self.url()).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // In its own thread, because a runtime cannot block inside another one.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be started").block_on(async {
                let _ = connect(shared_url()).await.batch_execute(&sql).await; // the server is deleted at the end
            });
        });
        let _ = thread.join();
    }
}
