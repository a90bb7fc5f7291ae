//! PostgreSQL for tests: one throwaway server per process, with a new database for each test.
//!
//! The server is created from the installed programs when a test first needs it, and deleted when the process exits,
//! even if the process is killed. `ZUMRA_TEST_POSTGRES_URL` names a running server instead: the URL of a database whose
//! user may create databases. `script/with-postgres` starts one server for many processes this way.

mod database;
mod durable;
mod pair;
mod server;
mod shell;

pub use database::TestDatabase;
pub use durable::DurableServer;
pub use pair::TestPair;
pub use server::ThrowawayServer;

use tokio_postgres::{Client, NoTls};

/// Returns the URL of a database on a throwaway server, whose port is `port`.
fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
}

/// Connects without TLS. The connection task ends when the client is dropped.
async fn connect(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.expect("the server accepts connections");
    // The client reports the errors of the connection.
    tokio::spawn(async move { drop(connection.await) });
    client
}
