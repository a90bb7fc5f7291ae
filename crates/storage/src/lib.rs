//! What keeps merchants, tokens, groups, customers and memberships.
//!
//! What belongs here: the trait [`Storage`], in which one method is one operation and one transaction, and an
//! engine a folder. No HTTP. Every method that touches a shop's rows takes the [`MerchantId`] first, so a handler
//! that has not found out whose request it serves cannot ask for anything.

pub mod copy;
pub mod error;
mod import;
mod metrics;
pub mod migrate;
pub mod postgres;
pub mod sqlite;
#[cfg(feature = "suite")]
pub mod suite;

use async_trait::async_trait;
use prometheus_client::registry::Registry;
use zumra_core::fixture::MerchantFixture;
use zumra_core::{
    Customer, CustomerChange, CustomerId, Group, GroupChange, GroupId, Import, ImportChunk, ImportId,
    ImportLease, LeaseKey, Merchant, MerchantId, NewCustomer, NewImport, NewMerchant, NewToken, Operation,
    OperationId, Page, PageRequest, RowProblem, SearchQuery, Token, TokenHash, TokenId,
};

pub use error::{Conflict, Resource, Result, StorageError};

/// An engine, opened on a database whose schema is up to date.
///
/// A method answers only when what it wrote is durable. A method that fails has changed nothing.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Keeps a new merchant, and its default group. [`Conflict::Merchant`] if there is one with this id.
    async fn create_merchant(&self, merchant: NewMerchant, operation: Operation) -> Result<Merchant>;

    /// The merchants of the installation with an id above `after`, ids ascending, at most `limit`. For operators;
    /// no request of a shop may ask this.
    async fn list_merchants(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>>;

    /// Keeps a new token. [`StorageError::NotFound`] if there is no such merchant; [`Conflict::Token`] if the
    /// secret is in use already.
    async fn create_token(
        &self,
        merchant: MerchantId,
        token: NewToken,
        operation: Operation,
    ) -> Result<Token>;

    /// All tokens of a merchant, ids ascending, the expired and revoked ones among them.
    async fn list_tokens(&self, merchant: MerchantId) -> Result<Vec<Token>>;

    /// Revokes a token; [`StorageError::NotFound`] if the merchant has none with this id. Revoking again changes
    /// nothing.
    async fn revoke_token(&self, merchant: MerchantId, token: TokenId, operation: Operation)
    -> Result<Token>;

    /// The token with this hash, valid or not, and the merchant that it belongs to. The one question that does not
    /// name a merchant: its answer does.
    async fn find_token(&self, hash: TokenHash) -> Result<Option<(Token, Merchant)>>;

    /// One page of the merchant's groups, oldest first.
    async fn list_groups(&self, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>>;

    /// One group, if the merchant has it.
    async fn find_group(&self, merchant: MerchantId, group: GroupSelector) -> Result<Option<Group>>;

    /// Keeps a new group. [`Conflict::Group`] if there is one with this id.
    async fn create_group(
        &self,
        merchant: MerchantId,
        group: Group,
        operation: Operation,
    ) -> Result<Written<Group>>;

    /// Changes a group. [`StorageError::NotFound`] if the merchant has no such group.
    async fn update_group(
        &self,
        merchant: MerchantId,
        group: GroupSelector,
        change: GroupChange,
        operation: Operation,
    ) -> Result<Written<Group>>;

    /// Deletes a group and ends all memberships in it, however many they are: from the moment of the answer on nobody
    /// sees any of them. Their rows move afterwards, by [`Storage::archive_deleted_groups`]. [`StorageError::NotFound`] if the merchant
    /// has no such group; [`Conflict::DefaultGroup`] if it is the default group.
    async fn delete_group(
        &self,
        merchant: MerchantId,
        group: GroupId,
        operation: Operation,
    ) -> Result<OperationId>;

    /// Moves at most `limit` memberships of deleted groups of all merchants to where past memberships are kept. Whether
    /// there may be more. Any number of processes may do this at once.
    async fn archive_deleted_groups(&self, limit: u32) -> Result<bool>;

    /// One page of the merchant's customers, newest first, of those that the filter lets through.
    async fn list_customers(
        &self,
        merchant: MerchantId,
        filter: CustomerFilter,
        page: PageRequest,
    ) -> Result<Page<Customer>>;

    /// One customer, if the merchant has one with this id.
    async fn find_customer(&self, merchant: MerchantId, customer: CustomerId) -> Result<Option<Customer>>;

    /// Keeps a new customer, who joins the default group and `groups`. [`Conflict::Customer`], [`Conflict::Mobile`],
    /// [`Conflict::Email`] if another customer has the id, the mobile number or the e-mail address;
    /// [`StorageError::MissingGroup`] if one of the groups is not there.
    async fn create_customer(
        &self,
        merchant: MerchantId,
        customer: NewCustomer,
        groups: Vec<GroupId>,
        operation: Operation,
    ) -> Result<Written<Customer>>;

    /// Changes a customer. [`StorageError::NotFound`] if the merchant has no such customer; conflicts as in
    /// [`Storage::create_customer`].
    async fn update_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        change: CustomerChange,
        operation: Operation,
    ) -> Result<Written<Customer>>;

    /// Deletes a customer and ends all the customer's memberships. [`StorageError::NotFound`] if the merchant has no
    /// such customer.
    async fn delete_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        operation: Operation,
    ) -> Result<OperationId>;

    /// Bans a customer for a reason, or lifts the ban with none. [`StorageError::NotFound`] if the merchant has no such
    /// customer, or none who is banned when the ban is to be lifted.
    async fn ban_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        reason: Option<String>,
        operation: Operation,
    ) -> Result<Written<()>>;

    /// Which of a mobile number and an e-mail address (in the form of its [`key`](zumra_core::Email::key)) some
    /// customer has: another one than `except`. Validation asks this.
    async fn find_used_contacts(
        &self,
        merchant: MerchantId,
        contacts: Contacts,
        except: Option<CustomerId>,
    ) -> Result<Contacts>;

    /// Which of these ids the merchant has. Validation asks this before it explains a refusal.
    async fn find_existing_ids(&self, merchant: MerchantId, ids: Ids) -> Result<Ids>;

    /// Puts customers into a group by hand: all of them, or none if one of the ids is unknown. Repeated ids and
    /// those who are members already are no mistake.
    async fn add_members(
        &self,
        merchant: MerchantId,
        group: GroupId,
        customers: Vec<CustomerId>,
        operation: Operation,
    ) -> Result<AddMembersOutcome>;

    /// Makes a shop be as a fixture says: what is missing is added, what differs is changed, what the fixture does
    /// not name stays. One operation, or none if nothing differs.
    async fn load_fixture(&self, fixture: MerchantFixture, operation: Operation) -> Result<LoadOutcome>;

    /// Keeps a file to be imported.
    async fn create_import(
        &self,
        merchant: MerchantId,
        import: NewImport,
        operation: Operation,
    ) -> Result<Import>;

    /// Takes the lease of an import that is not finished and that nobody holds at `now`: of `which`, or of any merchant's.
    async fn lease_import(
        &self,
        which: Option<(MerchantId, ImportId)>,
        now: jiff::Timestamp,
        until: jiff::Timestamp,
    ) -> Result<Option<ImportLease>>;

    /// Writes a piece of an import, and keeps its lease `until` then. [`StorageError::LeaseLost`] if somebody else has
    /// the lease now. A piece that was written already changes nothing. How the import stands.
    async fn write_import_chunk(
        &self,
        lease: LeaseKey,
        until: jiff::Timestamp,
        piece: ImportChunk,
        operation: Operation,
    ) -> Result<Import>;

    /// The merchant's imports, newest first, at most `limit`.
    async fn list_imports(&self, merchant: MerchantId, limit: u32) -> Result<Vec<Import>>;

    /// One import with the problems that are kept of it, if the merchant has it.
    async fn find_import(
        &self,
        merchant: MerchantId,
        import: ImportId,
    ) -> Result<Option<(Import, Vec<RowProblem>)>>;

    /// Whether the database answers at all.
    async fn ping(&self) -> Result<()>;

    /// Looks the whole database over, which may take long. For operators.
    async fn inspect(&self) -> Result<Inspection>;

    /// Registers what this engine measures of itself.
    fn register_metrics(&self, registry: &mut Registry);

    /// Finishes what was accepted and closes the database. Later calls answer [`StorageError::Unavailable`].
    async fn close(&self);
}

