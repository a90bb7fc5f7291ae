//! Rows of customers with their groups: the columns of a query, and their decoding.

use tokio_postgres::Row;
use zumra_core::Customer;

use super::errors::AttemptResult;
use crate::customers::{self, COLUMNS};
use crate::memberships::decode_groups;

/// Returns the columns that [`decode`] reads. `table` is the name of a table or subquery of customers, $1 the merchant.
pub(super) fn columns(table: &str) -> String {
    let columns = COLUMNS.map(|column| format!("{table}.{column}")).join(", ");
    format!(
        "{columns}, ARRAY(SELECT group_id FROM memberships
                          WHERE merchant_id = $1 AND customer_id = {table}.id AND group_id NOT IN (
                              SELECT id FROM groups WHERE merchant_id = $1 AND deleted_by IS NOT NULL)
                          ORDER BY group_id)"
    )
}

/// Decodes a row with the columns of [`columns`].
pub(super) fn decode(row: &Row) -> AttemptResult<Customer> {
    let groups: Vec<i64> = row.try_get(COLUMNS.len())?;
    Ok(Customer { groups: decode_groups(groups)?.into_vec(), ..customers::decode(row)? })
}
