//! The PostgreSQL engine, for PostgreSQL servers and compatible databases.
//!
//! What belongs here: opening a database, and a file for each noun with its statements, under the same name as in the
//! other engine. Any number of processes may share a database, so no process caches data that must be the same in all.
//!
//! Statements use only SQL that distributed databases support: no notification channels, advisory locks, temporary
//! tables or sequences. The exception is `replica.rs`.

mod add_members_coalescer;
mod add_members_statement;
mod admin;
mod attempts;
mod connections;
mod copy;
mod counters;
mod customer_rows;
mod customer_search;
mod customers;
mod engine;
mod errors;
mod fixtures;
mod groups;
mod ids;
mod imports;
mod memberships;
mod merchants;
mod operations;
mod pool;
mod removals;
mod replica;
mod retry;
mod schema;
mod search_rebuild;
mod search_terms;
mod sql;
mod tls;
mod tokens;
mod tx;
mod url;

use std::sync::Arc;

use jiff::Timestamp;
use zumra_core::Entropy;

pub use add_members_statement::{ADD_MEMBERS, PROPOSED_ID_LAG_MAX};
pub use engine::PostgresStorage;
pub use url::{CONNECTIONS_DEFAULT, PostgresOptions, UrlError};

use crate::copy::CopyEndpoint;
use crate::metrics::Metrics;
use crate::{Admin, Inspection, Result};
use add_members_coalescer::AddMembersCoalescer;
use connections::{Connections, TIMEOUT_MARGIN};
use errors::AttemptError;
use replica::Replica;

impl PostgresStorage {
    /// Connects to the database and migrates its schema. `entropy` distinguishes the writes of this process from those
    /// of others on the same database.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::StorageError::Unavailable) if the server does not reply or the CA file is invalid,
    /// [`ForeignDatabase`](crate::StorageError::ForeignDatabase) if it contains tables of another program,
    /// [`NewerSchema`](crate::StorageError::NewerSchema) if a newer version has migrated it.
    pub async fn open(options: &PostgresOptions, now: Timestamp, entropy: &dyn Entropy) -> Result<Self> {
        let metrics = Metrics::new();
        let replica = options.replica.as_deref();
        let replica = replica.map(|replica| Replica::new(replica, metrics.clone())).transpose()?;
        let pool = pool::build(options)?;
        schema::migrate(&pool, now).await?;
        let timeout = options.statement_timeout + TIMEOUT_MARGIN;
        let connections = Arc::new(Connections::new(pool, timeout, entropy, metrics.clone()));
        let coalescer = Arc::new(AddMembersCoalescer::new(Arc::clone(&connections)));
        Ok(Self { connections, coalescer, replica, metrics })
    }

    /// Opens a database to copy from. All rows are read in one snapshot.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and [`ForeignDatabase`](crate::StorageError::ForeignDatabase) if migrations are
    /// outstanding, which this does not run.
    pub async fn source(options: &PostgresOptions) -> Result<impl CopyEndpoint + use<>> {
        let client = pool::connect(options).await?;
        schema::require_newest_schema(&client).await?;
        copy::PostgresEndpoint::source(client).await.map_err(AttemptError::into_storage_error)
    }

    /// Opens a database to copy into, after migrating its schema. Fails as [`open`](Self::open) does.
    pub async fn target(
        options: &PostgresOptions,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<impl CopyEndpoint + use<>> {
        Self::open(options, now, entropy).await?.close().await;
        let client = pool::connect(options).await?;
        copy::PostgresEndpoint::target(client).await.map_err(AttemptError::into_storage_error)
    }

    /// Inspects a database without changing it. Does not migrate its schema. Takes as long as reading all rows does.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and [`ForeignDatabase`](crate::StorageError::ForeignDatabase) if the database
    /// contains no tables of Zumra.
    pub async fn inspect(options: &PostgresOptions) -> Result<Inspection> {
        let client = pool::connect(options).await?;
        schema::require_schema(&client).await?;
        admin::inspect_without_timeout(&client).await.map_err(AttemptError::into_storage_error)
    }
}
