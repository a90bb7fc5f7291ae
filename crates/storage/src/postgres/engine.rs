//! The open database, which every noun's trait is implemented for.

use std::sync::Arc;

use deadpool_postgres::Client;
use futures_util::future::BoxFuture;

use super::add_members_coalescer::AddMembersCoalescer;
use super::connections::Connections;
use super::errors::AttemptResult;
use super::replica::Replica;
use crate::Result;
use crate::metrics::Metrics;

/// Storage in a PostgreSQL database.
pub struct PostgresStorage {
    pub(super) connections: Arc<Connections>,
    pub(super) coalescer: Arc<AddMembersCoalescer>,
    pub(super) replica: Option<Replica>,
    pub(super) metrics: Metrics,
}

impl PostgresStorage {
    /// Runs `work`, which only reads a list, on the replica if possible, and otherwise on the primary. `work` may run
    /// more than once, so it borrows `input`.
    pub(super) async fn list<W, T, F>(&self, input: &W, work: F) -> Result<T>
    where
        F: for<'c> Fn(&'c Client, &'c W) -> BoxFuture<'c, AttemptResult<T>>,
    {
        match &self.replica {
            Some(replica) => replica.read(&self.connections, input, work).await,
            None => self.connections.read(input, work).await,
        }
    }
}
