//! Copying a whole installation from one engine to another, row by row.
//!
//! What belongs here: which tables there are, in the order in which rows may refer to each other, and the way of a
//! copy: compare what is there already, write what is missing, read everything back. How rows are read and written
//! is the engines' work.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use zumra_core::text::hex;

use crate::StorageError;

/// Rows that are read or written at once. Each such batch is one transaction.
const BATCH: usize = 10_000;

/// How a column's values are kept. Between engines all numbers travel as 64-bit integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    /// A small number: `smallint` where there is such a type.
    Small,
    /// Yes or no: `boolean` where there is such a type.
    Flag,
    Text,
    Bytes,
}

/// A table as a copy sees it. All have `merchant_id` before these columns.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// How many of the columns make up the key with `merchant_id`. They stand first, and are positive numbers.
    pub(crate) keys: usize,
    pub(crate) columns: &'static [(&'static str, Kind)],
}

impl Table {
    /// The columns of the key, without `merchant_id`.
    pub(crate) fn key(&self) -> String {
        self.columns[..self.keys].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// Every table, those first that others refer to. What `customers` says a second time, `customer_search_terms` and `customer_counters`, is
/// written anew with its rows.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "merchants",
        keys: 0,
        columns: &[
            ("name", Kind::Text),
            ("plan", Kind::Text),
            ("time_zone", Kind::Text),
            ("domain", Kind::Text),
            ("created_at", Kind::Int),
        ],
    },
    Table {
        name: "operations",
        keys: 1,
        columns: &[
            ("id", Kind::Int),
            ("at", Kind::Int),
            ("actor", Kind::Text),
            ("kind", Kind::Text),
            ("group_id", Kind::Int),
            ("customer_id", Kind::Int),
            ("changes", Kind::Int),
        ],
    },
    Table {
        name: "tokens",
        keys: 1,
        columns: &[
            ("id", Kind::Int),
            ("hash", Kind::Bytes),
            ("scopes", Kind::Text),
            ("created_at", Kind::Int),
            ("expires_at", Kind::Int),
            ("revoked_at", Kind::Int),
        ],
    },
    Table {
        name: "groups",
        keys: 1,
        columns: &[
            ("id", Kind::Int),
            ("name", Kind::Text),
            ("conditions", Kind::Text),
            ("features", Kind::Text),
            ("is_default", Kind::Flag),
            ("created_at", Kind::Int),
            ("deleted_by", Kind::Int),
        ],
    },
    Table {
        name: "customers",
        keys: 1,
        columns: &[
            ("id", Kind::Int),
            ("first_name", Kind::Text),
            ("last_name", Kind::Text),
            ("mobile", Kind::Text),
            ("mobile_code", Kind::Text),
            ("email", Kind::Text),
            ("email_key", Kind::Text),
            ("gender", Kind::Text),
            ("birthday", Kind::Text),
            ("city", Kind::Text),
            ("location", Kind::Text),
            ("ban_reason", Kind::Text),
            ("search_terms", Kind::Text),
            ("created_at", Kind::Int),
            ("updated_at", Kind::Int),
        ],
    },
    Table {
        name: "memberships",
        keys: 2,
        columns: &[
            ("group_id", Kind::Int),
            ("customer_id", Kind::Int),
            ("operation_id", Kind::Int),
            ("source", Kind::Small),
        ],
    },
    Table {
        name: "past_memberships",
        keys: 3,
        columns: &[
            ("group_id", Kind::Int),
            ("customer_id", Kind::Int),
            ("operation_id", Kind::Int),
            ("ended_operation_id", Kind::Int),
            ("source", Kind::Small),
        ],
    },
    Table {
        name: "imports",
        keys: 1,
        columns: &[
            ("id", Kind::Int),
            ("at", Kind::Int),
            ("actor", Kind::Text),
            ("language", Kind::Text),
            ("last_row", Kind::Int),
            ("created_customers", Kind::Int),
            ("rejected_rows", Kind::Int),
            ("fencing_token", Kind::Int),
            ("lease_until", Kind::Int),
            ("finished_at", Kind::Int),
            ("failure", Kind::Text),
            ("file", Kind::Bytes),
        ],
    },
    Table {
        name: "import_problems",
        keys: 2,
        columns: &[
            ("import_id", Kind::Int),
            ("number", Kind::Int),
            ("row_number", Kind::Int),
            ("column_name", Kind::Text),
            ("reason", Kind::Text),
        ],
    },
];

