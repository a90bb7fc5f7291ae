//! The server bound: our own server, with its tokens, limits, log lines and metrics, over a storage that adds nothing and
//! says at once that all is well. What is between it and the HTTP bound is the server's own work; what is between it and
//! the service is the storage's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zumra_core::{CustomerId, GroupId, IdSet, MerchantId, Operation, SystemClock, SystemEntropy};
use zumra_server::telemetry::{self, LogFormat};
use zumra_server::{App, AppOptions, Limits, Listeners};
use zumra_storage::{AddMembersOutcome, Ids, Memberships, Result, Storage};

use crate::database;

/// How long the service believes a token, as by default.
const TOKEN_LIFE: Duration = Duration::from_secs(2);

/// Serves at an address, with the tokens of a database.
pub(crate) fn serve(address: SocketAddr, database: &str) -> anyhow::Result<()> {
    telemetry::init(LogFormat::Json, "info").map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let storage = database::open(database).await?;
        let memberships = Arc::new(Constant(Arc::clone(&storage)));
        let options = AppOptions {
            public_url: format!("http://{address}"),
            token_cache_ttl: TOKEN_LIFE,
            limits: Limits::default(),
        };
        let app = App::with_memberships(memberships, storage, Arc::new(SystemClock), &SystemEntropy, options);
        let public = tokio::net::TcpListener::bind(address).await?;
        zumra_server::serve(app, Listeners { public, admin: None }, std::future::pending()).await;
        Ok(())
    })
}

/// Memberships that claim success without writing anything; lookups go to a real database.
struct Constant(Arc<dyn Storage>);

#[async_trait]
impl Memberships for Constant {
    async fn add_members(
        &self,
        _: MerchantId,
        _: GroupId,
        customers: IdSet<CustomerId>,
        operation: Operation,
    ) -> Result<AddMembersOutcome> {
        Ok(AddMembersOutcome::Added { operation: operation.proposed_id, added: customers.len() as u64 })
    }

    async fn find_existing_ids(&self, merchant: MerchantId, ids: Ids) -> Result<Ids> {
        self.0.find_existing_ids(merchant, ids).await
    }
}
