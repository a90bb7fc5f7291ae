//! Customers.

use std::str::FromStr;

use deadpool_postgres::GenericClient;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tokio_postgres::{Row, Statement};
use zumra_core::text::Name;
use zumra_core::{
    Customer, CustomerId, Email, Gender, GroupId, MerchantId, Mobile, MobileCode, NewCustomer, Page,
    PageRequest,
};

use super::errors::{Failure, Try, violated};
use super::{corrupt, memberships};
use crate::{Conflict, Result};

/// Statements that are on their way at once when many customers are put.
const PIPELINE: usize = 1024;

/// The columns that [`read`] reads, of a customer under this name.
fn columns(of: &str) -> String {
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
        "created_at",
        "updated_at",
    ];
    let columns = columns.map(|column| format!("{of}.{column}")).join(", ");
    format!(
        "{columns}, ARRAY(SELECT group_id FROM memberships
                          WHERE merchant_id = $1 AND customer_id = {of}.id ORDER BY group_id)"
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

pub(super) async fn list<C: GenericClient>(
    db: &C,
    merchant: MerchantId,
    keyword: Option<&str>,
    page: PageRequest,
) -> Try<Page<Customer>> {
    let mut listed = Page { items: Vec::new(), total: 0 };
    if keyword.is_some_and(|keyword| keyword.contains('\0')) {
        return Ok(listed); // no text of PostgreSQL's holds this character
    }
    // One statement, so that total and page are of one moment. A page past the end is one row without an id. The
    // groups are gathered outside of the page, for its rows only.
    let of_merchant =
        "FROM customers WHERE merchant_id = $1 AND ($2::text IS NULL OR strpos(search_text, $2) > 0)";
    let columns = columns("page");
    let sql = format!(
        "SELECT {columns}, total.count
         FROM (SELECT count(*) AS count {of_merchant}) AS total
         LEFT JOIN (SELECT * {of_merchant} ORDER BY id DESC LIMIT $3 OFFSET $4) AS page ON true
         ORDER BY page.id DESC"
    );
    let statement = db.prepare_cached(&sql).await?;
    let (merchant, limit) = (merchant.get(), i64::from(page.per_page));
    for row in &db.query(&statement, &[&merchant, &keyword, &limit, &page.offset()]).await? {
        listed.total = row.try_get::<_, i64>(13)?.unsigned_abs();
        if row.try_get::<_, Option<i64>>(0)?.is_some() {
            listed.items.push(read(row)?);
        }
    }
    Ok(listed)
}

/// Adds customers, or changes those that are there. How many rows came to differ.
pub(super) async fn put<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    new: &[(NewCustomer, Vec<GroupId>)],
    now: Timestamp,
) -> Try<u64> {
    let sql = "INSERT INTO customers (merchant_id, id, first_name, last_name, mobile, mobile_code, email, email_key,
                                      gender, birthday, city, location, search_text, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)
         ON CONFLICT (merchant_id, id) DO UPDATE
         SET first_name = excluded.first_name, last_name = excluded.last_name, mobile = excluded.mobile,
             mobile_code = excluded.mobile_code, email = excluded.email, email_key = excluded.email_key,
             gender = excluded.gender, birthday = excluded.birthday, city = excluded.city,
             location = excluded.location, search_text = excluded.search_text, updated_at = excluded.updated_at
         WHERE customers.merchant_id = $1
           AND (customers.first_name, customers.last_name, customers.mobile, customers.mobile_code, customers.email,
                customers.gender, customers.birthday, customers.city, customers.location)
               IS DISTINCT FROM
               (excluded.first_name, excluded.last_name, excluded.mobile, excluded.mobile_code, excluded.email,
                excluded.gender, excluded.birthday, excluded.city, excluded.location)";
    let statement = tx.prepare_cached(sql).await?;
    let mut rows = 0;
    for chunk in new.chunks(PIPELINE) {
        // Sent one after another without waiting for answers; the first that is refused ends the transaction.
        let puts = chunk.iter().map(|(customer, _)| put_one(tx, &statement, merchant, customer, now));
        rows += try_join_all(puts).await?.into_iter().sum::<u64>();
    }
    Ok(rows)
}

async fn put_one<C: GenericClient>(
    tx: &C,
    statement: &Statement,
    merchant: MerchantId,
    new: &NewCustomer,
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
                &new.search_text(),
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
fn read(row: &Row) -> Result<Customer> {
    let id: i64 = get(row, 0, "id")?;
    Ok(Customer {
        details: NewCustomer {
            id: CustomerId::new(id).ok_or_else(|| corrupt("customers", "id", id))?,
            first_name: Name::parse(&get::<String>(row, 1, "first_name")?)
                .map_err(|e| corrupt("customers", "first_name", e))?,
            last_name: parsed(row, 2, "last_name", Name::parse)?,
            mobile: parsed(row, 3, "mobile", FromStr::from_str)?,
            mobile_code: parsed(row, 4, "mobile_code", FromStr::from_str)?,
            email: parsed(row, 5, "email", FromStr::from_str)?,
            gender: parsed(row, 6, "gender", FromStr::from_str)?,
            birthday: parsed(row, 7, "birthday", FromStr::from_str)?,
            city: get(row, 8, "city")?,
            location: get(row, 9, "location")?,
        },
        created_at: time(row, 10, "created_at")?,
        updated_at: time(row, 11, "updated_at")?,
        groups: memberships::group_ids(row, 12)?,
    })
}

fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, index: usize, column: &str) -> Result<T> {
    row.try_get(index).map_err(|e| corrupt("customers", column, e))
}

fn parsed<T, E: std::fmt::Display>(
    row: &Row,
    index: usize,
    column: &str,
    parse: impl FnOnce(&str) -> std::result::Result<T, E>,
) -> Result<Option<T>> {
    let text: Option<&str> = get(row, index, column)?;
    text.map(parse).transpose().map_err(|e| corrupt("customers", column, e))
}

fn time(row: &Row, index: usize, column: &str) -> Result<Timestamp> {
    Timestamp::from_microsecond(get(row, index, column)?).map_err(|e| corrupt("customers", column, e))
}
