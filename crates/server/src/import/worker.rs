//! The import task: leases unfinished imports and writes them in chunks.
//!
//! A blocking thread reads the file and sends chunks over a channel of capacity one. So memory holds the file and at
//! most two chunks.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use zumra_core::message::{field_label, format_message};
use zumra_core::{
    Clock, GroupId, IdGenerator, Import, ImportChunk, ImportId, ImportLease, Language, LeaseKey, MerchantId,
    MessageCode, Operation, RowProblem,
};
use zumra_spreadsheet::Row;
use zumra_storage::{Storage, StorageError};

use super::file::{CustomerTable, ImportError};
use super::groups::GroupNames;
use super::rows::{NewRow, RowParser};
use crate::app::App;

/// Rows per chunk.
pub(super) const CHUNK_ROWS: usize = 500;
/// Duration of a lease. Every chunk renews it.
const LEASE_TTL: SignedDuration = SignedDuration::from_secs(30);
/// Time between two checks without a notification. They find unfinished imports of another process, or of this process
/// before a restart.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
/// Delay before the next attempt after a storage error.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What [`process_import`] needs besides the import.
#[derive(Clone, Copy)]
pub struct ImportContext<'a> {
    /// The storage that holds the import and gets its customers.
    pub storage: &'a dyn Storage,
    /// The clock for leases and operations.
    pub clock: &'a dyn Clock,
    /// The source of the ids of operations.
    pub ids: &'a IdGenerator,
}

