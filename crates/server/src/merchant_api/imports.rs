//! Importing customers (contract §2.2, C8), and the state of an import, which the contract does not offer.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use zumra_core::{ImportId, MessageCode, NewImport, RowProblem};
use zumra_spreadsheet::FileError;
use zumra_validation::{FieldErrors, uploaded_file, uploaded_text};

use super::php_date::PhpDate;
use crate::app::App;
use crate::auth::{Caller, CustomersRead, CustomersWrite};
use crate::envelope::{MessageResponse, Success};
use crate::import::{CheckedFile, ImportError, TextEncoding, check_file};
use crate::language::PreferredLanguage;
use crate::problem::{ErrorBody, Problem};
use crate::request::PathId;
use crate::submitted::Submitted;

/// Unfinished imports per merchant, each with its file; one more is rejected with 503.
const PENDING_IMPORTS_MAX: u32 = 10;

/// The header with the URL of an import's state.
const IMPORT: HeaderName = HeaderName::from_static("zumra-import");

/// The message of an accepted import in every language.
const ACCEPTED: &str = "يتم حالياً معالجة الملف وسوف يستغرق بعض الوقت";

type ImportResponse = Success<ImportView>;

/// A file to import.
#[derive(ToSchema)]
#[schema(as = ImportFile)]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct ImportBody {
    /// Customers in xlsx or csv format. One of the first 20 rows contains the column names.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// Encoding of a csv file, such as `windows-1256`. By default it is detected.
    #[schema(example = "windows-1256", nullable = false)]
    encoding: Option<String>,
}

/// The state of an import.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Import)]
pub(crate) struct ImportView {
    #[schema(value_type = i64, minimum = 1)]
    id: ImportId,
    #[schema(value_type = ImportStatus, example = "completed")]
    status: &'static str,
    created_at: PhpDate,
    #[schema(required = true)]
    finished_at: Option<PhpDate>,
    /// Number of rows processed so far: those below the header that are not blank.
    rows: u64,
    /// Number of customers created.
    customers: u64,
    /// Number of rows from which no customer was created.
    refused: u64,
    /// Why the import stopped before the end of the file, if it did.
    #[schema(required = true)]
    failure: Option<String>,
    /// Name of the sheet that is read, if the file is a workbook.
    sheet: Option<String>,
    /// Encoding of a csv file.
    #[schema(example = "windows-1256")]
    encoding: Option<String>,
    /// Number of the row with the column names.
    header_row: Option<u32>,
    /// Names of the columns that are not known, and are ignored.
    unknown_columns: Vec<String>,
    /// Problems of the rejected rows, the first thousand.
    problems: Vec<ProblemView>,
}

/// How far an import is.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "read by the OpenAPI document")]
enum ImportStatus {
    Processing,
    Completed,
    Failed,
}

/// A reason why no customer was created from a row.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RowProblem)]
pub(crate) struct ProblemView {
    row: u32,
    column: String,
    reason: String,
}

impl From<RowProblem> for ProblemView {
    fn from(RowProblem { row, column, reason }: RowProblem) -> Self {
        Self { row, column, reason }
    }
}

