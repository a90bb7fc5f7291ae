//! The embedded engine: one SQLite file, one thread that writes, connections beside it that read.
//!
//! What belongs here: opening the file, and the list of methods. Each noun's statements stand in a file of its own,
//! under the same name as in every other engine.

mod backup;
mod copy;
mod customers;
mod fixtures;
mod group_commit;
mod groups;
mod imports;
mod lists;
mod memberships;
mod merchants;
mod open;
mod operations;
mod read_pool;
mod tokens;
mod words;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use rusqlite::ErrorCode;
use zumra_core::fixture::MerchantFixture;
use zumra_core::{
    Customer, CustomerChange, CustomerId, Group, GroupChange, GroupId, Import, ImportChunk, ImportId,
    ImportLease, LeaseKey, Merchant, MerchantId, NewCustomer, NewImport, NewMerchant, NewToken, Operation,
    OperationId, Page, PageRequest, RowProblem, Token, TokenHash, TokenId,
};

use crate::copy::Rows;
use crate::metrics::Metrics;
use crate::{
    AddMembersOutcome, Contacts, CustomerFilter, GroupSelector, Ids, Inspection, LoadOutcome, Result,
    Storage, StorageError, Written,
};
use group_commit::{Checkpointer, Writer, database_fsync, wal_fsync};
use read_pool::ReadPool;

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file. Made, with its folder's permission, if it is not there.
    pub path: PathBuf,
    /// Writes that may wait at once; the next one is refused with [`StorageError::QueueFull`].
    pub queue_limit: usize,
    /// Reads that may run at once; the next one waits.
    pub read_connections: u32,
}

impl SqliteOptions {
    /// The options for `path` with the limits that suit one machine: 1,024 waiting writes, 4 readers.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), queue_limit: 1024, read_connections: 4 }
    }
}

/// A database file, opened.
pub struct SqliteStorage {
    read_pool: ReadPool,
    /// After the readers also when dropped, for the reason that `close` gives.
    writer: Writer,
    metrics: Metrics,
}

impl SqliteStorage {
    /// Opens the database and brings its schema up to date. Blocks; call it before serving.
    pub fn open(options: &SqliteOptions, now: jiff::Timestamp) -> Result<Self> {
        let metrics = Metrics::new();
        let connection = open::for_writer(&options.path, now)?;
        let fsync = wal_fsync(&options.path)?;
        let checkpoints = open::for_checkpoints(&options.path)?;
        let checkpointer = Checkpointer::start(checkpoints, database_fsync(&options.path)?)?;
        let writer =
            Writer::start(connection, options.queue_limit, metrics.clone(), fsync, Some(checkpointer))?;
        let read_pool = ReadPool::new(options.path.clone(), options.read_connections, metrics.clone());
        Ok(Self { read_pool, writer, metrics })
    }

    /// Writes a copy of the database at `from`, as it is at one moment, to `to`, where no file may be. Services may go
    /// on using it. Blocks.
    pub fn backup(from: &Path, to: &Path) -> Result<()> {
        backup::copy(from, to)
    }

    /// All rows of the file as they are now, for copying them elsewhere. Blocks.
    pub fn source(path: &Path) -> Result<impl Rows + use<>> {
        copy::FileRows::source(open::for_reading_all(path)?)
    }

    /// A file to copy rows into, made if it is not there. Blocks.
    pub fn target(path: &Path, now: jiff::Timestamp) -> Result<impl Rows + use<>> {
        Ok(copy::FileRows::target(open::for_writing(path, now)?))
    }

    /// Looks a database over without changing it, not even its schema. Blocks.
    pub fn inspect(path: &Path) -> Result<Inspection> {
        operations::inspect(&open::for_reading(path)?)
    }
}

#[async_trait]
impl Storage for SqliteStorage {
    async fn create_merchant(&self, merchant: NewMerchant, operation: Operation) -> Result<Merchant> {
        self.writer.write(move |tx| merchants::create(tx, &merchant, operation)).await
    }

