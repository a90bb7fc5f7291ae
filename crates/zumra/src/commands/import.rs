//! `zumra import`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use zumra_core::{FileDetails, Import, ImportId, Language, MerchantId, NewImport, RowProblem, SystemClock};
use zumra_server::import::{
    CheckedFile, ImportContext, TEMPLATE, TextEncoding, check_file, dry_run, known_names, process_import,
};

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
/// One of the first 20 rows contains the column names, in English or Arabic; `zumra import template --names` prints
/// them. Each row below becomes a new customer in the default group. Rows with missing fields, or with a mobile number or
/// email address that is already used, are skipped and listed, by the row numbers that the spreadsheet shows. A service on
/// the same database continues an interrupted import.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  zumra import customers.xlsx --merchant 1305146709 --dry-run
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
    /// Encoding of a csv file, such as windows-1256 [default: detected]
    #[arg(long, value_name = "NAME", value_parser = parse_encoding)]
    encoding: Option<TextEncoding>,
    /// Report what the import would do, and store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn parse_encoding(label: &str) -> Result<TextEncoding, String> {
    TextEncoding::from_label(label).ok_or_else(|| "unknown encoding; try utf-8 or windows-1256".to_owned())
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

/// Print a csv file with all columns and an example row
#[derive(clap::Args)]
struct Template {
    /// Print the known names of each column instead, a line each
    #[arg(long)]
    names: bool,
}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        match (self.action, self.path, self.merchant) {
            (Some(Action::Status(status)), ..) => status.run(command_line),
            (Some(Action::Template(template)), ..) if template.names => print(known_names()),
            (Some(Action::Template(_)), ..) => print(TEMPLATE),
            (None, Some(path), Some(merchant)) => {
                let database = config::database(command_line, self.database)?;
                let file = read(&path, self.encoding)?;
                let name = path.display().to_string();
                let report = Report { name, details: file.details.clone(), as_json: self.json };
                if self.dry_run {
                    rehearse(&report, merchant, &database, &file)
                } else {
                    import(&report, merchant, &database, file)
                }
            }
            (None, ..) => Err(Failure::usage("pass a file and --merchant").into()),
        }
    }
}

fn read(path: &Path, encoding: Option<TextEncoding>) -> anyhow::Result<CheckedFile> {
    let invalid = |problem: &dyn std::fmt::Display| Failure::usage(format!("{}: {problem}", path.display()));
    let file = std::fs::read(path).map_err(|error| invalid(&error))?;
    Ok(check_file(file, encoding).map_err(|error| invalid(&error))?)
}

/// How a command reports about a file.
struct Report {
    name: String,
    details: FileDetails,
    as_json: bool,
}

fn import(
    report: &Report,
    merchant: MerchantId,
    database: &Database,
    file: CheckedFile,
) -> anyhow::Result<()> {
    let (import, problems) = with_session(database, IfMissing::Fail, async |session| {
        session.require_merchant(merchant).await?;
        create_and_process(session, merchant, file).await
    })?;
    if report.as_json {
        return print_json(&import_json(&import, &problems));
    }
    print(describe(&report.name, &import, &problems))
}

/// Reports what an import would do.
fn rehearse(
    report: &Report,
    merchant: MerchantId,
    database: &Database,
    file: &CheckedFile,
) -> anyhow::Result<()> {
    let run = with_session(database, IfMissing::Fail, async |session| {
        session.require_merchant(merchant).await?;
        Ok(dry_run(&*session.storage, merchant, file, Language::English).await?)
    })?;
    if report.as_json {
        let value = json!({
            "status": "dry run", "rows": file.rows, "customers": run.customers, "rejected": run.rejected_rows,
            "problems": problems_json(&run.problems),
        });
        return print_json(&with_details(value, &report.details));
    }
    let text = format!(
        "{}: {} read, {} would be created, {} rejected. Nothing was stored.\n",
        report.name,
        format_count(u64::from(file.rows), "row"),
        format_count(run.customers, "customer"),
        format_count(run.rejected_rows, "row"),
    );
    print(text + &describe_problems(&run.problems) + &describe_details(&report.details))
}