/// Ids of groups and customers. As an answer: ascending and without repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// Ids of groups.
    pub groups: Vec<GroupId>,
    /// Ids of customers.
    pub customers: Vec<CustomerId>,
}

/// A group, by its id or by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupSelector {
    /// The one with this id.
    Id(GroupId),
    /// The one that every new customer joins.
    Default,
}

/// Which customers a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerFilter {
    /// Those whom it finds.
    pub keyword: Option<SearchQuery>,
    /// Those created then or later.
    pub created_from: Option<jiff::Timestamp>,
    /// Those created before.
    pub created_before: Option<jiff::Timestamp>,
}

/// What no two customers of a merchant may share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contacts {
    /// Mobile numbers.
    pub mobiles: Vec<String>,
    /// E-mail addresses, in the form of their key.
    pub emails: Vec<String>,
}

/// What came of a change, and the operation that made it: none if there was nothing to change.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<T> {
    /// The operation.
    pub operation: Option<OperationId>,
    /// How it is now.
    pub value: T,
}

/// What came of [`Storage::add_members`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddMembersOutcome {
    /// Some were not members before.
    Added {
        /// The operation that made them members.
        operation: OperationId,
        /// How many they were.
        added: u64,
    },
    /// All were members before: nothing was written, not even an operation.
    Unchanged,
    /// These ids the merchant does not have; nothing was written.
    MissingIds(Ids),
}

/// What came of [`Storage::load_fixture`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadOutcome {
    /// The operation, if anything was written.
    pub operation: Option<OperationId>,
    /// Rows that were added or changed.
    pub changes: u64,
}

/// What [`Storage::inspect`] saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The engine and its version, `SQLite 3.53.0`.
    pub engine: String,
    /// Number of the newest migration in the database.
    pub schema: u32,
    /// What is wrong with the files, in the engine's words, or with what is counted. Empty if nothing is.
    pub problems: Vec<String>,
    /// Rows of each kind.
    pub merchants: u64,
    /// Customers of all merchants.
    pub customers: u64,
    /// Memberships of all merchants, those of deleted groups that still have to move among them.
    pub memberships: u64,
    /// Memberships that have ended, of all merchants.
    pub past_memberships: u64,
    /// When the newest operation was asked for.
    pub newest_operation: Option<jiff::Timestamp>,
}

/// The problem that there is if customers are not as many as the tallies say.
pub(crate) fn miscounted(customers: u64, tallied: u64) -> Option<String> {
    (customers != tallied).then(|| format!("there are {customers} customers, and lists say {tallied}"))
}
