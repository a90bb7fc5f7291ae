//! Groups.

use async_trait::async_trait;
use rusqlite::Connection;
use zumra_core::{
    Group, GroupChange, GroupId, MerchantId, NewGroup, Operation, OperationId, OperationKind, Page,
    PageRequest, Subject,
};

use super::engine::SqliteStorage;
use super::tx::Tx;
use super::{ids, operations, sql};
use crate::groups::{COLUMNS, decode, merge, require_deletable, to_json};
use crate::row::stored_count;
use crate::{GroupSelector, Groups, Noun, Resource, Result, StorageError, Written};

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
        group: NewGroup,
        operation: Operation,
    ) -> Result<Written<Group>> {
        self.write(merchant, operation, move |tx| create(tx, group)).await
    }

    async fn update_group(
        &self,
        merchant: MerchantId,
        group: GroupSelector,
        change: GroupChange,
        operation: Operation,
    ) -> Result<Written<Group>> {
        self.write(merchant, operation, move |tx| update(tx, group, change)).await
    }

    async fn delete_group(
        &self,
        merchant: MerchantId,
        group: GroupId,
        operation: Operation,
    ) -> Result<OperationId> {
        self.write(merchant, operation, move |tx| delete(tx, group)).await
    }

    async fn archive_deleted_groups(&self, limit: u32) -> Result<bool> {
        // Check on a read connection first. Deleted groups are rare, and a check must not occupy the writer.
        if !self.read_pool.read(has_deleted).await? {
            return Ok(false);
        }
        self.writer.write(move |connection| archive_deleted(connection, limit)).await
    }
}

fn list(db: &Connection, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>> {
    let statement = "SELECT count(*) FROM groups WHERE merchant_id = ?1 AND deleted_by IS NULL";
    let total: i64 = sql::query_value(db, statement, [merchant.get()])?;
    let statement = format!(
        "SELECT {COLUMNS} FROM groups WHERE merchant_id = ?1 AND deleted_by IS NULL
         ORDER BY created_at, id LIMIT ?2 OFFSET ?3"
    );
    let parameters = (merchant.get(), page.per_page, page.offset());
    let items = sql::query(db, &statement, parameters, |row| decode(row))?;
    Ok(Page { items, total: total.unsigned_abs() })
}

pub(super) fn find(db: &Connection, merchant: MerchantId, group: GroupSelector) -> Result<Option<Group>> {
    let (condition, id) = match group {
        GroupSelector::Id(id) => ("id = ?2", Some(id.get())),
        GroupSelector::Default => ("is_default = 1 AND ?2 IS NULL", None),
    };
    let statement =
        format!("SELECT {COLUMNS} FROM groups WHERE merchant_id = ?1 AND {condition} AND deleted_by IS NULL");
    sql::query_opt(db, &statement, (merchant.get(), id), |row| decode(row))
}

/// Returns a group that is about to change. The writer's transaction excludes other writers.
fn find_for_update(tx: &Tx<'_>, group: GroupSelector) -> Result<Group> {
    find(tx.connection, tx.merchant, group)?.ok_or(StorageError::NotFound(Resource::Group))
}

fn create(tx: &Tx<'_>, new: NewGroup) -> Result<Written<Group>> {
    let group = new.with_id(ids::assign_group(tx)?);
    insert_new(tx, &group)?;
    let operation = operations::record_one(tx, OperationKind::CreateGroup, Subject::Group(group.id))?;
    Ok(Written { operation: Some(operation), value: group })
}

fn update(tx: &Tx<'_>, group: GroupSelector, change: GroupChange) -> Result<Written<Group>> {
    let old = find_for_update(tx, group)?;
    let new = old.clone().with_change(change);
    if new == old {
        return Ok(Written { operation: None, value: new });
    }
    overwrite(tx, &new)?;
    let operation = operations::record_one(tx, OperationKind::UpdateGroup, Subject::Group(new.id))?;
    Ok(Written { operation: Some(operation), value: new })
}

fn delete(tx: &Tx<'_>, id: GroupId) -> Result<OperationId> {
    require_deletable(&find_for_update(tx, GroupSelector::Id(id))?)?;
    let operation = operations::record_one(tx, OperationKind::DeleteGroup, Subject::Group(id))?;
    tx.execute(
        "UPDATE groups SET deleted_by = ?3 WHERE merchant_id = ?1 AND id = ?2",
        (tx.merchant.get(), id.get(), operation.get()),
    )?;
    ids::retire(tx, Noun::Group, id.get())?;
    Ok(operation)
}

/// Returns true if a deleted group of any merchant is not archived yet.
fn has_deleted(db: &Connection) -> Result<bool> {
    let statement = "SELECT EXISTS (SELECT 1 FROM groups WHERE deleted_by IS NOT NULL)";
    sql::query_value(db, statement, [])
}

/// A deleted group, as its columns.
struct DeletedGroup {
    merchant: i64,
    group: i64,
    /// The operation that deleted it.
    operation: i64,
}

impl DeletedGroup {
    const COLUMNS: &str = "merchant_id, id, deleted_by";

    fn decode(row: &rusqlite::Row<'_>) -> Result<Self> {
        Ok(Self { merchant: row.get(0)?, group: row.get(1)?, operation: row.get(2)? })
    }
}

/// Moves up to `limit` memberships of one deleted group to `past_memberships`. Returns true if more may remain.
fn archive_deleted(connection: &Connection, limit: u32) -> Result<bool> {
    let columns = DeletedGroup::COLUMNS;
    let statement = format!("SELECT {columns} FROM groups WHERE deleted_by IS NOT NULL LIMIT 1");
    let Some(group) = sql::query_opt(connection, &statement, [], DeletedGroup::decode)? else {
        return Ok(false);
    };
    archive_chunk(connection, &group, i64::from(limit))?;
    Ok(true)
}

/// Archives all deleted groups of the transaction's merchant.
pub(super) fn archive_merchant(tx: &Tx<'_>) -> Result<()> {
    let columns = DeletedGroup::COLUMNS;
    let statement = format!("SELECT {columns} FROM groups WHERE merchant_id = ?1 AND deleted_by IS NOT NULL");
    let groups = sql::query(tx.connection, &statement, [tx.merchant.get()], DeletedGroup::decode)?;
    groups.iter().try_for_each(|group| archive_chunk(tx.connection, group, i64::MAX))
}

/// Moves up to `limit` memberships of a deleted group, and deletes the row of the group after the last one.
fn archive_chunk(connection: &Connection, deleted: &DeletedGroup, limit: i64) -> Result<()> {
    let &DeletedGroup { merchant, group, operation } = deleted;
    let moved = sql::execute(
        connection,
        "INSERT INTO past_memberships (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
         SELECT merchant_id, group_id, customer_id, operation_id, ?3, source FROM memberships
         WHERE merchant_id = ?1 AND group_id = ?2 ORDER BY customer_id LIMIT ?4",
        [merchant, group, operation, limit],
    )?;
    sql::execute(
        connection,
        "DELETE FROM memberships WHERE merchant_id = ?1 AND group_id = ?2 AND customer_id IN (
             SELECT customer_id FROM memberships WHERE merchant_id = ?1 AND group_id = ?2
             ORDER BY customer_id LIMIT ?3)",
        [merchant, group, limit],
    )?;
    if stored_count(moved) < limit {
        let statement = "DELETE FROM groups WHERE merchant_id = ?1 AND id = ?2";
        sql::execute(connection, statement, [merchant, group])?;
    }
    Ok(())
}

