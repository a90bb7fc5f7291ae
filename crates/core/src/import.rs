//! Imports: customers from an uploaded file, made piece by piece by whoever holds the lease.

use jiff::Timestamp;

use crate::{Actor, ImportId, Language, MerchantId, NewCustomer};

/// Problems of an import that are kept; of the others only their number is.
pub const STORED_PROBLEMS_MAX: u32 = 1000;

/// A file to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    /// The id.
    pub id: ImportId,
    /// The file. Kept until the import is finished.
    pub file: Vec<u8>,
    /// The language of the reasons that problems give.
    pub language: Language,
}

/// How an import stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// When it was asked for.
    pub at: Timestamp,
    /// When it came to its end, if it has.
    pub finished_at: Option<Timestamp>,
    /// The last row of the file that it has gone through.
    pub rows: u32,
    /// Customers that it has made.
    pub customers: u64,
    /// Rows of which it has made none.
    pub refused: u64,
    /// Why it ended before the end of the file.
    pub failure: Option<String>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// The row, as a spreadsheet program shows it.
    pub row: u32,
    /// The field.
    pub column: String,
    /// A sentence.
    pub reason: String,
}

/// The right to go on with an import, until somebody else takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportLease {
    /// Whose import it is.
    pub merchant: MerchantId,
    /// Which one.
    pub import: ImportId,
    /// Grows with every lease: a piece from an earlier one is refused.
    pub fence: i64,
    /// The last row that is done.
    pub rows: u32,
    /// Who asked for the import.
    pub actor: Actor,
    /// The language of reasons.
    pub language: Language,
    /// The file.
    pub file: Vec<u8>,
}

/// Some rows of an import, one operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportChunk {
    /// The last row that this piece goes through.
    pub through: u32,
    /// Customers to make, each with its row. Whoever has a mobile number or an e-mail address that is in use already
    /// becomes a problem.
    pub customers: Vec<(u32, NewCustomer)>,
    /// Rows that cannot become customers. Several problems may stand for one row.
    pub problems: Vec<RowProblem>,
    /// The sentence about a mobile number that is in use.
    pub mobile_used_reason: String,
    /// The sentence about an e-mail address that is in use.
    pub email_used_reason: String,
    /// Whether this is the last piece.
    pub is_last: bool,
    /// Why the rest of the file cannot be read, if it cannot.
    pub failure: Option<String>,
}
