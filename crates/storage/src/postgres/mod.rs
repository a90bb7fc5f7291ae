//! The engine for many machines: PostgreSQL, and what speaks its language.
//!
//! What belongs here: how it is opened, and the list of methods. Each noun's statements stand in a file of its own,
//! under the same name as in every other engine. Any number of processes may share a database: nothing here is kept
//! that must agree with another process. Only SQL that distributed databases run too: no channels, no locks by
//! name, no temporary tables, no counters of the database's own; what a replica needs is the exception.

mod additions;
mod address;
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

use async_trait::async_trait;
use deadpool_postgres::Client;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use zumra_core::fixture::MerchantFixture;
use zumra_core::{
    Customer, CustomerChange, CustomerId, Entropy, Group, GroupChange, GroupId, Import, ImportChunk,
    ImportId, ImportLease, LeaseKey, Merchant, MerchantId, NewCustomer, NewImport, NewMerchant, NewToken,
    Operation, OperationId, Page, PageRequest, RowProblem, Token, TokenHash, TokenId,
};

pub use address::{AddressError, CONNECTIONS_DEFAULT, PostgresOptions};
pub use batch::ADD_MEMBERS;

use crate::copy::Rows;
use crate::metrics::Metrics;
use crate::{
    AddMembersOutcome, Contacts, CustomerFilter, GroupSelector, Ids, Inspection, LoadOutcome, Result,
    Storage, Written,
};
use additions::Additions;
use batch::Addition;
use connections::{Connections, Work, for_tx};
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
    pub async fn source(options: &PostgresOptions) -> Result<impl Rows + use<>> {
        let client = open::client(options).await?;
        open::require_newest_schema(&client).await?;
        copy::ServerRows::source(client).await.map_err(Failure::into_error)
    }

    /// A database to copy rows into, with its schema brought up to date.
    pub async fn target(
        options: &PostgresOptions,
        now: jiff::Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<impl Rows + use<>> {
        Self::open(options, now, entropy).await?.close().await;
        let client = open::client(options).await?;
        copy::ServerRows::target(client).await.map_err(Failure::into_error)
    }

    /// Looks a database over without changing it, not even its schema.
    pub async fn inspect(options: &PostgresOptions) -> Result<Inspection> {
        let client = open::client(options).await?;
        open::require_schema(&client).await?;
        open::inspect(&client).await.map_err(Failure::into_error)
    }
}

#[async_trait]
impl Storage for PostgresStorage {
    async fn create_merchant(&self, merchant: NewMerchant, operation: Operation) -> Result<Merchant> {
        let create = for_tx(|tx, new, operation, mark| Box::pin(merchants::create(tx, new, operation, mark)));
        self.connections.change(merchant.id, operation, merchant, create).await
    }

    async fn list_merchants(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>> {
        self.connections.read(|db| Box::pin(merchants::list(db, after, limit))).await
    }

    async fn create_token(
        &self,
        merchant: MerchantId,
        token: NewToken,
        operation: Operation,
    ) -> Result<Token> {
        let create = for_tx(move |tx, new, operation, mark| {
            Box::pin(tokens::create(tx, merchant, new, operation, mark))
        });
        self.connections.change(merchant, operation, token, create).await
    }

    async fn list_tokens(&self, merchant: MerchantId) -> Result<Vec<Token>> {
        self.connections.read(|db| Box::pin(tokens::list(db, merchant))).await
    }

    async fn revoke_token(
        &self,
        merchant: MerchantId,
        token: TokenId,
        operation: Operation,
    ) -> Result<Token> {
        let revoke = for_tx(move |tx, id: &TokenId, operation, mark| {
            Box::pin(tokens::revoke(tx, merchant, *id, operation, mark))
        });
        self.connections.change(merchant, operation, token, revoke).await
    }

    async fn find_token(&self, hash: TokenHash) -> Result<Option<(Token, Merchant)>> {
        self.connections.read(|db| Box::pin(tokens::find(db, hash))).await
    }

    async fn list_groups(&self, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>> {
        self.list(|db| Box::pin(groups::list(db, merchant, page))).await
    }

    async fn find_group(&self, merchant: MerchantId, group: GroupSelector) -> Result<Option<Group>> {
        self.connections.read(|db| Box::pin(groups::find(db, merchant, group))).await
    }

    async fn create_group(
        &self,
        merchant: MerchantId,
        group: Group,
        operation: Operation,
    ) -> Result<Written<Group>> {
        let create = for_tx(move |tx, group, operation, mark| {
            Box::pin(groups::create(tx, merchant, group, operation, mark))
        });
        self.connections.change(merchant, operation, group, create).await
    }

    async fn update_group(
        &self,
        merchant: MerchantId,
        group: GroupSelector,
        change: GroupChange,
        operation: Operation,
    ) -> Result<Written<Group>> {
        let update = for_tx(move |tx, change, operation, mark| {
            Box::pin(groups::update(tx, merchant, group, change, operation, mark))
        });
        self.connections.change(merchant, operation, change, update).await
    }

    async fn delete_group(
        &self,
        merchant: MerchantId,
        group: GroupId,
        operation: Operation,
    ) -> Result<OperationId> {
        let delete = for_tx(move |tx, id: &GroupId, operation, mark| {
            Box::pin(groups::delete(tx, merchant, *id, operation, mark))
        });
        self.connections.change(merchant, operation, group, delete).await
    }

    async fn archive_deleted_groups(&self, limit: u32) -> Result<bool> {
        // Each statement is its own transaction, and doing one of them twice is doing it once.
        self.connections.read(|db| Box::pin(groups::sweep(db, limit))).await
    }

    async fn list_customers(
        &self,
        merchant: MerchantId,
        filter: CustomerFilter,
        page: PageRequest,
    ) -> Result<Page<Customer>> {
        self.list(|db| {
            let filter = filter.clone();
            Box::pin(async move { lists::list(db, merchant, &filter, page).await })
        })
        .await
    }

    async fn find_customer(&self, merchant: MerchantId, customer: CustomerId) -> Result<Option<Customer>> {
        self.connections.read(|db| Box::pin(customers::find(db, merchant, customer))).await
    }

    async fn create_customer(
        &self,
        merchant: MerchantId,
        customer: NewCustomer,
        groups: Vec<GroupId>,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        let create = for_tx(move |tx, (new, groups): &(NewCustomer, Vec<GroupId>), operation, mark| {
            Box::pin(customers::create(tx, merchant, new, groups, operation, mark))
        });
        self.connections.change(merchant, operation, (customer, groups), create).await
    }

    async fn update_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        change: CustomerChange,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        let update = for_tx(move |tx, change, operation, mark| {
            Box::pin(customers::update(tx, merchant, customer, change, operation, mark))
        });
        self.connections.change(merchant, operation, change, update).await
    }

    async fn delete_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        operation: Operation,
    ) -> Result<OperationId> {
        let delete = for_tx(move |tx, id: &CustomerId, operation, mark| {
            Box::pin(customers::delete(tx, merchant, *id, operation, mark))
        });
        self.connections.change(merchant, operation, customer, delete).await
    }