    async fn list_merchants(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>> {
        self.read_pool.read(move |db| merchants::list(db, after, limit)).await
    }

    async fn create_token(
        &self,
        merchant: MerchantId,
        token: NewToken,
        operation: Operation,
    ) -> Result<Token> {
        self.writer.write(move |tx| tokens::create(tx, merchant, &token, operation)).await
    }

    async fn list_tokens(&self, merchant: MerchantId) -> Result<Vec<Token>> {
        self.read_pool.read(move |db| tokens::list(db, merchant)).await
    }

    async fn revoke_token(
        &self,
        merchant: MerchantId,
        token: TokenId,
        operation: Operation,
    ) -> Result<Token> {
        self.writer.write(move |tx| tokens::revoke(tx, merchant, token, operation)).await
    }

    async fn find_token(&self, hash: TokenHash) -> Result<Option<(Token, Merchant)>> {
        self.read_pool.read(move |db| tokens::find(db, hash)).await
    }

    async fn list_groups(&self, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>> {
        self.read_pool.read(move |db| groups::list(db, merchant, page)).await
    }

    async fn find_group(&self, merchant: MerchantId, group: GroupSelector) -> Result<Option<Group>> {
        self.read_pool.read(move |db| groups::find(db, merchant, group)).await
    }

    async fn create_group(
        &self,
        merchant: MerchantId,
        group: Group,
        operation: Operation,
    ) -> Result<Written<Group>> {
        self.writer.write(move |tx| groups::create(tx, merchant, group, &operation)).await
    }

    async fn update_group(
        &self,
        merchant: MerchantId,
        group: GroupSelector,
        change: GroupChange,
        operation: Operation,
    ) -> Result<Written<Group>> {
        self.writer.write(move |tx| groups::update(tx, merchant, group, change, &operation)).await
    }

    async fn delete_group(
        &self,
        merchant: MerchantId,
        group: GroupId,
        operation: Operation,
    ) -> Result<OperationId> {
        self.writer.write(move |tx| groups::delete(tx, merchant, group, &operation)).await
    }

    async fn archive_deleted_groups(&self, limit: u32) -> Result<bool> {
        // The writer is not troubled when there is nothing to do, which is nearly always.
        if !self.read_pool.read(groups::is_any_deleted).await? {
            return Ok(false);
        }
        self.writer.write(move |tx| groups::sweep(tx, limit)).await
    }

    async fn list_customers(
        &self,
        merchant: MerchantId,
        filter: CustomerFilter,
        page: PageRequest,
    ) -> Result<Page<Customer>> {
        self.read_pool.read(move |db| lists::list(db, merchant, &filter, page)).await
    }

    async fn find_customer(&self, merchant: MerchantId, customer: CustomerId) -> Result<Option<Customer>> {
        self.read_pool.read(move |db| customers::find(db, merchant, customer)).await
    }

    async fn create_customer(
        &self,
        merchant: MerchantId,
        customer: NewCustomer,
        groups: Vec<GroupId>,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        self.writer.write(move |tx| customers::create(tx, merchant, customer, &groups, &operation)).await
    }

    async fn update_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        change: CustomerChange,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        self.writer.write(move |tx| customers::update(tx, merchant, customer, change, &operation)).await
    }

    async fn delete_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        operation: Operation,
    ) -> Result<OperationId> {
        self.writer.write(move |tx| customers::delete(tx, merchant, customer, &operation)).await
    }

    async fn ban_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        reason: Option<String>,
        operation: Operation,
    ) -> Result<Written<()>> {
        let ban = move |tx: &_| customers::ban(tx, merchant, customer, reason.as_deref(), &operation);
        self.writer.write(ban).await
    }

    async fn find_used_contacts(
        &self,
        merchant: MerchantId,
        contacts: Contacts,
        except: Option<CustomerId>,
    ) -> Result<Contacts> {
        self.read_pool.read(move |db| memberships::find_used_contacts(db, merchant, &contacts, except)).await
    }

    async fn find_existing_ids(&self, merchant: MerchantId, ids: Ids) -> Result<Ids> {
        self.read_pool.read(move |db| memberships::find_existing_ids(db, merchant, &ids)).await
    }

    async fn add_members(
        &self,
        merchant: MerchantId,
        group: GroupId,
        customers: Vec<CustomerId>,
        operation: Operation,
    ) -> Result<AddMembersOutcome> {
        self.writer
            .write_validated(move |tx| memberships::add(tx, merchant, group, &customers, operation))
            .await
    }

    async fn load_fixture(&self, fixture: MerchantFixture, operation: Operation) -> Result<LoadOutcome> {
        self.writer.write(move |tx| fixtures::load(tx, &fixture, operation)).await
    }

    async fn create_import(
        &self,
        merchant: MerchantId,
        import: NewImport,
        operation: Operation,
    ) -> Result<Import> {
        self.writer.write(move |tx| imports::create(tx, merchant, &import, &operation)).await
    }

    async fn lease_import(
        &self,
        which: Option<(MerchantId, ImportId)>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<ImportLease>> {
        // The writer is not troubled when there is nothing to do, which is nearly always.
        if !self.read_pool.read(move |db| imports::is_any_waiting(db, now)).await? {
            return Ok(None);
        }
        self.writer.write(move |tx| imports::lease(tx, which, now, until)).await
    }

    async fn write_import_chunk(
        &self,
        lease: LeaseKey,
        until: Timestamp,
        piece: ImportChunk,
        operation: Operation,
    ) -> Result<Import> {
        self.writer.write(move |tx| imports::write_piece(tx, lease, until, &piece, &operation)).await
    }

    async fn list_imports(&self, merchant: MerchantId, limit: u32) -> Result<Vec<Import>> {
        self.read_pool.read(move |db| imports::list(db, merchant, limit)).await
    }

    async fn find_import(
        &self,
        merchant: MerchantId,
        import: ImportId,
    ) -> Result<Option<(Import, Vec<RowProblem>)>> {
        self.read_pool.read(move |db| imports::find(db, merchant, import)).await
    }

    async fn ping(&self) -> Result<()> {
        self.read_pool
            .read(|db| Ok(db.query_row("SELECT 1 FROM merchants LIMIT 1", [], |_| Ok(())).or_else(no_row)?))
            .await
    }

    async fn inspect(&self) -> Result<Inspection> {
        self.read_pool.read(operations::inspect).await
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    async fn close(&self) {
        // The writer last: the last connection tidies up, and only one that may write can.
        self.read_pool.close().await;
        self.writer.close().await;
    }
}

/// "No row" as nothing, every other failure as it is.
fn no_row(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        other => Err(other),
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory,
            ) => Self::Unavailable(error.to_string()),
            Some(ErrorCode::NotADatabase) => Self::ForeignDatabase("it is not a database".to_owned()),
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt(error.to_string()),
            _ => Self::Internal(error.to_string()),
        }
    }
}
