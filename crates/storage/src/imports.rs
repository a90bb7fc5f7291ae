//! Imports: customers from uploaded files, written in chunks under a lease.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;
use zumra_core::{
    CustomerId, Email, FileDetails, GroupId, IdSet, Import, ImportChunk, ImportId, ImportLease, Language,
    LeaseKey, MerchantId, Mobile, NewCustomer, NewImport, Operation, RowProblem,
};

use crate::row::{Row, RowReader};
use crate::{Contacts, Result, StorageError};

/// Storage of imports. A process that works on one holds its lease.
#[async_trait]
pub trait Imports: Send + Sync {
    /// Inserts a file to be imported, under a new id.
    ///
    /// # Errors
    ///
    /// [`StorageError::IdsUsedUp`] if no id is left.
    async fn create_import(
        &self,
        merchant: MerchantId,
        import: NewImport,
        operation: Operation,
    ) -> Result<Import>;

    /// Acquires the lease of an unfinished import that no process holds at `now`, until `until`.
    ///
    /// `import` selects one; `None` selects the oldest of any merchant. Returns `None` if there is none.
    async fn lease_import(
        &self,
        import: Option<(MerchantId, ImportId)>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<ImportLease>>;

    /// Writes a chunk of an import, extends its lease to `until`, and returns the state of the import.
    ///
    /// Idempotent: a chunk that was written before changes nothing.
    ///
    /// # Errors
    ///
    /// [`StorageError::LeaseLost`] if another process holds the lease now; [`StorageError::MissingGroup`] if a group of the
    /// chunk does not exist; [`StorageError::IdsUsedUp`] if the customers of the chunk do not get ids.
    async fn write_import_chunk(
        &self,
        lease: LeaseKey,
        until: Timestamp,
        chunk: ImportChunk,
        operation: Operation,
    ) -> Result<Import>;

    /// Returns at most `limit` imports of the merchant, newest first.
    async fn list_imports(&self, merchant: MerchantId, limit: u32) -> Result<Vec<Import>>;

    /// Returns one import and its stored row problems, or `None` if the merchant has no such import.
    async fn find_import(
        &self,
        merchant: MerchantId,
        import: ImportId,
    ) -> Result<Option<(Import, Vec<RowProblem>)>>;
}

/// The columns that [`decode`] reads.
pub(crate) const COLUMNS: &str =
    "id, at, finished_at, last_row, created_customers, rejected_rows, failure, file_details";

/// Decodes a row with the columns of [`COLUMNS`].
pub(crate) fn decode(row: &impl Row) -> Result<Import> {
    let mut row = RowReader::new(row, "imports");
    Ok(Import {
        id: row.id("id", ImportId::new)?,
        at: row.time("at")?,
        finished_at: row.optional_time("finished_at")?,
        last_row: row.count("last_row")?,
        created_customers: row.count("created_customers")?,
        rejected_rows: row.count("rejected_rows")?,
        failure: row.optional_text()?,
        details: row.optional_parsed("file_details", |text| serde_json::from_str(text))?,
    })
}

/// Returns the state of an import that was created at `at`.
pub(crate) fn created_import(id: ImportId, new: &NewImport, at: Timestamp) -> Import {
    Import {
        id,
        at,
        finished_at: None,
        last_row: 0,
        created_customers: 0,
        rejected_rows: 0,
        failure: None,
        details: Some(new.details.clone()),
    }
}

/// The columns that [`decode_lease`] reads; the file follows them.
pub(crate) const LEASE_COLUMNS: &str = "merchant_id, id, fencing_token, last_row, actor, language";

/// Number of [`LEASE_COLUMNS`]: the file is at this index.
pub(crate) const LEASE_COLUMN_COUNT: usize = 6;

/// Decodes a row with the columns of [`LEASE_COLUMNS`].
pub(crate) fn decode_lease(row: &impl Row, file: Vec<u8>) -> Result<ImportLease> {
    let mut row = RowReader::new(row, "imports");
    Ok(ImportLease {
        key: LeaseKey {
            merchant: row.id("merchant_id", MerchantId::new)?,
            import: row.id("id", ImportId::new)?,
            fencing_token: row.int("fencing_token")?,
        },
        last_row: row.count("last_row")?,
        actor: row.parsed("actor", str::parse)?,
        language: row.parsed("language", |code| Language::from_code(code).ok_or("is unknown"))?,
        file,
    })
}

/// The state of an import that decides what writing a chunk does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImportState {
    /// The fencing token of the current lease.
    pub(crate) fencing_token: i64,
    /// The last row that was processed.
    pub(crate) last_row: u32,
    /// True after the last chunk.
    pub(crate) is_finished: bool,
}

