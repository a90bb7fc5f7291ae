//! The database: its name in settings, its location, and a session for commands that use it.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use serde::{Deserialize, Deserializer};
use zumra_core::{Actor, Clock, Entropy, IdGenerator, MerchantId, Operation, SystemClock, SystemEntropy};
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};
use zumra_storage::{Storage, StorageError};

use crate::failure::{Exit, Failure};
use crate::output::note;

/// A database as the settings name it. Every text is accepted: [`location`](Self::location) rejects invalid ones, without
/// their password, which an error of the settings parser would repeat.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Database {
    /// The path of a SQLite file.
    File(PathBuf),
    /// A URL.
    Server(String),
}

/// The location of a database, as an engine opens it.
pub(crate) enum DatabaseLocation<'a> {
    /// The path of a SQLite file.
    File(&'a Path),
    /// A PostgreSQL server.
    Server(Box<PostgresOptions>),
}

impl Database {
    /// Returns the location, or a usage error if no engine can open the database.
    pub(crate) fn location(&self) -> Result<DatabaseLocation<'_>, Failure> {
        let reject = |problem: &str| Err(Failure::usage(format!("settings: database: {problem}")));
        match self {
            Self::File(path) if path.as_os_str().is_empty() => {
                reject("must not be empty; give a file path, or postgres://…")
            }
            Self::File(path) if path == Path::new(":memory:") => {
                reject("must be a file; for a throwaway database use `zumra dev`")
            }
            Self::File(path) => Ok(DatabaseLocation::File(path)),
            Self::Server(url) => match PostgresOptions::parse(url) {
                Ok(options) => Ok(DatabaseLocation::Server(Box::new(options))),
                Err(problem) => reject(&format!("{self}: {problem}")),
            },
        }
    }
}

impl FromStr for Database {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix("sqlite:") {
            Some(path) => Self::File(path.into()),
            None if text.contains("://") => Self::Server(text.to_owned()),
            None => Self::File(text.into()),
        })
    }
}

impl<'de> Deserialize<'de> for Database {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Ok(database) = String::deserialize(deserializer)?.parse();
        Ok(database)
    }
}

impl fmt::Display for Database {
    /// Prints the path, or the URL with its password replaced by `***`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(url) => f.write_str(&hide_password(url)),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

fn hide_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // From the right: a password may contain an @ that is not percent-encoded.
    let rest = match rest.rsplit_once('@').map(|(user, host)| (user.split_once(':'), host)) {
        Some((Some((user, _)), host)) => format!("{user}:***@{host}"),
        _ => rest.to_owned(),
    };
    match rest.split_once('?') {
        // Drivers accept passwords and keys here too, under many names.
        Some((location, _)) => format!("{scheme}://{location}?***"),
        None => format!("{scheme}://{rest}"),
    }
}

/// What a command does if the SQLite file does not exist. A PostgreSQL database always has to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// Creates the file, for commands that insert merchants.
    Create,
    /// Fails, for commands that read or change existing rows: the path is probably a typing error.
    Fail,
}

/// An open database, with the ids of operations by an operator.
pub(crate) struct Session {
    pub(crate) storage: Arc<dyn Storage>,
    /// Generates ids of operations.
    pub(crate) ids: IdGenerator,
}

impl Session {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        let mut seed = [0; 2];
        SystemEntropy.fill(&mut seed);
        Self { storage, ids: IdGenerator::new(u16::from_le_bytes(seed)) }
    }

    /// Returns a new operation by an operator, at the current time.
    pub(crate) fn operation(&self) -> Operation {
        let at = SystemClock.now();
        Operation { proposed_id: self.ids.next_operation(at), at, actor: Actor::Operator }
    }

    /// Fails if the merchant does not exist, so that a list of a wrong id is an error instead of empty.
    pub(crate) async fn require_merchant(&self, merchant: MerchantId) -> anyhow::Result<()> {
        let before = MerchantId::new(merchant.get() - 1);
        let found = self.storage.list_merchants(before, 1).await?;
        if found.first().is_some_and(|found| found.id == merchant) {
            return Ok(());
        }
        Err(missing_merchant(merchant).into())
    }
}