/// Import customers
///
/// The file is checked before the response and processed afterwards. The header `Zumra-Import` is the URL of the
/// import's progress and of the problems of its rows.
#[utoipa::path(
    post,
    path = "/customers/import",
    tag = "Customers",
    request_body(content = ImportBody, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "The file is being processed", body = MessageResponse,
            headers(("Zumra-Import" = String, description = "URL of the state of the import")),
            example = json!(Success::message(StatusCode::OK, ACCEPTED))),
        (status = 422, description = "The file is missing, not readable, or lacks columns. The error of an empty file has no `fields`",
            body = ErrorBody,
            example = json!({"status": 422, "success": false, "error": {"code": "error", "message": "الملف المرفوع فارغ!"}})),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    language: PreferredLanguage,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = caller.merchant.id;
    let invalid_file = |code| Problem::InvalidFields(FieldErrors::single("file", code));
    let file = find_file(&submitted).ok_or_else(|| invalid_file(MessageCode::Required))?;
    let encoding = find_encoding(&submitted)
        .map_err(|()| Problem::InvalidFields(FieldErrors::single("encoding", MessageCode::In)))?;
    let checked = check(&app, file, encoding).await?.map_err(|error| match error {
        ImportError::File(FileError::Empty) => Problem::Rejected(MessageCode::FileEmpty),
        error => Problem::InvalidFields(FieldErrors::of_field("file", error.codes())),
    })?;
    let newest = app.storage.list_imports(merchant, PENDING_IMPORTS_MAX).await?;
    if newest.len() == PENDING_IMPORTS_MAX as usize
        && newest.iter().all(|import| import.finished_at.is_none())
    {
        let cause = format!("too many pending imports for this merchant (limit {PENDING_IMPORTS_MAX})");
        return Err(Problem::Unavailable(cause));
    }
    let operation = app.new_operation(caller.token);
    let (file, details) = (checked.file, checked.details);
    let import = NewImport { file, language: language.for_fields(), details };
    let id = app.storage.create_import(merchant, import, operation).await?.id;
    app.import_notifier.notify();
    let mut response = Success::message(StatusCode::OK, ACCEPTED).into_response();
    if let Ok(url) = HeaderValue::from_str(&app.api_url(&format!("/customers/import/{id}"))) {
        response.headers_mut().insert(IMPORT, url);
    }
    Ok(response)
}

/// Returns the content type of a multipart request.
fn multipart_type(submitted: &Submitted) -> Option<&[u8]> {
    let content_type = submitted.content_type()?;
    content_type.to_ascii_lowercase().starts_with(b"multipart/form-data").then_some(content_type)
}

/// Returns the file of a multipart request, if it has one.
fn find_file(submitted: &Submitted) -> Option<Vec<u8>> {
    uploaded_file(multipart_type(submitted)?, &submitted.body, "file").map(<[u8]>::to_vec)
}

/// Returns the encoding that a request names, if it names one. `Err` if it is not known.
fn find_encoding(submitted: &Submitted) -> Result<Option<TextEncoding>, ()> {
    let content_type = multipart_type(submitted);
    let label =
        content_type.and_then(|content_type| uploaded_text(content_type, &submitted.body, "encoding"));
    let label = label.map(<[u8]>::trim_ascii).filter(|label| !label.is_empty());
    label.map(|label| str::from_utf8(label).ok().and_then(TextEncoding::from_label).ok_or(())).transpose()
}

/// Checks a file on a blocking thread. Returns it, or its error.
async fn check(
    app: &App,
    file: Vec<u8>,
    encoding: Option<TextEncoding>,
) -> Result<Result<CheckedFile, ImportError>, Problem> {
    let _permit = app.body_budget.large_body_permit().await?;
    let checking = tokio::task::spawn_blocking(move || check_file(file, encoding));
    checking.await.map_err(|error| Problem::Internal(error.to_string()))
}

/// State of an import
///
/// Not part of Salla's API.
#[utoipa::path(
    get,
    path = "/customers/import/{import}",
    tag = "Customers",
    responses((status = 200, description = "The import", body = ImportResponse)),
)]
pub(crate) async fn details(
    State(app): State<App>,
    caller: Caller<CustomersRead>,
    PathId(id): PathId<ImportId>,
) -> Result<Success<ImportView>, Problem> {
    let found = app.storage.find_import(caller.merchant.id, id).await?;
    let (import, problems) = found.ok_or(Problem::NotFound)?;
    let zone = &caller.merchant.time_zone;
    let status = match (import.finished_at, &import.failure) {
        (None, _) => "processing",
        (Some(_), None) => "completed",
        (Some(_), Some(_)) => "failed",
    };
    let details = import.details.unwrap_or_default();
    Ok(Success::ok(ImportView {
        id: import.id,
        status,
        created_at: PhpDate::from_timestamp(import.at, zone),
        finished_at: import.finished_at.map(|at| PhpDate::from_timestamp(at, zone)),
        rows: import.created_customers + import.rejected_rows,
        customers: import.created_customers,
        refused: import.rejected_rows,
        failure: import.failure,
        sheet: details.sheet,
        encoding: details.encoding,
        header_row: Some(details.header_row).filter(|row| *row > 0),
        unknown_columns: details.unknown_columns,
        problems: problems.into_iter().map(ProblemView::from).collect(),
    }))
}
