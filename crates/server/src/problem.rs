//! Every way in which a request fails, and the body that the client gets (contract §1.5, §4).
//!
//! Handlers return a [`Problem`], which holds codes and no text. The middleware writes its body with
//! [`write_problem`], because only the middleware knows the language of the request.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use zumra_core::message::format_message;
use zumra_core::{Language, MessageCode, Scope};
use zumra_storage::{Conflict, Noun, StorageError};
use zumra_validation::{FieldErrors, InputTooLarge, Localized};

use crate::envelope::{json_bytes, json_response};
use crate::language::PreferredLanguage;

/// Why a request failed. The only error type of handlers and extractors.
#[derive(Debug, Clone)]
pub(crate) enum Problem {
    /// 400: the request violates HTTP: its body is not framed correctly or ends early, or its `Host` is not valid.
    BadRequest,
    /// 401: the token is missing, malformed, unknown, expired or revoked (contract §3.4, case 5).
    InvalidToken,
    /// 401: the token does not grant this scope (contract §3.4, case 4).
    MissingScope(Scope),
    /// 404: the path, or the row that the path names, does not exist.
    NotFound,
    /// 405: the path exists, but not with this method.
    MethodNotAllowed,
    /// 406: `Accept` excludes JSON.
    NotAcceptable,
    /// 408: the body was not received within its time limit.
    BodyTimeout,
    /// 409: the write contradicts a concurrent one. Nothing was changed. The text is for the log.
    Conflict(String),
    /// 413: the body is larger than its limit.
    BodyTooLarge,
    /// 422: some fields are invalid. Nothing was changed.
    InvalidFields(FieldErrors),
    /// 422 without `fields`: a business rule rejects the request. Nothing was changed.
    Rejected(MessageCode),
    /// 503: overloaded, or the database is unavailable. Nothing was changed, and the request may be repeated after
    /// [`RETRY_AFTER`]. The text is for the log.
    Unavailable(String),
    /// 503 without `Retry-After`: the write may or may not have been committed. The text is for the log.
    OutcomeUnknown(String),
    /// 500: a defect in Zumra. The text is for the log.
    Internal(String),
    /// 507: the merchant has no id left for a new row. Nothing was changed.
    IdsUsedUp(Noun),
}

/// The delay in seconds after which a client may repeat a request that got 503.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why a request failed, for its log line. A client never sees it.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

/// Errors that a handler does not treat itself.
///
/// The contract's envelope has no code for a conflict. As for other statuses that Salla does not document, the body
/// is HTTP's reason phrase: 409 `conflict`. Deleting the default group is never allowed, so it is not 409 but the
/// contract's 422 without `fields`.
impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound(_) => Self::NotFound,
            StorageError::Conflict(Conflict::DefaultGroup(_)) => {
                Self::Rejected(MessageCode::DefaultGroupStays)
            }
            StorageError::Conflict(_) | StorageError::MissingGroup(_) => Self::Conflict(error.to_string()),
            StorageError::QueueFull | StorageError::Unavailable(_) => Self::Unavailable(error.to_string()),
            StorageError::IdsUsedUp(noun) => Self::IdsUsedUp(noun),
            StorageError::OutcomeUnknown(_) => Self::OutcomeUnknown(error.to_string()),
            StorageError::NewerSchema { .. }
            | StorageError::ForeignDatabase(_)
            | StorageError::Corrupt(_)
            | StorageError::LeaseLost
            | StorageError::Internal(_) => Self::Internal(error.to_string()),
        }
    }
}

/// The same response as to a body with too many bytes.
impl From<InputTooLarge> for Problem {
    fn from(_: InputTooLarge) -> Self {
        Self::BodyTooLarge
    }
}

impl IntoResponse for Problem {
    /// Returns an empty 500 that carries the problem to [`write_problem`].
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Replaces a response that carries a [`Problem`] with the problem's status and body. Returns others unchanged.
pub(crate) fn write_problem(mut response: Response, language: PreferredLanguage) -> Response {
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem.render(language),
        None => response,
    }
}

