//! Customers.

use std::str::FromStr;

use deadpool_postgres::GenericClient;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tokio_postgres::{Row, Statement};
use zumra_core::text::Name;
use zumra_core::{
    Customer, CustomerChange, CustomerId, Email, Gender, GroupId, MerchantId, Mobile, MobileCode,
    NewCustomer, Operation, OperationId, OperationKind, Subject, search_terms,
};

use super::PostgresStorage;
use super::connections::for_tx;
use super::errors::{Failure, Try, violated};
use super::lists;
use super::operations::{self, Mark};
use super::{memberships, merchants, words};
use crate::{Conflict, Resource, Result, StorageError, Written};
use crate::{Contacts, CustomerFilter, Customers};
use async_trait::async_trait;
use std::sync::Arc;
use zumra_core::{Page, PageRequest};

#[async_trait]
impl Customers for PostgresStorage {
    async fn list_customers(
        &self,
        merchant: MerchantId,
        filter: CustomerFilter,
        page: PageRequest,
    ) -> Result<Page<Customer>> {
        self.list(|db| {
            let filter = filter.clone();
            Box::pin(async move { lists::list(db, merchant, &filter, page).await })
        })
        .await
    }

    async fn find_customer(&self, merchant: MerchantId, customer: CustomerId) -> Result<Option<Customer>> {
        self.connections.read(|db| Box::pin(find(db, merchant, customer))).await
    }

    async fn create_customer(
        &self,
        merchant: MerchantId,
        customer: NewCustomer,
        groups: Vec<GroupId>,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        let create = for_tx(move |tx, (new, groups): &(NewCustomer, Vec<GroupId>), operation, mark| {
            Box::pin(create(tx, merchant, new, groups, operation, mark))
        });
        self.connections.change(merchant, operation, (customer, groups), create).await
    }

    async fn update_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        change: CustomerChange,
        operation: Operation,
    ) -> Result<Written<Customer>> {
        let update = for_tx(move |tx, change, operation, mark| {
            Box::pin(update(tx, merchant, customer, change, operation, mark))
        });
        self.connections.change(merchant, operation, change, update).await
    }

    async fn delete_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        operation: Operation,
    ) -> Result<OperationId> {
        let delete = for_tx(move |tx, id: &CustomerId, operation, mark| {
            Box::pin(delete(tx, merchant, *id, operation, mark))
        });
        self.connections.change(merchant, operation, customer, delete).await
    }

    async fn ban_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        reason: Option<String>,
        operation: Operation,
    ) -> Result<Written<()>> {
        let ban = for_tx(move |tx, reason: &Option<String>, operation, mark| {
            Box::pin(ban(tx, merchant, customer, reason.as_deref(), operation, mark))
        });
        self.connections.change(merchant, operation, reason, ban).await
    }

    async fn find_used_contacts(
        &self,
        merchant: MerchantId,
        contacts: Contacts,
        except: Option<CustomerId>,
    ) -> Result<Contacts> {
        let contacts = Arc::new(contacts);
        self.connections
            .read(|db| {
                let contacts = Arc::clone(&contacts);
                Box::pin(
                    async move { memberships::find_used_contacts(db, merchant, &contacts, except).await },
                )
            })
            .await
    }
}

/// Statements that are on their way at once when many customers are put.
const PIPELINE: usize = 1024;

/// The columns that [`read`] reads, of a customer under this name.
pub(super) fn columns(of: &str) -> String {
    let columns = [
        "id",
        "first_name",
        "last_name",
        "mobile",
        "mobile_code",
        "email",
        "gender",
        "birthday",
        "city",
        "location",
        "ban_reason",
        "created_at",
        "updated_at",
    ];
    let columns = columns.map(|column| format!("{of}.{column}")).join(", ");
    format!(
        "{columns}, ARRAY(SELECT group_id FROM memberships
                          WHERE merchant_id = $1 AND customer_id = {of}.id AND group_id NOT IN (
                              SELECT id FROM groups WHERE merchant_id = $1 AND deleted_by IS NOT NULL)
                          ORDER BY group_id)"
    )
}

pub(super) async fn find<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    id: CustomerId,
) -> Try<Option<Customer>> {
    let columns = columns("customers");
    let sql = format!("SELECT {columns} FROM customers WHERE merchant_id = $1 AND id = $2");
    let statement = db.prepare_cached(&sql).await?;
    let row = db.query_opt(&statement, &[&merchant.get(), &id.get()]).await?;
    Ok(row.map(|row| read(&row)).transpose()?)
}

