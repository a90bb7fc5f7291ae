//! Groups.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use tokio_postgres::Row;
use zumra_core::text::Name;
use zumra_core::{
    Group, GroupChange, GroupId, MerchantId, Operation, OperationId, OperationKind, Page, PageRequest,
    Subject,
};

use super::PostgresStorage;
use super::connections::for_tx;
use super::errors::Try;
use super::merchants;
use super::operations::{self, Mark};
use crate::Groups;
use crate::{Conflict, GroupSelector, Resource, Result, StorageError, Written};
use async_trait::async_trait;

#[async_trait]
impl Groups for PostgresStorage {
    async fn list_groups(&self, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>> {
        self.list(|db| Box::pin(list(db, merchant, page))).await
    }

    async fn find_group(&self, merchant: MerchantId, group: GroupSelector) -> Result<Option<Group>> {
        self.connections.read(|db| Box::pin(find(db, merchant, group))).await
    }

    async fn create_group(
        &self,
        merchant: MerchantId,
        group: Group,
        operation: Operation,
    ) -> Result<Written<Group>> {
        let create =
            for_tx(move |tx, group, operation, mark| Box::pin(create(tx, merchant, group, operation, mark)));
        self.connections.change(merchant, operation, group, create).await
    }

    async fn update_group(
        &self,
        merchant: MerchantId,
        group: GroupSelector,
        change: GroupChange,
        operation: Operation,
    ) -> Result<Written<Group>> {
        let update = for_tx(move |tx, change, operation, mark| {
            Box::pin(update(tx, merchant, group, change, operation, mark))
        });
        self.connections.change(merchant, operation, change, update).await
    }

    async fn delete_group(
        &self,
        merchant: MerchantId,
        group: GroupId,
        operation: Operation,
    ) -> Result<OperationId> {
        let delete = for_tx(move |tx, id: &GroupId, operation, mark| {
            Box::pin(delete(tx, merchant, *id, operation, mark))
        });
        self.connections.change(merchant, operation, group, delete).await
    }

    async fn archive_deleted_groups(&self, limit: u32) -> Result<bool> {
        // Each statement is its own transaction, and doing one of them twice is doing it once.
        self.connections.read(|db| Box::pin(sweep(db, limit))).await
    }
}

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, name, conditions, features, is_default";

pub(super) async fn list<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    page: PageRequest,
) -> Try<Page<Group>> {
    // One statement, so that total and page are of one moment. A page past the end is one row without an id.
    let sql = format!(
        "SELECT page.*, total.count
         FROM (SELECT count(*) AS count FROM groups WHERE merchant_id = $1 AND deleted_by IS NULL) AS total
         LEFT JOIN (SELECT {COLUMNS}, created_at FROM groups WHERE merchant_id = $1 AND deleted_by IS NULL
                    ORDER BY created_at, id LIMIT $2 OFFSET $3) AS page ON true
         ORDER BY page.created_at, page.id"
    );
    let statement = db.prepare_cached(&sql).await?;
    let rows = db.query(&statement, &[&merchant.get(), &i64::from(page.per_page), &page.offset()]).await?;
    let mut listed = Page { items: Vec::new(), total: 0 };
    for row in &rows {
        listed.total = row.try_get::<_, i64>(6)?.unsigned_abs();
        if row.try_get::<_, Option<i64>>(0)?.is_some() {
            listed.items.push(read(row)?);
        }
    }
    Ok(listed)
}

pub(super) async fn find<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    group: GroupSelector,
) -> Try<Option<Group>> {
    find_as(db, merchant, group, "").await
}

/// The group, which nobody else can change until the end of the transaction.
async fn find_to_change<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    group: GroupSelector,
) -> Try<Option<Group>> {
    find_as(tx, merchant, group, "FOR NO KEY UPDATE").await
}

async fn find_as<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    group: GroupSelector,
    lock: &str,
) -> Try<Option<Group>> {
    let (which, id) = match group {
        GroupSelector::Id(id) => ("id = $2::bigint", Some(id.get())),
        GroupSelector::Default => ("is_default AND $2::bigint IS NULL", None),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM groups WHERE merchant_id = $1 AND {which} AND deleted_by IS NULL {lock}"
    );
    let statement = db.prepare_cached(&sql).await?;
    let row = db.query_opt(&statement, &[&merchant.get(), &id]).await?;
    Ok(row.map(|row| read(&row)).transpose()?)
}

