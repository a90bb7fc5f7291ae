//! Customers.

use std::collections::HashMap;

use async_trait::async_trait;
use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
use rusqlite::{Connection, ToSql};
use zumra_core::{
    Customer, CustomerChange, CustomerId, GroupId, MerchantId, NewCustomer, Operation, OperationId,
    OperationKind, Page, PageRequest, Subject,
};

use super::engine::SqliteStorage;
use super::search_terms::IndexedCustomer;
use super::tx::Tx;
use super::{counters, customer_search, ids, memberships, operations, search_rebuild, sql};
use crate::customers::{COLUMNS, StoredDetails, ban_operation, build_customer, decode};
use crate::{
    Conflict, Contacts, CustomerFilter, Customers, Noun, RebuiltChunk, Resource, Result, StorageError,
    Written,
};

#[async_trait]
impl Customers for SqliteStorage {
    async fn list_customers(
        &self,
        merchant: MerchantId,
        filter: CustomerFilter,
        page: PageRequest,
    ) -> Result<Page<Customer>> {
        self.read_pool.read(move |db| list(db, merchant, &filter, page)).await
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
        self.write(merchant, operation, move |tx| create(tx, customer, &groups)).await
    }

    async fn update_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        change: CustomerChange,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        self.write(merchant, operation, move |tx| update(tx, customer, change)).await
    }

    async fn delete_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        operation: Operation,
    ) -> Result<OperationId> {
        self.write(merchant, operation, move |tx| delete(tx, customer)).await
    }

    async fn ban_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        reason: Option<String>,
        operation: Operation,
    ) -> Result<Written<()>> {
        self.write(merchant, operation, move |tx| ban(tx, customer, reason.as_deref())).await
    }

    async fn rebuild_search_index(&self, limit: u32) -> Result<Option<RebuiltChunk>> {
        // Check on a read connection first, so that the writer is not woken when nothing has to be rebuilt.
        if self.read_pool.read(search_rebuild::find_outdated).await?.is_none() {
            return Ok(None);
        }
        self.writer.write(move |connection| search_rebuild::rebuild_chunk(connection, limit)).await
    }

    async fn find_used_contacts(
        &self,
        merchant: MerchantId,
        contacts: Contacts,
        except: Option<CustomerId>,
    ) -> Result<Contacts> {
        self.read_pool.read(move |db| find_used_contacts(db, merchant, &contacts, except)).await
    }
}

fn list(
    db: &Connection,
    merchant: MerchantId,
    filter: &CustomerFilter,
    page: PageRequest,
) -> Result<Page<Customer>> {
    let (ids, total) = customer_search::find_page(db, merchant, filter, page)?;
    let statement = format!(
        "SELECT {} FROM customers WHERE merchant_id = ?1 AND id IN (SELECT value FROM rarray(?2))
         ORDER BY created_at DESC, id DESC",
        COLUMNS.join(", ")
    );
    let mut items = sql::query(db, &statement, (merchant.get(), sql::id_array(ids)), |row| decode(row))?;
    load_groups(db, merchant, &mut items)?;
    Ok(Page { items, total })
}

fn find(db: &Connection, merchant: MerchantId, id: CustomerId) -> Result<Option<Customer>> {
    let columns = COLUMNS.join(", ");
    let statement = format!("SELECT {columns} FROM customers WHERE merchant_id = ?1 AND id = ?2");
    let found = sql::query_opt(db, &statement, (merchant.get(), id.get()), |row| decode(row))?;
    let Some(mut customer) = found else { return Ok(None) };
    load_groups(db, merchant, std::slice::from_mut(&mut customer))?;
    Ok(Some(customer))
}

/// Returns a customer that is about to change. The writer's transaction excludes other writers.
fn find_for_update(tx: &Tx<'_>, id: CustomerId) -> Result<Customer> {
    find(tx.connection, tx.merchant, id)?.ok_or(StorageError::NotFound(Resource::Customer))
}

fn create(tx: &Tx<'_>, new: NewCustomer, groups: &[GroupId]) -> Result<Written<Customer>> {
    let id = ids::assign_customer(tx)?;
    insert_new(tx, id, &new)?;
    let operation = operations::record_one(tx, OperationKind::CreateCustomer, Subject::Customer(id))?;
    let groups = memberships::existing_groups_and_default(tx, groups)?;
    memberships::join(tx, id, &groups, operation)?;
    let value = build_customer(id, new, tx.operation.at, groups.into_vec());
    Ok(Written { operation: Some(operation), value })
}

fn update(tx: &Tx<'_>, id: CustomerId, mut change: CustomerChange) -> Result<Written<Customer>> {
    let mut customer = find_for_update(tx, id)?;
    let groups = change.groups.take();
    let details = customer.details.clone().with_change(change);
    let has_new_details = details != customer.details;
    if has_new_details {
        overwrite(tx, id, &details)?;
        customer.updated_at = tx.operation.at;
        customer.details = details;
    }
    let operation = operations::next_id(tx)?;
    let has_new_groups = match groups {
        Some(groups) => memberships::replace(tx, &mut customer, &groups, operation)?,
        None => false,
    };
    if !has_new_details && !has_new_groups {
        return Ok(Written { operation: None, value: customer });
    }
    operations::record(tx, operation, OperationKind::UpdateCustomer, Subject::Customer(id), 1)?;
    Ok(Written { operation: Some(operation), value: customer })
}