/// Inserts a group, or merges it into the stored one. Returns the number of rows changed: 0 or 1.
pub(super) fn upsert(tx: &Tx<'_>, new: &Group) -> Result<u64> {
    let Some(old) = find(tx.connection, tx.merchant, GroupSelector::Id(new.id))? else {
        insert(tx, new)?;
        return Ok(1);
    };
    let Some(merged) = merge(&old, new) else { return Ok(0) };
    overwrite(tx, &merged)?;
    Ok(1)
}

/// Clears `is_default` of the default group unless it is `next`. A unique key allows one default group.
pub(super) fn clear_default_except(tx: &Tx<'_>, next: GroupId) -> Result<()> {
    tx.execute(
        "UPDATE groups SET is_default = 0 WHERE merchant_id = ?1 AND is_default = 1 AND id <> ?2",
        (tx.merchant.get(), next.get()),
    )?;
    Ok(())
}

/// Inserts a default group.
pub(super) fn insert_default(tx: &Tx<'_>) -> Result<()> {
    let group = NewGroup::new_default().with_id(ids::assign_group(tx)?);
    insert_new(tx, &Group { is_default: true, ..group })
}

/// Inserts a group with an id that was just assigned.
fn insert_new(tx: &Tx<'_>, new: &Group) -> Result<()> {
    if insert(tx, new)? {
        Ok(())
    } else {
        Err(StorageError::Internal(format!("the unused id {} is used", new.id)))
    }
}

/// Inserts a group. Returns false if one with its id is stored.
fn insert(tx: &Tx<'_>, new: &Group) -> Result<bool> {
    let inserted = tx.execute(
        "INSERT INTO groups (merchant_id, id, name, conditions, features, is_default, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (merchant_id, id) DO NOTHING",
        (
            tx.merchant.get(),
            new.id.get(),
            new.name.as_str(),
            to_json(&new.conditions)?,
            to_json(&new.features)?,
            new.is_default,
            tx.operation.at.as_microsecond(),
        ),
    )?;
    Ok(inserted == 1)
}

fn overwrite(tx: &Tx<'_>, new: &Group) -> Result<()> {
    tx.execute(
        "UPDATE groups SET name = ?3, conditions = ?4, features = ?5, is_default = ?6
         WHERE merchant_id = ?1 AND id = ?2",
        (
            tx.merchant.get(),
            new.id.get(),
            new.name.as_str(),
            to_json(&new.conditions)?,
            to_json(&new.features)?,
            new.is_default,
        ),
    )?;
    Ok(())
}
