//! Groups.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql};
use zumra_core::text::Name;
use zumra_core::{
    Group, GroupChange, GroupId, MerchantId, Operation, OperationId, OperationKind, Page, PageRequest,
    Subject,
};

use super::SqliteStorage;
use super::operations;
use crate::Groups;
use crate::{Conflict, GroupSelector, Resource, Result, StorageError, Written};
use async_trait::async_trait;

#[async_trait]
impl Groups for SqliteStorage {
    async fn list_groups(&self, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>> {
        self.read_pool.read(move |db| list(db, merchant, page)).await
    }

    async fn find_group(&self, merchant: MerchantId, group: GroupSelector) -> Result<Option<Group>> {
        self.read_pool.read(move |db| find(db, merchant, group)).await
    }

    async fn create_group(
        &self,
        merchant: MerchantId,
        group: Group,
        operation: Operation,
    ) -> Result<Written<Group>> {
        self.writer.write(move |tx| create(tx, merchant, group, &operation)).await
    }

    async fn update_group(
        &self,
        merchant: MerchantId,
        group: GroupSelector,
        change: GroupChange,
        operation: Operation,
    ) -> Result<Written<Group>> {
        self.writer.write(move |tx| update(tx, merchant, group, change, &operation)).await
    }

    async fn delete_group(
        &self,
        merchant: MerchantId,
        group: GroupId,
        operation: Operation,
    ) -> Result<OperationId> {
        self.writer.write(move |tx| delete(tx, merchant, group, &operation)).await
    }

    async fn archive_deleted_groups(&self, limit: u32) -> Result<bool> {
        // The writer is not troubled when there is nothing to do, which is nearly always.
        if !self.read_pool.read(is_any_deleted).await? {
            return Ok(false);
        }
        self.writer.write(move |tx| sweep(tx, limit)).await
    }
}

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, name, conditions, features, is_default";

pub(super) fn list(db: &Connection, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>> {
    let of_merchant = "FROM groups WHERE merchant_id = ?1 AND deleted_by IS NULL";
    let mut statement = db.prepare_cached(&format!("SELECT count(*) {of_merchant}"))?;
    let total = statement.query_row([merchant.get()], |row| row.get::<_, i64>(0))?.unsigned_abs();
    let sql = format!("SELECT {COLUMNS} {of_merchant} ORDER BY created_at, id LIMIT ?2 OFFSET ?3");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((merchant.get(), page.per_page, page.offset()))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(read(row)?);
    }
    Ok(Page { items, total })
}

pub(super) fn find(db: &Connection, merchant: MerchantId, group: GroupSelector) -> Result<Option<Group>> {
    let (which, id) = match group {
        GroupSelector::Id(id) => ("id = ?2", Some(id.get())),
        GroupSelector::Default => ("is_default = 1 AND ?2 IS NULL", None),
    };
    let sql =
        format!("SELECT {COLUMNS} FROM groups WHERE merchant_id = ?1 AND {which} AND deleted_by IS NULL");
    let mut statement = db.prepare_cached(&sql)?;
    statement.query_row((merchant.get(), id), |row| Ok(read(row))).optional()?.transpose()
}

pub(super) fn create(
    tx: &Connection,
    merchant: MerchantId,
    group: Group,
    operation: &Operation,
) -> Result<Written<Group>> {
    if !insert(tx, merchant, &group, operation.at)? {
        return Err(Conflict::Group(group.id).into());
    }
    let subject = Subject::Group(group.id);
    let id = operations::record_one(tx, merchant, operation, OperationKind::CreateGroup, subject)?;
    Ok(Written { operation: Some(id), value: group })
}

pub(super) fn update(
    tx: &Connection,
    merchant: MerchantId,
    which: GroupSelector,
    change: GroupChange,
    operation: &Operation,
) -> Result<Written<Group>> {
    let old = find(tx, merchant, which)?.ok_or(StorageError::NotFound(Resource::Group))?;
    let new = old.clone().with_change(change);
    if new == old {
        return Ok(Written { operation: None, value: new });
    }
    overwrite(tx, merchant, &new)?;
    let subject = Subject::Group(new.id);
    let id = operations::record_one(tx, merchant, operation, OperationKind::UpdateGroup, subject)?;
    Ok(Written { operation: Some(id), value: new })
}

pub(super) fn delete(
    tx: &Connection,
    merchant: MerchantId,
    id: GroupId,
    operation: &Operation,
) -> Result<OperationId> {
    let group = find(tx, merchant, GroupSelector::Id(id))?.ok_or(StorageError::NotFound(Resource::Group))?;
    if group.is_default {
        return Err(Conflict::DefaultGroup(id).into());
    }
    let subject = Subject::Group(id);
    let operation = operations::record_one(tx, merchant, operation, OperationKind::DeleteGroup, subject)?;
    let sql = "UPDATE groups SET deleted_by = ?3 WHERE merchant_id = ?1 AND id = ?2";
    tx.prepare_cached(sql)?.execute((merchant.get(), id.get(), operation.get()))?;
    Ok(operation)
}

/// Whether there is a deleted group whose memberships still have to move.
pub(super) fn is_any_deleted(db: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM groups WHERE deleted_by IS NOT NULL)";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Moves memberships of a deleted group, if there is one, and takes the group away with its last one. Whether there may
/// be more to do.
pub(super) fn sweep(tx: &Connection, limit: u32) -> Result<bool> {
    let mut statement = tx.prepare_cached(
        "SELECT merchant_id, id, deleted_by FROM groups WHERE deleted_by IS NOT NULL LIMIT 1",
    )?;
    let found = statement.query_row([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?])).optional()?;
    let Some(key) = found else { return Ok(false) };
    sweep_one(tx, key, i64::from(limit))?;
    Ok(true)
}