fn delete(tx: &Tx<'_>, id: CustomerId) -> Result<OperationId> {
    find_for_update(tx, id)?;
    let operation = operations::record_one(tx, OperationKind::DeleteCustomer, Subject::Customer(id))?;
    memberships::end_all(tx, id, operation)?;
    let (indexed, terms) = stored_search_terms(tx, id)?;
    indexed.remove(tx.connection, &terms)?;
    let statement = "DELETE FROM customers WHERE merchant_id = ?1 AND id = ?2";
    tx.execute(statement, (tx.merchant.get(), id.get()))?;
    ids::retire(tx, Noun::Customer, id.get())?;
    counters::add(tx, -1)?;
    Ok(operation)
}

fn ban(tx: &Tx<'_>, id: CustomerId, reason: Option<&str>) -> Result<Written<()>> {
    let customer = find_for_update(tx, id)?;
    let Some(kind) = ban_operation(&customer, reason)? else {
        return Ok(Written { operation: None, value: () });
    };
    let statement = "UPDATE customers SET ban_reason = ?3 WHERE merchant_id = ?1 AND id = ?2";
    tx.execute(statement, (tx.merchant.get(), id.get(), reason))?;
    let operation = operations::record_one(tx, kind, Subject::Customer(id))?;
    Ok(Written { operation: Some(operation), value: () })
}

/// Returns those of `contacts` that a customer other than `except` uses.
pub(super) fn find_used_contacts(
    db: &Connection,
    merchant: MerchantId,
    contacts: &Contacts,
    except: Option<CustomerId>,
) -> Result<Contacts> {
    let find_used = |column, values: &[String]| {
        let statement = format!(
            "SELECT {column} FROM customers
             WHERE merchant_id = ?1 AND {column} IN (SELECT value FROM rarray(?2)) AND id IS NOT ?3"
        );
        let except = except.map(CustomerId::get);
        sql::query_values(db, &statement, (merchant.get(), sql::text_array(values), except))
    };
    Ok(Contacts {
        mobiles: find_used("mobile", &contacts.mobiles)?,
        emails: find_used("email_key", &contacts.emails)?,
    })
}

/// Inserts a customer, or overwrites the stored details. Returns the number of rows changed: 0 or 1.
pub(super) fn upsert(tx: &Tx<'_>, id: CustomerId, new: &NewCustomer) -> Result<u64> {
    let is_changed = insert(tx, id, new)? || overwrite(tx, id, new)?;
    Ok(u64::from(is_changed))
}

/// Inserts a customer with an id that was just assigned.
pub(super) fn insert_new(tx: &Tx<'_>, id: CustomerId, new: &NewCustomer) -> Result<()> {
    match insert(tx, id, new) {
        Ok(true) => Ok(()),
        Ok(false) => Err(StorageError::Internal(format!("the unused id {id} is used"))),
        // Nothing will have this id.
        Err(StorageError::Conflict(Conflict::Mobile(_))) => Err(Conflict::Mobile(None).into()),
        Err(StorageError::Conflict(Conflict::Email(_))) => Err(Conflict::Email(None).into()),
        Err(error) => Err(error),
    }
}

/// Inserts a customer, its search terms and its count. Returns false if one with its id is stored.
fn insert(tx: &Tx<'_>, id: CustomerId, new: &NewCustomer) -> Result<bool> {
    let details = StoredDetails::from(new);
    let inserted = write(
        tx,
        "INSERT INTO customers (merchant_id, id, first_name, last_name, mobile, mobile_code, email, email_key, gender,
                                birthday, city, location, search_terms, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14)
         ON CONFLICT (merchant_id, id) DO NOTHING",
        id,
        &details,
    )?;
    if inserted == 0 {
        return Ok(false);
    }
    let created_at = tx.operation.at.as_microsecond();
    IndexedCustomer::new(tx.merchant, id, created_at).add(tx.connection, &details.search_terms)?;
    counters::add(tx, 1)?;
    Ok(true)
}