pub(super) async fn create<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    group: &Group,
    operation: &Operation,
    mark: Mark,
) -> Try<Written<Group>> {
    if insert(tx, merchant, group, operation.at).await? == 0 {
        return Err(Conflict::Group(group.id).into());
    }
    let what = (OperationKind::CreateGroup, Subject::Group(group.id));
    let id = operations::record_one(tx, merchant, operation, what, mark).await?;
    Ok(Written { operation: Some(id), value: group.clone() })
}

pub(super) async fn update<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    which: GroupSelector,
    change: &GroupChange,
    operation: &Operation,
    mark: Mark,
) -> Try<Written<Group>> {
    let found = find_to_change(tx, merchant, which).await?;
    let old = found.ok_or(StorageError::NotFound(Resource::Group))?;
    let new = old.clone().with_change(change.clone());
    if new == old {
        return Ok(Written { operation: None, value: new });
    }
    overwrite(tx, merchant, &new).await?;
    let what = (OperationKind::UpdateGroup, Subject::Group(new.id));
    let id = operations::record_one(tx, merchant, operation, what, mark).await?;
    Ok(Written { operation: Some(id), value: new })
}

pub(super) async fn delete<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    id: GroupId,
    operation: &Operation,
    mark: Mark,
) -> Try<OperationId> {
    let found = find_to_change(tx, merchant, GroupSelector::Id(id)).await?;
    if found.ok_or(StorageError::NotFound(Resource::Group))?.is_default {
        return Err(Conflict::DefaultGroup(id).into());
    }
    let what = (OperationKind::DeleteGroup, Subject::Group(id));
    let operation = operations::record_one(tx, merchant, operation, what, mark).await?;
    let sql = "UPDATE groups SET deleted_by = $3 WHERE merchant_id = $1 AND id = $2";
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&merchant.get(), &id.get(), &operation.get()]).await?;
    Ok(operation)
}

/// Moves memberships of a deleted group, if there is one. Whether there may be more to do.
pub(super) async fn sweep<C: GenericClient>(db: &C, limit: u32) -> Try<bool> {
    let sql = "SELECT merchant_id, id, deleted_by FROM groups WHERE deleted_by IS NOT NULL LIMIT 1";
    let statement = db.prepare_cached(sql).await?;
    let Some(row) = db.query_opt(&statement, &[]).await? else { return Ok(false) };
    sweep_one(db, [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?], i64::from(limit)).await?;
    Ok(true)
}

/// Moves at most `limit` memberships of a deleted group, and takes the group away with its last one.
async fn sweep_one<C: GenericClient>(tx: &C, [merchant, group, operation]: [i64; 3], limit: i64) -> Try<()> {
    let sql = "WITH ended AS (
                   DELETE FROM memberships WHERE merchant_id = $1 AND group_id = $2 AND customer_id IN (
                       SELECT customer_id FROM memberships WHERE merchant_id = $1 AND group_id = $2
                       ORDER BY customer_id LIMIT $4)
                   RETURNING customer_id, operation_id, source)
               INSERT INTO past_memberships
                   (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
               SELECT $1, $2, customer_id, operation_id, $3, source FROM ended";
    let statement = tx.prepare_cached(sql).await?;
    if tx.execute(&statement, &[&merchant, &group, &operation, &limit]).await? > 0 {
        return Ok(());
    }
    // Nothing was left. Some may have found the group before it was deleted and be about to join: they are waited for, or
    // find out, and if one of them joined, the next sweep comes.
    if let Some(merchant) = MerchantId::new(merchant) {
        merchants::count_removal(tx, merchant).await?;
    }
    let sql = "SELECT 1 FROM groups WHERE merchant_id = $1 AND id = $2 FOR UPDATE";
    let statement = tx.prepare_cached(sql).await?;
    tx.query_opt(&statement, &[&merchant, &group]).await?;
    let sql = "DELETE FROM groups WHERE merchant_id = $1 AND id = $2 AND deleted_by = $3
               AND NOT EXISTS (SELECT 1 FROM memberships WHERE merchant_id = $1 AND group_id = $2)";
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&merchant, &group, &operation]).await?;
    Ok(())
}

