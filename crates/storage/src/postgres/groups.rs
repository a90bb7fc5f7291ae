//! Groups.

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use futures_util::future::try_join;
use tokio_postgres::Row;
use zumra_core::{
    Group, GroupChange, GroupId, MerchantId, NewGroup, Operation, OperationId, OperationKind, Page,
    PageRequest, Subject,
};

use super::engine::PostgresStorage;
use super::errors::{AttemptError, AttemptResult};
use super::ids::{self, AssignedId};
use super::tx::Tx;
use super::{operations, removals, sql};
use crate::groups::{COLUMNS, decode, merge, require_deletable, to_json};
use crate::row::RowReader;
use crate::{Conflict, GroupSelector, Groups, Noun, Resource, Result, StorageError, Written};

#[async_trait]
impl Groups for PostgresStorage {
    async fn list_groups(&self, merchant: MerchantId, page: PageRequest) -> Result<Page<Group>> {
        self.list(&(merchant, page), |db, &(merchant, page)| Box::pin(list(db, merchant, page))).await
    }

    async fn find_group(&self, merchant: MerchantId, group: GroupSelector) -> Result<Option<Group>> {
        let key = (merchant, group);
        self.connections.read(&key, |db, &(merchant, group)| Box::pin(find(db, merchant, group))).await
    }

    async fn create_group(
        &self,
        merchant: MerchantId,
        group: NewGroup,
        operation: Operation,
    ) -> Result<Written<Group>> {
        self.connections
            .write(merchant, operation, (group, AssignedId::default()), |tx, (group, assigned)| {
                Box::pin(create(tx, group, assigned))
            })
            .await
    }

    async fn update_group(
        &self,
        merchant: MerchantId,
        group: GroupSelector,
        change: GroupChange,
        operation: Operation,
    ) -> Result<Written<Group>> {
        self.connections
            .write(merchant, operation, (group, change), |tx, (group, change)| {
                Box::pin(update(tx, *group, change))
            })
            .await
    }

    async fn delete_group(
        &self,
        merchant: MerchantId,
        group: GroupId,
        operation: Operation,
    ) -> Result<OperationId> {
        self.connections.write(merchant, operation, group, |tx, &id| Box::pin(delete(tx, id))).await
    }

    async fn archive_deleted_groups(&self, limit: u32) -> Result<bool> {
        // Every statement is a transaction of its own, and may be repeated.
        self.connections.run_idempotent(&limit, |db, &limit| Box::pin(archive_deleted(db, limit))).await
    }
}

async fn list<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    page: PageRequest,
) -> AttemptResult<Page<Group>> {
    // One statement, so that total and page are of the same snapshot. A page past the end is one row without an id.
    let statement = format!(
        "SELECT page.*, total.count
         FROM (SELECT count(*) AS count FROM groups WHERE merchant_id = $1 AND deleted_by IS NULL) AS total
         LEFT JOIN (SELECT {COLUMNS}, created_at FROM groups WHERE merchant_id = $1 AND deleted_by IS NULL
                    ORDER BY created_at, id LIMIT $2 OFFSET $3) AS page ON true
         ORDER BY page.created_at, page.id"
    );
    let (limit, offset) = (i64::from(page.per_page), page.offset());
    let mut listed = Page { items: Vec::new(), total: 0 };
    for row in &sql::query(db, &statement, &[&merchant.get(), &limit, &offset]).await? {
        listed.total = row.try_get::<_, i64>(6)?.unsigned_abs();
        if row.try_get::<_, Option<i64>>(0)?.is_some() {
            listed.items.push(decode(row)?);
        }
    }
    Ok(listed)
}

pub(super) async fn find<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    group: GroupSelector,
) -> AttemptResult<Option<Group>> {
    find_with(db, merchant, group, "").await
}

/// Finds a group and locks its row against changes until the end of the transaction.
async fn find_for_update(tx: &Tx<'_>, group: GroupSelector) -> AttemptResult<Option<Group>> {
    find_with(&tx.client, tx.merchant, group, "FOR NO KEY UPDATE").await
}

async fn find_with<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    group: GroupSelector,
    locking_clause: &str,
) -> AttemptResult<Option<Group>> {
    let (condition, id) = match group {
        GroupSelector::Id(id) => ("id = $2::bigint", Some(id.get())),
        GroupSelector::Default => ("is_default AND $2::bigint IS NULL", None),
    };
    let statement = format!(
        "SELECT {COLUMNS} FROM groups
         WHERE merchant_id = $1 AND {condition} AND deleted_by IS NULL {locking_clause}"
    );
    let row = sql::query_opt(db, &statement, &[&merchant.get(), &id]).await?;
    Ok(row.as_ref().map(decode).transpose()?)
}

async fn create(tx: &Tx<'_>, new: &NewGroup, assigned: &AssignedId) -> AttemptResult<Written<Group>> {
    let id = insert_new(tx, new, false, assigned).await?;
    let record = operations::record_one(tx, OperationKind::CreateGroup, Subject::Group(id));
    // The statements are pipelined.
    let (operation, ()) = try_join(record, ids::require_not_retired(tx, Noun::Group, id.get())).await?;
    Ok(Written { operation: Some(operation), value: new.clone().with_id(id) })
}

