//! Imports: customers from uploaded files, written in chunks under a lease.

use std::collections::HashSet;

use async_trait::async_trait;
use zumra_core::{
    Email, Import, ImportChunk, ImportId, ImportLease, LeaseKey, MerchantId, Mobile, NewCustomer, NewImport,
    Operation, RowProblem,
};

use crate::{Contacts, Result};

/// Storage of imports. A process that works on one holds its lease.
#[async_trait]
pub trait Imports: Send + Sync {
    /// Inserts a file to be imported.
    async fn create_import(
        &self,
        merchant: MerchantId,
        import: NewImport,
        operation: Operation,
    ) -> Result<Import>;

    /// Acquires the lease of an unfinished import that no process holds at `now`, until `until`.
    ///
    /// `which` selects one import; `None` selects the oldest of any merchant. Returns `None` if there is none.
    async fn lease_import(
        &self,
        which: Option<(MerchantId, ImportId)>,
        now: jiff::Timestamp,
        until: jiff::Timestamp,
    ) -> Result<Option<ImportLease>>;

    /// Writes a chunk of an import, extends its lease to `until`, and returns the state of the import.
    ///
    /// Idempotent: a chunk that was written before changes nothing.
    ///
    /// # Errors
    ///
    /// [`StorageError::LeaseLost`](crate::StorageError::LeaseLost) if another process holds the lease now.
    async fn write_import_chunk(
        &self,
        lease: LeaseKey,
        until: jiff::Timestamp,
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

/// The mobile numbers and e-mail addresses that a piece would put into use.
pub(crate) fn contacts(piece: &ImportChunk) -> Contacts {
    let customers = || piece.customers.iter().map(|(_, customer)| customer);
    Contacts {
        mobiles: customers().filter_map(mobile).map(str::to_owned).collect(),
        emails: customers().filter_map(|customer| customer.email.as_ref().map(Email::key)).collect(),
    }
}

/// Which customers of a piece can be made, given what others have, and all that is wrong with its rows.
pub(crate) fn sort_out(piece: &ImportChunk, taken: Contacts) -> (Vec<&NewCustomer>, Vec<RowProblem>) {
    let mut mobiles: HashSet<String> = taken.mobiles.into_iter().collect();
    let mut emails: HashSet<String> = taken.emails.into_iter().collect();
    let (mut made, mut problems) = (Vec::new(), piece.problems.clone());
    for (row, customer) in &piece.customers {
        let mut refuse = |column: &str, reason: &str| {
            problems.push(RowProblem { row: *row, column: column.to_owned(), reason: reason.to_owned() });
        };
        let email = customer.email.as_ref().map(Email::key);
        let mobile_is_taken = mobile(customer).is_some_and(|mobile| mobiles.contains(mobile));
        let email_is_taken = email.as_ref().is_some_and(|email| emails.contains(email));
        if mobile_is_taken {
            refuse("mobile", &piece.mobile_used_reason);
        }
        if email_is_taken {
            refuse("email", &piece.email_used_reason);
        }
        if !mobile_is_taken && !email_is_taken {
            mobiles.extend(mobile(customer).map(str::to_owned));
            emails.extend(email);
            made.push(customer);
        }
    }
    problems.sort_by_key(|problem| problem.row);
    (made, problems)
}

/// How many rows have problems.
pub(crate) fn refused_rows(problems: &[RowProblem]) -> u64 {
    problems.iter().map(|problem| problem.row).collect::<HashSet<_>>().len() as u64
}

fn mobile(customer: &NewCustomer) -> Option<&str> {
    customer.mobile.as_ref().map(Mobile::as_str)
}
