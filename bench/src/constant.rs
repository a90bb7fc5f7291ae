//! The server bound: our own server, with its tokens, limits, log lines and metrics, over a storage that adds nothing and
//! says at once that all is well. What is between it and the HTTP bound is the server's own work; what is between it and
//! the service is the storage's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use zumra_core::fixture::MerchantFixture;
use zumra_core::{
    Customer, CustomerChange, CustomerId, Group, GroupChange, GroupId, Import, ImportChunk, ImportId,
    ImportLease, LeaseKey, Merchant, MerchantId, NewCustomer, NewImport, NewMerchant, NewToken, Operation,
    OperationId, Page, PageRequest, RowProblem, SystemClock, SystemEntropy, Token, TokenHash, TokenId,
};
use zumra_server::telemetry::{self, LogFormat};
use zumra_server::{App, AppOptions, Limits, Listeners};
use zumra_storage::{
    AddMembersOutcome, Contacts, CustomerFilter, GroupSelector, Ids, Inspection, LoadOutcome, Result,
    Storage, Written,
};

use crate::database;

/// How long the service believes a token, as by default.
const TOKEN_LIFE: Duration = Duration::from_secs(2);

/// Serves at an address, with the tokens of a database.
pub(crate) fn serve(address: SocketAddr, database: &str) -> anyhow::Result<()> {
    telemetry::init(LogFormat::Json, "info").map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let storage = Arc::new(Constant(database::open(database).await?));
        let options = AppOptions {
            public_url: format!("http://{address}"),
            token_cache_ttl: TOKEN_LIFE,
            limits: Limits::default(),
        };
        let app = App::new(storage, Arc::new(SystemClock), &SystemEntropy, options);
        let public = tokio::net::TcpListener::bind(address).await?;
        zumra_server::serve(app, Listeners { public, admin: None }, std::future::pending()).await;
        Ok(())
    })
}

/// Adds nothing. Whatever else is asked, the storage within answers.
struct Constant(Arc<dyn Storage>);

/// The storage within answers these.
macro_rules! constant {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Storage for Constant {
            async fn add_members(
                &self,
                _: MerchantId,
                _: GroupId,
                customers: Vec<CustomerId>,
                operation: Operation,
            ) -> Result<AddMembersOutcome> {
                Ok(AddMembersOutcome::Added { operation: operation.proposed_id, added: customers.len() as u64 })
            }

            fn register_metrics(&self, registry: &mut Registry) {
                self.0.register_metrics(registry);
            }

            async fn close(&self) {
                self.0.close().await;
            }

            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer> {
                self.0.$name($($argument),*).await
            })*
        }
    };
}

constant! {
    fn create_merchant(merchant: NewMerchant, operation: Operation) -> Merchant;
    fn list_merchants(after: Option<MerchantId>, limit: u32) -> Vec<Merchant>;
    fn create_token(merchant: MerchantId, token: NewToken, operation: Operation) -> Token;
    fn list_tokens(merchant: MerchantId) -> Vec<Token>;
    fn revoke_token(merchant: MerchantId, token: TokenId, operation: Operation) -> Token;
    fn find_token(hash: TokenHash) -> Option<(Token, Merchant)>;
    fn list_groups(merchant: MerchantId, page: PageRequest) -> Page<Group>;
    fn find_group(merchant: MerchantId, group: GroupSelector) -> Option<Group>;
    fn create_group(merchant: MerchantId, group: Group, operation: Operation) -> Written<Group>;
    fn update_group(merchant: MerchantId, group: GroupSelector, change: GroupChange, operation: Operation) -> Written<Group>;
    fn delete_group(merchant: MerchantId, group: GroupId, operation: Operation) -> OperationId;
    fn archive_deleted_groups(limit: u32) -> bool;
    fn list_customers(merchant: MerchantId, filter: CustomerFilter, page: PageRequest) -> Page<Customer>;
    fn find_customer(merchant: MerchantId, customer: CustomerId) -> Option<Customer>;
    fn create_customer(merchant: MerchantId, customer: NewCustomer, groups: Vec<GroupId>, operation: Operation) -> Written<Customer>;
    fn update_customer(merchant: MerchantId, customer: CustomerId, change: CustomerChange, operation: Operation) -> Written<Customer>;
    fn delete_customer(merchant: MerchantId, customer: CustomerId, operation: Operation) -> OperationId;
    fn ban_customer(merchant: MerchantId, customer: CustomerId, reason: Option<String>, operation: Operation) -> Written<()>;
    fn find_used_contacts(merchant: MerchantId, contacts: Contacts, except: Option<CustomerId>) -> Contacts;
    fn find_existing_ids(merchant: MerchantId, ids: Ids) -> Ids;
    fn load_fixture(fixture: MerchantFixture, operation: Operation) -> LoadOutcome;
    fn create_import(merchant: MerchantId, import: NewImport, operation: Operation) -> Import;
    fn lease_import(which: Option<(MerchantId, ImportId)>, now: Timestamp, until: Timestamp) -> Option<ImportLease>;
    fn write_import_chunk(lease: LeaseKey, until: Timestamp, piece: ImportChunk, operation: Operation) -> Import;
    fn list_imports(merchant: MerchantId, limit: u32) -> Vec<Import>;
    fn find_import(merchant: MerchantId, import: ImportId) -> Option<(Import, Vec<RowProblem>)>;
    fn ping() -> ();
    fn inspect() -> Inspection;
}