    async fn ban_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        reason: Option<String>,
        operation: Operation,
    ) -> Result<Written<()>> {
        let ban = for_tx(move |tx, reason: &Option<String>, operation, mark| {
            Box::pin(customers::ban(tx, merchant, customer, reason.as_deref(), operation, mark))
        });
        self.connections.change(merchant, operation, reason, ban).await
    }

    async fn find_used_contacts(
        &self,
        merchant: MerchantId,
        contacts: Contacts,
        except: Option<CustomerId>,
    ) -> Result<Contacts> {
        let contacts = Arc::new(contacts);
        self.connections
            .read(|db| {
                let contacts = Arc::clone(&contacts);
                Box::pin(
                    async move { memberships::find_used_contacts(db, merchant, &contacts, except).await },
                )
            })
            .await
    }

    async fn find_existing_ids(&self, merchant: MerchantId, ids: Ids) -> Result<Ids> {
        let ids = Arc::new(ids);
        self.connections
            .read(|db| {
                let ids = Arc::clone(&ids);
                Box::pin(async move { memberships::find_existing_ids(db, merchant, &ids).await })
            })
            .await
    }

    async fn add_members(
        &self,
        merchant: MerchantId,
        group: GroupId,
        customers: Vec<CustomerId>,
        operation: Operation,
    ) -> Result<AddMembersOutcome> {
        let customers = memberships::set(customers.iter().map(|id| id.get()));
        let addition = Addition { group, customers, operation };
        self.connections.write(merchant, &operation, &self.additions.attempt(merchant, addition)).await
    }

    async fn load_fixture(&self, fixture: MerchantFixture, operation: Operation) -> Result<LoadOutcome> {
        let (merchant, fixture) = (fixture.merchant.id, Arc::new(fixture));
        // No limit but the server's for each statement: whole shops take their time.
        self.connections
            .transact(
                merchant,
                &operation,
                None,
                |loaded: &LoadOutcome| loaded.operation.is_some(),
                move |tx, mark| {
                    let fixture = Arc::clone(&fixture);
                    Box::pin(async move { fixtures::load(tx, &fixture, &operation, mark).await })
                },
            )
            .await
    }

    async fn create_import(
        &self,
        merchant: MerchantId,
        import: NewImport,
        operation: Operation,
    ) -> Result<Import> {
        let import = Arc::new(import);
        // Doing it twice is doing it once, so a broken connection needs no settling.
        self.connections
            .read(|db| {
                let import = Arc::clone(&import);
                Box::pin(async move { imports::create(db, merchant, &import, &operation).await })
            })
            .await
    }

    async fn lease_import(
        &self,
        which: Option<(MerchantId, ImportId)>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<ImportLease>> {
        // A lease whose answer was lost is nobody's until it ends; then somebody takes it again.
        self.connections.read(|db| Box::pin(imports::lease(db, which, now, until))).await
    }

    async fn write_import_chunk(
        &self,
        lease: LeaseKey,
        until: Timestamp,
        piece: ImportChunk,
        operation: Operation,
    ) -> Result<Import> {
        let write = for_tx(move |tx, piece, operation, mark| {
            Box::pin(imports::write_piece(tx, lease, until, piece, operation, mark))
        });
        Ok(self.connections.change(lease.merchant, operation, piece, write).await?.0)
    }

    async fn list_imports(&self, merchant: MerchantId, limit: u32) -> Result<Vec<Import>> {
        self.connections.read(|db| Box::pin(imports::list(db, merchant, limit))).await
    }

    async fn find_import(
        &self,
        merchant: MerchantId,
        import: ImportId,
    ) -> Result<Option<(Import, Vec<RowProblem>)>> {
        self.connections.read(|db| Box::pin(imports::find(db, merchant, import))).await
    }

    async fn ping(&self) -> Result<()> {
        self.connections.read(|db| Box::pin(open::ping(db))).await
    }

    async fn inspect(&self) -> Result<Inspection> {
        self.connections.read(|db| Box::pin(operations::inspect(db))).await
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    async fn close(&self) {
        self.connections.close().await;
        if let Some(replica) = &self.replica {
            replica.close();
        }
    }
}
