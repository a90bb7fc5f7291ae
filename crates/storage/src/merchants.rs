//! Merchants (tenants).

use async_trait::async_trait;
use zumra_core::{Merchant, MerchantId, NewMerchant, Operation};

use crate::Result;

/// Storage of merchants.
#[async_trait]
pub trait Merchants: Send + Sync {
    /// Inserts a merchant and its default group.
    ///
    /// # Errors
    ///
    /// [`Conflict::Merchant`](crate::Conflict::Merchant) if the id is used.
    async fn create_merchant(&self, merchant: NewMerchant, operation: Operation) -> Result<Merchant>;

    /// Returns at most `limit` merchants with an id above `after`, ids ascending.
    ///
    /// Spans all tenants: for operators only, never for a request of a merchant.
    async fn list_merchants(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>>;
}