impl Problem {
    fn render(self, language: PreferredLanguage) -> Response {
        match self {
            Self::InvalidToken => {
                error_response(StatusCode::UNAUTHORIZED, "Unauthorized", "The access token is invalid")
            }
            Self::MissingScope(scope) => {
                let message = format!("The access token should have access to one of those scopes: {scope}");
                error_response(StatusCode::UNAUTHORIZED, "Unauthorized", &message)
            }
            Self::NotFound => not_found_response(language.for_not_found()),
            Self::BadRequest => reason_response(StatusCode::BAD_REQUEST),
            Self::MethodNotAllowed => reason_response(StatusCode::METHOD_NOT_ALLOWED),
            Self::NotAcceptable => reason_response(StatusCode::NOT_ACCEPTABLE),
            Self::BodyTimeout => reason_response(StatusCode::REQUEST_TIMEOUT),
            Self::Conflict(cause) => with_cause(reason_response(StatusCode::CONFLICT), cause),
            Self::BodyTooLarge => reason_response(StatusCode::PAYLOAD_TOO_LARGE),
            Self::InvalidFields(errors) => invalid_fields_response(&errors, language.for_fields()),
            Self::Rejected(code) => {
                let message = format_message(language.for_fields(), code, &[]);
                error_response(StatusCode::UNPROCESSABLE_ENTITY, "error", &message)
            }
            Self::Unavailable(cause) => {
                let mut response = with_cause(reason_response(StatusCode::SERVICE_UNAVAILABLE), cause);
                response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
                response
            }
            Self::OutcomeUnknown(cause) => {
                with_cause(reason_response(StatusCode::SERVICE_UNAVAILABLE), cause)
            }
            Self::Internal(cause) => {
                let response =
                    error_response(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "Server Error");
                with_cause(response, cause)
            }
            Self::IdsUsedUp(noun) => {
                let message = format!("All ids of {noun} of this store are used up");
                let response = error_response(StatusCode::INSUFFICIENT_STORAGE, "ids_used_up", &message);
                with_cause(response, StorageError::IdsUsedUp(noun).to_string())
            }
        }
    }
}

fn with_cause(mut response: Response, cause: String) -> Response {
    response.extensions_mut().insert(Cause(cause));
    response
}

/// The body of an error. The order of the keys is part of the contract.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error, description = "The body of an error.")]
pub(crate) struct ErrorBody<'a> {
    /// Same value as the HTTP status code.
    status: u16,
    /// Always false.
    success: bool,
    error: ErrorDetails<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetails<'a> {
    /// A constant for programs.
    code: &'a str,
    /// A message for people.
    message: &'a str,
}

fn error_response(status: StatusCode, code: &str, message: &str) -> Response {
    let error = ErrorDetails { code, message };
    json_response(status, &ErrorBody { status: status.as_u16(), success: false, error })
}

/// Returns the response of a status that Salla does not document: HTTP's reason phrase as code and message.
fn reason_response(status: StatusCode) -> Response {
    let (code, message) = reason(status);
    error_response(status, &code, message)
}

/// Returns the body of [`reason_response`], for a response that is written without the framework.
pub(crate) fn reason_body(status: StatusCode) -> Vec<u8> {
    let (code, message) = reason(status);
    let error = ErrorDetails { code: &code, message };
    json_bytes(&ErrorBody { status: status.as_u16(), success: false, error })
}

/// Returns `not_acceptable` and `Not Acceptable` for 406.
fn reason(status: StatusCode) -> (String, &'static str) {
    let message = status.canonical_reason().unwrap_or("Error");
    (message.to_lowercase().replace(' ', "_"), message)
}