impl ImportState {
    /// Decodes the columns `fencing_token, last_row, finished_at IS NOT NULL`.
    pub(crate) fn decode(row: &impl Row) -> Result<Self> {
        let mut row = RowReader::new(row, "imports");
        Ok(Self {
            fencing_token: row.int("fencing_token")?,
            last_row: row.count("last_row")?,
            is_finished: row.flag()?,
        })
    }

    /// Returns true if `chunk` is to be written, false if it was written before.
    ///
    /// # Errors
    ///
    /// [`StorageError::LeaseLost`] if another process has taken the lease since.
    pub(crate) fn accepts(&self, lease: &LeaseKey, chunk: &ImportChunk) -> Result<bool> {
        if self.fencing_token != lease.fencing_token {
            return Err(StorageError::LeaseLost);
        }
        Ok(!self.is_finished && (chunk.last_row > self.last_row || chunk.is_last))
    }
}

/// Returns the mobile numbers and email addresses of the customers of a chunk.
pub(crate) fn contacts(chunk: &ImportChunk) -> Contacts {
    let customers = || chunk.customers.iter().map(|(_, customer)| customer);
    Contacts {
        mobiles: customers().filter_map(mobile).map(str::to_owned).collect(),
        emails: customers().filter_map(|customer| customer.email.as_ref().map(Email::key)).collect(),
    }
}

/// Returns the stored form of the details of a file, JSON.
pub(crate) fn details_json(details: &FileDetails) -> Result<String> {
    serde_json::to_string(details).map_err(|error| StorageError::Internal(error.to_string()))
}

/// What a chunk writes.
pub(crate) struct ChunkPlan<'c> {
    /// The customers to insert.
    pub(crate) customers: Vec<&'c NewCustomer>,
    /// The groups of each of them besides the default group, in the same order.
    pub(crate) groups: Vec<&'c [GroupId]>,
    /// All problems of its rows, by row.
    pub(crate) problems: Vec<RowProblem>,
    /// Number of rows with at least one problem.
    pub(crate) rejected_rows: u64,
}

impl ChunkPlan<'_> {
    /// Returns the groups that any of the customers joins, besides the default group.
    pub(crate) fn all_groups(&self) -> IdSet<GroupId> {
        self.groups.iter().copied().flatten().copied().collect()
    }

    /// Returns the members of each group besides the default group. `ids` are those of the customers.
    pub(crate) fn members(&self, ids: &[CustomerId]) -> BTreeMap<GroupId, IdSet<CustomerId>> {
        let mut members: BTreeMap<GroupId, Vec<CustomerId>> = BTreeMap::new();
        for (id, groups) in ids.iter().zip(&self.groups) {
            for group in *groups {
                members.entry(*group).or_default().push(*id);
            }
        }
        members.into_iter().map(|(group, customers)| (group, customers.into_iter().collect())).collect()
    }
}

/// Plans a chunk: a customer whose mobile number or email address is in `used`, or occurs earlier in the chunk,
/// becomes a problem instead.
pub(crate) fn plan_chunk(chunk: &ImportChunk, used: Contacts) -> ChunkPlan<'_> {
    let mut mobiles: HashSet<String> = used.mobiles.into_iter().collect();
    let mut emails: HashSet<String> = used.emails.into_iter().collect();
    let (mut customers, mut groups, mut problems) = (Vec::new(), Vec::new(), chunk.problems.clone());
    for (row, customer) in &chunk.customers {
        let mut reject = |column: &str, reason: &str| {
            problems.push(RowProblem { row: *row, column: column.to_owned(), reason: reason.to_owned() });
        };
        let email = customer.email.as_ref().map(Email::key);
        let is_mobile_used = mobile(customer).is_some_and(|mobile| mobiles.contains(mobile));
        let is_email_used = email.as_ref().is_some_and(|email| emails.contains(email));
        if is_mobile_used {
            reject("mobile", &chunk.mobile_used_reason);
        }
        if is_email_used {
            reject("email", &chunk.email_used_reason);
        }
        if !is_mobile_used && !is_email_used {
            mobiles.extend(mobile(customer).map(str::to_owned));
            emails.extend(email);
            customers.push(customer);
            groups.push(chunk.groups.get(row).map_or(&[][..], Vec::as_slice));
        }
    }
    problems.sort_by_key(|problem| problem.row);
    let rejected_rows = problems.iter().map(|problem| problem.row).collect::<HashSet<_>>().len() as u64;
    ChunkPlan { customers, groups, problems, rejected_rows }
}

fn mobile(customer: &NewCustomer) -> Option<&str> {
    customer.mobile.as_ref().map(Mobile::as_str)
}
