//! Rebuilding the search index of a merchant whose search terms have an older version: what both engines share.

use zumra_core::{MerchantId, SEARCH_VERSION, search_terms};

use crate::Result;
use crate::customers::{COLUMNS, RebuiltChunk, decode};
use crate::row::{Row, RowReader};

/// The version of the search terms of a merchant without a stored version.
pub(crate) const FIRST_VERSION: i64 = 1;

/// A merchant whose index has to be rebuilt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutdatedIndex {
    pub(crate) merchant: MerchantId,
    /// The version that every customer has at least.
    pub(crate) version: i64,
    /// The greatest id of a customer that has the current version, or 0.
    pub(crate) rebuilt_through: i64,
}

impl OutdatedIndex {
    /// The columns that [`OutdatedIndex::decode`] reads, of `merchants` joined with `search_index_versions`.
    pub(crate) const COLUMNS: &str =
        "merchants.merchant_id, version, CASE WHEN next_version = $1 THEN rebuilt_through END";

    pub(crate) fn decode(row: &impl Row) -> Result<Self> {
        let merchant = RowReader::new(row, "merchants").id("merchant_id", MerchantId::new)?;
        let version = row.int(1)?.unwrap_or(FIRST_VERSION);
        Ok(Self { merchant, version, rebuilt_through: row.int(2)?.unwrap_or_default() })
    }

    /// Returns the state after the customers `rebuilt`, of at most `limit`, have got the current version.
    pub(crate) fn after(self, rebuilt: &[StoredTerms], limit: u32) -> (Self, RebuiltChunk) {
        let is_last = rebuilt.len() < limit as usize;
        let version = if is_last { SEARCH_VERSION } else { self.version };
        let rebuilt_through = rebuilt.last().map_or(self.rebuilt_through, |customer| customer.id);
        let chunk = RebuiltChunk { merchant: self.merchant, customers: rebuilt.len() as u64, is_last };
        (Self { version, rebuilt_through, ..self }, chunk)
    }
}

/// The stored search terms of a customer, and those of the current version. Separated by spaces.
pub(crate) struct StoredTerms {
    pub(crate) id: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) old: String,
    pub(crate) new: String,
}

impl StoredTerms {
    /// Returns the columns that [`StoredTerms::decode`] reads.
    pub(crate) fn columns() -> String {
        format!("{}, search_terms", COLUMNS.join(", "))
    }

    pub(crate) fn decode(row: &impl Row) -> Result<Self> {
        let old = row.text(COLUMNS.len())?.unwrap_or_default();
        // A customer that cannot be read keeps its terms: it must not stop the rebuilding of the others.
        let new = decode(row).map_or_else(|_| old.clone(), |customer| search_terms(&customer.details));
        let number = |name| {
            let position = COLUMNS.iter().position(|column| *column == name).unwrap_or_default();
            row.int(position).map(Option::unwrap_or_default)
        };
        Ok(Self {
            id: number("id")?,
            created_at: number("created_at")?,
            updated_at: number("updated_at")?,
            old,
            new,
        })
    }
}
