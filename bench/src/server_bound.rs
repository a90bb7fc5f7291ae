//! The server bound: the service's own server, with its tokens, limits, log and metrics, on a storage that
//! reports each add as successful at once and writes nothing. The difference from the HTTP bound is the
//! cost of the server; the difference from the service is the cost of the storage.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zumra_core::{CustomerId, GroupId, IdSet, MerchantId, Operation, SystemClock, SystemEntropy};
use zumra_server::telemetry::{self, LogFormat};
use zumra_server::{App, AppOptions, Limits, Listeners};
use zumra_storage::{AddMembersOutcome, Ids, Memberships, Result, Storage};

use crate::database;

/// The default of `zumra serve`.
const TOKEN_CACHE_TTL: Duration = Duration::from_secs(2);

/// Serves the server bound, until the process is killed. `database` provides the tokens.
pub(crate) fn serve(address: SocketAddr, database: &str) -> anyhow::Result<()> {
    telemetry::init(LogFormat::Json, "info").map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let storage = database::open(database).await?;
        let memberships = Arc::new(DiscardedMemberships(Arc::clone(&storage)));
        let options = AppOptions {
            public_url: format!("http://{address}"),
            token_cache_ttl: TOKEN_CACHE_TTL,
            limits: Limits::default(),
            shown_tokens: Vec::new(),
        };
        let app = App::with_memberships(memberships, storage, Arc::new(SystemClock), &SystemEntropy, options);
        let public = tokio::net::TcpListener::bind(address).await?;
        zumra_server::serve(app, Listeners { public, admin: None }, std::future::pending()).await;
        Ok(())
    })
}

/// Memberships that report each add as successful without writing it. Lookups read the inner storage.
struct DiscardedMemberships(Arc<dyn Storage>);

#[async_trait]
impl Memberships for DiscardedMemberships {
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
