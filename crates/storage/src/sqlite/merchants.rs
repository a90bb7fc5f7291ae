//! Merchants.

use async_trait::async_trait;
use rusqlite::Connection;
use zumra_core::{Domain, Merchant, MerchantId, NewMerchant, Operation, OperationKind, Subject};

use super::engine::SqliteStorage;
use super::tx::Tx;
use super::{groups, operations, search_terms, sql};
use crate::merchants::{COLUMNS, build_merchant, decode, stored_time_zone};
use crate::{Conflict, Merchants, Result};

#[async_trait]
impl Merchants for SqliteStorage {
    async fn create_merchant(&self, merchant: NewMerchant, operation: Operation) -> Result<Merchant> {
        self.write(merchant.id, operation, move |tx| create(tx, &merchant)).await
    }

    async fn list_merchants(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>> {
        self.read_pool.read(move |db| list(db, after, limit)).await
    }
}

fn list(db: &Connection, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>> {
    let statement =
        format!("SELECT {COLUMNS} FROM merchants WHERE merchant_id > ?1 ORDER BY merchant_id LIMIT ?2");
    sql::query(db, &statement, (after.map_or(0, MerchantId::get), limit), |row| decode(row, 0))
}

fn create(tx: &Tx<'_>, new: &NewMerchant) -> Result<Merchant> {
    if exists(tx)? {
        return Err(Conflict::Merchant(new.id).into());
    }
    upsert(tx, new)?;
    groups::insert_default(tx)?;
    operations::record_one(tx, OperationKind::CreateMerchant, Subject::Other)?;
    Ok(build_merchant(new, tx.operation.at))
}

/// Inserts the merchant, or updates the stored one. Returns the number of rows changed: 0 or 1.
pub(super) fn upsert(tx: &Tx<'_>, new: &NewMerchant) -> Result<u64> {
    debug_assert_eq!(new.id, tx.merchant, "a transaction writes rows of one merchant");
    search_terms::create_index(tx)?;
    tx.execute(
        "INSERT INTO merchants (merchant_id, name, plan, time_zone, domain, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (merchant_id) DO UPDATE
         SET name = excluded.name, plan = excluded.plan, time_zone = excluded.time_zone, domain = excluded.domain
         WHERE (name, plan, time_zone, domain)
            IS NOT (excluded.name, excluded.plan, excluded.time_zone, excluded.domain)",
        (
            new.id.get(),
            new.name.as_str(),
            new.plan.as_str(),
            stored_time_zone(new),
            new.domain.as_ref().map(Domain::as_str),
            tx.operation.at.as_microsecond(),
        ),
    )
}

/// Returns true if the transaction's merchant is stored.
pub(super) fn exists(tx: &Tx<'_>) -> Result<bool> {
    let statement = "SELECT EXISTS (SELECT 1 FROM merchants WHERE merchant_id = ?1)";
    sql::query_value(tx.connection, statement, [tx.merchant.get()])
}