/// A value on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The values of a table's columns.
pub(crate) type Row = Vec<Value>;

/// The rows of an installation, for reading all of them or for filling an empty one. Made by the engines.
///
/// One that is read shows a single moment, whatever happens beside it.
#[async_trait(?Send)]
pub trait Rows {
    /// The ids of at most `limit` merchants above `after`, ascending.
    #[doc(hidden)]
    async fn merchants(&mut self, after: i64, limit: usize) -> crate::Result<Vec<i64>>;
    /// At most `limit` rows of a merchant with a key above `after`, by key.
    #[doc(hidden)]
    async fn read(&mut self, what: Part, after: &[i64], limit: usize) -> crate::Result<Batch>;
    /// The greatest key of a merchant's rows, if there are any.
    #[doc(hidden)]
    async fn newest(&mut self, what: Part) -> crate::Result<Option<Vec<i64>>>;
    /// Adds rows, durably, all or none.
    #[doc(hidden)]
    async fn write(&mut self, what: Part, rows: Batch) -> crate::Result<()>;
    /// How many rows there are of all merchants.
    #[doc(hidden)]
    async fn count(&mut self) -> crate::Result<u64>;
}

/// One merchant's rows of one table.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub(crate) table: &'static Table,
    pub(crate) merchant: i64,
}

/// Rows of one part.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch(pub(crate) Vec<Row>);

impl Batch {
    /// Of rows of `customers`: each one's id and words.
    pub(crate) fn words(&self, table: &Table) -> Vec<(i64, &str)> {
        let words = table.columns.iter().position(|(name, _)| *name == "search_terms").unwrap_or_default();
        let mut read = Vec::with_capacity(self.0.len());
        for row in &self.0 {
            if let (Value::Int(id), Value::Text(words)) = (&row[0], &row[words]) {
                read.push((*id, words.as_str()));
            }
        }
        read
    }

    /// The key of the last row, for going on behind it.
    fn last_key(&self, table: &Table) -> Option<Vec<i64>> {
        self.0.last().map(|row| key(row, table))
    }
}

fn key(row: &Row, table: &Table) -> Vec<i64> {
    let number = |value: &Value| if let Value::Int(number) = value { *number } else { 0 };
    row[..table.keys].iter().map(number).collect()
}

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Reading and writing this many rows is all there is to do, once each.
    Total(u64),
    /// This many more rows have been written, or were there already.
    Copied(u64),
    /// This many more rows have been read back.
    Verified(u64),
}

/// What was copied of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub table: &'static str,
    /// Its rows, of all merchants.
    pub rows: u64,
    /// SHA-256 over all of them in the order of their keys, in hexadecimal; the same in both databases.
    pub checksum: String,
}

/// Why a copy did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the databases failed. What was written until then is a beginning that another copy goes on from.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The target holds something else than a beginning of the source. Nothing was written.
    #[error(
        "there is something in it that the source does not have, in {table} of merchant {merchant}: name an empty database, or one that an interrupted copy of the same source has begun to fill"
    )]
    Different {
        /// The table.
        table: &'static str,
        /// The merchant.
        merchant: i64,
    },
    /// What was read back is not what was written: somebody writes to the target.
    #[error("its {table} are not what was copied: stop what else writes to it, empty it, and copy again")]
    Changed {
        /// The table.
        table: &'static str,
    },
}

