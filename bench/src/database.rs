//! Databases of both engines: where they are made, copied and dropped, and how SQL is run in them.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, NoTls};
use zumra_core::{Clock, SystemClock, SystemEntropy};
use zumra_storage::Storage;
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};
use zumra_testkit::postgres::DurableServer;

use crate::keeper::Keeper;

/// A kind of storage.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Engine {
    #[serde(rename = "SQLite")]
    Sqlite,
    #[serde(rename = "PostgreSQL")]
    Postgres,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Writes 2 GiB of log, so that there are files of it to be used again, as on a server that has run for a while. A young
/// one fills each file with zeros before it writes to it, which doubles what it has to write.
const FILL_LOG: &str = "SELECT count(pg_logical_emit_message(false, 'bench', repeat('x', 1024 * 1024))) FROM generate_series(1, 2048)";

/// Where the databases of an engine are: a folder, or a server of its own.
pub(crate) struct Site {
    keeper: Rc<Keeper>,
    server: Option<DurableServer>,
    made: Cell<u32>,
}

impl Site {
    /// Both on the disk of the keeper's folder, not in memory: what is measured is durable.
    pub(crate) fn new(engine: Engine, keeper: &Rc<Keeper>) -> anyhow::Result<Self> {
        // Beside the keeper's folder, not in it: the user of the server may not enter that.
        let place = keeper.folder().parent().unwrap_or(Path::new("."));
        let server = (engine == Engine::Postgres).then(|| DurableServer::start(place));
        let site = Self { keeper: Rc::clone(keeper), server, made: Cell::new(0) };
        site.order(FILL_LOG)?;
        site.order("CHECKPOINT")?;
        Ok(site)
    }

    pub(crate) fn keeper(&self) -> &Rc<Keeper> {
        &self.keeper
    }

    pub(crate) fn engine(&self) -> Engine {
        if self.server.is_some() { Engine::Postgres } else { Engine::Sqlite }
    }

    /// The engine's own word for its version.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        match &self.server {
            None => Ok(rusqlite::version().to_owned()),
            Some(server) => with_server(&server.url("postgres"), async |client| {
                Ok(client.query_one("SHOW server_version", &[]).await?.try_get(0)?)
            }),
        }
    }

    /// A database that is not there yet, or with nothing in it.
    pub(crate) fn create(&self) -> anyhow::Result<Database> {
        let database = self.next();
        if let Database::Server { name, .. } = &database {
            self.order(&format!("CREATE DATABASE {name}"))?;
        }
        Ok(database)
    }

    /// A copy of a database that nobody uses.
    pub(crate) fn copy(&self, original: &Database) -> anyhow::Result<Database> {
        let copy = self.next();
        match (original, &copy) {
            (Database::Server { name: original, .. }, Database::Server { name, .. }) => {
                self.order(&format!("CREATE DATABASE {name} TEMPLATE {original}"))?;
            }
            (Database::File(original), Database::File(path)) => {
                std::fs::copy(original, path)?;
            }
            _ => anyhow::bail!("databases of two engines"),
        }
        copy.settle()?;
        Ok(copy)
    }

    /// Makes room.
    pub(crate) fn drop(&self, database: &Database) -> anyhow::Result<()> {
        match database {
            Database::Server { name, .. } => self.order(&format!("DROP DATABASE {name} WITH (FORCE)")),
            Database::File(path) => {
                for end in ["", "-wal", "-shm"] {
                    let file = format!("{}{end}", path.display());
                    let _ = std::fs::remove_file(file); // the last two need not be there
                }
                Ok(())
            }
        }
    }

    /// A database of the server that has a name by which others know it.
    pub(crate) fn named(&self, name: &str) -> anyhow::Result<Database> {
        let server = self.server.as_ref().context("files have no names that others know")?;
        Ok(Database::Server { address: server.url(name), name: name.to_owned() })
    }

    /// Host and port of the server.
    pub(crate) fn place(&self) -> anyhow::Result<(String, u16)> {
        let server = self.server.as_ref().context("files are not at a port")?;
        let config: tokio_postgres::Config = server.url("postgres").parse()?;
        let port = config.get_ports().first().context("no port")?;
        match config.get_hosts().first() {
            Some(Host::Tcp(host)) => Ok((host.clone(), *port)),
            _ => anyhow::bail!("no host"),
        }
    }

    fn next(&self) -> Database {
        self.made.set(self.made.get() + 1);
        let name = format!("bench_{}", self.made.get());
        match &self.server {
            None => Database::File(self.keeper.folder().join(name + ".db")),
            Some(server) => Database::Server { address: server.url(&name), name },
        }
    }

    fn order(&self, sql: &str) -> anyhow::Result<()> {
        let Some(server) = &self.server else { return Ok(()) };
        with_server(&server.url("postgres"), async |client| Ok(client.batch_execute(sql).await?))
    }
}

