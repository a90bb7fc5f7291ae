//! Databases of both engines: creating, copying and dropping them, and running SQL in them.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, NoTls};
use zumra_core::{Clock, SystemClock, SystemEntropy};
use zumra_storage::Storage;
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};
use zumra_testkit::postgres::DurableServer;

use crate::engine::Engine;
use crate::janitor::Janitor;

/// Writes 2 GiB of WAL, so that PostgreSQL recycles WAL segments, as on a server that has run for a while. A
/// new server fills each segment with zeros before it writes to it, which doubles the writes.
const FILL_WAL: &str = "SELECT count(pg_logical_emit_message(false, 'bench', repeat('x', 1024 * 1024))) FROM generate_series(1, 2048)";
/// How long SQLite waits for a lock that another connection holds.
const BUSY_TIMEOUT: Duration = Duration::from_mins(1);

/// The databases of one engine, which it creates, copies and drops: files in a directory, or databases of its
/// own server.
pub(crate) struct Databases {
    janitor: Rc<Janitor>,
    server: Option<DurableServer>,
    created: Cell<u32>,
}

impl Databases {
    /// Starts PostgreSQL if the engine needs it. Files are on the disk of the janitor's directory, not in
    /// memory, because durable writes are measured.
    pub(crate) fn start(engine: Engine, janitor: &Rc<Janitor>) -> anyhow::Result<Self> {
        // Not inside the janitor's directory, which the operating system user of PostgreSQL may be unable to read.
        let parent = janitor.directory().parent().unwrap_or(Path::new("."));
        let server = (engine == Engine::Postgres).then(|| DurableServer::start(parent));
        let databases = Self { janitor: Rc::clone(janitor), server, created: Cell::new(0) };
        databases.execute_on_server(FILL_WAL)?;
        databases.execute_on_server("CHECKPOINT")?;
        Ok(databases)
    }

    pub(crate) fn janitor(&self) -> &Rc<Janitor> {
        &self.janitor
    }

    pub(crate) fn engine(&self) -> Engine {
        if self.server.is_some() { Engine::Postgres } else { Engine::Sqlite }
    }

    /// Returns the engine's version as the engine reports it.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        match &self.server {
            None => Ok(rusqlite::version().to_owned()),
            Some(server) => with_client(&server.url("postgres"), async |client| {
                Ok(client.query_one("SHOW server_version", &[]).await?.try_get(0)?)
            }),
        }
    }

    /// Creates an empty database. A SQLite file appears when it is first opened.
    pub(crate) fn create(&self) -> anyhow::Result<Database> {
        let database = self.next_database();
        if let Database::Server { name, .. } = &database {
            self.execute_on_server(&format!("CREATE DATABASE {name}"))?;
        }
        Ok(database)
    }

    /// Copies a database that has no open connections.
    pub(crate) fn copy(&self, original: &Database) -> anyhow::Result<Database> {
        let copy = self.next_database();
        match (original, &copy) {
            (Database::Server { name: original, .. }, Database::Server { name, .. }) => {
                self.execute_on_server(&format!("CREATE DATABASE {name} TEMPLATE {original}"))?;
            }
            (Database::File(original), Database::File(path)) => {
                std::fs::copy(original, path)?;
            }
            _ => anyhow::bail!("cannot copy a database between engines"),
        }
        copy.settle()?;
        Ok(copy)
    }

    /// Drops a database to free its disk space.
    pub(crate) fn drop(&self, database: &Database) -> anyhow::Result<()> {
        match database {
            Database::Server { name, .. } => {
                self.execute_on_server(&format!("DROP DATABASE {name} WITH (FORCE)"))
            }
            Database::File(path) => {
                for suffix in ["", "-wal", "-shm"] {
                    let file = format!("{}{suffix}", path.display());
                    let _ = std::fs::remove_file(file); // WAL and shared-memory file may not exist
                }
                Ok(())
            }
        }
    }

    /// Returns the server's database with this name, which another program creates.
    pub(crate) fn existing(&self, name: &str) -> anyhow::Result<Database> {
        let server = self.server.as_ref().context("SQLite has no server")?;
        Ok(Database::Server { url: server.url(name), name: name.to_owned() })
    }

    /// Returns host and port of the server.
    pub(crate) fn host_and_port(&self) -> anyhow::Result<(String, u16)> {
        let server = self.server.as_ref().context("SQLite has no server")?;
        let config: tokio_postgres::Config = server.url("postgres").parse()?;
        let port = config.get_ports().first().context("the server's address has no port")?;
        match config.get_hosts().first() {
            Some(Host::Tcp(host)) => Ok((host.clone(), *port)),
            _ => anyhow::bail!("the server's address has no TCP host"),
        }
    }

    fn next_database(&self) -> Database {
        self.created.set(self.created.get() + 1);
        let name = format!("bench_{}", self.created.get());
        match &self.server {
            None => Database::File(self.janitor.directory().join(name + ".db")),
            Some(server) => Database::Server { url: server.url(&name), name },
        }
    }

    /// Executes a statement in the server's database `postgres`. Does nothing on SQLite.
    fn execute_on_server(&self, sql: &str) -> anyhow::Result<()> {
        let Some(server) = &self.server else { return Ok(()) };
        with_client(&server.url("postgres"), async |client| Ok(client.batch_execute(sql).await?))
    }
}