/// Copies everything, and reads it back. What an earlier copy of the same source has written is kept; anything else in
/// the target ends the copy before it begins.
pub async fn copy(
    from: &mut dyn Rows,
    to: &mut dyn Rows,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<CopiedTable>, CopyError> {
    compare(from, to).await?;
    progress(Progress::Total(from.count().await?));
    let mut sums = Sums::new();
    let mut after = 0;
    while let Some(merchant) = next_merchant(from, &mut after).await? {
        for (table, sum) in TABLES.iter().zip(&mut sums.0) {
            let part = Part { table, merchant };
            fill(from, to, part, sum, progress).await?;
        }
    }
    let mut found = Sums::new();
    let mut after = 0;
    while let Some(merchant) = next_merchant(to, &mut after).await? {
        for (table, sum) in TABLES.iter().zip(&mut found.0) {
            let part = Part { table, merchant };
            read_back(to, part, sum, progress).await?;
        }
    }
    let (copied, found) = (sums.finish(), found.finish());
    match copied.iter().zip(&found).find(|(copied, found)| copied != found) {
        Some((copied, _)) => Err(CopyError::Changed { table: copied.table }),
        None => Ok(copied),
    }
}

async fn next_merchant(rows: &mut dyn Rows, after: &mut i64) -> crate::Result<Option<i64>> {
    let next = rows.merchants(*after, 1).await?.pop();
    *after = next.unwrap_or(*after);
    Ok(next)
}

/// Whether all that the target has is what the source has up to there. An empty target is.
async fn compare(from: &mut dyn Rows, to: &mut dyn Rows) -> Result<(), CopyError> {
    let mut after = 0;
    while let Some(merchant) = next_merchant(to, &mut after).await? {
        for table in TABLES {
            let part = Part { table, merchant };
            let mut last = vec![0; table.keys];
            loop {
                let there = to.read(part, &last, BATCH).await?;
                let here = from.read(part, &last, there.0.len()).await?;
                if there != here {
                    return Err(CopyError::Different { table: table.name, merchant });
                }
                match there.last_key(table) {
                    Some(key) if there.0.len() == BATCH => last = key,
                    _ => break,
                }
            }
        }
    }
    Ok(())
}

/// Writes those rows of a part that the target does not have yet.
async fn fill(
    from: &mut dyn Rows,
    to: &mut dyn Rows,
    part: Part,
    sum: &mut Sum,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), CopyError> {
    let newest = to.newest(part).await?;
    let mut last = vec![0; part.table.keys];
    loop {
        let mut rows = from.read(part, &last, BATCH).await?;
        let read = rows.0.len();
        sum.add(part.merchant, &rows);
        let next = rows.last_key(part.table);
        if let Some(newest) = &newest {
            rows.0.retain(|row| key(row, part.table) > *newest);
        }
        if !rows.0.is_empty() {
            to.write(part, rows).await?;
        }
        progress(Progress::Copied(read as u64));
        match next {
            Some(key) if read == BATCH => last = key,
            _ => return Ok(()),
        }
    }
}

async fn read_back(
    rows: &mut dyn Rows,
    part: Part,
    sum: &mut Sum,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), CopyError> {
    let mut last = vec![0; part.table.keys];
    loop {
        let batch = rows.read(part, &last, BATCH).await?;
        sum.add(part.merchant, &batch);
        progress(Progress::Verified(batch.0.len() as u64));
        match batch.last_key(part.table) {
            Some(key) if batch.0.len() == BATCH => last = key,
            _ => return Ok(()),
        }
    }
}

/// Count and checksum of one table.
struct Sum {
    rows: u64,
    hash: Sha256,
}

impl Sum {
    fn add(&mut self, merchant: i64, rows: &Batch) {
        for row in &rows.0 {
            self.rows += 1;
            self.hash.update(merchant.to_be_bytes());
            for value in row {
                self.value(value);
            }
        }
    }

    /// Each value with its kind and length before it, so that no two rows read alike.
    fn value(&mut self, value: &Value) {
        let (kind, bytes): (u8, &[u8]) = match value {
            Value::Null => (0, &[]),
            Value::Int(number) => (1, &number.to_be_bytes()),
            Value::Text(text) => (2, text.as_bytes()),
            Value::Bytes(bytes) => (3, bytes),
        };
        self.hash.update([kind]);
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }
}

/// One for each table.
struct Sums(Vec<Sum>);

impl Sums {
    fn new() -> Self {
        Self(TABLES.iter().map(|_| Sum { rows: 0, hash: Sha256::new() }).collect())
    }

    fn finish(self) -> Vec<CopiedTable> {
        let tables = TABLES.iter().zip(self.0);
        let finished = tables.map(|(table, sum)| CopiedTable {
            table: table.name,
            rows: sum.rows,
            checksum: hex(&sum.hash.finalize()),
        });
        finished.collect()
    }
}
