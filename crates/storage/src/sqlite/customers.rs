//! Customers.

use std::collections::HashMap;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql};
use zumra_core::text::Name;
use zumra_core::{
    Customer, CustomerChange, CustomerId, Email, Gender, GroupId, MerchantId, Mobile, MobileCode,
    NewCustomer, Operation, OperationId, OperationKind, Subject, search_terms,
};

use super::SqliteStorage;
use super::lists;
use super::memberships::set;
use super::{memberships, operations, words};
use crate::{Conflict, Resource, Result, StorageError, Written};
use crate::{Contacts, CustomerFilter, Customers};
use async_trait::async_trait;
use zumra_core::{Page, PageRequest};

#[async_trait]
impl Customers for SqliteStorage {
    async fn list_customers(
        &self,
        merchant: MerchantId,
        filter: CustomerFilter,
        page: PageRequest,
    ) -> Result<Page<Customer>> {
        self.read_pool.read(move |db| lists::list(db, merchant, &filter, page)).await
    }

    async fn find_customer(&self, merchant: MerchantId, customer: CustomerId) -> Result<Option<Customer>> {
        self.read_pool.read(move |db| find(db, merchant, customer)).await
    }

    async fn create_customer(
        &self,
        merchant: MerchantId,
        customer: NewCustomer,
        groups: Vec<GroupId>,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        self.writer.write(move |tx| create(tx, merchant, customer, &groups, &operation)).await
    }

    async fn update_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        change: CustomerChange,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        self.writer.write(move |tx| update(tx, merchant, customer, change, &operation)).await
    }

    async fn delete_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        operation: Operation,
    ) -> Result<OperationId> {
        self.writer.write(move |tx| delete(tx, merchant, customer, &operation)).await
    }

    async fn ban_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        reason: Option<String>,
        operation: Operation,
    ) -> Result<Written<()>> {
        let ban = move |tx: &_| ban(tx, merchant, customer, reason.as_deref(), &operation);
        self.writer.write(ban).await
    }

    async fn find_used_contacts(
        &self,
        merchant: MerchantId,
        contacts: Contacts,
        except: Option<CustomerId>,
    ) -> Result<Contacts> {
        self.read_pool.read(move |db| memberships::find_used_contacts(db, merchant, &contacts, except)).await
    }
}

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, first_name, last_name, mobile, mobile_code, email, gender, birthday, city, location, ban_reason, created_at, updated_at";

pub(super) fn find(db: &Connection, merchant: MerchantId, id: CustomerId) -> Result<Option<Customer>> {
    let sql = format!("SELECT {COLUMNS} FROM customers WHERE merchant_id = ?1 AND id = ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let found = statement.query_row((merchant.get(), id.get()), |row| Ok(read(row))).optional()?;
    let Some(customer) = found.transpose()? else { return Ok(None) };
    let mut customers = vec![customer];
    fill_groups(db, merchant, &mut customers)?;
    Ok(customers.pop())
}

/// These customers, those with the greatest ids first, with their groups.
pub(super) fn find_all(db: &Connection, merchant: MerchantId, ids: &[i64]) -> Result<Vec<Customer>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM customers WHERE merchant_id = ?1 AND id IN (SELECT value FROM rarray(?2))
         ORDER BY id DESC"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((merchant.get(), set(ids.iter().copied())))?;
    let mut customers = Vec::with_capacity(ids.len());
    while let Some(row) = rows.next()? {
        customers.push(read(row)?);
    }
    fill_groups(db, merchant, &mut customers)?;
    Ok(customers)
}

pub(super) fn create(
    tx: &Connection,
    merchant: MerchantId,
    new: NewCustomer,
    groups: &[GroupId],
    operation: &Operation,
) -> Result<Written<Customer>> {
    if !insert(tx, merchant, &new, operation.at)? {
        return Err(Conflict::Customer(new.id).into());
    }
    let subject = Subject::Customer(new.id);
    let id = operations::record_one(tx, merchant, operation, OperationKind::CreateCustomer, subject)?;
    let mut groups = memberships::live_groups(tx, merchant, groups)?;
    groups.extend(memberships::default_group(tx, merchant)?);
    groups.sort_unstable();
    groups.dedup();
    for group in &groups {
        memberships::insert(tx, merchant, *group, set(std::iter::once(new.id.get())), id)?;
    }
    let (at, details) = (operation.at, new);
    let value = Customer { details, created_at: at, updated_at: at, ban_reason: None, groups };
    Ok(Written { operation: Some(id), value })
}