// Contract §4.2
/// The body of a 404. The order of its keys and the type of `code` differ from other errors.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotFoundError)]
pub(crate) struct NotFoundBody<'a> {
    /// Always false.
    success: bool,
    /// Always 404.
    status: u16,
    error: NotFoundDetails<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotFoundDetails<'a> {
    /// 404, as a number.
    code: u16,
    /// A message for people.
    message: &'a str,
}

fn not_found_response(language: Language) -> Response {
    let message = format_message(language, MessageCode::NotFound, &[]);
    let error = NotFoundDetails { code: 404, message: &message };
    json_response(StatusCode::NOT_FOUND, &NotFoundBody { success: false, status: 404, error })
}

// Contract §4.3
/// The body of a 422 for invalid fields.
#[derive(Serialize, ToSchema)]
#[schema(as = InvalidFieldsError)]
pub(crate) struct InvalidFieldsBody<'a> {
    /// Always 422.
    status: u16,
    /// Always false.
    success: bool,
    error: InvalidFieldsDetails<'a>,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
struct InvalidFieldsDetails<'a> {
    /// Always `error`.
    code: &'static str,
    /// `alert.invalid_fields` in every language.
    message: &'static str,
    /// Messages by field key: `group_id`, `customers.0`.
    #[schema(value_type = std::collections::BTreeMap<String, Vec<String>>)]
    fields: Localized<'a>,
}

fn invalid_fields_response(errors: &FieldErrors, language: Language) -> Response {
    let fields = errors.localized(language);
    let error = InvalidFieldsDetails { code: "error", message: "alert.invalid_fields", fields };
    let body = InvalidFieldsBody { status: 422, success: false, error };
    json_response(StatusCode::UNPROCESSABLE_ENTITY, &body)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use zumra_core::{CustomerId, GroupId};
    use zumra_storage::Resource;

    use super::*;

    /// Returns status, `Retry-After` and logged cause of the response to a storage error.
    fn response_to(error: StorageError) -> (u16, Option<String>, Option<String>) {
        let response = Problem::from(error).into_response();
        let response = write_problem(response, PreferredLanguage::from_headers(&HeaderMap::new()));
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let cause = response.extensions().get::<Cause>().map(|cause| cause.0.clone());
        (response.status().as_u16(), retry_after.map(|value| value.to_str().unwrap().to_owned()), cause)
    }

    #[test]
    fn storage_errors_have_their_status_and_retry_after() {
        let text = || "x".to_owned();
        let retry = || Some("1".to_owned());
        let cases = [
            (StorageError::NotFound(Resource::Group), 404, None, None),
            (Conflict::DefaultGroup(GroupId::FIRST).into(), 422, None, None),
            (
                Conflict::Mobile(Some(CustomerId::FIRST)).into(),
                409,
                None,
                Some("another customer already has the mobile number of customer 1"),
            ),
            (StorageError::MissingGroup(GroupId::FIRST), 409, None, Some("there is no group 1")),
            (StorageError::QueueFull, 503, retry(), Some("the write queue is full")),
            (StorageError::Unavailable(text()), 503, retry(), Some("the database is unavailable: x")),
            (StorageError::OutcomeUnknown(text()), 503, None, Some("the outcome of the write is unknown: x")),
            (StorageError::Internal(text()), 500, None, Some("internal storage error: x")),
            (
                StorageError::IdsUsedUp(Noun::Group),
                507,
                None,
                Some(
                    "the merchant has used up all ids of groups: every number up to 2147483647 was assigned or skipped",
                ),
            ),
        ];
        for (error, status, retry_after, cause) in cases {
            let name = format!("{error:?}");
            assert_eq!(response_to(error), (status, retry_after, cause.map(str::to_owned)), "{name}");
        }
    }

    #[test]
    fn other_responses_are_unchanged() {
        let language = PreferredLanguage::from_headers(&HeaderMap::new());
        let response = write_problem(StatusCode::IM_A_TEAPOT.into_response(), language);
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    }
}