/// Overwrites the details and search terms of a stored customer. Returns true if a value differs.
fn overwrite(tx: &Tx<'_>, id: CustomerId, new: &NewCustomer) -> Result<bool> {
    let (indexed, stored_terms) = stored_search_terms(tx, id)?;
    let details = StoredDetails::from(new);
    let updated = write(
        tx,
        "UPDATE customers
         SET first_name = ?3, last_name = ?4, mobile = ?5, mobile_code = ?6, email = ?7, email_key = ?8, gender = ?9,
             birthday = ?10, city = ?11, location = ?12, search_terms = ?13, updated_at = ?14
         WHERE merchant_id = ?1 AND id = ?2
           AND (first_name, last_name, mobile, mobile_code, email, email_key, gender, birthday, city, location)
               IS NOT (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        id,
        &details,
    )?;
    if updated == 0 {
        return Ok(false);
    }
    if details.search_terms != stored_terms {
        indexed.remove(tx.connection, &stored_terms)?;
        indexed.add(tx.connection, &details.search_terms)?;
    }
    Ok(true)
}

/// Returns a stored customer as it is in the index, and its search terms, separated by spaces.
fn stored_search_terms(tx: &Tx<'_>, id: CustomerId) -> Result<(IndexedCustomer, String)> {
    let statement = "SELECT created_at, search_terms FROM customers WHERE merchant_id = ?1 AND id = ?2";
    let mut statement = tx.connection.prepare_cached(statement)?;
    let (created_at, terms) = statement.query_row((tx.merchant.get(), id.get()), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    Ok((IndexedCustomer::new(tx.merchant, id, created_at), terms))
}

/// Executes a statement with the columns of a customer as parameters. Returns the number of rows changed.
fn write(tx: &Tx<'_>, statement: &str, id: CustomerId, details: &StoredDetails<'_>) -> Result<u64> {
    let parameters: [&dyn ToSql; 14] = [
        &tx.merchant.get(),
        &id.get(),
        &details.first_name,
        &details.last_name,
        &details.mobile,
        &details.mobile_code,
        &details.email,
        &details.email_key,
        &details.gender,
        &details.birthday,
        &details.city,
        &details.location,
        &details.search_terms,
        &tx.operation.at.as_microsecond(),
    ];
    let executed = tx.connection.prepare_cached(statement)?.execute(parameters);
    Ok(executed.map_err(|error| match violated_unique_key(&error) {
        Some("customers.merchant_id, customers.mobile") => Conflict::Mobile(Some(id)).into(),
        Some("customers.merchant_id, customers.email_key") => Conflict::Email(Some(id)).into(),
        _ => StorageError::from(error),
    })? as u64)
}

/// Returns the columns of the unique key that a row violates, as SQLite lists them.
///
/// SQLite has no other way to tell the keys of a table apart: the message consists of a fixed text and the columns.
fn violated_unique_key(error: &rusqlite::Error) -> Option<&str> {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(message))
            if code.extended_code == SQLITE_CONSTRAINT_UNIQUE =>
        {
            message.strip_prefix("UNIQUE constraint failed: ")
        }
        _ => None,
    }
}

/// Fills in the groups of customers.
fn load_groups(db: &Connection, merchant: MerchantId, customers: &mut [Customer]) -> Result<()> {
    // Deleted groups that are not archived yet are few or none: SQLite evaluates the subquery once.
    let mut statement = db.prepare_cached(
        "SELECT customer_id, group_id FROM memberships
         WHERE merchant_id = ?1 AND customer_id IN (SELECT value FROM rarray(?2))
           AND group_id NOT IN (SELECT id FROM groups WHERE merchant_id = ?1 AND deleted_by IS NOT NULL)
         ORDER BY customer_id, group_id",
    )?;
    let ids = sql::id_array(customers.iter().map(|customer| customer.id.get()));
    let mut rows = statement.query((merchant.get(), ids))?;
    let mut groups: HashMap<i64, Vec<GroupId>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let group: i64 = row.get(1)?;
        let group =
            GroupId::new(group).ok_or_else(|| StorageError::corrupt("memberships", "group_id", group))?;
        groups.entry(row.get(0)?).or_default().push(group);
    }
    for customer in customers {
        customer.groups = groups.remove(&customer.id.get()).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate;

    #[test]
    fn violated_unique_keys_of_the_schema_are_recognized() {
        let connection = Connection::open_in_memory().unwrap();
        for migration in migrate::SQLITE {
            connection.execute_batch(migration.sql).unwrap();
        }
        connection
            .execute_batch("INSERT INTO merchants VALUES (1, 'shop', 'basic', 'UTC', NULL, 0)")
            .unwrap();
        let insert = |id: i64, mobile: &str, email: &str| {
            connection.execute(
                "INSERT INTO customers (merchant_id, id, first_name, mobile, email_key, search_terms,
                                        created_at, updated_at)
                 VALUES (1, ?1, 'A', ?2, ?3, '', 0, 0)",
                (id, mobile, email),
            )
        };
        insert(1, "51", "a@b").unwrap();
        let key = |result: rusqlite::Result<usize>| {
            violated_unique_key(&result.unwrap_err()).map(ToOwned::to_owned)
        };
        assert_eq!(key(insert(2, "51", "c@d")).as_deref(), Some("customers.merchant_id, customers.mobile"));
        assert_eq!(
            key(insert(2, "52", "a@b")).as_deref(),
            Some("customers.merchant_id, customers.email_key")
        );
        assert_eq!(key(insert(1, "52", "c@d")), None, "the primary key is not a UNIQUE constraint");
    }
}
