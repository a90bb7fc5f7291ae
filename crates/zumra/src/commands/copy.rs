//! `zumra copy`: a whole installation moves from one database to another, of whichever engine.

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use zumra_core::{Clock, SystemClock, SystemEntropy};
use zumra_storage::copy::{self, CopiedTable, CopyEndpoint, CopyError, CopyProgress};
use zumra_storage::postgres::PostgresStorage;
use zumra_storage::sqlite::SqliteStorage;

use crate::database::{Database, Place, runtime};
use crate::failure::{Exit, Failure};
use crate::output::{count, say_json, say_line, table};

/// Copy a whole installation to another database, of the same engine or the other one
///
/// Everything goes: merchants, tokens, customers, groups, memberships past and present, operations. What was written is
/// read back and compared by count and checksum. The target must be empty, or hold the beginning that an interrupted
/// copy of the same source has left: then the copy goes on from there. What is copied is the source at one moment, so
/// stop the services on it first, or what they change meanwhile stays behind.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  zumra copy --from sqlite:/var/lib/zumra/zumra.db --to postgres://zumra@db.example/zumra")]
pub(crate) struct Command {
    /// The database to copy: a path, or postgres://…
    #[arg(long, value_name = "DATABASE")]
    from: Database,
    /// The database to fill: a path, or postgres://…
    #[arg(long, value_name = "DATABASE")]
    to: Database,
    /// Print what was copied as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.from == self.to {
            return Err(Failure::usage("--from and --to name the same database").into());
        }
        // Both are looked at before either is touched.
        self.from.place()?;
        self.to.place()?;
        let tables = runtime()?.block_on(async {
            let mut from = source(&self.from).await.with_context(|| format!("database {}", self.from))?;
            let mut to = target(&self.to).await.with_context(|| format!("database {}", self.to))?;
            let bar = Bar::new();
            copy::copy(&mut *from, &mut *to, &mut |progress| bar.show(progress))
                .await
                .map_err(|error| self.explain(error))
        })?;
        self.say(&tables)
    }

    fn explain(&self, error: CopyError) -> anyhow::Error {
        match error {
            CopyError::Storage(error) => anyhow::Error::from(error)
                .context("the copy stopped; begun again it goes on from where it was"),
            CopyError::TargetDiffers { .. } => {
                Failure::new(Exit::Named, format!("database {}: {error}", self.to)).into()
            }
            CopyError::TargetChanged { .. } => {
                Failure::new(Exit::Database, format!("database {}: {error}", self.to)).into()
            }
        }
    }

    fn say(&self, tables: &[CopiedTable]) -> anyhow::Result<()> {
        if self.json {
            let tables =
                tables.iter().map(|t| json!({ "table": t.table, "rows": t.rows, "sha256": t.checksum }));
            return say_json(&json!({ "tables": tables.collect::<Vec<_>>() }));
        }
        let rows: u64 = tables.iter().map(|table| table.rows).sum();
        let lines = tables.iter().map(|t| [t.table.to_owned(), t.rows.to_string(), t.checksum.clone()]);
        say_line(format_args!(
            "{}\nCopied {} from {} to {}; read back, they are the same.",
            table(["TABLE", "ROWS", "SHA-256"], &lines.collect::<Vec<_>>()),
            count(rows, "row"),
            self.from,
            self.to
        ))
    }
}

async fn source(database: &Database) -> anyhow::Result<Box<dyn CopyEndpoint>> {
    Ok(match database.place()? {
        Place::File(path) => Box::new(SqliteStorage::source(path)?),
        Place::Server(options) => Box::new(PostgresStorage::source(&options).await?),
    })
}

async fn target(database: &Database) -> anyhow::Result<Box<dyn CopyEndpoint>> {
    let now = SystemClock.now();
    Ok(match database.place()? {
        Place::File(path) => Box::new(SqliteStorage::target(path, now)?),
        Place::Server(options) => Box::new(PostgresStorage::target(&options, now, &SystemEntropy).await?),
    })
}

/// A bar on standard error, if somebody is looking at it.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        let template = "{msg:9} {wide_bar} {human_pos}/{human_len} rows, {eta} left";
        // A template that does not parse is no reason not to copy.
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
                self.0.set_message("checking");
                self.0.inc(rows);
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
