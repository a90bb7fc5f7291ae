//! What keeps merchants, tokens, groups, customers and memberships.
//!
//! What belongs here: the trait [`Storage`], in which one method is one operation and one transaction, and an
//! engine a folder. No HTTP. Every method that touches a shop's rows takes the [`MerchantId`] first, so a handler
//! that has not found out whose request it serves cannot ask for anything.

pub mod copy;
pub mod error;
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
    Customer, CustomerId, Group, GroupId, Merchant, MerchantId, NewMerchant, NewToken, Operation,
    OperationId, Page, PageRequest, Token, TokenHash, TokenId,
};

pub use error::{Conflict, Result, StorageError};

/// An engine, opened on a database whose schema is up to date.
///
/// A method answers only when what it wrote is durable. A method that fails has changed nothing.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Keeps a new merchant. [`Conflict::Merchant`] if there is one with this id.
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

    /// One page of the merchant's customers, newest first. With a keyword (folded by
    /// [`fold_keyword`](zumra_core::customer::fold_keyword)) only those whose name, e-mail or mobile number
    /// contains it.
    async fn list_customers(
        &self,
        merchant: MerchantId,
        keyword: Option<String>,
        page: PageRequest,
    ) -> Result<Page<Customer>>;

    /// One customer, if the merchant has one with this id.
    async fn find_customer(&self, merchant: MerchantId, customer: CustomerId) -> Result<Option<Customer>>;

    /// Which of these ids the merchant has. Validation asks this before it explains a refusal.
    async fn known_ids(&self, merchant: MerchantId, ids: Ids) -> Result<Ids>;

    /// Puts customers into a group by hand: all of them, or none if one of the ids is unknown. Repeated ids and
    /// those who are members already are no mistake.
    async fn add_members(
        &self,
        merchant: MerchantId,
        group: GroupId,
        customers: Vec<CustomerId>,
        operation: Operation,
    ) -> Result<AddMembers>;

    /// Makes a shop be as a fixture says: what is missing is added, what differs is changed, what the fixture does
    /// not name stays. One operation, or none if nothing differs.
    async fn load(&self, fixture: MerchantFixture, operation: Operation) -> Result<Loaded>;

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

/// What came of [`Storage::add_members`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddMembers {
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
    Unknown(Ids),
}

/// What came of [`Storage::load`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
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
    /// What is wrong with the files, in the engine's words. Empty if nothing is.
    pub problems: Vec<String>,
    /// Rows of each kind.
    pub merchants: u64,
    /// Customers of all merchants.
    pub customers: u64,
    /// Memberships of all merchants.
    pub memberships: u64,
    /// When the newest operation was asked for.
    pub newest_operation: Option<jiff::Timestamp>,
}
