//! Merchants.

use jiff::{Timestamp, tz::TimeZone};
use rusqlite::{Connection, Row};
use zumra_core::merchant::TIME_ZONE_DEFAULT;
use zumra_core::text::Name;
use zumra_core::{Domain, Merchant, MerchantId, NewMerchant, Operation, OperationKind, Subject};

use super::SqliteStorage;
use super::{groups, operations};
use crate::Merchants;
use crate::{Conflict, Result, StorageError};
use async_trait::async_trait;

#[async_trait]
impl Merchants for SqliteStorage {
    async fn create_merchant(&self, merchant: NewMerchant, operation: Operation) -> Result<Merchant> {
        self.writer.write(move |tx| create(tx, &merchant, operation)).await
    }

    async fn list_merchants(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>> {
        self.read_pool.read(move |db| list(db, after, limit)).await
    }
}

/// The columns that [`read`] reads.
pub(super) const COLUMNS: &str = "merchants.merchant_id, merchants.name, merchants.plan, merchants.time_zone, merchants.domain, merchants.created_at";

pub(super) fn create(tx: &Connection, new: &NewMerchant, operation: Operation) -> Result<Merchant> {
    if exists(tx, new.id)? {
        return Err(Conflict::Merchant(new.id).into());
    }
    put(tx, new, operation.at)?;
    groups::insert_default(tx, new.id, &operation)?;
    operations::record_one(tx, new.id, &operation, OperationKind::CreateMerchant, Subject::Other)?;
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
pub(super) fn put(tx: &Connection, new: &NewMerchant, now: Timestamp) -> Result<usize> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO merchants (merchant_id, name, plan, time_zone, domain, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (merchant_id) DO UPDATE
         SET name = excluded.name, plan = excluded.plan, time_zone = excluded.time_zone, domain = excluded.domain
         WHERE (name, plan, time_zone, domain)
            IS NOT (excluded.name, excluded.plan, excluded.time_zone, excluded.domain)",
    )?;
    let zone = new.time_zone.iana_name().unwrap_or(TIME_ZONE_DEFAULT);
    let (name, plan) = (new.name.as_str(), new.plan.as_str());
    let domain = new.domain.as_ref().map(Domain::as_str);
    Ok(statement.execute((new.id.get(), name, plan, zone, domain, now.as_microsecond()))?)
}

pub(super) fn exists(tx: &Connection, merchant: MerchantId) -> Result<bool> {
    let mut statement =
        tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM merchants WHERE merchant_id = ?1)")?;
    Ok(statement.query_row([merchant.get()], |row| row.get(0))?)
}

pub(super) fn list(db: &Connection, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>> {
    let sql = format!("SELECT {COLUMNS} FROM merchants WHERE merchant_id > ?1 ORDER BY merchant_id LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((after.map_or(0, MerchantId::get), limit))?;
    let mut merchants = Vec::new();
    while let Some(row) = rows.next()? {
        merchants.push(read(row, 0)?);
    }
    Ok(merchants)
}

/// Reads [`COLUMNS`] from a row, from its column `first` on.
pub(super) fn read(row: &Row<'_>, first: usize) -> Result<Merchant> {
    let text = |i| row.get::<_, String>(first + i);
    let wrong = |column, problem: &dyn std::fmt::Display| StorageError::corrupt("merchants", column, problem);
    let id: i64 = row.get(first)?;
    let domain: Option<String> = row.get(first + 4)?;
    Ok(Merchant {
        id: MerchantId::new(id).ok_or_else(|| wrong("merchant_id", &id))?,
        name: Name::parse(&text(1)?).map_err(|e| wrong("name", &e))?,
        plan: text(2)?.parse().map_err(|e| wrong("plan", &e))?,
        time_zone: TimeZone::get(&text(3)?).map_err(|e| wrong("time_zone", &e))?,
        domain: domain.as_deref().map(str::parse).transpose().map_err(|e| wrong("domain", &e))?,
        created_at: Timestamp::from_microsecond(row.get(first + 5)?).map_err(|e| wrong("created_at", &e))?,
    })
}
