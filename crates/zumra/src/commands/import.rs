//! `zumra import`: customers from a spreadsheet.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use zumra_core::{Import, ImportId, Language, MerchantId, NewImport, RowProblem, SystemClock};
use zumra_server::import::{ImportContext, TEMPLATE, check_file, process_import};

use crate::config::{self, DatabaseOption, Given};
use crate::database::{Database, IfMissing, Session, with_session};
use crate::failure::{Exit, Failure};
use crate::output::{count, exact, minute, say, say_json, table};

/// Problems that are shown of an import.
const SHOWN: usize = 20;
/// Imports that are shown of a merchant.
const LISTED: u32 = 50;

/// Import customers from an xlsx or csv file
///
/// The first row names the columns; `zumra import template` prints those that are known, and Arabic names work too. Every
/// row becomes a new customer, who joins the default group. A row that lacks something, or whose mobile number or e-mail
/// address is in use, is left out, and said. An import that was interrupted goes on when a service runs on the database.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  zumra import customers.xlsx --merchant 1305146709
  zumra import template > customers.csv
  zumra import status --merchant 1305146709"
)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Option<Action>,
    /// The file
    #[arg(value_name = "FILE", required = true)]
    path: Option<PathBuf>,
    /// The merchant whose customers they are
    #[arg(long, value_name = "ID", required = true)]
    merchant: Option<MerchantId>,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print how it ended as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Action {
    Status(Status),
    Template(Template),
}

/// Show how imports stand, those that came over the API too
#[derive(clap::Args)]
struct Status {
    /// One import, with what was wrong with its rows [default: all of the merchant, newest first]
    #[arg(value_name = "IMPORT")]
    import: Option<ImportId>,
    /// The merchant
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Print a csv file with every column that is known, and one row
#[derive(clap::Args)]
struct Template {}

impl Command {
    pub(crate) fn run(self, given: &Given) -> anyhow::Result<()> {
        match (self.action, self.path, self.merchant) {
            (Some(Action::Status(status)), ..) => status.run(given),
            (Some(Action::Template(_)), ..) => say(TEMPLATE),
            (None, Some(path), Some(merchant)) => {
                let database = config::database(given, self.database)?;
                import(&path, merchant, &database, self.json)
            }
            (None, ..) => Err(Failure::usage("name a file and --merchant").into()),
        }
    }
}

fn import(path: &Path, merchant: MerchantId, database: &Database, as_json: bool) -> anyhow::Result<()> {
    let name = path.display().to_string();
    let wrong = |problem: &dyn std::fmt::Display| Failure::usage(format!("{name}: {problem}"));
    let file = std::fs::read(path).map_err(|error| wrong(&error))?;
    let rows = check_file(&file).map_err(|error| wrong(&error))?;
    let (import, problems) = with_session(database, IfMissing::Refuse, async |session| {
        session.require_merchant(merchant).await?;
        go_through(session, merchant, file, rows).await
    })?;
    if as_json {
        return say_json(&view(&import, &problems));
    }
    say(describe(&name, &import, &problems))
}

async fn go_through(
    session: &Session,
    merchant: MerchantId,
    file: Vec<u8>,
    rows: u32,
) -> anyhow::Result<(Import, Vec<RowProblem>)> {
    let operation = session.operation();
    let id = ImportId::new(session.ids.next(operation.at)).unwrap_or(ImportId::FIRST);
    let import = NewImport { id, file, language: Language::English };
    session.storage.create_import(merchant, import, operation).await?;
    let bar = ProgressBar::new(u64::from(rows) + 1);
    // A template that does not parse is no reason not to import.
    if let Ok(style) =
        ProgressStyle::with_template("importing {wide_bar} {human_pos}/{human_len} rows, {eta} left")
    {
        bar.set_style(style);
    }
    let of = ImportContext { storage: &*session.storage, clock: &SystemClock, ids: &session.ids };
    let worked =
        process_import(of, Some((merchant, id)), &mut |import| bar.set_position(u64::from(import.last_row)))
            .await;
    bar.finish_and_clear();
    worked?;
    find(session, merchant, id).await
}

async fn find(
    session: &Session,
    merchant: MerchantId,
    id: ImportId,
) -> anyhow::Result<(Import, Vec<RowProblem>)> {
    let found = session.storage.find_import(merchant, id).await?;
    let missing = || Failure::new(Exit::Named, format!("merchant {merchant} has no import {id}"));
    Ok(found.ok_or_else(missing)?)
}

impl Status {
    fn run(self, given: &Given) -> anyhow::Result<()> {
        let database = config::database(given, self.database)?;
        with_session(&database, IfMissing::Refuse, async |session| {
            session.require_merchant(self.merchant).await?;
            let Some(id) = self.import else {
                let imports = session.storage.list_imports(self.merchant, LISTED).await?;
                return say_all(&imports, self.json);
            };
            let (import, problems) = find(session, self.merchant, id).await?;
            if self.json {
                return say_json(&view(&import, &problems));
            }
            say(describe(&format!("Import {id}"), &import, &problems))
        })
    }
}

fn say_all(imports: &[Import], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return say_json(&imports.iter().map(|import| view(import, &[])).collect());
    }
    let row = |import: &Import| {
        [
            import.id.to_string(),
            minute(import.at),
            state(import).to_owned(),
            import.last_row.to_string(),
            import.created_customers.to_string(),
            import.rejected_rows.to_string(),
        ]
    };
    let rows: Vec<_> = imports.iter().map(row).collect();
    say(table(["ID", "BEGUN", "STATE", "ROWS", "CUSTOMERS", "REFUSED"], &rows))
}

fn state(import: &Import) -> &'static str {
    match (import.finished_at, &import.failure) {
        (None, _) => "processing",
        (Some(_), None) => "completed",
        (Some(_), Some(_)) => "failed",
    }
}

fn view(import: &Import, problems: &[RowProblem]) -> Value {
    let problem = |p: &RowProblem| json!({"row": p.row, "column": p.column, "reason": p.reason});
    json!({
        "id": import.id, "status": state(import), "created_at": exact(import.at),
        "finished_at": import.finished_at.map(exact), "rows": import.last_row, "customers": import.created_customers,
        "refused": import.rejected_rows, "failure": import.failure,
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

fn describe(name: &str, import: &Import, problems: &[RowProblem]) -> String {
    let mut text = format!(
        "{name}: {}, {} made, {} refused.\n",
        state(import),
        count(import.created_customers, "customer"),
        count(import.rejected_rows, "row"),
    );
    if let Some(failure) = &import.failure {
        text += "It ended after row ";
        text += &import.last_row.to_string();
        text += ": ";
        text += failure;
        text += "\n";
    }
    if !problems.is_empty() {
        let row = |p: &RowProblem| [p.row.to_string(), p.column.clone(), p.reason.clone()];
        let rows: Vec<_> = problems.iter().take(SHOWN).map(row).collect();
        text += "\n";
        text += &table(["ROW", "COLUMN", "PROBLEM"], &rows);
    }
    if problems.len() > SHOWN {
        text += "and more, which `zumra import status` shows with --json.\n";
    }
    text
}
