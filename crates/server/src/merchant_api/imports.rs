//! Importing customers (contract §2.2, C8), and how an import stands, which the contract does not say how to ask.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use zumra_core::{ImportId, MessageCode, NewImport, RowProblem};
use zumra_validation::{FieldErrors, uploaded_file};

use super::time::PhpDate;
use crate::App;
use crate::auth::{Caller, CustomersRead, CustomersWrite};
use crate::body::Submitted;
use crate::envelope::{MessageData, Problem, Success};
use crate::import::{self, ImportError};
use crate::request::{PathId, language_of_not_found};

/// Imports of one merchant that may wait, each with its file; one more is answered with 503.
const WAITING_MAX: u32 = 10;

/// The header that says where an import can be asked about.
const IMPORT: HeaderName = HeaderName::from_static("zumra-import");

/// The body of an import.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document; multipart is read elsewhere")]
pub(crate) struct ImportBody {
    /// Customers as xlsx or csv, with the names of the columns in the first row.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
}

/// How an import stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportView {
    #[schema(value_type = i64)]
    id: ImportId,
    /// `processing`, `completed` or `failed`
    #[schema(example = "completed")]
    status: &'static str,
    created_at: PhpDate,
    finished_at: Option<PhpDate>,
    /// The last row that it has gone through.
    rows: u32,
    /// Customers that it has made.
    customers: u64,
    /// Rows of which it has made none.
    refused: u64,
    /// Why it ended before the end of the file.
    failure: Option<String>,
    /// What is wrong with the rows that were refused; the first thousand.
    problems: Vec<ProblemView>,
}

/// What is wrong with a row.
#[derive(Debug, Serialize, ToSchema)]
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
/// The file is looked through at once and gone through afterwards. The header `Zumra-Import` says where to ask how far it
/// is, and what was wrong with which row.
#[utoipa::path(
    post,
    path = "/customers/import",
    operation_id = "post-customers-import",
    tag = "Customers",
    request_body(content = ImportBody, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "The file is being processed", body = Success<MessageData>,
         headers(("Zumra-Import" = String, description = "The address at which to ask how far it is")),
         example = json!({"status": 200, "success": true, "data": {"message": "يتم حالياً معالجة الملف وسوف يستغرق بعض الوقت", "code": 200}})),
        (status = 422, response = crate::openapi::InvalidFileResponse),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let language = submitted.language;
    let Some(file) = read_file(&submitted) else {
        return Err(Problem::Fields(FieldErrors::single("file", MessageCode::Required), language));
    };
    let file = looked_through(&app, file).await?.map_err(|error| match error.code() {
        MessageCode::FileEmpty => Problem::Refused(MessageCode::FileEmpty, language),
        code => Problem::Fields(FieldErrors::single("file", code), language),
    })?;
    let newest = app.storage.list_imports(caller.merchant.id, WAITING_MAX).await?;
    if newest.len() == WAITING_MAX as usize && newest.iter().all(|import| import.finished_at.is_none()) {
        return Err(Problem::Unavailable("this merchant's imports wait in line".to_owned()));
    }
    let operation = app.operation(caller.token);
    let id =
        ImportId::new(app.ids.next(operation.at)).ok_or_else(|| Problem::Internal("no id".to_owned()))?;
    let import = NewImport { id, file, language };
    app.storage.create_import(caller.merchant.id, import, operation).await?;
    app.bell.ring();
    let message = "يتم حالياً معالجة الملف وسوف يستغرق بعض الوقت";
    let mut response = Success::message(StatusCode::OK, message).into_response();
    let link = format!("{}/admin/v2/customers/import/{id}", app.options.public_url);
    if let Ok(link) = HeaderValue::from_str(&link) {
        response.headers_mut().insert(IMPORT, link);
    }
    Ok(response)
}

fn read_file(submitted: &Submitted) -> Option<Vec<u8>> {
    let content_type = submitted.content_type()?;
    let is_multipart = content_type.to_ascii_lowercase().starts_with(b"multipart/form-data");
    let file = if is_multipart { uploaded_file(content_type, &submitted.body, "file") } else { None };
    file.map(<[u8]>::to_vec)
}

/// The file, once it is sure that it can be gone through. It is read on a thread of its own, few at a time.
async fn looked_through(app: &App, file: Vec<u8>) -> Result<Result<Vec<u8>, ImportError>, Problem> {
    let failed = |error: &dyn ToString| Problem::Internal(error.to_string());
    let _turn = app.bodies.long().await?;
    let looking = tokio::task::spawn_blocking(move || import::check_file(&file).map(|_| file));
    looking.await.map_err(|error| failed(&error))
}

/// How an import stands
///
/// Not part of Salla's API, which has no such question.
#[utoipa::path(
    get,
    path = "/customers/import/{import}",
    operation_id = "get-customers-import-import",
    tag = "Customers",
    params(("import" = i64, Path, description = "Id of an import of this store")),
    responses(
        (status = 200, description = "The import", body = Success<ImportView>),
        (status = 404, response = crate::openapi::NotFoundResponse),
    ),
)]
pub(crate) async fn details(
    State(app): State<App>,
    caller: Caller<CustomersRead>,
    headers: HeaderMap,
    PathId(id): PathId<ImportId>,
) -> Result<Success<ImportView>, Problem> {
    let found = app.storage.find_import(caller.merchant.id, id).await?;
    let (import, problems) = found.ok_or_else(|| Problem::NotFound(language_of_not_found(&headers)))?;
    let zone = &caller.merchant.time_zone;
    let status = match (import.finished_at, &import.failure) {
        (None, _) => "processing",
        (Some(_), None) => "completed",
        (Some(_), Some(_)) => "failed",
    };
    Ok(Success::ok(ImportView {
        id: import.id,
        status,
        created_at: PhpDate::moment(import.at, zone),
        finished_at: import.finished_at.map(|at| PhpDate::moment(at, zone)),
        rows: import.last_row,
        customers: import.created_customers,
        refused: import.rejected_rows,
        failure: import.failure,
        problems: problems.into_iter().map(ProblemView::from).collect(),
    }))
}