pub(super) async fn create<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    new: &NewCustomer,
    groups: &[GroupId],
    operation: &Operation,
    mark: Mark,
) -> Try<Written<Customer>> {
    let words = search_terms(new);
    let statement = tx.prepare_cached(INSERT).await?;
    if write(tx, &statement, merchant, new, &words, operation.at).await? == 0 {
        return Err(Conflict::Customer(new.id).into());
    }
    words::add(tx, merchant, &[(new.id, &words)]).await?;
    words::count(tx, merchant, 1, mark).await?;
    let what = (OperationKind::CreateCustomer, Subject::Customer(new.id));
    let id = operations::record_one(tx, merchant, operation, what, mark).await?;
    let groups = memberships::live_groups(tx, merchant, groups, true).await?;
    memberships::join(tx, merchant, new.id, &groups, id).await?;
    let (at, details) = (operation.at, new.clone());
    let value = Customer { details, created_at: at, updated_at: at, ban_reason: None, groups };
    Ok(Written { operation: Some(id), value })
}

pub(super) async fn update<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    id: CustomerId,
    change: &CustomerChange,
    operation: &Operation,
    mark: Mark,
) -> Try<Written<Customer>> {
    let mut customer = find_to_change(tx, merchant, id).await?;
    let details = customer.details.clone().with_change(change.clone());
    let is_changed = details != customer.details;
    if is_changed {
        overwrite(tx, merchant, &details, operation.at).await?;
        customer.updated_at = operation.at;
        customer.details = details;
    }
    let next = operations::next_id(tx, merchant, operation, mark).await?;
    let mut is_moved = false;
    if let Some(groups) = &change.groups {
        is_moved = memberships::replace(tx, merchant, &mut customer, groups, next).await?;
    }
    if !is_changed && !is_moved {
        return Ok(Written { operation: None, value: customer });
    }
    let (kind, subject) = (OperationKind::UpdateCustomer, Subject::Customer(id));
    operations::record(tx, merchant, next, operation, kind, (subject, 1), mark).await?;
    Ok(Written { operation: Some(next), value: customer })
}

pub(super) async fn delete<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    id: CustomerId,
    operation: &Operation,
    mark: Mark,
) -> Try<OperationId> {
    merchants::count_removal(tx, merchant).await?;
    find_to_change(tx, merchant, id).await?;
    let what = (OperationKind::DeleteCustomer, Subject::Customer(id));
    let operation = operations::record_one(tx, merchant, operation, what, mark).await?;
    memberships::end_all(tx, merchant, id, operation).await?;
    words::remove(tx, merchant, &[(id, &stored_words(tx, merchant, id).await?)]).await?;
    words::count(tx, merchant, -1, mark).await?;
    let sql = "DELETE FROM customers WHERE merchant_id = $1 AND id = $2";
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&merchant.get(), &id.get()]).await?;
    Ok(operation)
}

pub(super) async fn ban<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    id: CustomerId,
    reason: Option<&str>,
    operation: &Operation,
    mark: Mark,
) -> Try<Written<()>> {
    let customer = find_to_change(tx, merchant, id).await?;
    if reason.is_none() && customer.ban_reason.is_none() {
        return Err(StorageError::NotFound(Resource::Ban).into());
    }
    if reason == customer.ban_reason.as_deref() {
        return Ok(Written { operation: None, value: () });
    }
    let sql = "UPDATE customers SET ban_reason = $3 WHERE merchant_id = $1 AND id = $2";
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&merchant.get(), &id.get(), &reason]).await?;
    let kind = if reason.is_some() { OperationKind::BanCustomer } else { OperationKind::UnbanCustomer };
    let what = (kind, Subject::Customer(id));
    let id = operations::record_one(tx, merchant, operation, what, mark).await?;
    Ok(Written { operation: Some(id), value: () })
}

/// The customer, whom nobody else can change until the end of the transaction.
async fn find_to_change<C: GenericClient>(tx: &C, merchant: MerchantId, id: CustomerId) -> Try<Customer> {
    let sql = "SELECT 1 FROM customers WHERE merchant_id = $1 AND id = $2 FOR UPDATE";
    let statement = tx.prepare_cached(sql).await?;
    tx.query_opt(&statement, &[&merchant.get(), &id.get()]).await?;
    Ok(find(tx, merchant, id).await?.ok_or(StorageError::NotFound(Resource::Customer))?)
}

/// Adds customers, or makes those that are there like them. How many rows came to differ.
pub(super) async fn put<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    new: &[(NewCustomer, Vec<GroupId>)],
    now: Timestamp,
    mark: Mark,
) -> Try<u64> {
    let statement = &tx.prepare_cached(INSERT).await?;
    let mut rows = 0;
    for chunk in new.chunks(PIPELINE) {
        let words: Vec<String> = chunk.iter().map(|(customer, _)| search_terms(customer)).collect();
        let customers = chunk.iter().map(|(customer, _)| customer).zip(&words);
        // Sent one after another without waiting for answers; the first that is refused ends the transaction.
        let inserts = customers.clone().map(|(new, words)| write(tx, statement, merchant, new, words, now));
        let inserted = try_join_all(inserts).await?;
        let (mut added, mut known) = (Vec::new(), Vec::new());
        for ((customer, words), inserted) in customers.zip(inserted) {
            if inserted == 1 { added.push((customer.id, words.as_str())) } else { known.push(customer) }
        }
        words::add(tx, merchant, &added).await?;
        words::count(tx, merchant, i64::try_from(added.len()).unwrap_or(i64::MAX), mark).await?;
        rows += added.len() as u64;
        let changes = known.into_iter().map(|customer| overwrite(tx, merchant, customer, now));
        rows += try_join_all(changes).await?.into_iter().sum::<u64>();
    }
    Ok(rows)
}

