//! Merchants (tenants).

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use zumra_core::{Domain, Merchant, MerchantId, NewMerchant, Operation, OperationKind, Subject};

use super::engine::PostgresStorage;
use super::errors::AttemptResult;
use super::tx::Tx;
use super::{groups, operations, search_terms, sql};
use crate::merchants::{COLUMNS, build_merchant, decode, stored_time_zone};
use crate::{Conflict, Merchants, Result};

#[async_trait]
impl Merchants for PostgresStorage {
    async fn create_merchant(&self, merchant: NewMerchant, operation: Operation) -> Result<Merchant> {
        let id = merchant.id;
        self.connections.write(id, operation, merchant, |tx, new| Box::pin(create(tx, new))).await
    }

    async fn list_merchants(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>> {
        let page = (after, limit);
        self.connections.read(&page, |db, &(after, limit)| Box::pin(list(db, after, limit))).await
    }
}

async fn list<C: GenericClient>(
    db: &C,
    after: Option<MerchantId>,
    limit: u32,
) -> AttemptResult<Vec<Merchant>> {
    let statement =
        format!("SELECT {COLUMNS} FROM merchants WHERE merchant_id > $1 ORDER BY merchant_id LIMIT $2");
    let after = after.map_or(0, MerchantId::get);
    let rows = sql::query(db, &statement, &[&after, &i64::from(limit)]).await?;
    Ok(rows.iter().map(|row| decode(row, 0)).collect::<Result<_>>()?)
}

async fn create(tx: &Tx<'_>, new: &NewMerchant) -> AttemptResult<Merchant> {
    search_terms::create_index(tx).await?;
    // No check before: a concurrent transaction may be inserting the same id.
    let statement = "INSERT INTO merchants (merchant_id, name, plan, time_zone, domain, created_at)
                     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (merchant_id) DO NOTHING";
    if write(tx, statement, new).await? == 0 {
        return Err(Conflict::Merchant(new.id).into());
    }
    groups::insert_default(tx).await?;
    operations::record_one(tx, OperationKind::CreateMerchant, Subject::Other).await?;
    Ok(build_merchant(new, tx.operation.at))
}

/// Inserts a merchant or updates the existing one. Returns the number of rows changed, 0 or 1.
pub(super) async fn upsert(tx: &Tx<'_>, new: &NewMerchant) -> AttemptResult<u64> {
    search_terms::create_index(tx).await?;
    let statement = "INSERT INTO merchants (merchant_id, name, plan, time_zone, domain, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (merchant_id) DO UPDATE
         SET name = excluded.name, plan = excluded.plan, time_zone = excluded.time_zone, domain = excluded.domain
         WHERE merchants.merchant_id = $1
           AND (merchants.name, merchants.plan, merchants.time_zone, merchants.domain)
               IS DISTINCT FROM (excluded.name, excluded.plan, excluded.time_zone, excluded.domain)";
    write(tx, statement, new).await
}

/// Runs a statement whose parameters are the columns of a merchant. Returns the number of rows written.
async fn write(tx: &Tx<'_>, statement: &str, new: &NewMerchant) -> AttemptResult<u64> {
    let zone = stored_time_zone(new);
    let (name, plan) = (new.name.as_str(), new.plan.as_str());
    let domain = new.domain.as_ref().map(Domain::as_str);
    let created_at = tx.operation.at.as_microsecond();
    sql::execute(&tx.client, statement, &[&new.id.get(), &name, &plan, &zone, &domain, &created_at]).await
}

/// Locks the merchant's row until the end of the transaction, for changes that no unique key protects. Returns false if
/// the merchant does not exist. Add requests wait for the lock too.
pub(super) async fn lock(tx: &Tx<'_>) -> AttemptResult<bool> {
    let statement = "SELECT 1 FROM merchants WHERE merchant_id = $1 FOR NO KEY UPDATE";
    Ok(sql::query_opt(&tx.client, statement, &[&tx.merchant.get()]).await?.is_some())
}
