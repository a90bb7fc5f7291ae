//! Memberships: which customer is in which group.

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use zumra_core::{Customer, CustomerId, GroupId, IdSet, MerchantId, Operation, OperationId};

use super::add_members_statement::AddRequest;
use super::engine::PostgresStorage;
use super::errors::AttemptResult;
use super::sql;
use super::tx::Tx;
use crate::memberships::{ADDED_BY_HAND, GroupDiff, decode_customers, decode_groups};
use crate::{AddMembersOutcome, Ids, Memberships, Result, StorageError};

#[async_trait]
impl Memberships for PostgresStorage {
    async fn add_members(
        &self,
        merchant: MerchantId,
        group: GroupId,
        customers: IdSet<CustomerId>,
        operation: Operation,
    ) -> Result<AddMembersOutcome> {
        let write = self.coalescer.write(merchant, AddRequest { group, customers, operation });
        self.connections.write_until_known(merchant, &operation, &write).await
    }

    async fn find_existing_ids(&self, merchant: MerchantId, ids: Ids) -> Result<Ids> {
        self.connections
            .read(&(merchant, ids), |db, (merchant, ids)| Box::pin(find_existing_ids(db, *merchant, ids)))
            .await
    }
}

async fn find_existing_ids<C: GenericClient>(db: &C, merchant: MerchantId, ids: &Ids) -> AttemptResult<Ids> {
    let statement = "SELECT ARRAY(SELECT id FROM unnest($2::bigint[]) AS wanted (id)
                      WHERE EXISTS (SELECT 1 FROM groups
                                    WHERE merchant_id = $1 AND groups.id = wanted.id AND deleted_by IS NULL)
                      ORDER BY id),
                ARRAY(SELECT id FROM unnest($3::bigint[]) AS wanted (id)
                      WHERE EXISTS (SELECT 1 FROM customers
                                    WHERE merchant_id = $1 AND customers.id = wanted.id)
                      ORDER BY id)";
    let (groups, customers) = (numbers(&ids.groups, GroupId::get), numbers(&ids.customers, CustomerId::get));
    let row = sql::query_one(db, statement, &[&merchant.get(), &groups, &customers]).await?;
    let (groups, customers): (Vec<i64>, Vec<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Ids { groups: decode_groups(groups)?, customers: decode_customers(customers)? })
}

/// Creates the memberships of existing customers that are not members yet. Returns their number. Members by rule
/// become members by hand too, and count.
pub(super) async fn insert(
    tx: &Tx<'_>,
    group: GroupId,
    customers: &[CustomerId],
    operation: OperationId,
) -> AttemptResult<u64> {
    let statement = "INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
                     SELECT $1, $2, id, $4, $5 FROM unnest($3::bigint[]) AS wanted (id)
                     ON CONFLICT (merchant_id, group_id, customer_id)
                     DO UPDATE SET source = memberships.source | $5
                     WHERE memberships.merchant_id = $1 AND memberships.source & $5 = 0";
    debug_assert!(customers.is_sorted_by(|before, after| before < after), "sorted and unique");
    let customers = numbers(customers, CustomerId::get);
    let (merchant, group, operation) = (tx.merchant.get(), group.get(), operation.get());
    sql::execute(&tx.client, statement, &[&merchant, &group, &customers, &operation, &ADDED_BY_HAND]).await
}

/// Groups that are locked until the end of the transaction.
pub(super) struct LockedGroups {
    /// The requested groups and the default group.
    pub(super) groups: IdSet<GroupId>,
    pub(super) default: Option<GroupId>,
}

