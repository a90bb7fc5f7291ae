//! Merchants (tenants).

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use zumra_core::merchant::TIME_ZONE_DEFAULT;
use zumra_core::text::Name;
use zumra_core::{Merchant, MerchantId, NewMerchant, Operation};

use crate::Result;
use crate::row::{Row, RowReader};

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

/// The columns that [`decode`] reads.
pub(crate) const COLUMNS: &str = "merchants.merchant_id, merchants.name, merchants.plan, merchants.time_zone, \
                                  merchants.domain, merchants.created_at";

/// Decodes [`COLUMNS`], which begin at the column `first` of the row.
pub(crate) fn decode(row: &impl Row, first: usize) -> Result<Merchant> {
    let mut row = RowReader::starting_at(row, "merchants", first);
    Ok(Merchant {
        id: row.id("merchant_id", MerchantId::new)?,
        name: row.parsed("name", Name::parse)?,
        plan: row.parsed("plan", str::parse)?,
        time_zone: row.parsed("time_zone", TimeZone::get)?,
        domain: row.optional_parsed("domain", str::parse)?,
        created_at: row.time("created_at")?,
    })
}

/// Returns a new merchant with these details, as inserted at `created_at`.
pub(crate) fn build_merchant(new: &NewMerchant, created_at: Timestamp) -> Merchant {
    Merchant {
        id: new.id,
        name: new.name.clone(),
        plan: new.plan,
        time_zone: new.time_zone.clone(),
        domain: new.domain.clone(),
        created_at,
    }
}

/// Returns the IANA name of the merchant's time zone, as it is stored.
pub(crate) fn stored_time_zone(new: &NewMerchant) -> &str {
    new.time_zone.iana_name().unwrap_or(TIME_ZONE_DEFAULT)
}
