//! Which database: how it is named in the settings, and how commands come to it.

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

/// A database as the settings name it. Any text is one: whether this version can open it shows when it is opened,
/// so that no error repeats a password on the way.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file of the embedded engine.
    File(PathBuf),
    /// The address of a server.
    Server(String),
}

/// A database as an engine opens it.
pub(crate) enum Place<'a> {
    /// A file of the embedded engine.
    File(&'a Path),
    /// A server of PostgreSQL's.
    Server(Box<PostgresOptions>),
}

impl Database {
    /// Where the database is, or why this version cannot use what was named.
    pub(crate) fn place(&self) -> Result<Place<'_>, Failure> {
        let refuse = |why: &str| Err(Failure::usage(format!("settings: database: {why}")));
        match self {
            Self::File(path) if path.as_os_str().is_empty() => {
                refuse("must not be empty; give the path of a file, or postgres://…")
            }
            Self::File(path) if path == Path::new(":memory:") => {
                refuse("must be a file; for a throwaway database use `zumra dev`")
            }
            Self::File(path) => Ok(Place::File(path)),
            Self::Server(address) => match PostgresOptions::parse(address) {
                Ok(options) => Ok(Place::Server(Box::new(options))),
                Err(problem) => refuse(&format!("{self}: {problem}")),
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
    /// A password in an address shows as `***`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(address) => f.write_str(&hide_password(address)),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

fn hide_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    // From the right: a password may hold an @ that nobody encoded.
    let rest = match rest.rsplit_once('@').map(|(user, host)| (user.split_once(':'), host)) {
        Some((Some((user, _)), host)) => format!("{user}:***@{host}"),
        _ => rest.to_owned(),
    };
    match rest.split_once('?') {
        // Drivers take passwords and keys here too, under many names.
        Some((place, _)) => format!("{scheme}://{place}?***"),
        None => format!("{scheme}://{rest}"),
    }
}

/// Whether a command may make the database that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// It has something to put there.
    Make,
    /// It only asks or changes: a path with nothing behind it is a slip.
    Refuse,
}

/// An open database, and what a change at the command line needs beside it.
pub(crate) struct Session {
    pub(crate) storage: Arc<dyn Storage>,
    /// Where ids come from.
    pub(crate) ids: IdGenerator,
}

impl Session {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        let mut seed = [0; 2];
        SystemEntropy.fill(&mut seed);
        Self { storage, ids: IdGenerator::new(u16::from_le_bytes(seed)) }
    }

    /// A new number, for an id that the operator did not choose.
    pub(crate) fn next_id(&self) -> i64 {
        self.ids.next(SystemClock.now())
    }

    /// A change that the operator asks for now.
    pub(crate) fn operation(&self) -> Operation {
        let at = SystemClock.now();
        Operation { proposed_id: self.ids.next_operation(at), at, actor: Actor::Operator }
    }

    /// Fails if there is no such merchant: a question about nobody's tokens is a slip, not an empty answer.
    pub(crate) async fn require_merchant(&self, merchant: MerchantId) -> anyhow::Result<()> {
        let before = MerchantId::new(merchant.get() - 1);
        let found = self.storage.list_merchants(before, 1).await?;
        if found.first().is_some_and(|found| found.id == merchant) {
            return Ok(());
        }
        Err(no_merchant(merchant).into())
    }
}

/// The failure of naming a merchant that is not there.
pub(crate) fn no_merchant(merchant: MerchantId) -> Failure {
    Failure::new(
        Exit::Named,
        format!("there is no merchant {merchant}; `zumra merchant list` shows those there are"),
    )
}

/// Opens a file as a service does.
pub(crate) fn open_file(options: &SqliteOptions) -> anyhow::Result<Arc<dyn Storage>> {
    let storage = SqliteStorage::open(options, SystemClock.now())
        .with_context(|| format!("database {}", options.path.display()))?;
    Ok(Arc::new(storage))
}

/// Opens a database on a server as a service does; `name` is what errors call it.
pub(crate) async fn open_server(
    options: &PostgresOptions,
    name: &Database,
) -> anyhow::Result<Arc<dyn Storage>> {
    let storage = PostgresStorage::open(options, SystemClock.now(), &SystemEntropy)
        .await
        .with_context(|| format!("database {name}"))?;
    Ok(Arc::new(storage))
}

/// Opens the database, does `work`, and closes it whatever came of it.
pub(crate) fn with_session<T>(
    database: &Database,
    missing: IfMissing,
    work: impl AsyncFnOnce(&Session) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let place = database.place()?;
    if let Place::File(path) = place
        && missing == IfMissing::Refuse
        && !path.exists()
    {
        let advice = "name another with --database, or make it with `zumra merchant create`, `zumra load` or `zumra serve`";
        let problem = StorageError::Unavailable(format!("there is no file {}; {advice}", path.display()));
        return Err(problem.into());
    }
    runtime()?.block_on(async {
        let storage = match place {
            Place::File(path) => open_file(&SqliteOptions::new(path))?,
            Place::Server(options) => open_server(&options, database).await?,
        };
        let session = Session::new(storage);
        let result = work(&session).await;
        session.storage.close().await;
        result
    })
}

/// What asynchronous work runs on.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads to work on")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(text: &str) -> Database {
        let Ok(database) = text.parse();
        database
    }

    #[test]
    fn passwords_do_not_show() {
        let hidden = |text| database(text).to_string();
        assert_eq!(hidden("postgres://zumra:s3cret@db:5432/zumra"), "postgres://zumra:***@db:5432/zumra");
        assert_eq!(hidden("postgres://zumra:s3@cr:et@db/zumra"), "postgres://zumra:***@db/zumra");
        assert_eq!(hidden("postgres://zumra:s3?cr/et@db/zumra"), "postgres://zumra:***@db/zumra");
        assert_eq!(hidden("postgres://db/zumra?user=z&password=s3cret"), "postgres://db/zumra?***");
        assert_eq!(hidden("postgres://zumra@db/zumra"), "postgres://zumra@db/zumra");
        assert!(!format!("{:?}", database("postgres://zumra:s3cret@db")).contains("s3cret"));
    }

    #[test]
    fn files_and_servers_of_postgresql_can_be_opened() {
        let path = |text: &str| match database(text).place() {
            Ok(Place::File(path)) => Some(path.to_owned()),
            _ => None,
        };
        assert_eq!(path("sqlite:data/zumra.db"), Some("data/zumra.db".into()));
        assert_eq!(path("/var/lib/zumra.db"), Some("/var/lib/zumra.db".into()));
        for good in ["postgres://db/zumra", "postgresql://zumra@db:5432/zumra?sslmode=require"] {
            assert!(matches!(database(good).place(), Ok(Place::Server(_))), "{good}");
        }
        for bad in ["", "sqlite:", ":memory:", "mysql://db/zumra", "postgres://db/zumra?colour=red"] {
            assert!(database(bad).place().is_err(), "{bad}");
        }
    }
}
