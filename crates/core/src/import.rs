//! Imports: customers created from an uploaded file, in chunks, by the process that holds the lease.
//!
//! What belongs here: the state of an import, its lease and its chunks. Reading files and matching columns belong to
//! the server.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Actor, GroupId, ImportId, Language, MerchantId, NewCustomer};

/// Maximum number of problems stored per import; later problems are only counted.
pub const STORED_PROBLEMS_MAX: u32 = 1000;

/// A file to import. The storage assigns the id of the import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    /// Content of the file. Stored until the import is finished.
    pub file: Vec<u8>,
    /// Language of the messages in [`RowProblem::reason`].
    pub language: Language,
    /// How the file is read.
    pub details: FileDetails,
}

/// How a file is read: what its user may not expect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDetails {
    /// Name of the sheet, if the file is a workbook.
    pub sheet: Option<String>,
    /// Name of the encoding, if the file is a text.
    pub encoding: Option<String>,
    /// Number of the row that names the columns.
    pub header_row: u32,
    /// Names of the columns that are not known, and are ignored.
    pub unknown_columns: Vec<String>,
}

/// State of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Unique within the merchant.
    pub id: ImportId,
    /// When the client uploaded the file.
    pub at: Timestamp,
    /// When the last chunk was written; `None` while the import is running.
    pub finished_at: Option<Timestamp>,
    /// Number of the last row processed so far; 0 before the first chunk.
    pub last_row: u32,
    /// Number of customers created.
    pub created_customers: u64,
    /// Number of rows from which no customer was created.
    pub rejected_rows: u64,
    /// Why the import stopped before the end of the file, if it did.
    pub failure: Option<String>,
    /// How the file is read; `None` for an import of an earlier version.
    pub details: Option<FileDetails>,
}

/// A reason why no customer was created from a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// Row number as a spreadsheet program shows it: the first row is 1.
    pub row: u32,
    /// Name of the field.
    pub column: String,
    /// Message in the language of the import.
    pub reason: String,
}

/// The right to write chunks of an import until the lease expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportLease {
    /// Identifies the import and this lease.
    pub key: LeaseKey,
    /// Number of the last row already processed; continue with the next one.
    pub last_row: u32,
    /// Who uploaded the file.
    pub actor: Actor,
    /// Language of the messages in [`RowProblem::reason`].
    pub language: Language,
    /// Content of the file.
    pub file: Vec<u8>,
}

/// The key of an import and of the lease under which a chunk is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseKey {
    /// The merchant that owns the import.
    pub merchant: MerchantId,
    /// The import.
    pub import: ImportId,
    /// Incremented by every lease. Storage rejects chunks with an older token.
    pub fencing_token: i64,
}

/// Consecutive rows of an import, written as one operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportChunk {
    /// Number of the last row in this chunk.
    pub last_row: u32,
    /// Customers to create, each with its row number. A customer whose mobile number or email is already used becomes
    /// a problem.
    pub customers: Vec<(u32, NewCustomer)>,
    /// The groups of these customers besides the default group, by row.
    pub groups: BTreeMap<u32, Vec<GroupId>>,
    /// Problems of invalid rows. A row may have several.
    pub problems: Vec<RowProblem>,
    /// Message for a mobile number that is already used.
    pub mobile_used_reason: String,
    /// Message for an email that is already used.
    pub email_used_reason: String,
    /// Message for a group that was deleted after the row was read.
    pub group_missing_reason: String,
    /// True if this is the last chunk.
    pub is_last: bool,
    /// Why the rest of the file cannot be read, if it cannot.
    pub failure: Option<String>,
}