/// Adds a customer, unless there is one with the id.
const INSERT: &str = "
    INSERT INTO customers (merchant_id, id, first_name, last_name, mobile, mobile_code, email, email_key,
                           gender, birthday, city, location, search_terms, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)
    ON CONFLICT (merchant_id, id) DO NOTHING";

/// How many rows came to differ: one or none.
async fn overwrite<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    new: &NewCustomer,
    now: Timestamp,
) -> Try<u64> {
    let sql = "UPDATE customers
         SET first_name = $3, last_name = $4, mobile = $5, mobile_code = $6, email = $7, email_key = $8, gender = $9,
             birthday = $10, city = $11, location = $12, search_terms = $13, updated_at = $14
         WHERE merchant_id = $1 AND id = $2
           AND (first_name, last_name, mobile, mobile_code, email, email_key, gender, birthday, city, location)
               IS DISTINCT FROM ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let old_words = stored_words(tx, merchant, new.id).await?;
    let words = search_terms(new);
    let statement = tx.prepare_cached(sql).await?;
    if write(tx, &statement, merchant, new, &words, now).await? == 0 {
        return Ok(0);
    }
    if words != old_words {
        words::remove(tx, merchant, &[(new.id, &old_words)]).await?;
        words::add(tx, merchant, &[(new.id, &words)]).await?;
    }
    Ok(1)
}

/// The words by which a customer is found now.
async fn stored_words<C: GenericClient>(tx: &C, merchant: MerchantId, id: CustomerId) -> Try<String> {
    let sql = "SELECT search_terms FROM customers WHERE merchant_id = $1 AND id = $2";
    let statement = tx.prepare_cached(sql).await?;
    Ok(tx.query_one(&statement, &[&merchant.get(), &id.get()]).await?.try_get(0)?)
}

/// Runs a statement whose parameters are those of a customer's row. How many rows it wrote.
async fn write<C: GenericClient>(
    tx: &C,
    statement: &Statement,
    merchant: MerchantId,
    new: &NewCustomer,
    words: &str,
    now: Timestamp,
) -> Try<u64> {
    let done = tx
        .execute(
            statement,
            &[
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
            ],
        )
        .await;
    done.map_err(|error| match violated(&error) {
        Some("customers_by_mobile") => Conflict::Mobile(new.id).into(),
        Some("customers_by_email") => Conflict::Email(new.id).into(),
        _ => Failure::from(error),
    })
}

/// Reads [`columns`].
pub(super) fn read(row: &Row) -> Result<Customer> {
    let id: i64 = get(row, 0, "id")?;
    Ok(Customer {
        details: NewCustomer {
            id: CustomerId::new(id).ok_or_else(|| StorageError::corrupt("customers", "id", id))?,
            first_name: Name::parse(&get::<String>(row, 1, "first_name")?)
                .map_err(|e| StorageError::corrupt("customers", "first_name", e))?,
            last_name: parsed(row, 2, "last_name", Name::parse)?,
            mobile: parsed(row, 3, "mobile", FromStr::from_str)?,
            mobile_code: parsed(row, 4, "mobile_code", FromStr::from_str)?,
            email: parsed(row, 5, "email", FromStr::from_str)?,
            gender: parsed(row, 6, "gender", FromStr::from_str)?,
            birthday: parsed(row, 7, "birthday", FromStr::from_str)?,
            city: get(row, 8, "city")?,
            location: get(row, 9, "location")?,
        },
        ban_reason: get(row, 10, "ban_reason")?,
        created_at: time(row, 11, "created_at")?,
        updated_at: time(row, 12, "updated_at")?,
        groups: memberships::group_ids(row, 13)?,
    })
}

fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, index: usize, column: &str) -> Result<T> {
    row.try_get(index).map_err(|e| StorageError::corrupt("customers", column, e))
}

fn parsed<T, E: std::fmt::Display>(
    row: &Row,
    index: usize,
    column: &str,
    parse: impl FnOnce(&str) -> std::result::Result<T, E>,
) -> Result<Option<T>> {
    let text: Option<&str> = get(row, index, column)?;
    text.map(parse).transpose().map_err(|e| StorageError::corrupt("customers", column, e))
}

fn time(row: &Row, index: usize, column: &str) -> Result<Timestamp> {
    Timestamp::from_microsecond(get(row, index, column)?)
        .map_err(|e| StorageError::corrupt("customers", column, e))
}
