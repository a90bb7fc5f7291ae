//! Checksums of copied tables.

use sha2::{Digest, Sha256};
use zumra_core::text::hex;

use super::rows::{RowChunk, Value};
use super::tables::TABLES;

/// The result for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Name of the table.
    pub table: &'static str,
    /// Number of rows of all merchants.
    pub rows: u64,
    /// SHA-256 of the rows in the order of their keys, in hexadecimal. Equal in both databases.
    pub checksum: String,
}

/// Number and checksum of the rows of one table.
pub(super) struct TableSum {
    rows: u64,
    hash: Sha256,
}

impl TableSum {
    /// Adds rows in the order of their keys.
    pub(super) fn add(&mut self, merchant: i64, rows: &RowChunk) {
        for row in &rows.0 {
            self.rows += 1;
            self.hash.update(merchant.to_be_bytes());
            for value in row {
                self.add_value(value);
            }
        }
    }

    /// Hashes a value after its type and length, so that no two different rows have the same input.
    fn add_value(&mut self, value: &Value) {
        let (value_type, bytes): (u8, &[u8]) = match value {
            Value::Null => (0, &[]),
            Value::Int(number) => (1, &number.to_be_bytes()),
            Value::Text(text) => (2, text.as_bytes()),
            Value::Bytes(bytes) => (3, bytes),
        };
        self.hash.update([value_type]);
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }
}

/// The sums of all tables, in the order of [`TABLES`].
pub(super) struct TableSums(pub(super) Vec<TableSum>);

impl TableSums {
    pub(super) fn new() -> Self {
        Self(TABLES.iter().map(|_| TableSum { rows: 0, hash: Sha256::new() }).collect())
    }

    /// Returns the results of all tables.
    pub(super) fn finish(self) -> Vec<CopiedTable> {
        let tables = TABLES.iter().zip(self.0);
        let finished = tables.map(|(table, sum)| CopiedTable {
            table: table.name,
            rows: sum.rows,
            checksum: hex(&sum.hash.finalize()),
        });
        finished.collect()
    }
}