/// Moves all memberships of the merchant's deleted groups.
pub(super) fn sweep_all_of(tx: &Connection, merchant: MerchantId) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "SELECT merchant_id, id, deleted_by FROM groups WHERE merchant_id = ?1 AND deleted_by IS NOT NULL",
    )?;
    let mut found =
        statement.query_map([merchant.get()], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
    found.try_for_each(|key| sweep_one(tx, key?, i64::MAX))
}

fn sweep_one(tx: &Connection, [merchant, group, operation]: [i64; 3], limit: i64) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO past_memberships (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
         SELECT merchant_id, group_id, customer_id, operation_id, ?3, source FROM memberships
         WHERE merchant_id = ?1 AND group_id = ?2 ORDER BY customer_id LIMIT ?4",
    )?;
    let moved = statement.execute([merchant, group, operation, limit])?;
    let mut statement = tx.prepare_cached(
        "DELETE FROM memberships WHERE merchant_id = ?1 AND group_id = ?2 AND customer_id IN (
             SELECT customer_id FROM memberships WHERE merchant_id = ?1 AND group_id = ?2
             ORDER BY customer_id LIMIT ?3)",
    )?;
    statement.execute([merchant, group, limit])?;
    if i64::try_from(moved).unwrap_or(i64::MAX) < limit {
        let sql = "DELETE FROM groups WHERE merchant_id = ?1 AND id = ?2";
        tx.prepare_cached(sql)?.execute([merchant, group])?;
    }
    Ok(())
}

/// Adds a group, or makes the one that is there like it. How many rows came to differ: one or none.
pub(super) fn put(tx: &Connection, merchant: MerchantId, new: &Group, now: Timestamp) -> Result<usize> {
    let Some(old) = find(tx, merchant, GroupSelector::Id(new.id))? else {
        insert(tx, merchant, new, now)?;
        return Ok(1);
    };
    // A file that does not say which group is the default one leaves that as it is.
    let new = Group { is_default: new.is_default || old.is_default, ..new.clone() };
    if new == old {
        return Ok(0);
    }
    overwrite(tx, merchant, &new)?;
    Ok(1)
}

/// Makes no group the default one, because another is about to be. Nothing if it is this one already.
pub(super) fn resign_default(tx: &Connection, merchant: MerchantId, next: GroupId) -> Result<()> {
    let sql = "UPDATE groups SET is_default = 0 WHERE merchant_id = ?1 AND is_default = 1 AND id <> ?2";
    tx.prepare_cached(sql)?.execute((merchant.get(), next.get()))?;
    Ok(())
}

/// Adds a default group to a merchant who has none. Its id is one that no other group can have been given.
pub(super) fn insert_default(tx: &Connection, merchant: MerchantId, operation: &Operation) -> Result<bool> {
    let id = GroupId::new(operation.proposed_id.get())
        .ok_or_else(|| StorageError::corrupt("operations", "id", operation.proposed_id))?;
    insert(tx, merchant, &Group::new_default(id), operation.at)
}

/// Whether the group was added; not if there is one with its id.
pub(super) fn insert(tx: &Connection, merchant: MerchantId, new: &Group, now: Timestamp) -> Result<bool> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO groups (merchant_id, id, name, conditions, features, is_default, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (merchant_id, id) DO NOTHING",
    )?;
    let (conditions, features) = (json(&new.conditions)?, json(&new.features)?);
    let parameters: [&dyn ToSql; 7] = [
        &merchant.get(),
        &new.id.get(),
        &new.name.as_str(),
        &conditions,
        &features,
        &new.is_default,
        &now.as_microsecond(),
    ];
    Ok(statement.execute(parameters)? == 1)
}

fn overwrite(tx: &Connection, merchant: MerchantId, new: &Group) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE groups SET name = ?3, conditions = ?4, features = ?5, is_default = ?6
         WHERE merchant_id = ?1 AND id = ?2",
    )?;
    let (conditions, features) = (json(&new.conditions)?, json(&new.features)?);
    let (id, name) = (new.id.get(), new.name.as_str());
    statement.execute((merchant.get(), id, name, conditions, features, new.is_default))?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StorageError::Internal(e.to_string()))
}

fn read(row: &Row<'_>) -> Result<Group> {
    let id: i64 = row.get(0)?;
    let text = |i| row.get::<_, String>(i);
    let wrong = |column, problem: &dyn std::fmt::Display| StorageError::corrupt("groups", column, problem);
    Ok(Group {
        id: GroupId::new(id).ok_or_else(|| wrong("id", &id))?,
        name: Name::parse(&text(1)?).map_err(|e| wrong("name", &e))?,
        conditions: serde_json::from_str(&text(2)?).map_err(|e| wrong("conditions", &e))?,
        features: serde_json::from_str(&text(3)?).map_err(|e| wrong("features", &e))?,
        is_default: row.get(4)?,
    })
}
