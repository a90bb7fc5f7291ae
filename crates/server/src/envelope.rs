//! The only bodies that leave under `/admin/v2`: one form for success, one for errors (contract §1.4, §1.5, §4).

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use zumra_core::message::format_message;
use zumra_core::{Language, MessageCode, OperationId, Page, PageRequest, Scope};
use zumra_storage::StorageError;
use zumra_validation::FieldErrors;

/// The header that names the operation which a request became.
const OPERATION: HeaderName = HeaderName::from_static("zumra-operation");

/// A success. Keys leave in this order.
#[expect(clippy::struct_field_names, reason = "the contract names the keys")]
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Success<T> {
    /// The HTTP status once more.
    status: u16,
    /// Always true.
    success: bool,
    /// What was asked for.
    data: T,
}

impl<T: Serialize> Success<T> {
    pub(crate) fn ok(data: T) -> Self {
        Self { status: 200, success: true, data }
    }

    /// The answer to a change, which names the operation that made it. There is none if nothing had to change.
    pub(crate) fn made_by(self, operation: Option<OperationId>) -> Response {
        let mut response = self.into_response();
        if let Some(operation) = operation {
            response.headers_mut().insert(OPERATION, HeaderValue::from(operation.get()));
        }
        response
    }
}

impl Success<MessageData> {
    /// A sentence instead of a resource.
    pub(crate) fn message(status: StatusCode, message: &'static str) -> Self {
        let code = status.as_u16();
        Self { status: code, success: true, data: MessageData { message, code } }
    }
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        json(StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK), &self)
    }
}

/// What was done, in a sentence.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageData {
    /// The sentence, the same in every language.
    message: &'static str,
    /// The HTTP status once more.
    code: u16,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    /// The HTTP status once more.
    status: u16,
    /// Always true.
    success: bool,
    /// The items on this page.
    data: Vec<T>,
    /// Where this page stands among the others.
    pagination: Pagination,
}

/// Where a page stands among the others (contract §5.1).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    /// Items on this page.
    count: u64,
    /// Items in all.
    total: u64,
    /// Items a page has at most.
    per_page: u32,
    /// Number of this page, from 1.
    current_page: u64,
    /// Pages in all, at least 1.
    total_pages: u64,
    /// The pages beside this one. An empty list if there is none.
    links: Links,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Links {
    /// No other page.
    None([String; 0]),
    /// Addresses of the neighbours.
    Some {
        #[serde(skip_serializing_if = "Option::is_none")]
        previous: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
}

impl<T> Listing<T> {
    /// The page of `items` that `request` asked for at `url`; `query` is the raw query string of the request.
    pub(crate) fn new(page: Page<T>, request: PageRequest, url: &str, query: Option<&str>) -> Self {
        let total_pages = page.total.div_ceil(u64::from(request.per_page)).max(1);
        let link = |number| page_url(url, query, number);
        let previous = (request.page > 1).then(|| link(request.page - 1));
        let next = (request.page < total_pages).then(|| link(request.page + 1));
        let links = match (&previous, &next) {
            (None, None) => Links::None([]),
            _ => Links::Some { previous, next },
        };
        let pagination = Pagination {
            count: page.items.len() as u64,
            total: page.total,
            per_page: request.per_page,
            current_page: request.page,
            total_pages,
            links,
        };
        Self { status: 200, success: true, data: page.items, pagination }
    }
}

impl<T: Serialize> IntoResponse for Listing<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self)
    }
}

/// The other parameters stay as they came; `page` comes last.
fn page_url(url: &str, query: Option<&str>, page: u64) -> String {
    let others = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let others = others.filter(|pair| pair.split('=').next() != Some("page"));
    let mut link = format!("{url}?");
    for pair in others {
        link.push_str(pair);
        link.push('&');
    }
    link + "page=" + &page.to_string()
}

/// Whatever a request can fail with. The only error type that handlers return.
#[derive(Debug)]
pub(crate) enum Problem {
    /// No token, or one that opens nothing (contract §3.4, case 5).
    InvalidToken,
    /// A token without the scope (contract §3.4, case 4).
    MissingScope(Scope),
    /// No such path, or no such row.
    NotFound(Language),
    /// A path that is there, but not for this method.
    MethodNotAllowed,
    /// A client that does not take JSON.
    NotAcceptable,
    /// A client that was too slow with its body.
    BodyTimeout,
    /// A body over the limit.
    TooLarge,
    /// Fields that are not as they should be.
    Fields(FieldErrors, Language),
    /// What was asked for is never done, whatever its fields say.
    Refused(MessageCode, Language),
    /// The service cannot do it now; trying again may help. The text is for the log.
    Unavailable(String),
    /// A mistake of ours. The text is for the log.
    Internal(String),
}

