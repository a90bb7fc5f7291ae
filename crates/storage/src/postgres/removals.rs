//! The removal counter of a merchant: lets an add request detect that customers or groups were deleted meanwhile.
//!
//! Memberships have no foreign keys. A transaction that deletes a customer or a group's row first increments the
//! counter, and reads memberships only afterwards. `add_members.sql` locks the counter's row and compares it with the
//! value at its start.

use deadpool_postgres::GenericClient;
use zumra_core::MerchantId;

use super::errors::AttemptResult;
use super::sql;

/// Increments the counter. Blocks until running add requests of the merchant have ended. Later add
/// requests that read the row before its deletion find a different value and are retried.
pub(super) async fn increment<C: GenericClient>(db: &C, merchant: MerchantId) -> AttemptResult<()> {
    let statement = "UPDATE merchants SET removals = removals + 1 WHERE merchant_id = $1";
    sql::execute(db, statement, &[&merchant.get()]).await?;
    Ok(())
}