/// One database.
pub(crate) enum Database {
    File(PathBuf),
    Server { name: String, url: String },
}

/// Opens the storage of a database in this process. `argument` is the value of `zumra serve --database`.
pub(crate) async fn open(argument: &str) -> anyhow::Result<Arc<dyn Storage>> {
    let now = SystemClock.now();
    Ok(if argument.starts_with("postgres://") {
        Arc::new(PostgresStorage::open(&PostgresOptions::parse(argument)?, now, &SystemEntropy).await?)
    } else {
        Arc::new(SqliteStorage::open(&SqliteOptions::new(argument), now)?)
    })
}

impl Database {
    /// Returns the value of `zumra serve --database`.
    pub(crate) fn argument(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Server { url, .. } => url.clone(),
        }
    }

    /// Opens the storage in this process, as the service does.
    pub(crate) async fn open(&self) -> anyhow::Result<Arc<dyn Storage>> {
        open(&self.argument()).await
    }

    /// Executes statements as fast as possible: without fsync, foreign keys and triggers.
    /// [`settle`](Self::settle) makes the result durable.
    pub(crate) fn fill(&self, statements: &[String]) -> anyhow::Result<()> {
        match self {
            Self::File(path) => {
                let connection = rusqlite::Connection::open(path)?;
                connection.busy_timeout(BUSY_TIMEOUT)?;
                connection.pragma_update(None, "synchronous", "OFF")?;
                connection.pragma_update(None, "foreign_keys", false)?;
                connection.pragma_update(None, "cache_size", -(256_i64 << 10))?; // 256 MiB
                for sql in statements {
                    connection.execute_batch(sql)?;
                }
                Ok(())
            }
            Self::Server { url, .. } => with_client(url, async |client| {
                let settings = "SET session_replication_role = replica; SET synchronous_commit = off";
                client.batch_execute(settings).await?;
                for sql in statements {
                    client.batch_execute(sql).await?;
                }
                Ok(())
            }),
        }
    }

    /// Counts the rows of a table.
    pub(crate) fn count_rows(&self, table: &str) -> anyhow::Result<i64> {
        let sql = format!("SELECT count(*) FROM {table}");
        match self {
            Self::File(path) => Ok(rusqlite::Connection::open(path)?.query_row(&sql, (), |row| row.get(0))?),
            Self::Server { url, .. } => {
                with_client(url, async |client| Ok(client.query_one(&sql, &[]).await?.try_get(0)?))
            }
        }
    }

    /// Writes all data to disk and completes background work, so that the next run measures only its own work.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        match self {
            Self::File(path) => {
                let connection = rusqlite::Connection::open(path)?;
                connection.busy_timeout(BUSY_TIMEOUT)?;
                connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
                Ok(std::fs::File::open(path)?.sync_all()?)
            }
            Self::Server { url, .. } => with_client(url, async |client| {
                client.batch_execute("VACUUM ANALYZE").await?;
                Ok(client.batch_execute("CHECKPOINT").await?)
            }),
        }
    }
}

/// Runs `work` with a new connection and waits for it.
fn with_client<T>(url: &str, work: impl AsyncFnOnce(Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        // Ends when the client is dropped, or with an error that the client returns too.
        tokio::spawn(async move { drop(connection.await) });
        work(client).await
    })
}
