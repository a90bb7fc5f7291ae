//! Rebuilds the search index of merchants whose search terms have an older version, in chunks.

use rusqlite::Connection;
use zumra_core::SEARCH_VERSION;

use super::search_terms::IndexedCustomer;
use super::sql;
use crate::search_index::{OutdatedIndex, StoredTerms};
use crate::{RebuiltChunk, Result};

/// Returns a merchant whose index has to be rebuilt, or `None` if there is none.
pub(super) fn find_outdated(db: &Connection) -> Result<Option<OutdatedIndex>> {
    let columns = OutdatedIndex::COLUMNS;
    let statement = format!(
        "SELECT {columns} FROM merchants LEFT JOIN search_index_versions USING (merchant_id)
         WHERE version IS NULL OR version < $1 LIMIT 1"
    );
    sql::query_opt(db, &statement, [SEARCH_VERSION], |row| OutdatedIndex::decode(row))
}

/// Rebuilds the terms of up to `limit` customers of one merchant. Returns `None` if every index is current.
pub(super) fn rebuild_chunk(db: &Connection, limit: u32) -> Result<Option<RebuiltChunk>> {
    let Some(outdated) = find_outdated(db)? else { return Ok(None) };
    let merchant = outdated.merchant.get();
    let columns = StoredTerms::columns();
    let statement =
        format!("SELECT {columns} FROM customers WHERE merchant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
    let customers = sql::query(db, &statement, (merchant, outdated.rebuilt_through, limit), |row| {
        StoredTerms::decode(row)
    })?;
    for StoredTerms { id, created_at, old, new, .. } in &customers {
        let customer = IndexedCustomer { merchant, id: *id, created_at: *created_at };
        customer.remove(db, old)?;
        customer.add(db, new)?;
        if old != new {
            let statement = "UPDATE customers SET search_terms = ?3 WHERE merchant_id = ?1 AND id = ?2";
            sql::execute(db, statement, (merchant, id, new))?;
        }
    }
    let (state, chunk) = outdated.after(&customers, limit);
    let statement = "INSERT INTO search_index_versions (merchant_id, version, next_version, rebuilt_through)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (merchant_id) DO UPDATE SET version = excluded.version,
             next_version = excluded.next_version, rebuilt_through = excluded.rebuilt_through";
    sql::execute(db, statement, (merchant, state.version, SEARCH_VERSION, state.rebuilt_through))?;
    Ok(Some(chunk))
}
