//! Running statements. Each is prepared once per connection and cached there.

use std::rc::Rc;

use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, OptionalExtension, Params, Row};

use crate::{Result, row};

impl row::Row for Row<'_> {
    fn int(&self, index: usize) -> Result<Option<i64>> {
        Ok(self.get(index)?)
    }

    fn text(&self, index: usize) -> Result<Option<String>> {
        Ok(self.get(index)?)
    }

    fn flag(&self, index: usize) -> Result<bool> {
        Ok(self.get(index)?)
    }
}

/// Runs a statement that returns no rows. Returns the number of rows it changed.
pub(super) fn execute(db: &Connection, statement: &str, parameters: impl Params) -> Result<u64> {
    Ok(db.prepare_cached(statement)?.execute(parameters)? as u64)
}

/// Returns all rows, decoded.
pub(super) fn query<T>(
    db: &Connection,
    statement: &str,
    parameters: impl Params,
    decode: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = db.prepare_cached(statement)?;
    let mut rows = statement.query(parameters)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(decode(row)?);
    }
    Ok(items)
}

/// Returns the row of a statement that returns at most one, decoded.
pub(super) fn query_opt<T>(
    db: &Connection,
    statement: &str,
    parameters: impl Params,
    decode: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = db.prepare_cached(statement)?;
    statement.query_row(parameters, |row| Ok(decode(row))).optional()?.transpose()
}

/// Returns the value of a statement that returns one row of one column, such as an aggregate.
pub(super) fn query_value<T: FromSql>(
    db: &Connection,
    statement: &str,
    parameters: impl Params,
) -> Result<T> {
    Ok(db.prepare_cached(statement)?.query_row(parameters, |row| row.get(0))?)
}

/// Returns the values of a statement that returns one column.
pub(super) fn query_values<T: FromSql>(
    db: &Connection,
    statement: &str,
    parameters: impl Params,
) -> Result<Vec<T>> {
    let mut statement = db.prepare_cached(statement)?;
    let values = statement.query_map(parameters, |row| row.get(0))?;
    Ok(values.collect::<rusqlite::Result<_>>()?)
}

/// A list as one parameter. Statements read it with `SELECT value FROM rarray(?)`.
pub(super) type Array = Rc<Vec<Value>>;

/// Returns ids as one parameter.
pub(super) fn id_array(ids: impl IntoIterator<Item = i64>) -> Array {
    Rc::new(ids.into_iter().map(Value::Integer).collect())
}

/// Returns texts as one parameter.
pub(super) fn text_array(texts: &[String]) -> Array {
    Rc::new(texts.iter().cloned().map(Value::Text).collect())
}
