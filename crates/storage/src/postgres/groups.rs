//! Groups.

use deadpool_postgres::GenericClient;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tokio_postgres::Row;
use zumra_core::text::Name;
use zumra_core::{Group, GroupId, MerchantId, NewGroup, Page, PageRequest};

use super::corrupt;
use super::errors::Try;
use crate::Result;

pub(super) async fn list<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    page: PageRequest,
) -> Try<Page<Group>> {
    // One statement, so that total and page are of one moment. A page past the end is one row without an id.
    let sql = "SELECT total.count, page.id, page.name
               FROM (SELECT count(*) AS count FROM groups WHERE merchant_id = $1) AS total
               LEFT JOIN (SELECT id, name, created_at FROM groups WHERE merchant_id = $1
                          ORDER BY created_at, id LIMIT $2 OFFSET $3) AS page ON true
               ORDER BY page.created_at, page.id";
    let statement = db.prepare_cached(sql).await?;
    let rows = db.query(&statement, &[&merchant.get(), &i64::from(page.per_page), &page.offset()]).await?;
    let mut listed = Page { items: Vec::new(), total: 0 };
    for row in &rows {
        listed.total = row.try_get::<_, i64>(0)?.unsigned_abs();
        if let Some(id) = row.try_get(1)? {
            listed.items.push(read(id, row)?);
        }
    }
    Ok(listed)
}

fn read(id: i64, row: &Row) -> Result<Group> {
    let name: String = row.try_get(2).map_err(|e| corrupt("groups", "name", e))?;
    Ok(Group {
        id: GroupId::new(id).ok_or_else(|| corrupt("groups", "id", id))?,
        name: Name::parse(&name).map_err(|e| corrupt("groups", "name", e))?,
    })
}

/// Adds groups, or renames those that are there. How many rows came to differ.
pub(super) async fn put<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    new: &[NewGroup],
    now: Timestamp,
) -> Try<u64> {
    let sql = "INSERT INTO groups (merchant_id, id, name, created_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (merchant_id, id) DO UPDATE SET name = excluded.name
               WHERE groups.name IS DISTINCT FROM excluded.name AND groups.merchant_id = $1";
    let statement = tx.prepare_cached(sql).await?;
    let (statement, merchant, now) = (&statement, merchant.get(), now.as_microsecond());
    let puts = new.iter().map(|group| async move {
        tx.execute(statement, &[&merchant, &group.id.get(), &group.name.as_str(), &now]).await
    });
    Ok(try_join_all(puts).await?.into_iter().sum())
}