/// Moves all memberships of the merchant's deleted groups.
pub(super) async fn sweep_all_of<C: GenericClient>(tx: &C, merchant: MerchantId) -> Try<()> {
    let sql = "SELECT id, deleted_by FROM groups WHERE merchant_id = $1 AND deleted_by IS NOT NULL";
    let statement = tx.prepare_cached(sql).await?;
    for row in tx.query(&statement, &[&merchant.get()]).await? {
        let key = [merchant.get(), row.try_get(0)?, row.try_get(1)?];
        sweep_one(tx, key, i64::MAX).await?;
        sweep_one(tx, key, i64::MAX).await?; // the second finds nothing, and takes the group away
    }
    Ok(())
}

/// Adds a group, or makes the one that is there like it. How many rows came to differ: one or none.
pub(super) async fn put<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    new: &Group,
    now: Timestamp,
) -> Try<u64> {
    let Some(old) = find_to_change(tx, merchant, GroupSelector::Id(new.id)).await? else {
        return insert(tx, merchant, new, now).await;
    };
    // A file that does not say which group is the default one leaves that as it is.
    let new = Group { is_default: new.is_default || old.is_default, ..new.clone() };
    if new == old {
        return Ok(0);
    }
    overwrite(tx, merchant, &new).await?;
    Ok(1)
}

/// Makes no group the default one, because another is about to be. Nothing if it is this one already.
pub(super) async fn resign_default<C: GenericClient>(tx: &C, merchant: MerchantId, next: GroupId) -> Try<()> {
    let sql = "UPDATE groups SET is_default = false WHERE merchant_id = $1 AND is_default AND id <> $2";
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&merchant.get(), &next.get()]).await?;
    Ok(())
}

/// Adds a default group to a merchant who has none. Its id is one that no other group can have been given.
pub(super) async fn insert_default<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    operation: &Operation,
) -> Try<u64> {
    let id = GroupId::new(operation.proposed_id.get())
        .ok_or_else(|| StorageError::corrupt("operations", "id", operation.proposed_id))?;
    insert(tx, merchant, &Group::new_default(id), operation.at).await
}

/// How many rows were added: none if there is a group with the id.
async fn insert<C: GenericClient>(tx: &C, merchant: MerchantId, new: &Group, now: Timestamp) -> Try<u64> {
    let sql = "INSERT INTO groups (merchant_id, id, name, conditions, features, is_default, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (merchant_id, id) DO NOTHING";
    let statement = tx.prepare_cached(sql).await?;
    let (conditions, features) = (json(&new.conditions)?, json(&new.features)?);
    let (merchant, id, name, now) = (merchant.get(), new.id.get(), new.name.as_str(), now.as_microsecond());
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
        [&merchant, &id, &name, &conditions, &features, &new.is_default, &now];
    Ok(tx.execute(&statement, &parameters).await?)
}

async fn overwrite<C: GenericClient>(tx: &C, merchant: MerchantId, new: &Group) -> Try<()> {
    let sql = "UPDATE groups SET name = $3, conditions = $4, features = $5, is_default = $6
               WHERE merchant_id = $1 AND id = $2";
    let statement = tx.prepare_cached(sql).await?;
    let (conditions, features) = (json(&new.conditions)?, json(&new.features)?);
    let (merchant, id, name) = (merchant.get(), new.id.get(), new.name.as_str());
    tx.execute(&statement, &[&merchant, &id, &name, &conditions, &features, &new.is_default]).await?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StorageError::Internal(e.to_string()))
}

/// Reads [`COLUMNS`].
fn read(row: &Row) -> Result<Group> {
    let wrong = |column, problem: &dyn std::fmt::Display| StorageError::corrupt("groups", column, problem);
    let text = |i, column| row.try_get::<_, &str>(i).map_err(|e| wrong(column, &e));
    let id: i64 = row.try_get(0).map_err(|e| wrong("id", &e))?;
    Ok(Group {
        id: GroupId::new(id).ok_or_else(|| wrong("id", &id))?,
        name: Name::parse(text(1, "name")?).map_err(|e| wrong("name", &e))?,
        conditions: serde_json::from_str(text(2, "conditions")?).map_err(|e| wrong("conditions", &e))?,
        features: serde_json::from_str(text(3, "features")?).map_err(|e| wrong("features", &e))?,
        is_default: row.try_get(4).map_err(|e| wrong("is_default", &e))?,
    })
}