/// Locks the groups `ids` and the default group against deletion until the end of the transaction. Fails with
/// [`StorageError::MissingGroup`] if one of `ids` does not exist.
pub(super) async fn lock_groups_and_default(tx: &Tx<'_>, ids: &[GroupId]) -> AttemptResult<LockedGroups> {
    let statement =
        "SELECT id, is_default FROM groups WHERE merchant_id = $1 AND (id = ANY($2) OR is_default)
                     AND deleted_by IS NULL ORDER BY id FOR KEY SHARE";
    let requested: IdSet<GroupId> = ids.iter().copied().collect();
    let parameters: sql::Parameters<'_> = &[&tx.merchant.get(), &numbers(&requested, GroupId::get)];
    let (mut existing, mut default) = (Vec::new(), None);
    for row in sql::query(&tx.client, statement, parameters).await? {
        let id = row.try_get(0)?;
        existing.push(id);
        default = default.or(row.try_get::<_, bool>(1)?.then_some(id));
    }
    let groups = decode_groups(existing)?;
    match ids.iter().find(|id| !groups.contains(**id)) {
        Some(missing) => Err(StorageError::MissingGroup(*missing).into()),
        None => Ok(LockedGroups { groups, default: default.and_then(GroupId::new) }),
    }
}

/// Creates the memberships of one customer in `groups`.
pub(super) async fn join(
    tx: &Tx<'_>,
    customer: CustomerId,
    groups: &IdSet<GroupId>,
    operation: OperationId,
) -> AttemptResult<()> {
    let statement = "INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
                     SELECT $1, id, $2, $4, $5 FROM unnest($3::bigint[]) AS wanted (id)
                     ON CONFLICT (merchant_id, group_id, customer_id)
                     DO UPDATE SET source = memberships.source | $5 WHERE memberships.merchant_id = $1";
    let (merchant, customer, operation) = (tx.merchant.get(), customer.get(), operation.get());
    let groups = numbers(groups, GroupId::get);
    sql::execute(&tx.client, statement, &[&merchant, &customer, &groups, &operation, &ADDED_BY_HAND]).await?;
    Ok(())
}

/// Replaces the groups of a customer, who stays in the default group. Returns true if anything changed.
pub(super) async fn replace(
    tx: &Tx<'_>,
    customer: &mut Customer,
    groups: &[GroupId],
    operation: OperationId,
) -> AttemptResult<bool> {
    let id = customer.id;
    let locked = lock_groups_and_default(tx, groups).await?;
    let diff = GroupDiff::new(&customer.groups, groups.iter().copied(), locked.default);
    if !diff.ended.is_empty() {
        end(tx, id, &diff.ended, operation).await?;
    }
    if !diff.created.is_empty() {
        join(tx, id, &diff.created, operation).await?;
    }
    let is_changed = !diff.is_empty();
    customer.groups = diff.groups.into_vec();
    Ok(is_changed)
}

/// Ends the memberships of a customer in `groups`.
async fn end(
    tx: &Tx<'_>,
    customer: CustomerId,
    groups: &IdSet<GroupId>,
    operation: OperationId,
) -> AttemptResult<()> {
    let statement = "WITH ended AS (
                         DELETE FROM memberships WHERE merchant_id = $1 AND customer_id = $2 AND group_id = ANY($3)
                         RETURNING group_id, operation_id, source)
                     INSERT INTO past_memberships
                         (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
                     SELECT $1, group_id, $2, operation_id, $4, source FROM ended";
    let groups = numbers(groups, GroupId::get);
    let (merchant, customer, operation) = (tx.merchant.get(), customer.get(), operation.get());
    sql::execute(&tx.client, statement, &[&merchant, &customer, &groups, &operation]).await?;
    Ok(())
}

/// Ends all memberships of a customer. Those in a soft-deleted group ended with the operation that deleted it.
pub(super) async fn end_all(tx: &Tx<'_>, customer: CustomerId, operation: OperationId) -> AttemptResult<()> {
    let statement = "WITH ended AS (
                         DELETE FROM memberships WHERE merchant_id = $1 AND customer_id = $2
                         RETURNING group_id, operation_id, source)
                     INSERT INTO past_memberships
                         (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
                     SELECT $1, group_id, $2, operation_id,
                            coalesce((SELECT deleted_by FROM groups WHERE merchant_id = $1 AND id = group_id), $3),
                            source
                     FROM ended";
    let (merchant, customer, operation) = (tx.merchant.get(), customer.get(), operation.get());
    sql::execute(&tx.client, statement, &[&merchant, &customer, &operation]).await?;
    Ok(())
}

/// Returns ids as numbers, in the same order.
pub(super) fn numbers<Id: Copy>(ids: &[Id], number: fn(Id) -> i64) -> Vec<i64> {
    ids.iter().copied().map(number).collect()
}
