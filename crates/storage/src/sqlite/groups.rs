//! Groups.

use jiff::Timestamp;
use rusqlite::Connection;
use zumra_core::text::Name;
use zumra_core::{Group, GroupId, MerchantId, NewGroup, Page, PageRequest};

use super::corrupt;
use crate::Result;

pub(super) fn list(db: &Connection, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>> {
    let mut statement = db.prepare_cached("SELECT count(*) FROM groups WHERE merchant_id = ?1")?;
    let total = statement.query_row([merchant.get()], |row| row.get::<_, i64>(0))?.unsigned_abs();
    let mut statement = db.prepare_cached(
        "SELECT id, name FROM groups WHERE merchant_id = ?1 ORDER BY created_at, id LIMIT ?2 OFFSET ?3",
    )?;
    let mut rows = statement.query((merchant.get(), page.per_page, page.offset()))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        items.push(Group {
            id: GroupId::new(id).ok_or_else(|| corrupt("groups", "id", id))?,
            name: Name::parse(&row.get::<_, String>(1)?).map_err(|e| corrupt("groups", "name", e))?,
        });
    }
    Ok(Page { items, total })
}

/// Adds a group, or renames the one that is there. How many rows came to differ: one or none.
pub(super) fn put(tx: &Connection, merchant: MerchantId, new: &NewGroup, now: Timestamp) -> Result<usize> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO groups (merchant_id, id, name, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (merchant_id, id) DO UPDATE SET name = excluded.name WHERE name IS NOT excluded.name",
    )?;
    Ok(statement.execute((merchant.get(), new.id.get(), new.name.as_str(), now.as_microsecond()))?)
}
