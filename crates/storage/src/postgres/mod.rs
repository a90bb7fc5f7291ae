//! The engine for many machines: PostgreSQL, and what speaks its language.
//!
//! What belongs here: how it is opened, and the list of methods. Each noun's statements stand in a file of its own,
//! under the same name as in every other engine. Any number of processes may share a database: nothing here is kept
//! that must agree with another process. Only SQL that distributed databases run too: no channels, no locks by
//! name, no temporary tables, no counters of the database's own; what a replica needs is the exception.

mod additions;
mod address;
mod admin;
mod batch;
mod connections;
mod copy;
mod customers;
mod errors;
mod fixtures;
mod groups;
mod imports;
mod lists;
mod memberships;
mod merchants;
mod open;
mod operations;
mod replica;
mod tokens;
mod words;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Client;
use zumra_core::Entropy;

pub use address::{AddressError, CONNECTIONS_DEFAULT, PostgresOptions};
pub use batch::ADD_MEMBERS;

use crate::copy::CopyEndpoint;
use crate::metrics::Metrics;
use crate::{Admin, Inspection, Result};
use additions::Additions;
use connections::{Connections, Work};
use errors::{Failure, Try};
use replica::Replica;

/// How much longer than the server's limit of a statement we wait for its answer.
const GRACE: Duration = Duration::from_secs(2);

/// A database on a server, opened.
pub struct PostgresStorage {
    connections: Arc<Connections>,
    additions: Arc<Additions>,
    replica: Option<Replica>,
    metrics: Metrics,
}

impl PostgresStorage {
    /// Opens the database and brings its schema up to date. [`StorageError::Unavailable`] if the server does not
    /// answer within some seconds. What makes this process differ from others on the same database comes from
    /// `entropy`.
    pub async fn open(
        options: &PostgresOptions,
        now: jiff::Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let metrics = Metrics::new();
        let replica = options.replica.as_deref();
        let replica = replica.map(|replica| Replica::new(replica, metrics.clone())).transpose()?;
        let pool = open::pool(options)?;
        open::migrate(&pool, now).await?;
        let patience = options.statement_time + GRACE;
        let connections = Arc::new(Connections::new(pool, patience, entropy, metrics.clone()));
        let additions = Arc::new(Additions::new(Arc::clone(&connections)));
        Ok(Self { connections, additions, replica, metrics })
    }

    /// Runs `work` where it costs the primary least.
    async fn list<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'c> Fn(&'c Client) -> Work<'c, Try<T>>,
    {
        match &self.replica {
            Some(replica) => replica.read(&self.connections, work).await,
            None => self.connections.read(work).await,
        }
    }

    /// All rows of the database as they are now, for copying them elsewhere.
    pub async fn source(options: &PostgresOptions) -> Result<impl CopyEndpoint + use<>> {
        let client = open::client(options).await?;
        open::require_newest_schema(&client).await?;
        copy::PostgresEndpoint::source(client).await.map_err(Failure::into_error)
    }

    /// A database to copy rows into, with its schema brought up to date.
    pub async fn target(
        options: &PostgresOptions,
        now: jiff::Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<impl CopyEndpoint + use<>> {
        Self::open(options, now, entropy).await?.close().await;
        let client = open::client(options).await?;
        copy::PostgresEndpoint::target(client).await.map_err(Failure::into_error)
    }

    /// Looks a database over without changing it, not even its schema.
    pub async fn inspect(options: &PostgresOptions) -> Result<Inspection> {
        let client = open::client(options).await?;
        open::require_schema(&client).await?;
        open::inspect(&client).await.map_err(Failure::into_error)
    }
}
