//! Customers.

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use futures_util::future::{try_join, try_join_all};
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;
use zumra_core::{
    Customer, CustomerChange, CustomerId, GroupId, MerchantId, NewCustomer, Operation, OperationId,
    OperationKind, Page, PageRequest, Subject,
};

use super::engine::PostgresStorage;
use super::errors::{AttemptError, AttemptResult, violated_constraint};
use super::ids::{self, AssignedId};
use super::search_terms::IndexedCustomer;
use super::tx::Tx;
use super::{
    counters, customer_rows, customer_search, memberships, operations, removals, search_rebuild,
    search_terms, sql,
};
use crate::customers::{StoredDetails, ban_operation, build_customer};
use crate::{
    Conflict, Contacts, CustomerFilter, Customers, Noun, RebuiltChunk, Resource, Result, StorageError,
    Written,
};

/// Maximum number of upserts that are sent before their results arrive.
const PIPELINED_MAX: usize = 1024;

#[async_trait]
impl Customers for PostgresStorage {
    async fn list_customers(
        &self,
        merchant: MerchantId,
        filter: CustomerFilter,
        page: PageRequest,
    ) -> Result<Page<Customer>> {
        self.list(&(merchant, filter, page), |db, (merchant, filter, page)| {
            Box::pin(customer_search::list(db, *merchant, filter, *page))
        })
        .await
    }

    async fn find_customer(&self, merchant: MerchantId, customer: CustomerId) -> Result<Option<Customer>> {
        let key = (merchant, customer);
        self.connections.read(&key, |db, &(merchant, id)| Box::pin(find(db, merchant, id))).await
    }

    async fn create_customer(
        &self,
        merchant: MerchantId,
        customer: NewCustomer,
        groups: Vec<GroupId>,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        self.connections
            .write(
                merchant,
                operation,
                (customer, groups, AssignedId::default()),
                |tx, (customer, groups, assigned)| Box::pin(create(tx, customer, groups, assigned)),
            )
            .await
    }

    async fn update_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        change: CustomerChange,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        self.connections
            .write(merchant, operation, (customer, change), |tx, (id, change)| {
                Box::pin(update(tx, *id, change))
            })
            .await
    }

    async fn delete_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        operation: Operation,
    ) -> Result<OperationId> {
        self.connections.write(merchant, operation, customer, |tx, &id| Box::pin(delete(tx, id))).await
    }

    async fn ban_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        reason: Option<String>,
        operation: Operation,
    ) -> Result<Written<()>> {
        self.connections
            .write(merchant, operation, (customer, reason), |tx, (id, reason)| {
                Box::pin(ban(tx, *id, reason.as_deref()))
            })
            .await
    }

    async fn rebuild_search_index(&self, limit: u32) -> Result<Option<RebuiltChunk>> {
        self.connections
            .run_idempotent(&limit, |db, &limit| Box::pin(search_rebuild::rebuild_chunk(db, limit)))
            .await
    }

    async fn find_used_contacts(
        &self,
        merchant: MerchantId,
        contacts: Contacts,
        except: Option<CustomerId>,
    ) -> Result<Contacts> {
        self.connections
            .read(&(merchant, contacts, except), |db, (merchant, contacts, except)| {
                Box::pin(find_used_contacts(db, *merchant, contacts, *except))
            })
            .await
    }
}

async fn find<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    id: CustomerId,
) -> AttemptResult<Option<Customer>> {
    let columns = customer_rows::columns("customers");
    let statement = format!("SELECT {columns} FROM customers WHERE merchant_id = $1 AND id = $2");
    let row = sql::query_opt(db, &statement, &[&merchant.get(), &id.get()]).await?;
    row.as_ref().map(customer_rows::decode).transpose()
}

/// Finds a customer and locks its row until the end of the transaction.
async fn find_for_update(tx: &Tx<'_>, id: CustomerId) -> AttemptResult<Customer> {
    // Lock the row first, so that the groups are read while it is locked.
    let statement = "SELECT 1 FROM customers WHERE merchant_id = $1 AND id = $2 FOR UPDATE";
    sql::query_opt(&tx.client, statement, &[&tx.merchant.get(), &id.get()]).await?;
    let found = find(&tx.client, tx.merchant, id).await?;
    Ok(found.ok_or(StorageError::NotFound(Resource::Customer))?)
}

