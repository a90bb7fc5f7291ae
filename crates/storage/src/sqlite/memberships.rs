//! Memberships: who is in which group.

use std::rc::Rc;

use rusqlite::Connection;
use rusqlite::types::Value;
use zumra_core::{
    Customer, CustomerId, GroupId, IdSet, MerchantId, Operation, OperationId, OperationKind, Subject,
};

use super::SqliteStorage;
use super::{groups, operations};
use crate::Memberships;
use crate::{AddMembersOutcome, Contacts, GroupSelector, Ids, Result, StorageError};
use async_trait::async_trait;

#[async_trait]
impl Memberships for SqliteStorage {
    async fn find_existing_ids(&self, merchant: MerchantId, ids: Ids) -> Result<Ids> {
        self.read_pool.read(move |db| find_existing_ids(db, merchant, &ids)).await
    }

    async fn add_members(
        &self,
        merchant: MerchantId,
        group: GroupId,
        customers: IdSet<CustomerId>,
        operation: Operation,
    ) -> Result<AddMembersOutcome> {
        self.writer.write_validated(move |tx| add(tx, merchant, group, &customers, operation)).await
    }
}

/// The bit of `source` that says "by hand".
const BY_HAND: i64 = 1;

pub(super) fn add(
    tx: &Connection,
    merchant: MerchantId,
    group: GroupId,
    customers: &IdSet<CustomerId>,
    operation: Operation,
) -> Result<AddMembersOutcome> {
    let customers: Vec<i64> = customers.iter().map(|id| id.get()).collect();
    let unknown = Ids {
        groups: if group_exists(tx, merchant, group)? { IdSet::default() } else { vec![group].into() },
        customers: unknown_customers(tx, merchant, &customers)?,
    };
    if !unknown.is_empty() {
        return Ok(AddMembersOutcome::MissingIds(unknown));
    }
    let id = operations::next_id(tx, merchant, &operation)?;
    let added = insert(tx, merchant, group, values(customers), id)?;
    if added == 0 {
        return Ok(AddMembersOutcome::Unchanged);
    }
    let subject = Subject::Group(group);
    operations::record(tx, merchant, id, &operation, OperationKind::AddMembers, subject, added)?;
    Ok(AddMembersOutcome::Added { operation: id, added })
}

/// Adds those who are not members yet, all of them known. How many they were. An error half way leaves what was added,
/// and the transaction or the savepoint around it undoes that: without this promise, every page would be kept a second
/// time for the statement alone.
pub(super) fn insert(
    tx: &Connection,
    merchant: MerchantId,
    group: GroupId,
    customers: Set,
    operation: OperationId,
) -> Result<u64> {
    let (merchant, group, wanted) = (merchant.get(), group.get(), customers.len());
    let mut statement = tx.prepare_cached(
        "INSERT OR FAIL INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
         SELECT ?1, ?2, value, ?4, ?5 FROM rarray(?3) WHERE true
         ON CONFLICT (merchant_id, group_id, customer_id) DO NOTHING",
    )?;
    let added = statement.execute((merchant, group, Rc::clone(&customers), operation.get(), BY_HAND))?;
    if added == wanted {
        return Ok(added as u64);
    }
    // Some were members already. Those who were by rule alone are now by hand too. A statement of its own: as part of
    // the first it would cost every row that is new.
    let mut statement = tx.prepare_cached(
        "UPDATE memberships SET source = source | ?4
         WHERE merchant_id = ?1 AND group_id = ?2 AND customer_id IN (SELECT value FROM rarray(?3))
           AND source & ?4 = 0",
    )?;
    let joined = statement.execute((merchant, group, customers, BY_HAND))?;
    Ok((added + joined) as u64)
}

/// These groups, once it is sure that all of them are there.
pub(super) fn live_groups(tx: &Connection, merchant: MerchantId, ids: &[GroupId]) -> Result<Vec<GroupId>> {
    for &id in ids {
        if !group_exists(tx, merchant, id)? {
            return Err(StorageError::MissingGroup(id));
        }
    }
    Ok(ids.to_vec())
}

/// The group that every new customer joins.
pub(super) fn default_group(tx: &Connection, merchant: MerchantId) -> Result<Option<GroupId>> {
    Ok(groups::find(tx, merchant, GroupSelector::Default)?.map(|group| group.id))
}

/// Makes `groups` the groups of a customer, who stays in the default group. Whether that changed anything.
pub(super) fn replace(
    tx: &Connection,
    merchant: MerchantId,
    customer: &mut Customer,
    groups: &[GroupId],
    operation: OperationId,
) -> Result<bool> {
    let id = customer.details.id;
    let mut wanted = live_groups(tx, merchant, groups)?;
    wanted.extend(default_group(tx, merchant)?.filter(|group| customer.groups.contains(group)));
    wanted.sort_unstable();
    wanted.dedup();
    let ended = customer.groups.iter().filter(|group| !wanted.contains(group)).map(|group| group.get());
    end(tx, merchant, id, &set(ended), operation)?;
    for group in wanted.iter().filter(|group| !customer.groups.contains(group)) {
        insert(tx, merchant, *group, set(std::iter::once(id.get())), operation)?;
    }
    let is_changed = wanted != customer.groups;
    customer.groups = wanted;
    Ok(is_changed)
}

