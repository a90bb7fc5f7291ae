//! A rehearsal of an import: every row is read and compared with the stored customers, and nothing is stored.

use std::collections::HashSet;

use zumra_core::import::STORED_PROBLEMS_MAX;
use zumra_core::{Email, Language, MerchantId, Mobile, NewCustomer, RowProblem};
use zumra_storage::{Contacts, Storage, StorageError};

use super::file::{CheckedFile, CustomerTable};
use super::groups::GroupNames;
use super::rows::RowParser;
use super::worker::{CHUNK_ROWS, used_reason};

/// What an import of a file would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryRun {
    /// Number of customers that would be created.
    pub customers: u64,
    /// Number of rows that would be rejected.
    pub rejected_rows: u64,
    /// Their problems, the first thousand.
    pub problems: Vec<RowProblem>,
}

/// Reads a checked file as [`super::process_import`] does, and stores nothing.
///
/// # Errors
///
/// An error of the storage, or [`StorageError::Internal`] if the file cannot be read after all.
pub async fn dry_run(
    storage: &dyn Storage,
    merchant: MerchantId,
    file: &CheckedFile,
    language: Language,
) -> Result<DryRun, StorageError> {
    let groups = GroupNames::load(storage, merchant).await?;
    let mut table =
        CustomerTable::open_checked(&file.file).map_err(|e| StorageError::Internal(e.to_string()))?;
    let parser = RowParser::new(table.columns.clone(), groups, language);
    let (mut customers, mut problems) = (Vec::new(), Vec::new());
    table
        .read_rows(&mut |row| {
            match parser.read(&row) {
                Ok(new) => customers.push((row.number, contacts_of(&new.customer))),
                Err(found) => problems.extend(found),
            }
            std::ops::ControlFlow::Continue(())
        })
        .map_err(|e| StorageError::Internal(e.to_string()))?;
    let mut rehearsal = Rehearsal { language, ..Rehearsal::default() };
    rehearsal.problems = problems;
    for chunk in customers.chunks(CHUNK_ROWS) {
        let contacts = Contacts {
            mobiles: chunk.iter().filter_map(|(_, (mobile, _))| mobile.clone()).collect(),
            emails: chunk.iter().filter_map(|(_, (_, email))| email.clone()).collect(),
        };
        let used = storage.find_used_contacts(merchant, contacts, None).await?;
        rehearsal.mobiles.extend(used.mobiles);
        rehearsal.emails.extend(used.emails);
        for (row, (mobile, email)) in chunk {
            rehearsal.add(*row, mobile.as_deref(), email.as_deref());
        }
    }
    Ok(rehearsal.finish())
}

/// Mobile number and email address of a customer, as they are compared.
type ContactsOfRow = (Option<String>, Option<String>);

fn contacts_of(customer: &NewCustomer) -> ContactsOfRow {
    (customer.mobile.as_ref().map(Mobile::as_str).map(str::to_owned), customer.email.as_ref().map(Email::key))
}

#[derive(Default)]
struct Rehearsal {
    language: Language,
    mobiles: HashSet<String>,
    emails: HashSet<String>,
    customers: u64,
    problems: Vec<RowProblem>,
}

impl Rehearsal {
    fn add(&mut self, row: u32, mobile: Option<&str>, email: Option<&str>) {
        let language = self.language;
        let mut problem = |field: &str| {
            let reason = used_reason(language, field);
            self.problems.push(RowProblem { row, column: field.to_owned(), reason });
        };
        let is_mobile_used = mobile.is_some_and(|mobile| self.mobiles.contains(mobile));
        let is_email_used = email.is_some_and(|email| self.emails.contains(email));
        if is_mobile_used {
            problem("mobile");
        }
        if is_email_used {
            problem("email");
        }
        if !is_mobile_used && !is_email_used {
            self.customers += 1;
            self.mobiles.extend(mobile.map(str::to_owned));
            self.emails.extend(email.map(str::to_owned));
        }
    }

    fn finish(mut self) -> DryRun {
        self.problems.sort_by_key(|problem| problem.row);
        let rejected_rows =
            self.problems.iter().map(|problem| problem.row).collect::<HashSet<_>>().len() as u64;
        self.problems.truncate(STORED_PROBLEMS_MAX as usize);
        DryRun { customers: self.customers, rejected_rows, problems: self.problems }
    }
}