/// Inserts a group under a new id.
async fn insert_new(
    tx: &Tx<'_>,
    new: &NewGroup,
    is_default: bool,
    assigned: &AssignedId,
) -> AttemptResult<GroupId> {
    let group = |id| Ok::<_, StorageError>(Group { is_default, ..new.clone().with_id(decode_id(id)?) });
    if let Some(id) = assigned.reuse(tx, Noun::Group).await? {
        let group = group(id)?;
        if insert(tx, &group).await? {
            return Ok(group.id);
        }
        assigned.resolve_used(tx, Conflict::Group(group.id).into()).await?;
    }
    let mut id = insert_with_next_id(tx, new, is_default).await?;
    if id.is_none() {
        let unused = ids::assign(tx, Noun::Group, 1).await?;
        let unused = unused.first().copied().map(group).transpose()?;
        if let Some(unused) = unused
            && insert(tx, &unused).await?
        {
            id = Some(unused.id);
        }
    }
    let id = id.ok_or_else(ids::taken_meanwhile)?;
    assigned.remember(id.get());
    Ok(id)
}

async fn update(tx: &Tx<'_>, group: GroupSelector, change: &GroupChange) -> AttemptResult<Written<Group>> {
    let found = find_for_update(tx, group).await?;
    let old = found.ok_or(StorageError::NotFound(Resource::Group))?;
    let new = old.clone().with_change(change.clone());
    if new == old {
        return Ok(Written { operation: None, value: new });
    }
    overwrite(tx, &new).await?;
    let operation = operations::record_one(tx, OperationKind::UpdateGroup, Subject::Group(new.id)).await?;
    Ok(Written { operation: Some(operation), value: new })
}

/// Soft-deletes a group. Its memberships are archived later.
async fn delete(tx: &Tx<'_>, id: GroupId) -> AttemptResult<OperationId> {
    let found = find_for_update(tx, GroupSelector::Id(id)).await?;
    require_deletable(&found.ok_or(StorageError::NotFound(Resource::Group))?)?;
    let operation = operations::record_one(tx, OperationKind::DeleteGroup, Subject::Group(id)).await?;
    let statement = "UPDATE groups SET deleted_by = $3 WHERE merchant_id = $1 AND id = $2";
    let mark = async {
        sql::execute(&tx.client, statement, &[&tx.merchant.get(), &id.get(), &operation.get()]).await
    };
    try_join(mark, ids::retire(tx, Noun::Group, id.get())).await?;
    Ok(operation)
}

/// A soft-deleted group whose memberships are not archived yet.
struct DeletedGroup {
    merchant: MerchantId,
    group: GroupId,
    deleted_by: OperationId,
}

impl DeletedGroup {
    /// The columns that [`DeletedGroup::decode`] reads.
    const COLUMNS: &str = "merchant_id, id, deleted_by";

    fn decode(row: &Row) -> Result<Self> {
        let mut row = RowReader::new(row, "groups");
        Ok(Self {
            merchant: row.id("merchant_id", MerchantId::new)?,
            group: row.id("id", GroupId::new)?,
            deleted_by: row.id("deleted_by", OperationId::new)?,
        })
    }
}

/// Archives up to `limit` memberships of one soft-deleted group of any merchant. Returns true if more may remain.
async fn archive_deleted<C: GenericClient>(db: &C, limit: u32) -> AttemptResult<bool> {
    let columns = DeletedGroup::COLUMNS;
    let statement = format!("SELECT {columns} FROM groups WHERE deleted_by IS NOT NULL LIMIT 1");
    let Some(row) = sql::query_opt(db, &statement, &[]).await? else { return Ok(false) };
    archive_chunk(db, &DeletedGroup::decode(&row)?, i64::from(limit)).await?;
    Ok(true)
}

/// Archives up to `limit` memberships of a soft-deleted group. If none were left, deletes the group's row.
async fn archive_chunk<C: GenericClient>(db: &C, deleted: &DeletedGroup, limit: i64) -> AttemptResult<()> {
    let (merchant, group) = (deleted.merchant.get(), deleted.group.get());
    let deleted_by = deleted.deleted_by.get();
    let statement = "WITH ended AS (
                         DELETE FROM memberships WHERE merchant_id = $1 AND group_id = $2 AND customer_id IN (
                             SELECT customer_id FROM memberships WHERE merchant_id = $1 AND group_id = $2
                             ORDER BY customer_id LIMIT $4)
                         RETURNING customer_id, operation_id, source)
                     INSERT INTO past_memberships
                         (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
                     SELECT $1, $2, customer_id, operation_id, $3, source FROM ended";
    if sql::execute(db, statement, &[&merchant, &group, &deleted_by, &limit]).await? > 0 {
        return Ok(());
    }
    // Transactions that saw the group before its deletion may still add members. The counter and the lock wait for
    // them. If one of them added a member, the row stays, and the next call archives that member.
    removals::increment(db, deleted.merchant).await?;
    let statement = "SELECT 1 FROM groups WHERE merchant_id = $1 AND id = $2 FOR UPDATE";
    sql::query_opt(db, statement, &[&merchant, &group]).await?;
    let statement = "DELETE FROM groups WHERE merchant_id = $1 AND id = $2 AND deleted_by = $3
                     AND NOT EXISTS (SELECT 1 FROM memberships WHERE merchant_id = $1 AND group_id = $2)";
    sql::execute(db, statement, &[&merchant, &group, &deleted_by]).await?;
    Ok(())
}

