//! Whoever goes through files.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::{Notify, mpsc};
use zumra_core::message::{field_label, format_message};
use zumra_core::{
    Clock, CustomerId, IdGenerator, Import, ImportChunk, ImportId, ImportLease, Language, MerchantId,
    MessageCode, Operation,
};
use zumra_spreadsheet::{FileLimits, Row, read_rows};
use zumra_storage::{Storage, StorageError};

use super::ImportError;
use super::columns::Columns;
use super::rows::Rows;
use crate::App;

/// Rows of one piece.
const PIECE: usize = 500;
/// How long a lease lasts unless a piece is written under it.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// How often somebody looks for an import that another process, or this one before a restart, has left.
const PATROL: Duration = Duration::from_secs(10);
/// How long to wait after the storage failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Calls whoever imports.
#[derive(Default)]
pub(crate) struct Bell(Notify);

impl Bell {
    /// There is a new import.
    pub(crate) fn ring(&self) {
        self.0.notify_one();
    }
}

/// What work on an import needs.
#[derive(Clone, Copy)]
pub struct ImportContext<'a> {
    /// Where it is kept.
    pub storage: &'a dyn Storage,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where ids come from.
    pub ids: &'a IdGenerator,
}

/// Goes through imports whenever there is one, for ever.
pub(crate) async fn run(app: App) {
    loop {
        let of = ImportContext { storage: &*app.storage, clock: &*app.clock, ids: &app.ids };
        match process_import(of, None, &mut |_| {}).await {
            Ok(Some(import)) => tracing::info!(
                import = import.id.get(),
                customers = import.created_customers,
                refused = import.rejected_rows,
                failure = import.failure,
                "an import is finished"
            ),
            Ok(None) => {
                let _ = tokio::time::timeout(PATROL, app.bell.0.notified()).await; // late is as good as called
            }
            Err(StorageError::LeaseLost) => tracing::info!("another process goes on with an import"),
            Err(error) => {
                tracing::warn!(%error, "an import stopped; it goes on when its lease is over");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Takes an import that nobody works on, `which` or any, and goes through it to its end. How it ended; nothing if there
/// is none. `progress` hears how it stands after each piece.
pub async fn process_import(
    of: ImportContext<'_>,
    which: Option<(MerchantId, ImportId)>,
    progress: &mut (dyn FnMut(&Import) + Send),
) -> Result<Option<Import>, StorageError> {
    let now = of.clock.now();
    let Some(lease) = of.storage.lease_import(which, now, now + LEASE).await? else { return Ok(None) };
    let key = lease.key;
    let actor = lease.actor;
    let (pieces, mut waiting) = mpsc::channel(1);
    let reader = tokio::task::spawn_blocking(move || Reading::new(lease, pieces).run());
    let mut last = None;
    while let Some(mut piece) = waiting.recv().await {
        let at = of.clock.now();
        for (_, customer) in &mut piece.customers {
            customer.id = CustomerId::new(of.ids.next(at)).unwrap_or(customer.id);
        }
        let operation = Operation { proposed_id: of.ids.next_operation(at), at, actor };
        let import = of.storage.write_import_chunk(key, at + LEASE, piece, operation).await?;
        progress(&import);
        last = Some(import);
    }
    reader.await.map_err(|error| StorageError::Internal(error.to_string()))?;
    Ok(last)
}

/// A file on its way into pieces, on a thread of its own.
struct Reading {
    lease: ImportLease,
    pieces: mpsc::Sender<ImportChunk>,
    rows: Option<Rows>,
    piece: ImportChunk,
    read: usize,
}

impl Reading {
    fn new(lease: ImportLease, pieces: mpsc::Sender<ImportChunk>) -> Self {
        let piece = empty(lease.language, lease.last_row);
        Self { lease, pieces, rows: None, piece, read: 0 }
    }

    fn run(mut self) {
        let file = std::mem::take(&mut self.lease.file);
        let language = self.lease.language;
        let mut is_open = true;
        let read = read_rows(&file, &FileLimits::default(), &mut |row| {
            is_open = self.take(&row);
            if is_open { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if is_open {
            self.piece.is_last = true;
            self.piece.failure = read.err().map(|error| ImportError::from(error).sentence(language));
            let _ = self.pieces.blocking_send(self.piece); // whoever waited has stopped
        }
    }

    /// Whether to go on.
    fn take(&mut self, row: &Row) -> bool {
        let Some(rows) = &self.rows else {
            let columns = Columns::read(&row.cells);
            self.rows = columns.map(|columns| Rows::new(columns, self.lease.language));
            if self.rows.is_none() {
                self.piece.failure = Some(ImportError::Columns.sentence(self.lease.language));
                self.piece.is_last = true;
                self.send();
                return false;
            }
            return true;
        };
        if row.number <= self.lease.last_row {
            return true; // done under an earlier lease
        }
        match rows.read(row.number, &row.cells) {
            Ok(customer) => self.piece.customers.push((row.number, customer)),
            Err(problems) => self.piece.problems.extend(problems),
        }
        self.piece.last_row = row.number;
        self.read += 1;
        !self.read.is_multiple_of(PIECE) || self.send()
    }

    /// Sends the piece and begins another. Whether anybody takes it.
    fn send(&mut self) -> bool {
        let next = empty(self.lease.language, self.piece.last_row);
        self.pieces.blocking_send(std::mem::replace(&mut self.piece, next)).is_ok()
    }
}

/// A piece with nothing in it yet.
fn empty(language: Language, last_row: u32) -> ImportChunk {
    let taken = |field| {
        let label = field_label(language, field).unwrap_or(field);
        format_message(language, MessageCode::Unique, &[("attribute", label)])
    };
    ImportChunk {
        last_row,
        mobile_used_reason: taken("mobile"),
        email_used_reason: taken("email"),
        ..ImportChunk::default()
    }
}