/// One database.
pub(crate) enum Database {
    File(PathBuf),
    Server { name: String, address: String },
}

/// Opens the database that `zumra serve --database` would.
pub(crate) async fn open(argument: &str) -> anyhow::Result<Arc<dyn Storage>> {
    let now = SystemClock.now();
    Ok(if argument.starts_with("postgres://") {
        Arc::new(PostgresStorage::open(&PostgresOptions::parse(argument)?, now, &SystemEntropy).await?)
    } else {
        Arc::new(SqliteStorage::open(&SqliteOptions::new(argument), now)?)
    })
}

impl Database {
    /// What `zumra serve --database` is told.
    pub(crate) fn argument(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Server { address, .. } => address.clone(),
        }
    }

    /// Opens it in this process, as the service does.
    pub(crate) async fn open(&self) -> anyhow::Result<Arc<dyn Storage>> {
        open(&self.argument()).await
    }

    /// Runs statements, each for itself, in a hurry: what they write need not survive a crash before
    /// [`settle`](Self::settle), and nobody looks whether it fits together.
    pub(crate) fn fill(&self, statements: &[String]) -> anyhow::Result<()> {
        match self {
            Self::File(path) => {
                let connection = rusqlite::Connection::open(path)?;
                connection.busy_timeout(std::time::Duration::from_mins(1))?;
                connection.pragma_update(None, "synchronous", "OFF")?;
                connection.pragma_update(None, "foreign_keys", false)?;
                connection.pragma_update(None, "cache_size", -(256_i64 << 10))?;
                for sql in statements {
                    connection.execute_batch(sql)?;
                }
                Ok(())
            }
            Self::Server { address, .. } => with_server(address, async |client| {
                let quick = "SET session_replication_role = replica; SET synchronous_commit = off";
                client.batch_execute(quick).await?;
                for sql in statements {
                    client.batch_execute(sql).await?;
                }
                Ok(())
            }),
        }
    }

    /// How many rows a table has.
    pub(crate) fn rows(&self, table: &str) -> anyhow::Result<i64> {
        let sql = format!("SELECT count(*) FROM {table}");
        match self {
            Self::File(path) => Ok(rusqlite::Connection::open(path)?.query_row(&sql, (), |row| row.get(0))?),
            Self::Server { address, .. } => {
                with_server(address, async |client| Ok(client.query_one(&sql, &[]).await?.try_get(0)?))
            }
        }
    }

    /// Brings everything to the disk and leaves nothing to do in the background, so that the next run does not pay for the
    /// last one.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        match self {
            Self::File(path) => {
                let connection = rusqlite::Connection::open(path)?;
                connection.busy_timeout(std::time::Duration::from_mins(1))?;
                connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
                Ok(std::fs::File::open(path)?.sync_all()?)
            }
            Self::Server { address, .. } => with_server(address, async |client| {
                client.batch_execute("VACUUM ANALYZE").await?;
                Ok(client.batch_execute("CHECKPOINT").await?)
            }),
        }
    }
}

/// Does something with a connection of its own.
fn with_server<T>(address: &str, work: impl AsyncFnOnce(Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(address, NoTls).await?;
        // It ends when the client is dropped, or with an error that the client sees too.
        tokio::spawn(async move { drop(connection.await) });
        work(client).await
    })
}
