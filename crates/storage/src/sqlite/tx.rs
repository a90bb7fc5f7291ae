//! The context of one write: its transaction, its merchant and its operation.

use rusqlite::{Connection, Params};
use zumra_core::{MerchantId, Operation};

use super::engine::SqliteStorage;
use super::sql;
use crate::Result;

/// A write of one merchant, in a transaction of the writer thread.
pub(super) struct Tx<'a> {
    pub(super) connection: &'a Connection,
    pub(super) merchant: MerchantId,
    pub(super) operation: Operation,
}

impl Tx<'_> {
    /// Executes a statement. Returns the number of rows changed.
    pub(super) fn execute(&self, statement: &str, parameters: impl Params) -> Result<u64> {
        sql::execute(self.connection, statement, parameters)
    }
}

impl SqliteStorage {
    /// Runs `work` as one transaction and returns its result once the commit is durable. An error rolls `work` back.
    pub(super) async fn write<T, F>(&self, merchant: MerchantId, operation: Operation, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.writer.write(move |connection| work(&Tx { connection, merchant, operation })).await
    }

    /// Like [`SqliteStorage::write`], but without a savepoint. `work` must validate before its first change.
    pub(super) async fn write_validated<T, F>(
        &self,
        merchant: MerchantId,
        operation: Operation,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.writer.write_validated(move |connection| work(&Tx { connection, merchant, operation })).await
    }
}