/// Processes imports until the process stops, woken by `import_notifier`.
pub(crate) async fn run_import_task(app: App) {
    loop {
        let context = ImportContext { storage: &*app.storage, clock: &*app.clock, ids: &app.ids };
        match process_import(context, None, &mut |_| {}).await {
            Ok(Some(import)) => log_finished(&import),
            Ok(None) => app.import_notifier.wait(POLL_INTERVAL).await,
            Err(StorageError::LeaseLost) => {
                tracing::info!("import lease lost; another process continues the import");
            }
            Err(error) => {
                tracing::warn!(
                    %error,
                    "import interrupted: {error}; it continues when its lease expires, within {LEASE_TTL:#}"
                );
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

fn log_finished(import: &Import) {
    let Import { created_customers, rejected_rows, .. } = import;
    let (id, failure) = (import.id.get(), import.failure.as_deref());
    tracing::info!(
        import = id,
        created_customers,
        rejected_rows,
        failure,
        "import {id} finished: {created_customers} customers created, {rejected_rows} rows rejected"
    );
}

/// Leases one unfinished import and processes it until it is finished: `import`, or any import if that is `None`.
///
/// Returns its final state, or `None` if no import is available: all are finished or leased by another process.
/// `progress` is called with the state after each chunk.
///
/// # Errors
///
/// [`StorageError::LeaseLost`] if another process holds the lease now. After any error the chunks written so far
/// remain, and the import continues after them when the lease expires.
pub async fn process_import(
    context: ImportContext<'_>,
    import: Option<(MerchantId, ImportId)>,
    progress: &mut (dyn FnMut(&Import) + Send),
) -> Result<Option<Import>, StorageError> {
    let ImportContext { storage, clock, ids } = context;
    let now = clock.now();
    let Some(lease) = storage.lease_import(import, now, now + LEASE_TTL).await? else { return Ok(None) };
    let (key, actor, mut last_row) = (lease.key, lease.actor, lease.last_row);
    let (chunk_sender, mut chunks) = mpsc::channel(1);
    let groups = GroupNames::load(storage, key.merchant).await?;
    let reader = tokio::task::spawn_blocking(move || ChunkReader::new(lease, chunk_sender).run(groups));
    let mut last_state = None;
    while let Some(chunk) = chunks.recv().await {
        let at = clock.now();
        let operation = Operation { proposed_id: ids.next_operation(at), at, actor };
        let until = at + LEASE_TTL;
        let mut written = write_chunk(storage, key, until, chunk, operation).await;
        if let Err(error @ StorageError::IdsUsedUp(_)) = &written {
            // Trying again would not help, so the import ends here.
            let failure = Some(error.to_string());
            let end = ImportChunk { last_row, is_last: true, failure, ..ImportChunk::default() };
            written = storage.write_import_chunk(key, until, end, operation).await;
        }
        let import = written?;
        progress(&import);
        last_row = import.last_row;
        let is_finished = import.finished_at.is_some();
        last_state = Some(import);
        if is_finished {
            break;
        }
    }
    drop(chunks);
    reader.await.map_err(|error| StorageError::Internal(error.to_string()))?;
    Ok(last_state)
}

/// Writes a chunk. Rows whose group was deleted since they were read become problems.
async fn write_chunk(
    storage: &dyn Storage,
    key: LeaseKey,
    until: Timestamp,
    mut chunk: ImportChunk,
    operation: Operation,
) -> Result<Import, StorageError> {
    loop {
        let named_groups = chunk.groups.len();
        let written = storage.write_import_chunk(key, until, chunk.clone(), operation).await;
        let Err(StorageError::MissingGroup(group)) = written else { return written };
        reject_members(&mut chunk, group);
        if chunk.groups.len() == named_groups {
            return written; // no row names this group, so it makes no difference to try again
        }
    }
}

/// Turns the rows that name a group into problems.
fn reject_members(chunk: &mut ImportChunk, group: GroupId) {
    let rows: Vec<u32> =
        chunk.groups.iter().filter(|(_, groups)| groups.contains(&group)).map(|(row, _)| *row).collect();
    for row in rows {
        chunk.groups.remove(&row);
        chunk.customers.retain(|(number, _)| *number != row);
        let reason = chunk.group_missing_reason.clone();
        chunk.problems.push(RowProblem { row, column: "group".to_owned(), reason });
    }
}

/// A reader of the file of a lease, which it sends in chunks.
struct ChunkReader {
    lease: ImportLease,
    chunk_sender: mpsc::Sender<ImportChunk>,
    chunk: ImportChunk,
    rows_read: usize,
}

impl ChunkReader {
    fn new(lease: ImportLease, chunk_sender: mpsc::Sender<ImportChunk>) -> Self {
        let chunk = empty_chunk(lease.language, lease.last_row);
        Self { lease, chunk_sender, chunk, rows_read: 0 }
    }

    /// Sends all chunks, and blocks until they are sent. Stops early if the receiver is gone.
    fn run(mut self, groups: GroupNames) {
        let file = std::mem::take(&mut self.lease.file);
        let language = self.lease.language;
        let mut can_continue = true;
        let result = self.read_file(&file, groups, &mut can_continue);
        if can_continue {
            self.chunk.is_last = true;
            self.chunk.failure = result.err().map(|error| error.message(language));
            // Fails if the receiver stopped after an error. The receiver has already reported that error.
            let _ = self.chunk_sender.blocking_send(self.chunk);
        }
    }

    fn read_file(
        &mut self,
        file: &[u8],
        groups: GroupNames,
        can_continue: &mut bool,
    ) -> Result<(), ImportError> {
        let mut table = CustomerTable::open_checked(file)?;
        let row_parser = RowParser::new(table.columns.clone(), groups, self.lease.language);
        table.read_rows(&mut |row| {
            *can_continue = self.read_row(&row_parser, &row);
            if *can_continue { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(())
    }

    /// Reads the next row. Returns true if reading may continue.
    fn read_row(&mut self, row_parser: &RowParser, row: &Row) -> bool {
        if row.number <= self.lease.last_row {
            return true; // written under an earlier lease
        }
        match row_parser.read(row) {
            Ok(NewRow { customer, groups }) => {
                self.chunk.customers.push((row.number, customer));
                if !groups.is_empty() {
                    self.chunk.groups.insert(row.number, groups);
                }
            }
            Err(problems) => self.chunk.problems.extend(problems),
        }
        self.chunk.last_row = row.number;
        self.rows_read += 1;
        !self.rows_read.is_multiple_of(CHUNK_ROWS) || self.send_chunk()
    }

    /// Sends the chunk and starts the next one. Returns false if the receiver is gone.
    fn send_chunk(&mut self) -> bool {
        let next = empty_chunk(self.lease.language, self.chunk.last_row);
        self.chunk_sender.blocking_send(std::mem::replace(&mut self.chunk, next)).is_ok()
    }
}

/// Returns a chunk without rows, after `last_row`.
fn empty_chunk(language: Language, last_row: u32) -> ImportChunk {
    ImportChunk {
        last_row,
        mobile_used_reason: used_reason(language, "mobile"),
        email_used_reason: used_reason(language, "email"),
        group_missing_reason: format_message(language, MessageCode::Exists, &[("attribute", "group")]),
        ..ImportChunk::default()
    }
}

/// Returns the message about a value of `field` that another customer has.
pub(super) fn used_reason(language: Language, field: &str) -> String {
    let label = field_label(language, field).unwrap_or(field);
    format_message(language, MessageCode::Unique, &[("attribute", label)])
}