/// Returns those of `contacts` that a customer other than `except` uses.
pub(super) async fn find_used_contacts<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    contacts: &Contacts,
    except: Option<CustomerId>,
) -> AttemptResult<Contacts> {
    let statement = "SELECT ARRAY(SELECT mobile FROM customers
                                  WHERE merchant_id = $1 AND mobile = ANY($2)
                                    AND id IS DISTINCT FROM $4::bigint),
                            ARRAY(SELECT email_key FROM customers
                                  WHERE merchant_id = $1 AND email_key = ANY($3)
                                    AND id IS DISTINCT FROM $4::bigint)";
    let (merchant, except) = (merchant.get(), except.map(CustomerId::get));
    let parameters: sql::Parameters<'_> = &[&merchant, &contacts.mobiles, &contacts.emails, &except];
    let row = sql::query_one(db, statement, parameters).await?;
    Ok(Contacts { mobiles: row.try_get(0)?, emails: row.try_get(1)? })
}

async fn create(
    tx: &Tx<'_>,
    new: &NewCustomer,
    groups: &[GroupId],
    assigned: &AssignedId,
) -> AttemptResult<Written<Customer>> {
    let stored = StoredDetails::from(new);
    let id = insert_new(tx, &stored, assigned).await?;
    let entries = [index_entry(tx, id, &stored)];
    // The statements are pipelined.
    try_join(search_terms::add(tx, &entries), ids::require_not_retired(tx, Noun::Customer, id.get())).await?;
    counters::add(tx, 1).await?;
    let subject = Subject::Customer(id);
    let operation = operations::record_one(tx, OperationKind::CreateCustomer, subject).await?;
    let groups = memberships::lock_groups_and_default(tx, groups).await?.groups;
    memberships::join(tx, id, &groups, operation).await?;
    let value = build_customer(id, new.clone(), tx.operation.at, groups.into_vec());
    Ok(Written { operation: Some(operation), value })
}

/// Inserts a customer under a new id.
async fn insert_new(
    tx: &Tx<'_>,
    new: &StoredDetails<'_>,
    assigned: &AssignedId,
) -> AttemptResult<CustomerId> {
    if let Some(id) = assigned.reuse(tx, Noun::Customer).await? {
        let id = decode_id(id)?;
        if insert(tx, id, new).await? {
            return Ok(id);
        }
        assigned.resolve_used(tx, Conflict::Customer(id).into()).await?;
    }
    let mut id = insert_with_next_id(tx, new).await?;
    if id.is_none() {
        let unused = ids::assign(tx, Noun::Customer, 1).await?;
        let unused = unused.first().copied().map(decode_id).transpose()?;
        if let Some(unused) = unused
            && insert(tx, unused, new).await?
        {
            id = Some(unused);
        }
    }
    let id = id.ok_or_else(ids::taken_meanwhile)?;
    assigned.remember(id.get());
    Ok(id)
}

/// Inserts a customer under an id that was assigned to it. Returns false if the id is used.
async fn insert(tx: &Tx<'_>, id: CustomerId, new: &StoredDetails<'_>) -> AttemptResult<bool> {
    let statement = tx.client.prepare_cached(INSERT).await?;
    Ok(write(tx, &statement, id, new).await.map_err(without_id)? == 1)
}

/// Inserts a customer under the next id of a shard. Returns `None` if that id is used.
async fn insert_with_next_id(tx: &Tx<'_>, new: &StoredDetails<'_>) -> AttemptResult<Option<CustomerId>> {
    let statement = [
        ids::ASSIGN_CUSTOMER,
        "INSERT INTO customers (merchant_id, id, first_name, last_name, mobile, mobile_code, email, email_key,
                                gender, birthday, city, location, search_terms, created_at, updated_at)
         SELECT $1, last, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14 FROM assigned
         ON CONFLICT (merchant_id, id) DO NOTHING RETURNING id",
    ]
    .concat();
    let statement = tx.client.prepare_cached(&statement).await?;
    let numbers = [tx.merchant.get(), ids::shard(tx, Noun::Customer), tx.operation.at.as_microsecond()];
    let row = tx.client.query_opt(&statement, &parameters(&numbers, new)).await;
    let row = row.map_err(|error| conflict(error, None))?;
    row.map(|row| decode_id(row.try_get(0)?).map_err(AttemptError::from)).transpose()
}

/// Returns the error for a customer that has no id, because it is not stored.
fn without_id(error: AttemptError) -> AttemptError {
    match error {
        AttemptError::Permanent(StorageError::Conflict(Conflict::Mobile(_))) => Conflict::Mobile(None).into(),
        AttemptError::Permanent(StorageError::Conflict(Conflict::Email(_))) => Conflict::Email(None).into(),
        error => error,
    }
}