pub(super) fn update(
    tx: &Connection,
    merchant: MerchantId,
    id: CustomerId,
    change: CustomerChange,
    operation: &Operation,
) -> Result<Written<Customer>> {
    let mut customer = find(tx, merchant, id)?.ok_or(StorageError::NotFound(Resource::Customer))?;
    let groups = change.groups.clone();
    let details = customer.details.clone().with_change(change);
    let is_changed = details != customer.details;
    if is_changed {
        overwrite(tx, merchant, &details, operation.at)?;
        customer.updated_at = operation.at;
        customer.details = details;
    }
    let next = operations::next_id(tx, merchant, operation)?;
    let mut is_moved = false;
    if let Some(groups) = groups {
        is_moved = memberships::replace(tx, merchant, &mut customer, &groups, next)?;
    }
    if !is_changed && !is_moved {
        return Ok(Written { operation: None, value: customer });
    }
    let (kind, subject) = (OperationKind::UpdateCustomer, Subject::Customer(id));
    operations::record(tx, merchant, next, operation, kind, subject, 1)?;
    Ok(Written { operation: Some(next), value: customer })
}

pub(super) fn delete(
    tx: &Connection,
    merchant: MerchantId,
    id: CustomerId,
    operation: &Operation,
) -> Result<OperationId> {
    find(tx, merchant, id)?.ok_or(StorageError::NotFound(Resource::Customer))?;
    let subject = Subject::Customer(id);
    let operation = operations::record_one(tx, merchant, operation, OperationKind::DeleteCustomer, subject)?;
    memberships::end_all(tx, merchant, id, operation)?;
    words::remove(tx, merchant, id, &stored_words(tx, merchant, id)?)?;
    let sql = "DELETE FROM customers WHERE merchant_id = ?1 AND id = ?2";
    tx.prepare_cached(sql)?.execute((merchant.get(), id.get()))?;
    words::count(tx, merchant, -1)?;
    Ok(operation)
}

pub(super) fn ban(
    tx: &Connection,
    merchant: MerchantId,
    id: CustomerId,
    reason: Option<&str>,
    operation: &Operation,
) -> Result<Written<()>> {
    let customer = find(tx, merchant, id)?.ok_or(StorageError::NotFound(Resource::Customer))?;
    if reason.is_none() && customer.ban_reason.is_none() {
        return Err(StorageError::NotFound(Resource::Ban));
    }
    if reason == customer.ban_reason.as_deref() {
        return Ok(Written { operation: None, value: () });
    }
    let sql = "UPDATE customers SET ban_reason = ?3 WHERE merchant_id = ?1 AND id = ?2";
    tx.prepare_cached(sql)?.execute((merchant.get(), id.get(), reason))?;
    let kind = if reason.is_some() { OperationKind::BanCustomer } else { OperationKind::UnbanCustomer };
    let id = operations::record_one(tx, merchant, operation, kind, Subject::Customer(id))?;
    Ok(Written { operation: Some(id), value: () })
}

/// Adds a customer, or makes the one that is there like it. How many rows came to differ: one or none.
pub(super) fn put(tx: &Connection, merchant: MerchantId, new: &NewCustomer, now: Timestamp) -> Result<usize> {
    if insert(tx, merchant, new, now)? {
        return Ok(1);
    }
    Ok(usize::from(overwrite(tx, merchant, new, now)?))
}

/// Whether the customer was added; not if there is one with the id.
fn insert(tx: &Connection, merchant: MerchantId, new: &NewCustomer, now: Timestamp) -> Result<bool> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO customers (merchant_id, id, first_name, last_name, mobile, mobile_code, email, email_key, gender,
                                birthday, city, location, search_terms, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14)
         ON CONFLICT (merchant_id, id) DO NOTHING",
    )?;
    let words = search_terms(new);
    if write(&mut statement, merchant, new, &words, now)? == 0 {
        return Ok(false);
    }
    words::add(tx, merchant, new.id, &words)?;
    words::count(tx, merchant, 1)?;
    Ok(true)
}