/// Ends a customer's memberships in some groups.
fn end(
    tx: &Connection,
    merchant: MerchantId,
    customer: CustomerId,
    groups: &Set,
    operation: OperationId,
) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO past_memberships (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
         SELECT merchant_id, group_id, customer_id, operation_id, ?4, source FROM memberships
         WHERE merchant_id = ?1 AND customer_id = ?2 AND group_id IN (SELECT value FROM rarray(?3))",
    )?;
    statement.execute((merchant.get(), customer.get(), groups, operation.get()))?;
    let mut statement = tx.prepare_cached(
        "DELETE FROM memberships
         WHERE merchant_id = ?1 AND customer_id = ?2 AND group_id IN (SELECT value FROM rarray(?3))",
    )?;
    statement.execute((merchant.get(), customer.get(), groups))?;
    Ok(())
}

/// Ends all memberships of a customer. Those in groups that are deleted already ended with the group.
pub(super) fn end_all(
    tx: &Connection,
    merchant: MerchantId,
    customer: CustomerId,
    operation: OperationId,
) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO past_memberships (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
         SELECT merchant_id, group_id, customer_id, operation_id,
                coalesce((SELECT deleted_by FROM groups WHERE merchant_id = ?1 AND id = group_id), ?3), source
         FROM memberships WHERE merchant_id = ?1 AND customer_id = ?2",
    )?;
    statement.execute((merchant.get(), customer.get(), operation.get()))?;
    let sql = "DELETE FROM memberships WHERE merchant_id = ?1 AND customer_id = ?2";
    tx.prepare_cached(sql)?.execute((merchant.get(), customer.get()))?;
    Ok(())
}

/// Which of these another customer than `except` has.
pub(super) fn find_used_contacts(
    db: &Connection,
    merchant: MerchantId,
    contacts: &Contacts,
    except: Option<CustomerId>,
) -> Result<Contacts> {
    let texts = |texts: &[String]| Rc::new(texts.iter().cloned().map(Value::Text).collect::<Vec<_>>());
    let ask = |column, values: &[String]| -> Result<Vec<String>> {
        let sql = format!(
            "SELECT {column} FROM customers
             WHERE merchant_id = ?1 AND {column} IN (SELECT value FROM rarray(?2)) AND id IS NOT ?3"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let parameters = (merchant.get(), texts(values), except.map(CustomerId::get));
        let rows = statement.query_map(parameters, |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    };
    Ok(Contacts { mobiles: ask("mobile", &contacts.mobiles)?, emails: ask("email_key", &contacts.emails)? })
}

pub(super) fn find_existing_ids(db: &Connection, merchant: MerchantId, ids: &Ids) -> Result<Ids> {
    let mut groups = Vec::new();
    for &group in &ids.groups {
        if group_exists(db, merchant, group)? {
            groups.push(group);
        }
    }
    let customers = set(ids.customers.iter().map(|id| id.get()));
    let mut statement = db.prepare_cached(
        "SELECT value FROM rarray(?2)
         WHERE EXISTS (SELECT 1 FROM customers WHERE merchant_id = ?1 AND id = value)",
    )?;
    let rows = statement.query_map((merchant.get(), customers), |row| row.get(0))?;
    Ok(Ids { groups: groups.into(), customers: customer_ids(rows)? })
}

fn group_exists(db: &Connection, merchant: MerchantId, group: GroupId) -> Result<bool> {
    let mut statement = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM groups WHERE merchant_id = ?1 AND id = ?2 AND deleted_by IS NULL)",
    )?;
    Ok(statement.query_row((merchant.get(), group.get()), |row| row.get(0))?)
}

/// Which of these, ascending and once each, are not there. Whoever names many often names those who stand side by side: a
/// page of a shop's customers, or a whole import. So it reads as many as are wanted, from the first of them on, which is
/// three times as fast as looking for each; those who are not among them are looked for one by one.
fn unknown_customers(db: &Connection, merchant: MerchantId, wanted: &[i64]) -> Result<IdSet<CustomerId>> {
    let (first, limit) = (wanted.first().copied(), i64::try_from(wanted.len()).unwrap_or(i64::MAX));
    let mut statement = db.prepare_cached(
        "SELECT id FROM customers WHERE merchant_id = ?1 AND id >= ?2 ORDER BY id LIMIT ?3",
    )?;
    let mut found = statement.query_map((merchant.get(), first, limit), |row| row.get::<_, i64>(0))?;
    let mut next = found.next().transpose()?;
    let mut left = Vec::new();
    for &id in wanted {
        while next.is_some_and(|next| next < id) {
            next = found.next().transpose()?;
        }
        if next != Some(id) {
            left.push(id);
        }
    }
    if left.is_empty() {
        return Ok(IdSet::default());
    }
    let mut statement = db.prepare_cached(
        "SELECT value FROM rarray(?2)
         WHERE NOT EXISTS (SELECT 1 FROM customers WHERE merchant_id = ?1 AND id = value)",
    )?;
    let rows = statement.query_map((merchant.get(), values(left)), |row| row.get(0))?;
    customer_ids(rows)
}

fn customer_ids(rows: impl Iterator<Item = rusqlite::Result<i64>>) -> Result<IdSet<CustomerId>> {
    rows.map(|id| {
        let id = id?;
        CustomerId::new(id).ok_or_else(|| StorageError::corrupt("customers", "id", id))
    })
    .collect()
}

/// A set of ids as one parameter of a statement.
pub(super) type Set = Rc<Vec<Value>>;

/// The ids in ascending order, once each: rows then go in in the order in which they are kept.
fn ascending(ids: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The ids, ascending, once each, as one parameter of a statement.
pub(super) fn set(ids: impl Iterator<Item = i64>) -> Set {
    values(ascending(ids))
}

fn values(ids: Vec<i64>) -> Set {
    Rc::new(ids.into_iter().map(Value::Integer).collect())
}