async fn create_and_process(
    session: &Session,
    merchant: MerchantId,
    checked: CheckedFile,
) -> anyhow::Result<(Import, Vec<RowProblem>)> {
    let CheckedFile { file, rows, details } = checked;
    let operation = session.operation();
    let import = NewImport { file, language: Language::English, details };
    let id = session.storage.create_import(merchant, import, operation).await?.id;
    let bar = ProgressBar::new(u64::from(rows));
    // An invalid template must not stop the import.
    if let Ok(style) =
        ProgressStyle::with_template("importing {wide_bar} {human_pos}/{human_len} rows, {eta} left")
    {
        bar.set_style(style);
    }
    let context = ImportContext { storage: &*session.storage, clock: &SystemClock, ids: &session.ids };
    let result = process_import(context, Some((merchant, id)), &mut |import| {
        bar.set_position(processed_rows(import));
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
            processed_rows(import).to_string(),
            import.created_customers.to_string(),
            import.rejected_rows.to_string(),
        ]
    };
    let rows: Vec<_> = imports.iter().map(row).collect();
    print(format_table(["ID", "CREATED", "STATE", "ROWS", "CUSTOMERS", "REJECTED"], &rows))
}

/// Returns the number of rows below the header that were processed.
fn processed_rows(import: &Import) -> u64 {
    import.created_customers + import.rejected_rows
}

fn state(import: &Import) -> &'static str {
    match (import.finished_at, &import.failure) {
        (None, _) => "processing",
        (Some(_), None) => "completed",
        (Some(_), Some(_)) => "failed",
    }
}

fn import_json(import: &Import, problems: &[RowProblem]) -> Value {
    let value = json!({
        "id": import.id, "status": state(import), "created_at": format_micros(import.at),
        "finished_at": import.finished_at.map(format_micros), "rows": processed_rows(import),
        "customers": import.created_customers, "rejected": import.rejected_rows, "failure": import.failure,
        "problems": problems_json(problems),
    });
    match &import.details {
        Some(details) => with_details(value, details),
        None => value,
    }
}

fn problems_json(problems: &[RowProblem]) -> Vec<Value> {
    problems.iter().map(|p| json!({"row": p.row, "column": p.column, "reason": p.reason})).collect()
}

/// Adds how the file was read to a result in JSON.
fn with_details(mut result: Value, details: &FileDetails) -> Value {
    result["sheet"] = json!(details.sheet);
    result["encoding"] = json!(details.encoding);
    result["header_row"] = json!(details.header_row);
    result["unknown_columns"] = json!(details.unknown_columns);
    result
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
    text += &describe_problems(problems);
    text + &import.details.as_ref().map(describe_details).unwrap_or_default()
}

fn describe_problems(problems: &[RowProblem]) -> String {
    let mut text = String::new();
    if !problems.is_empty() {
        let row = |p: &RowProblem| [p.row.to_string(), p.column.clone(), p.reason.clone()];
        let rows: Vec<_> = problems.iter().take(PROBLEM_LIMIT).map(row).collect();
        text += "\n";
        text += &format_table(["ROW", "COLUMN", "PROBLEM"], &rows);
    }
    if problems.len() > PROBLEM_LIMIT {
        text += "More problems: run the command with --json.\n";
    }
    text
}

/// Says how the file was read, as far as a user may not expect it.
fn describe_details(details: &FileDetails) -> String {
    let mut notes = Vec::new();
    notes.extend(details.sheet.as_ref().map(|sheet| format!("Sheet: {sheet}")));
    let encoding = details.encoding.as_ref().filter(|encoding| *encoding != "UTF-8");
    notes.extend(encoding.map(|encoding| format!("Encoding: {encoding}")));
    if details.header_row > 1 {
        notes.push(format!("Column names: row {}", details.header_row));
    }
    if !details.unknown_columns.is_empty() {
        notes.push(format!("Ignored columns: {}", details.unknown_columns.join(", ")));
    }
    notes.into_iter().map(|note| note + "\n").collect()
}
