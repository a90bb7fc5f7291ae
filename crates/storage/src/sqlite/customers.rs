//! Customers.

use std::collections::HashMap;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql};
use zumra_core::text::Name;
use zumra_core::{
    Customer, CustomerId, Email, Gender, GroupId, MerchantId, Mobile, MobileCode, NewCustomer, Page,
    PageRequest,
};

use super::corrupt;
use super::memberships::set;
use crate::{Conflict, Result};

const COLUMNS: &str = "id, first_name, last_name, mobile, mobile_code, email, gender, birthday, city, location, created_at, updated_at";

pub(super) fn find(db: &Connection, merchant: MerchantId, id: CustomerId) -> Result<Option<Customer>> {
    let sql = format!("SELECT {COLUMNS} FROM customers WHERE merchant_id = ?1 AND id = ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let found = statement.query_row((merchant.get(), id.get()), |row| Ok(read(row))).optional()?;
    let Some(customer) = found.transpose()? else { return Ok(None) };
    let mut customers = vec![customer];
    fill_groups(db, merchant, &mut customers)?;
    Ok(customers.pop())
}

pub(super) fn list(
    db: &Connection,
    merchant: MerchantId,
    keyword: Option<&str>,
    page: PageRequest,
) -> Result<Page<Customer>> {
    let of_merchant = "FROM customers WHERE merchant_id = ?1 AND (?2 IS NULL OR instr(search_text, ?2) > 0)";
    let mut statement = db.prepare_cached(&format!("SELECT count(*) {of_merchant}"))?;
    let total: i64 = statement.query_row((merchant.get(), keyword), |row| row.get(0))?;
    let sql = format!("SELECT {COLUMNS} {of_merchant} ORDER BY id DESC LIMIT ?3 OFFSET ?4");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((merchant.get(), keyword, page.per_page, page.offset()))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(read(row)?);
    }
    fill_groups(db, merchant, &mut items)?;
    Ok(Page { items, total: total.unsigned_abs() })
}

/// Adds a customer, or changes the one that is there. How many rows came to differ: one or none.
pub(super) fn put(tx: &Connection, merchant: MerchantId, new: &NewCustomer, now: Timestamp) -> Result<usize> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO customers (merchant_id, id, first_name, last_name, mobile, mobile_code, email, email_key, gender,
                                birthday, city, location, search_text, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14)
         ON CONFLICT (merchant_id, id) DO UPDATE
         SET first_name = excluded.first_name, last_name = excluded.last_name, mobile = excluded.mobile,
             mobile_code = excluded.mobile_code, email = excluded.email, email_key = excluded.email_key,
             gender = excluded.gender, birthday = excluded.birthday, city = excluded.city,
             location = excluded.location, search_text = excluded.search_text, updated_at = excluded.updated_at
         WHERE (first_name, last_name, mobile, mobile_code, email, gender, birthday, city, location)
            IS NOT (excluded.first_name, excluded.last_name, excluded.mobile, excluded.mobile_code, excluded.email,
                    excluded.gender, excluded.birthday, excluded.city, excluded.location)",
    )?;
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
        &new.search_text(),
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
    let mut statement = db.prepare_cached(
        "SELECT customer_id, group_id FROM memberships
         WHERE merchant_id = ?1 AND customer_id IN (SELECT value FROM rarray(?2)) ORDER BY customer_id, group_id",
    )?;
    let ids = set(customers.iter().map(|customer| customer.details.id.get()));
    let mut rows = statement.query((merchant.get(), ids))?;
    let mut groups: HashMap<i64, Vec<GroupId>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let group: i64 = row.get(1)?;
        let group = GroupId::new(group).ok_or_else(|| corrupt("memberships", "group_id", group))?;
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
            id: CustomerId::new(id).ok_or_else(|| corrupt("customers", "id", id))?,
            first_name: Name::parse(&row.get::<_, String>(1)?)
                .map_err(|e| corrupt("customers", "first_name", e))?,
            last_name: parsed(row, 2, "last_name", Name::parse)?,
            mobile: parsed(row, 3, "mobile", FromStr::from_str)?,
            mobile_code: parsed(row, 4, "mobile_code", FromStr::from_str)?,
            email: parsed(row, 5, "email", FromStr::from_str)?,
            gender: parsed(row, 6, "gender", FromStr::from_str)?,
            birthday: parsed(row, 7, "birthday", FromStr::from_str)?,
            city: row.get(8)?,
            location: row.get(9)?,
        },
        created_at: time(row, 10, "created_at")?,
        updated_at: time(row, 11, "updated_at")?,
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
    text.as_deref().map(parse).transpose().map_err(|e| corrupt("customers", column, e))
}

fn time(row: &Row<'_>, index: usize, column: &str) -> Result<Timestamp> {
    Timestamp::from_microsecond(row.get(index)?).map_err(|e| corrupt("customers", column, e))
}