fn decode_id(id: i64) -> Result<CustomerId> {
    CustomerId::new(id).ok_or_else(|| StorageError::corrupt("customers", "id", id))
}

async fn update(tx: &Tx<'_>, id: CustomerId, change: &CustomerChange) -> AttemptResult<Written<Customer>> {
    let mut customer = find_for_update(tx, id).await?;
    let details = customer.details.clone().with_change(change.clone());
    let are_details_changed = details != customer.details;
    if are_details_changed {
        overwrite(tx, id, &StoredDetails::from(&details)).await?;
        customer.updated_at = tx.operation.at;
        customer.details = details;
    }
    let operation = operations::next_id(tx).await?;
    let mut are_groups_changed = false;
    if let Some(groups) = &change.groups {
        are_groups_changed = memberships::replace(tx, &mut customer, groups, operation).await?;
    }
    if !are_details_changed && !are_groups_changed {
        return Ok(Written { operation: None, value: customer });
    }
    operations::record(tx, operation, OperationKind::UpdateCustomer, Subject::Customer(id), 1).await?;
    Ok(Written { operation: Some(operation), value: customer })
}

async fn delete(tx: &Tx<'_>, id: CustomerId) -> AttemptResult<OperationId> {
    removals::increment(&tx.client, tx.merchant).await?;
    find_for_update(tx, id).await?;
    let operation = operations::record_one(tx, OperationKind::DeleteCustomer, Subject::Customer(id)).await?;
    memberships::end_all(tx, id, operation).await?;
    let (created_at, terms) = stored_search_terms(tx, id).await?;
    search_terms::remove(tx, &[IndexedCustomer { id, created_at, terms: &terms }]).await?;
    counters::add(tx, -1).await?;
    let statement = "DELETE FROM customers WHERE merchant_id = $1 AND id = $2";
    let delete = async { sql::execute(&tx.client, statement, &[&tx.merchant.get(), &id.get()]).await };
    // The statements are pipelined.
    try_join(delete, ids::retire(tx, Noun::Customer, id.get())).await?;
    Ok(operation)
}

/// Bans a customer, or lifts the ban if there is no `reason`.
async fn ban(tx: &Tx<'_>, id: CustomerId, reason: Option<&str>) -> AttemptResult<Written<()>> {
    let customer = find_for_update(tx, id).await?;
    let Some(kind) = ban_operation(&customer, reason)? else {
        return Ok(Written { operation: None, value: () });
    };
    let statement = "UPDATE customers SET ban_reason = $3 WHERE merchant_id = $1 AND id = $2";
    sql::execute(&tx.client, statement, &[&tx.merchant.get(), &id.get(), &reason]).await?;
    let operation = operations::record_one(tx, kind, Subject::Customer(id)).await?;
    Ok(Written { operation: Some(operation), value: () })
}

/// Inserts customers, and updates those that exist. Returns the number of rows changed.
pub(super) async fn upsert(tx: &Tx<'_>, customers: &[(CustomerId, &NewCustomer)]) -> AttemptResult<u64> {
    let mut rows = 0;
    for chunk in customers.chunks(PIPELINED_MAX) {
        let stored: Vec<_> = chunk.iter().map(|(id, new)| (*id, StoredDetails::from(*new))).collect();
        let existing = insert_missing(tx, &stored).await?;
        let updates = existing.iter().map(|(id, stored)| overwrite(tx, *id, stored));
        rows += (stored.len() - existing.len()) as u64;
        rows += try_join_all(updates).await?.into_iter().sum::<u64>();
    }
    Ok(rows)
}

/// Inserts customers with ids that were just assigned.
pub(super) async fn insert_all(tx: &Tx<'_>, customers: &[(CustomerId, &NewCustomer)]) -> AttemptResult<()> {
    for chunk in customers.chunks(PIPELINED_MAX) {
        let stored: Vec<_> = chunk.iter().map(|(id, new)| (*id, StoredDetails::from(*new))).collect();
        if !insert_missing(tx, &stored).await?.is_empty() {
            return Err(ids::taken_meanwhile());
        }
    }
    Ok(())
}

