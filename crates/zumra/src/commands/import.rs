//! `zumra import`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use zumra_core::{Import, ImportId, Language, MerchantId, NewImport, RowProblem, SystemClock};
use zumra_server::import::{ImportContext, TEMPLATE, check_file, process_import};

use crate::config::{self, CommandLine, DatabaseOption};
use crate::database::{Database, IfMissing, Session, with_session};
use crate::failure::{Exit, Failure};
use crate::output::{format_count, format_micros, format_minute, format_table, print, print_json};

/// Maximum number of row problems in text output.
const PROBLEM_LIMIT: usize = 20;
/// Maximum number of imports in a list.
const LIST_LIMIT: u32 = 50;

/// Import customers from an xlsx or csv file
///
/// The first row contains the column names, in English or Arabic; `zumra import template` prints them. Each row becomes
/// a new customer in the default group. Rows with missing fields, or with a mobile number or email address that is
/// already used, are skipped and listed. A service on the same database continues an interrupted import.
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
    /// Spreadsheet to import
    #[arg(value_name = "FILE", required = true)]
    path: Option<PathBuf>,
    /// Merchant of the customers
    #[arg(long, value_name = "ID", required = true)]
    merchant: Option<MerchantId>,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Action {
    Status(Status),
    Template(Template),
}

/// Show the progress of imports, including those uploaded over the API
#[derive(clap::Args)]
struct Status {
    /// Import to show, with the problems of its rows [default: all of the merchant, newest first]
    #[arg(value_name = "IMPORT")]
    import: Option<ImportId>,
    /// Merchant of the imports
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Print a csv file with all known columns and an example row
#[derive(clap::Args)]
struct Template {}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        match (self.action, self.path, self.merchant) {
            (Some(Action::Status(status)), ..) => status.run(command_line),
            (Some(Action::Template(_)), ..) => print(TEMPLATE),
            (None, Some(path), Some(merchant)) => {
                let database = config::database(command_line, self.database)?;
                import(&path, merchant, &database, self.json)
            }
            (None, ..) => Err(Failure::usage("pass a file and --merchant").into()),
        }
    }
}

fn import(path: &Path, merchant: MerchantId, database: &Database, as_json: bool) -> anyhow::Result<()> {
    let name = path.display().to_string();
    let invalid = |problem: &dyn std::fmt::Display| Failure::usage(format!("{name}: {problem}"));
    let file = std::fs::read(path).map_err(|error| invalid(&error))?;
    let rows = check_file(&file).map_err(|error| invalid(&error))?;
    let (import, problems) = with_session(database, IfMissing::Fail, async |session| {
        session.require_merchant(merchant).await?;
        create_and_process(session, merchant, file, rows).await
    })?;
    if as_json {
        return print_json(&import_json(&import, &problems));
    }
    print(describe(&name, &import, &problems))
}

async fn create_and_process(
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
    // An invalid template must not stop the import.
    if let Ok(style) =
        ProgressStyle::with_template("importing {wide_bar} {human_pos}/{human_len} rows, {eta} left")
    {
        bar.set_style(style);
    }
    let context = ImportContext { storage: &*session.storage, clock: &SystemClock, ids: &session.ids };
    let result = process_import(context, Some((merchant, id)), &mut |import| {
        bar.set_position(u64::from(import.last_row));
    })
    .await;
    bar.finish_and_clear();
    result?;
    find(session, merchant, id).await
}

async fn find(
    session: &Session,
    merchant: MerchantId,
    id: ImportId,
) -> anyhow::Result<(Import, Vec<RowProblem>)> {
    let found = session.storage.find_import(merchant, id).await?;
    let missing = || Failure::new(Exit::NamedObject, format!("merchant {merchant} has no import {id}"));
    Ok(found.ok_or_else(missing)?)
}

impl Status {
    fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let database = config::database(command_line, self.database)?;
        with_session(&database, IfMissing::Fail, async |session| {
            session.require_merchant(self.merchant).await?;
            let Some(id) = self.import else {
                let imports = session.storage.list_imports(self.merchant, LIST_LIMIT).await?;
                return print_list(&imports, self.json);
            };
            let (import, problems) = find(session, self.merchant, id).await?;
            if self.json {
                return print_json(&import_json(&import, &problems));
            }
            print(describe(&format!("Import {id}"), &import, &problems))
        })
    }
}

fn print_list(imports: &[Import], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return print_json(&imports.iter().map(|import| import_json(import, &[])).collect());
    }
    let row = |import: &Import| {
        [
            import.id.to_string(),
            format_minute(import.at),
            state(import).to_owned(),
            import.last_row.to_string(),
            import.created_customers.to_string(),
            import.rejected_rows.to_string(),
        ]
    };
    let rows: Vec<_> = imports.iter().map(row).collect();
    print(format_table(["ID", "CREATED", "STATE", "ROWS", "CUSTOMERS", "REJECTED"], &rows))
}

fn state(import: &Import) -> &'static str {
    match (import.finished_at, &import.failure) {
        (None, _) => "processing",
        (Some(_), None) => "completed",
        (Some(_), Some(_)) => "failed",
    }
}

fn import_json(import: &Import, problems: &[RowProblem]) -> Value {
    let problem = |p: &RowProblem| json!({"row": p.row, "column": p.column, "reason": p.reason});
    json!({
        "id": import.id, "status": state(import), "created_at": format_micros(import.at),
        "finished_at": import.finished_at.map(format_micros), "rows": import.last_row, "customers": import.created_customers,
        "rejected": import.rejected_rows, "failure": import.failure,
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

fn describe(name: &str, import: &Import, problems: &[RowProblem]) -> String {
    let mut text = format!(
        "{name}: {}, {} created, {} rejected.\n",
        state(import),
        format_count(import.created_customers, "customer"),
        format_count(import.rejected_rows, "row"),
    );
    if let Some(failure) = &import.failure {
        text += "Failed after row ";
        text += &import.last_row.to_string();
        text += ": ";
        text += failure;
        text += "\n";
    }
    if !problems.is_empty() {
        let row = |p: &RowProblem| [p.row.to_string(), p.column.clone(), p.reason.clone()];
        let rows: Vec<_> = problems.iter().take(PROBLEM_LIMIT).map(row).collect();
        text += "\n";
        text += &format_table(["ROW", "COLUMN", "PROBLEM"], &rows);
    }
    if problems.len() > PROBLEM_LIMIT {
        text += "More problems: run `zumra import status` with --json.\n";
    }
    text
}