/// What to tell clients to wait, in seconds, when the service is too busy or its database is away.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why a request failed, for its log line; never shown to a client.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            // A conflict that is left after the rules have looked twice is one of many writers at the same rows.
            StorageError::QueueFull
            | StorageError::Unavailable(_)
            | StorageError::Conflict(_)
            | StorageError::MissingGroup(_) => Self::Unavailable(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::InvalidToken => {
                refusal(StatusCode::UNAUTHORIZED, "Unauthorized", "The access token is invalid")
            }
            Self::MissingScope(scope) => {
                let message = format!("The access token should have access to one of those scopes: {scope}");
                refusal(StatusCode::UNAUTHORIZED, "Unauthorized", &message)
            }
            Self::NotFound(language) => not_found(language),
            Self::MethodNotAllowed => {
                refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method Not Allowed")
            }
            Self::NotAcceptable => refusal(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "Not Acceptable"),
            Self::BodyTimeout => refusal(StatusCode::REQUEST_TIMEOUT, "request_timeout", "Request Timeout"),
            Self::TooLarge => {
                refusal(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "Payload Too Large")
            }
            Self::Fields(errors, language) => invalid_fields(&errors, language),
            Self::Refused(code, language) => {
                refusal(StatusCode::UNPROCESSABLE_ENTITY, "error", &format_message(language, code, &[]))
            }
            Self::Unavailable(cause) => {
                let (code, message) = ("service_unavailable", "Service Unavailable");
                let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, code, message);
                response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
                response.extensions_mut().insert(Cause(cause));
                response
            }
            Self::Internal(cause) => {
                let mut response = refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "Server Error");
                response.extensions_mut().insert(Cause(cause));
                response
            }
        }
    }
}

/// The body of an error. Keys leave in this order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Refusal<'a> {
    /// The HTTP status once more.
    status: u16,
    /// Always false.
    success: bool,
    /// What went wrong.
    error: RefusalError<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusalError<'a> {
    /// A word for programs.
    code: &'a str,
    /// A sentence for people.
    message: &'a str,
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let error = RefusalError { code, message };
    json(status, &Refusal { status: status.as_u16(), success: false, error })
}

/// The body of a 404, whose keys and whose code differ from every other error's (contract §4.2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotFound<'a> {
    /// Always false.
    success: bool,
    /// 404.
    status: u16,
    /// What went wrong.
    error: NotFoundError<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotFoundError<'a> {
    /// 404, as a number.
    code: u16,
    /// A sentence for people.
    message: &'a str,
}

fn not_found(language: Language) -> Response {
    let message = format_message(language, MessageCode::NotFound, &[]);
    let error = NotFoundError { code: 404, message: &message };
    json(StatusCode::NOT_FOUND, &NotFound { success: false, status: 404, error })
}

/// The body of a 422 (contract §4.3).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvalidFields<F> {
    /// 422.
    status: u16,
    /// Always false.
    success: bool,
    /// What went wrong.
    error: InvalidFieldsError<F>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvalidFieldsError<F> {
    /// `error`.
    code: &'static str,
    /// `alert.invalid_fields`, whatever the language.
    message: &'static str,
    /// Sentences by the key of the field: `group_id`, `customers.0`.
    fields: F,
}

fn invalid_fields(errors: &FieldErrors, language: Language) -> Response {
    let fields = errors.localized(language);
    let error = InvalidFieldsError { code: "error", message: "alert.invalid_fields", fields };
    let body = InvalidFields { status: 422, success: false, error };
    json(StatusCode::UNPROCESSABLE_ENTITY, &body)
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).expect("our own bodies have string keys and no failing parts");
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_the_other_parameters_and_put_page_last() {
        let link = page_url("https://x/customers", Some("page=2&keyword=%D8%B9&per_page=5"), 3);
        assert_eq!(link, "https://x/customers?keyword=%D8%B9&per_page=5&page=3");
        assert_eq!(page_url("https://x/customers", None, 2), "https://x/customers?page=2");
    }
}
