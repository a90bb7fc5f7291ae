//! Merchants.

use deadpool_postgres::GenericClient;
use jiff::{Timestamp, tz::TimeZone};
use tokio_postgres::Row;
use zumra_core::merchant::TIME_ZONE_DEFAULT;
use zumra_core::text::Name;
use zumra_core::{Domain, Merchant, MerchantId, NewMerchant, Operation, OperationKind, Subject};

use super::PostgresStorage;
use super::connections::for_tx;
use super::errors::Try;
use super::groups;
use super::operations::{self, Mark};
use crate::Merchants;
use crate::{Conflict, Result, StorageError};
use async_trait::async_trait;

#[async_trait]
impl Merchants for PostgresStorage {
    async fn create_merchant(&self, merchant: NewMerchant, operation: Operation) -> Result<Merchant> {
        let create = for_tx(|tx, new, operation, mark| Box::pin(create(tx, new, operation, mark)));
        self.connections.change(merchant.id, operation, merchant, create).await
    }

    async fn list_merchants(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>> {
        self.connections.read(|db| Box::pin(list(db, after, limit))).await
    }
}

/// The columns that [`read`] reads.
pub(super) const COLUMNS: &str = "merchants.merchant_id, merchants.name, merchants.plan, merchants.time_zone, merchants.domain, merchants.created_at";

pub(super) async fn create<C: GenericClient>(
    tx: &C,
    new: &NewMerchant,
    operation: &Operation,
    mark: Mark,
) -> Try<Merchant> {
    let sql = "INSERT INTO merchants (merchant_id, name, plan, time_zone, domain, created_at)
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (merchant_id) DO NOTHING";
    // The insert itself is the question: another process may be creating the same one.
    if write(tx, sql, new, operation.at).await? == 0 {
        return Err(Conflict::Merchant(new.id).into());
    }
    groups::insert_default(tx, new.id, operation).await?;
    let what = (OperationKind::CreateMerchant, Subject::Other);
    operations::record_one(tx, new.id, operation, what, mark).await?;
    Ok(Merchant {
        id: new.id,
        name: new.name.clone(),
        plan: new.plan,
        time_zone: new.time_zone.clone(),
        domain: new.domain.clone(),
        created_at: operation.at,
    })
}

/// Adds a merchant, or changes the one that is there. How many rows came to differ: one or none.
pub(super) async fn put<C: GenericClient>(tx: &C, new: &NewMerchant, now: Timestamp) -> Try<u64> {
    let sql = "INSERT INTO merchants (merchant_id, name, plan, time_zone, domain, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (merchant_id) DO UPDATE
         SET name = excluded.name, plan = excluded.plan, time_zone = excluded.time_zone, domain = excluded.domain
         WHERE merchants.merchant_id = $1
           AND (merchants.name, merchants.plan, merchants.time_zone, merchants.domain)
               IS DISTINCT FROM (excluded.name, excluded.plan, excluded.time_zone, excluded.domain)";
    write(tx, sql, new, now).await
}

async fn write<C: GenericClient>(tx: &C, sql: &str, new: &NewMerchant, now: Timestamp) -> Try<u64> {
    let statement = tx.prepare_cached(sql).await?;
    let zone = new.time_zone.iana_name().unwrap_or(TIME_ZONE_DEFAULT);
    let (name, plan) = (new.name.as_str(), new.plan.as_str());
    let domain = new.domain.as_ref().map(Domain::as_str);
    let now = now.as_microsecond();
    Ok(tx.execute(&statement, &[&new.id.get(), &name, &plan, &zone, &domain, &now]).await?)
}

/// Whether there is such a merchant; if so, until the end of the transaction no other one may pass this line. It is
/// for changes that no unique key guards. Adding members does not come here, and is not held up.
pub(super) async fn lock<C: GenericClient>(tx: &C, merchant: MerchantId) -> Try<bool> {
    let sql = "SELECT 1 FROM merchants WHERE merchant_id = $1 FOR NO KEY UPDATE";
    let statement = tx.prepare_cached(sql).await?;
    Ok(tx.query_opt(&statement, &[&merchant.get()]).await?.is_some())
}

/// Says that customers or groups of the merchant are about to be taken away: to be called before it is looked who is in
/// which group. It waits for additions that saw them, and those that come later and saw them find out by the number.
pub(super) async fn count_removal<C: GenericClient>(tx: &C, merchant: MerchantId) -> Try<()> {
    let sql = "UPDATE merchants SET removals = removals + 1 WHERE merchant_id = $1";
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&merchant.get()]).await?;
    Ok(())
}

pub(super) async fn list<C: GenericClient>(
    db: &C,
    after: Option<MerchantId>,
    limit: u32,
) -> Try<Vec<Merchant>> {
    let sql = format!("SELECT {COLUMNS} FROM merchants WHERE merchant_id > $1 ORDER BY merchant_id LIMIT $2");
    let statement = db.prepare_cached(&sql).await?;
    let after = after.map_or(0, MerchantId::get);
    let rows = db.query(&statement, &[&after, &i64::from(limit)]).await?;
    Ok(rows.iter().map(|row| read(row, 0)).collect::<Result<_>>()?)
}

/// Reads [`COLUMNS`] from a row, from its column `first` on.
pub(super) fn read(row: &Row, first: usize) -> Result<Merchant> {
    let wrong = |column, problem: &dyn std::fmt::Display| StorageError::corrupt("merchants", column, problem);
    let text = |i, column| row.try_get::<_, String>(first + i).map_err(|e| wrong(column, &e));
    let id: i64 = row.try_get(first).map_err(|e| wrong("merchant_id", &e))?;
    let domain: Option<String> = row.try_get(first + 4).map_err(|e| wrong("domain", &e))?;
    let created_at: i64 = row.try_get(first + 5).map_err(|e| wrong("created_at", &e))?;
    Ok(Merchant {
        id: MerchantId::new(id).ok_or_else(|| wrong("merchant_id", &id))?,
        name: Name::parse(&text(1, "name")?).map_err(|e| wrong("name", &e))?,
        plan: text(2, "plan")?.parse().map_err(|e| wrong("plan", &e))?,
        time_zone: TimeZone::get(&text(3, "time_zone")?).map_err(|e| wrong("time_zone", &e))?,
        domain: domain.as_deref().map(str::parse).transpose().map_err(|e| wrong("domain", &e))?,
        created_at: Timestamp::from_microsecond(created_at).map_err(|e| wrong("created_at", &e))?,
    })
}