/// Returns the error for a merchant that does not exist.
pub(crate) fn missing_merchant(merchant: MerchantId) -> Failure {
    Failure::new(
        Exit::NamedObject,
        format!("merchant {merchant} does not exist; list merchants with `zumra merchant list`"),
    )
}

/// Opens a SQLite file: creates it if it does not exist, and migrates its schema. Calls `on_create` with the absolute path
/// of a file that it created.
pub(crate) fn open_file(
    options: &SqliteOptions,
    on_create: impl FnOnce(&Path),
) -> anyhow::Result<Arc<dyn Storage>> {
    let is_new = !options.path.exists();
    let storage = SqliteStorage::open(options, SystemClock.now())
        .with_context(|| format!("database {}", options.path.display()))?;
    if is_new {
        on_create(&absolute(&options.path));
    }
    Ok(Arc::new(storage))
}

/// Returns the absolute path, or the path itself if the working directory is unknown.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Says on standard error that a command created a database. The path is absolute: a command that runs in another directory
/// than the ones before creates a second database there.
pub(crate) fn report_created(path: &Path) {
    note(format_args!("created database {}", path.display()));
}

/// Opens a PostgreSQL database and migrates its schema. Errors contain `name`.
pub(crate) async fn open_server(
    options: &PostgresOptions,
    name: &Database,
) -> anyhow::Result<Arc<dyn Storage>> {
    let storage = PostgresStorage::open(options, SystemClock.now(), &SystemEntropy)
        .await
        .with_context(|| format!("database {name}"))?;
    Ok(Arc::new(storage))
}

/// Opens the database, runs `work`, and closes the database, also if `work` fails.
pub(crate) fn with_session<T>(
    database: &Database,
    if_missing: IfMissing,
    work: impl AsyncFnOnce(&Session) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let location = database.location()?;
    if let DatabaseLocation::File(path) = location
        && if_missing == IfMissing::Fail
        && !path.exists()
    {
        let advice = "pass another path with --database, or create it with `zumra merchant create`, `zumra load` or `zumra serve`";
        let problem = StorageError::Unavailable(format!("file {} does not exist; {advice}", path.display()));
        return Err(problem.into());
    }
    runtime()?.block_on(async {
        let storage = match location {
            DatabaseLocation::File(path) => open_file(&SqliteOptions::new(path), report_created)?,
            DatabaseLocation::Server(options) => open_server(&options, database).await?,
        };
        let session = Session::new(storage);
        let result = work(&session).await;
        session.storage.close().await;
        result
    })
}

/// Starts the runtime of asynchronous code.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start worker threads")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(text: &str) -> Database {
        let Ok(database) = text.parse();
        database
    }

    #[test]
    fn passwords_are_hidden() {
        let hidden = |text| database(text).to_string();
        assert_eq!(hidden("postgres://zumra:s3cret@db:5432/zumra"), "postgres://zumra:***@db:5432/zumra");
        assert_eq!(hidden("postgres://zumra:s3@cr:et@db/zumra"), "postgres://zumra:***@db/zumra");
        assert_eq!(hidden("postgres://zumra:s3?cr/et@db/zumra"), "postgres://zumra:***@db/zumra");
        assert_eq!(hidden("postgres://db/zumra?user=z&password=s3cret"), "postgres://db/zumra?***");
        assert_eq!(hidden("postgres://zumra@db/zumra"), "postgres://zumra@db/zumra");
        assert!(!format!("{:?}", database("postgres://zumra:s3cret@db")).contains("s3cret"));
    }

    #[test]
    fn locations_are_sqlite_files_and_postgresql_urls() {
        let path = |text: &str| match database(text).location() {
            Ok(DatabaseLocation::File(path)) => Some(path.to_owned()),
            _ => None,
        };
        assert_eq!(path("sqlite:data/zumra.db"), Some("data/zumra.db".into()));
        assert_eq!(path("/var/lib/zumra.db"), Some("/var/lib/zumra.db".into()));
        for good in ["postgres://db/zumra", "postgresql://zumra@db:5432/zumra?sslmode=require"] {
            assert!(matches!(database(good).location(), Ok(DatabaseLocation::Server(_))), "{good}");
        }
        for bad in ["", "sqlite:", ":memory:", "mysql://db/zumra", "postgres://db/zumra?color=red"] {
            assert!(database(bad).location().is_err(), "{bad}");
        }
    }
}
