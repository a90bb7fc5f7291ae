//! Imports: customers created from an uploaded file.
//!
//! What belongs here: everything between a file and the storage. The process that holds the lease of an import writes
//! it in chunks. A chunk is one operation in one transaction, so a process that stops or loses its lease leaves no
//! partial chunk.

mod columns;
mod countries;
mod digits;
mod dry_run;
mod file;
mod groups;
mod names;
mod rows;
mod worker;

pub use columns::{TEMPLATE, known_names};
pub use dry_run::{DryRun, dry_run};
pub use file::{CheckedFile, ImportError, check_file};
pub(crate) use worker::run_import_task;
pub use worker::{ImportContext, process_import};
pub use zumra_spreadsheet::TextEncoding;