/// Whether anything came to differ.
fn overwrite(tx: &Connection, merchant: MerchantId, new: &NewCustomer, now: Timestamp) -> Result<bool> {
    let old_words = stored_words(tx, merchant, new.id)?;
    let mut statement = tx.prepare_cached(
        "UPDATE customers
         SET first_name = ?3, last_name = ?4, mobile = ?5, mobile_code = ?6, email = ?7, email_key = ?8, gender = ?9,
             birthday = ?10, city = ?11, location = ?12, search_terms = ?13, updated_at = ?14
         WHERE merchant_id = ?1 AND id = ?2
           AND (first_name, last_name, mobile, mobile_code, email, email_key, gender, birthday, city, location)
               IS NOT (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    let words = search_terms(new);
    if write(&mut statement, merchant, new, &words, now)? == 0 {
        return Ok(false);
    }
    if words != old_words {
        words::remove(tx, merchant, new.id, &old_words)?;
        words::add(tx, merchant, new.id, &words)?;
    }
    Ok(true)
}

/// The words by which a customer is found now.
fn stored_words(tx: &Connection, merchant: MerchantId, id: CustomerId) -> Result<String> {
    let sql = "SELECT search_terms FROM customers WHERE merchant_id = ?1 AND id = ?2";
    Ok(tx.prepare_cached(sql)?.query_row((merchant.get(), id.get()), |row| row.get(0))?)
}

/// Runs a statement whose parameters are those of a customer's row. How many rows it wrote.
fn write(
    statement: &mut rusqlite::Statement<'_>,
    merchant: MerchantId,
    new: &NewCustomer,
    words: &str,
    now: Timestamp,
) -> Result<usize> {
    let parameters: [&dyn ToSql; 14] = [
        &merchant.get(),
        &new.id.get(),
        &new.first_name.as_str(),
        &new.last_name.as_ref().map(Name::as_str),
        &new.mobile.as_ref().map(Mobile::as_str),
        &new.mobile_code.as_ref().map(MobileCode::as_str),
        &new.email.as_ref().map(Email::as_str),
        &new.email.as_ref().map(Email::key),
        &new.gender.map(Gender::as_str),
        &new.birthday.map(|day| day.to_string()),
        &new.city,
        &new.location,
        &words,
        &now.as_microsecond(),
    ];
    statement.execute(parameters).map_err(|error| match error.to_string() {
        // SQLite names the columns of the index that refused the row.
        text if text.contains("customers.mobile") => Conflict::Mobile(new.id).into(),
        text if text.contains("customers.email_key") => Conflict::Email(new.id).into(),
        _ => error.into(),
    })
}

fn fill_groups(db: &Connection, merchant: MerchantId, customers: &mut [Customer]) -> Result<()> {
    // The groups that are deleted, and whose memberships still have to move, are few or none: the list is read once.
    let mut statement = db.prepare_cached(
        "SELECT customer_id, group_id FROM memberships
         WHERE merchant_id = ?1 AND customer_id IN (SELECT value FROM rarray(?2))
           AND group_id NOT IN (SELECT id FROM groups WHERE merchant_id = ?1 AND deleted_by IS NOT NULL)
         ORDER BY customer_id, group_id",
    )?;
    let ids = set(customers.iter().map(|customer| customer.details.id.get()));
    let mut rows = statement.query((merchant.get(), ids))?;
    let mut groups: HashMap<i64, Vec<GroupId>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let group: i64 = row.get(1)?;
        let group =
            GroupId::new(group).ok_or_else(|| StorageError::corrupt("memberships", "group_id", group))?;
        groups.entry(row.get(0)?).or_default().push(group);
    }
    for customer in customers {
        customer.groups = groups.remove(&customer.details.id.get()).unwrap_or_default();
    }
    Ok(())
}

/// Reads [`COLUMNS`]; the groups are still to come.
fn read(row: &Row<'_>) -> Result<Customer> {
    let id: i64 = row.get(0)?;
    Ok(Customer {
        details: NewCustomer {
            id: CustomerId::new(id).ok_or_else(|| StorageError::corrupt("customers", "id", id))?,
            first_name: Name::parse(&row.get::<_, String>(1)?)
                .map_err(|e| StorageError::corrupt("customers", "first_name", e))?,
            last_name: parsed(row, 2, "last_name", Name::parse)?,
            mobile: parsed(row, 3, "mobile", FromStr::from_str)?,
            mobile_code: parsed(row, 4, "mobile_code", FromStr::from_str)?,
            email: parsed(row, 5, "email", FromStr::from_str)?,
            gender: parsed(row, 6, "gender", FromStr::from_str)?,
            birthday: parsed(row, 7, "birthday", FromStr::from_str)?,
            city: row.get(8)?,
            location: row.get(9)?,
        },
        ban_reason: row.get(10)?,
        created_at: time(row, 11, "created_at")?,
        updated_at: time(row, 12, "updated_at")?,
        groups: Vec::new(),
    })
}
fn parsed<T, E: std::fmt::Display>(
    row: &Row<'_>,
    index: usize,
    column: &str,
    parse: impl FnOnce(&str) -> std::result::Result<T, E>,
) -> Result<Option<T>> {
    let text: Option<String> = row.get(index)?;
    text.as_deref().map(parse).transpose().map_err(|e| StorageError::corrupt("customers", column, e))
}

fn time(row: &Row<'_>, index: usize, column: &str) -> Result<Timestamp> {
    Timestamp::from_microsecond(row.get(index)?).map_err(|e| StorageError::corrupt("customers", column, e))
}