/// Inserts those of the customers whose ids are not used. Returns the others.
async fn insert_missing<'c, 'd>(
    tx: &Tx<'_>,
    customers: &'c [(CustomerId, StoredDetails<'d>)],
) -> AttemptResult<Vec<&'c (CustomerId, StoredDetails<'d>)>> {
    let statement = &tx.client.prepare_cached(INSERT).await?;
    // The statements are pipelined: sent in order without waiting for results. The first error fails the transaction.
    let inserted =
        try_join_all(customers.iter().map(|(id, stored)| write(tx, statement, *id, stored))).await?;
    let (mut terms, mut existing) = (Vec::new(), Vec::new());
    for (customer, inserted) in customers.iter().zip(inserted) {
        if inserted == 1 {
            terms.push(index_entry(tx, customer.0, &customer.1));
        } else {
            existing.push(customer);
        }
    }
    search_terms::add(tx, &terms).await?;
    counters::add(tx, i64::try_from(terms.len()).unwrap_or(i64::MAX)).await?;
    Ok(existing)
}

/// Inserts a customer unless its id is used.
const INSERT: &str = "
    INSERT INTO customers (merchant_id, id, first_name, last_name, mobile, mobile_code, email, email_key,
                           gender, birthday, city, location, search_terms, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)
    ON CONFLICT (merchant_id, id) DO NOTHING";

/// Updates the details of a customer and its search terms. Returns the number of rows changed, 0 or 1.
async fn overwrite(tx: &Tx<'_>, id: CustomerId, new: &StoredDetails<'_>) -> AttemptResult<u64> {
    let statement = "UPDATE customers
         SET first_name = $3, last_name = $4, mobile = $5, mobile_code = $6, email = $7, email_key = $8, gender = $9,
             birthday = $10, city = $11, location = $12, search_terms = $13, updated_at = $14
         WHERE merchant_id = $1 AND id = $2
           AND (first_name, last_name, mobile, mobile_code, email, email_key, gender, birthday, city, location)
               IS DISTINCT FROM ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let (created_at, old_terms) = stored_search_terms(tx, id).await?;
    let statement = tx.client.prepare_cached(statement).await?;
    if write(tx, &statement, id, new).await? == 0 {
        return Ok(0);
    }
    if new.search_terms != old_terms {
        search_terms::remove(tx, &[IndexedCustomer { id, created_at, terms: &old_terms }]).await?;
        search_terms::add(tx, &[IndexedCustomer { id, created_at, terms: &new.search_terms }]).await?;
    }
    Ok(1)
}

/// Returns the entry of a new customer in the search index.
fn index_entry<'s>(tx: &Tx<'_>, id: CustomerId, stored: &'s StoredDetails<'_>) -> IndexedCustomer<'s> {
    IndexedCustomer { id, created_at: tx.operation.at.as_microsecond(), terms: &stored.search_terms }
}

/// Returns the time of creation and the search terms by which a customer is indexed. Locks the row, so that no rebuild
/// replaces the terms meanwhile.
async fn stored_search_terms(tx: &Tx<'_>, id: CustomerId) -> AttemptResult<(i64, String)> {
    let statement = "SELECT created_at, search_terms FROM customers WHERE merchant_id = $1 AND id = $2
         FOR NO KEY UPDATE";
    let row = sql::query_one(&tx.client, statement, &[&tx.merchant.get(), &id.get()]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Runs a statement whose parameters are the columns of a customer. Returns the number of rows written.
async fn write(
    tx: &Tx<'_>,
    statement: &Statement,
    id: CustomerId,
    new: &StoredDetails<'_>,
) -> AttemptResult<u64> {
    let numbers = [tx.merchant.get(), id.get(), tx.operation.at.as_microsecond()];
    let written = tx.client.execute(statement, &parameters(&numbers, new)).await;
    written.map_err(|error| conflict(error, Some(id)))
}

/// Returns the parameters of a statement that writes a customer: `numbers` are its first, its second and its last one.
fn parameters<'p>(
    [merchant, second, at]: &'p [i64; 3],
    new: &'p StoredDetails<'_>,
) -> [&'p (dyn ToSql + Sync); 14] {
    [
        merchant,
        second,
        &new.first_name,
        &new.last_name,
        &new.mobile,
        &new.mobile_code,
        &new.email,
        &new.email_key,
        &new.gender,
        &new.birthday,
        &new.city,
        &new.location,
        &new.search_terms,
        at,
    ]
}

/// Returns the error of a statement that writes a customer.
fn conflict(error: tokio_postgres::Error, id: Option<CustomerId>) -> AttemptError {
    match violated_constraint(&error) {
        Some("customers_by_mobile") => Conflict::Mobile(id).into(),
        Some("customers_by_email") => Conflict::Email(id).into(),
        _ => AttemptError::from(error),
    }
}
