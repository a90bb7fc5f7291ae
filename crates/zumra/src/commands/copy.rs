//! `zumra copy`

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use zumra_core::{Clock, SystemClock, SystemEntropy};
use zumra_storage::copy::{self, CopiedTable, CopyEndpoint, CopyError, CopyProgress};
use zumra_storage::postgres::PostgresStorage;
use zumra_storage::sqlite::SqliteStorage;

use crate::database::{Database, DatabaseLocation, absolute, report_created, runtime};
use crate::failure::{Exit, Failure};
use crate::output::{format_count, format_table, print_json, print_line};

/// Copy all data to another database, of the same or the other engine
///
/// Copies merchants, tokens, customers, groups, current and past memberships, operations and imports. Then reads the
/// target back and compares counts and checksums. The target must be empty, or contain the part that an interrupted copy
/// of the same source has written: then the copy continues. It reads one snapshot of the source, so stop its services
/// first: later changes are not copied.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  zumra copy --from sqlite:/var/lib/zumra/zumra.db --to postgres://zumra@db.example/zumra")]
pub(crate) struct Command {
    /// Source database: a path, or postgres://…
    #[arg(long, value_name = "DATABASE")]
    from: Database,
    /// Target database: a path, or postgres://…
    #[arg(long, value_name = "DATABASE")]
    to: Database,
    /// Print the copied tables as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.from == self.to {
            return Err(Failure::usage("--from and --to name the same database").into());
        }
        // Reject an invalid target before opening the source.
        self.from.location()?;
        self.to.location()?;
        let tables = runtime()?.block_on(async {
            let mut from = source(&self.from).await.with_context(|| format!("database {}", self.from))?;
            let mut to = target(&self.to).await.with_context(|| format!("database {}", self.to))?;
            let bar = CopyBar::new();
            copy::copy(&mut *from, &mut *to, &mut |progress| bar.show(progress))
                .await
                .map_err(|error| self.add_context(error))
        })?;
        self.print_result(&tables)
    }

    fn add_context(&self, error: CopyError) -> anyhow::Error {
        match error {
            CopyError::Storage(error) => anyhow::Error::from(error)
                .context("the copy was interrupted; run the command again to continue"),
            CopyError::TargetDiffers { .. } => {
                Failure::new(Exit::NamedObject, format!("database {}: {error}", self.to)).into()
            }
            CopyError::TargetChanged { .. } => {
                Failure::new(Exit::Database, format!("database {}: {error}", self.to)).into()
            }
        }
    }

    fn print_result(&self, tables: &[CopiedTable]) -> anyhow::Result<()> {
        if self.json {
            let tables =
                tables.iter().map(|t| json!({ "table": t.table, "rows": t.rows, "sha256": t.checksum }));
            return print_json(&json!({ "tables": tables.collect::<Vec<_>>() }));
        }
        let rows: u64 = tables.iter().map(|table| table.rows).sum();
        let lines = tables.iter().map(|t| [t.table.to_owned(), t.rows.to_string(), t.checksum.clone()]);
        print_line(format_args!(
            "{}\nCopied {} from {} to {} and verified the checksums.",
            format_table(["TABLE", "ROWS", "SHA-256"], &lines.collect::<Vec<_>>()),
            format_count(rows, "row"),
            self.from,
            self.to
        ))
    }
}

async fn source(database: &Database) -> anyhow::Result<Box<dyn CopyEndpoint>> {
    Ok(match database.location()? {
        DatabaseLocation::File(path) => Box::new(SqliteStorage::source(path)?),
        DatabaseLocation::Server(options) => Box::new(PostgresStorage::source(&options).await?),
    })
}

async fn target(database: &Database) -> anyhow::Result<Box<dyn CopyEndpoint>> {
    let now = SystemClock.now();
    Ok(match database.location()? {
        DatabaseLocation::File(path) => {
            let is_new = !path.exists();
            let target = SqliteStorage::target(path, now)?;
            if is_new {
                report_created(&absolute(path));
            }
            Box::new(target)
        }
        DatabaseLocation::Server(options) => {
            Box::new(PostgresStorage::target(&options, now, &SystemEntropy).await?)
        }
    })
}

/// A progress bar on standard error, shown only on a terminal.
struct CopyBar(ProgressBar);

impl CopyBar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        let template = "{msg:9} {wide_bar} {human_pos}/{human_len} rows, {eta} left";
        // An invalid template must not stop the copy.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn show(&self, progress: CopyProgress) {
        match progress {
            CopyProgress::Total(rows) => {
                self.0.set_length(2 * rows);
                self.0.set_message("copying");
            }
            CopyProgress::Copied(rows) => self.0.inc(rows),
            CopyProgress::Verified(rows) => {
                self.0.set_message("verifying");
                self.0.inc(rows);
            }
        }
    }
}

impl Drop for CopyBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
