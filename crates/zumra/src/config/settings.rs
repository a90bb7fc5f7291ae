//! The effective settings of a service, and their conversion to the options of the service and of the engines.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use zumra_server::{AppOptions, Limits};
use zumra_storage::postgres::PostgresOptions;
use zumra_storage::sqlite::SqliteOptions;

use super::source::EffectiveSetting;
use super::values::{LogStyle, PublicUrl};
use crate::database::{Database, DatabaseLocation};
use crate::failure::Failure;

/// The limits of both engines; each uses its own.
#[derive(Debug)]
pub(crate) struct EngineLimits {
    pub(super) writer_queue: usize,
    pub(super) readers: u32,
    pub(super) database_connections: usize,
}

/// The effective settings. Bounds are checked; databases are not opened yet.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) database: Database,
    /// Not checked yet: [`database_location`](Self::database_location) checks whether it can be a replica.
    pub(crate) replica: Option<Database>,
    /// `None` if clients reach the service at its listen address.
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) log_style: LogStyle,
    pub(crate) log_level: String,
    pub(crate) token_cache_ttl: Duration,
    pub(crate) limits: Limits,
    pub(crate) engines: EngineLimits,
    /// All settings with their sources, in the order of a settings file.
    pub(crate) effective: Vec<EffectiveSetting>,
    /// The settings file that was read.
    pub(crate) file: Option<PathBuf>,
}

impl Settings {
    /// Returns the options of the service. `listen` is the bound address: the setting may be port 0.
    pub(crate) fn app_options(&self, listen: SocketAddr) -> AppOptions {
        let public_url = self.public_url.clone().unwrap_or_else(|| PublicUrl::from_address(listen));
        AppOptions {
            public_url: public_url.to_string(),
            token_cache_ttl: self.token_cache_ttl,
            limits: self.limits.clone(),
            shown_tokens: Vec::new(),
        }
    }

    /// Returns the options for a SQLite database at `path`.
    pub(crate) fn sqlite_options(&self, path: impl Into<PathBuf>) -> SqliteOptions {
        SqliteOptions {
            path: path.into(),
            queue_limit: self.engines.writer_queue,
            read_connections: self.engines.readers,
        }
    }

    /// Sets the pool size in the options of a PostgreSQL URL.
    pub(crate) fn postgres_options(&self, mut url: PostgresOptions) -> PostgresOptions {
        url.connections = self.engines.database_connections;
        url
    }

    /// Returns the location of the database, with its replica. Fails if one of the two settings is invalid.
    pub(crate) fn database_location(&self) -> Result<DatabaseLocation<'_>, Failure> {
        let reject = |problem: &str| Err(Failure::usage(format!("settings: replica: {problem}")));
        let location = self.database.location()?;
        let Some(replica) = &self.replica else { return Ok(location) };
        let DatabaseLocation::Server(mut options) = location else {
            return reject(&format!(
                "the database is the file {}, and only PostgreSQL has replicas",
                self.database
            ));
        };
        let Database::Server(url) = replica else {
            return reject("must be the URL of a PostgreSQL server, postgres://…");
        };
        match PostgresOptions::parse(url) {
            Ok(replica) => options.replica = Some(Box::new(self.postgres_options(replica))),
            Err(problem) => return reject(&format!("{replica}: {problem}")),
        }
        Ok(DatabaseLocation::Server(options))
    }
}