/// Archives all memberships of the merchant's soft-deleted groups, and deletes the rows of these groups.
pub(super) async fn archive_merchant(tx: &Tx<'_>) -> AttemptResult<()> {
    let columns = DeletedGroup::COLUMNS;
    let statement = format!("SELECT {columns} FROM groups WHERE merchant_id = $1 AND deleted_by IS NOT NULL");
    for row in sql::query(&tx.client, &statement, &[&tx.merchant.get()]).await? {
        let deleted = DeletedGroup::decode(&row)?;
        archive_chunk(&tx.client, &deleted, i64::MAX).await?;
        archive_chunk(&tx.client, &deleted, i64::MAX).await?; // finds no memberships, and deletes the group
    }
    Ok(())
}

/// Inserts a group or updates the existing one. Returns the number of rows changed, 0 or 1.
pub(super) async fn upsert(tx: &Tx<'_>, new: &Group) -> AttemptResult<u64> {
    let Some(old) = find_for_update(tx, GroupSelector::Id(new.id)).await? else {
        return Ok(u64::from(insert(tx, new).await?));
    };
    let Some(merged) = merge(&old, new) else { return Ok(0) };
    overwrite(tx, &merged).await?;
    Ok(1)
}

/// Clears `is_default` of the merchant's default group, unless that is `next` already.
pub(super) async fn clear_default_except(tx: &Tx<'_>, next: GroupId) -> AttemptResult<()> {
    let statement = "UPDATE groups SET is_default = false WHERE merchant_id = $1 AND is_default AND id <> $2";
    sql::execute(&tx.client, statement, &[&tx.merchant.get(), &next.get()]).await?;
    Ok(())
}

/// Inserts a default group for a merchant without one.
pub(super) async fn insert_default(tx: &Tx<'_>) -> AttemptResult<()> {
    insert_new(tx, &NewGroup::new_default(), true, &AssignedId::default()).await?;
    Ok(())
}

/// Inserts a group under the next id. Returns `None` if that id is used.
async fn insert_with_next_id(
    tx: &Tx<'_>,
    new: &NewGroup,
    is_default: bool,
) -> AttemptResult<Option<GroupId>> {
    let statement = [
        ids::ASSIGN_GROUP,
        "INSERT INTO groups (merchant_id, id, name, conditions, features, is_default, created_at)
         SELECT $1, last, $3, $4, $5, $6, $7 FROM assigned
         ON CONFLICT (merchant_id, id) DO NOTHING RETURNING id",
    ]
    .concat();
    let (conditions, features) = (to_json(&new.conditions)?, to_json(&new.features)?);
    let (merchant, shard, name) = (tx.merchant.get(), ids::shard(tx, Noun::Group), new.name.as_str());
    let created_at = tx.operation.at.as_microsecond();
    let parameters: sql::Parameters<'_> =
        &[&merchant, &shard, &name, &conditions, &features, &is_default, &created_at];
    let row = sql::query_opt(&tx.client, &statement, parameters).await?;
    row.map(|row| decode_id(row.try_get(0)?).map_err(AttemptError::from)).transpose()
}

fn decode_id(id: i64) -> Result<GroupId> {
    GroupId::new(id).ok_or_else(|| StorageError::corrupt("groups", "id", id))
}

/// Inserts a group. Returns false if its id is used.
async fn insert(tx: &Tx<'_>, new: &Group) -> AttemptResult<bool> {
    let statement = "INSERT INTO groups (merchant_id, id, name, conditions, features, is_default, created_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (merchant_id, id) DO NOTHING";
    let (conditions, features) = (to_json(&new.conditions)?, to_json(&new.features)?);
    let (merchant, id, name) = (tx.merchant.get(), new.id.get(), new.name.as_str());
    let created_at = tx.operation.at.as_microsecond();
    let parameters: sql::Parameters<'_> =
        &[&merchant, &id, &name, &conditions, &features, &new.is_default, &created_at];
    Ok(sql::execute(&tx.client, statement, parameters).await? == 1)
}

/// Updates all columns of a group.
async fn overwrite(tx: &Tx<'_>, new: &Group) -> AttemptResult<()> {
    let statement = "UPDATE groups SET name = $3, conditions = $4, features = $5, is_default = $6
                     WHERE merchant_id = $1 AND id = $2";
    let (conditions, features) = (to_json(&new.conditions)?, to_json(&new.features)?);
    let (merchant, id, name) = (tx.merchant.get(), new.id.get(), new.name.as_str());
    let parameters: sql::Parameters<'_> = &[&merchant, &id, &name, &conditions, &features, &new.is_default];
    sql::execute(&tx.client, statement, parameters).await?;
    Ok(())
}
