//! The bodies of successful responses under `/admin/v2` (contract §1.4, §5). Errors are in `problem.rs`.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use zumra_core::{OperationId, Page, PageRequest};

/// The header with the id of the operation that a write recorded.
const OPERATION: HeaderName = HeaderName::from_static("zumra-operation");

/// The body of a success. The order of the keys is part of the contract.
///
/// The OpenAPI document names it after its data, `GroupResponse`. A handler documents it by an alias, because the macro
/// of a route copies the data into a type with parameters, from which clients get a second type for the same data.
#[expect(clippy::struct_field_names, reason = "the contract names the keys")]
#[derive(Debug, Serialize)]
pub(crate) struct Success<T> {
    status: u16,
    success: bool,
    data: T,
}

impl<T: ToSchema> PartialSchema for Success<T> {
    fn schema() -> RefOr<Schema> {
        let data = ("data", Ref::from_schema_name(T::name()).into());
        body_schema(format!("A response with `{}`.", T::name()), [data])
    }
}

impl<T: ToSchema> ToSchema for Success<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Response", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into(), T::schema()));
        T::schemas(schemas);
    }
}

/// Returns the schema of a success with `properties` after `status` and `success`. All are required.
fn body_schema(
    description: String,
    properties: impl IntoIterator<Item = (&'static str, RefOr<Schema>)>,
) -> RefOr<Schema> {
    let status = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .description(Some("Same value as the HTTP status code."));
    let success = ObjectBuilder::new().schema_type(Type::Boolean).description(Some("Always true."));
    let mut body = ObjectBuilder::new()
        .description(Some(description))
        .property("status", status)
        .required("status")
        .property("success", success)
        .required("success");
    for (name, schema) in properties {
        body = body.property(name, schema).required(name);
    }
    body.into()
}

impl<T: Serialize> Success<T> {
    /// Returns a 200 with `data`.
    pub(crate) fn ok(data: T) -> Self {
        Self { status: 200, success: true, data }
    }

    /// Adds the header `Zumra-Operation`, unless the write changed nothing and `operation` is `None`.
    pub(crate) fn with_operation(self, operation: Option<OperationId>) -> Response {
        let mut response = self.into_response();
        if let Some(operation) = operation {
            response.headers_mut().insert(OPERATION, HeaderValue::from(operation.get()));
        }
        response
    }
}

impl Success<MessageData> {
    /// Returns a success with a message instead of a resource.
    pub(crate) fn message(status: StatusCode, message: &'static str) -> Self {
        let code = status.as_u16();
        Self { status: code, success: true, data: MessageData { message, code } }
    }
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        json_response(StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK), &self)
    }
}

/// A message that says what was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageData {
    /// The message, the same in every language.
    message: &'static str,
    /// Same value as the HTTP status code.
    code: u16,
}

/// A list with one message that says what was done. Some endpoints respond with an array that this type describes.
pub(crate) struct Messages;

impl PartialSchema for Messages {
    fn schema() -> RefOr<Schema> {
        let message = ObjectBuilder::new().schema_type(Type::String);
        let description = "A message that says what was done, in a list.";
        let list = ArrayBuilder::new().items(message).min_items(Some(1)).max_items(Some(1));
        list.description(Some(description)).into()
    }
}

impl ToSchema for Messages {}

/// A message that says what was done.
pub(crate) type MessageResponse = Success<MessageData>;
/// The same, in a list.
pub(crate) type MessagesResponse = Success<Messages>;

/// The body of a list: one page of its items. The OpenAPI document names it after them, `GroupList`.
#[derive(Debug, Serialize)]
pub(crate) struct Listing<T> {
    status: u16,
    success: bool,
    data: Vec<T>,
    pagination: Pagination,
}

impl<T: ToSchema> PartialSchema for Listing<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let items = items.description(Some("The items on this page."));
        let pagination = Ref::from_schema_name(Pagination::name()).into();
        body_schema(
            format!("One page of a list of `{}`.", T::name()),
            [("data", items.into()), ("pagination", pagination)],
        )
    }
}

impl<T: ToSchema> ToSchema for Listing<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into(), T::schema()));
        T::schemas(schemas);
        schemas.push((Pagination::name().into(), Pagination::schema()));
        Pagination::schemas(schemas);
    }
}

// Contract §5.1
/// The position of a page in its list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    /// Number of items on this page.
    count: u64,
    /// Number of items on all pages.
    total: u64,
    /// Maximum number of items per page.
    per_page: u32,
    /// Number of this page, from 1.
    current_page: u64,
    /// Number of pages, at least 1.
    total_pages: u64,
    links: Links,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Links {
    /// The list has no other page.
    None([String; 0]),
    /// URLs of the adjacent pages.
    Some {
        #[serde(skip_serializing_if = "Option::is_none")]
        previous: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
}

impl PartialSchema for Links {
    fn schema() -> RefOr<Schema> {
        let url = || {
            let format = SchemaFormat::Custom("uri".to_owned());
            ObjectBuilder::new().schema_type(Type::String).format(Some(format))
        };
        let some = ObjectBuilder::new().property("previous", url()).property("next", url());
        let none = ArrayBuilder::new().items(url()).max_items(Some(0));
        OneOfBuilder::new()
            .item(some.description(Some("URLs of the adjacent pages.")))
            .item(none.description(Some("The list has no other page.")))
            .description(Some(
                "URLs of the previous and the next page, or an empty list if there is no other page.",
            ))
            .into()
    }
}

impl ToSchema for Links {}

impl<T> Listing<T> {
    /// Returns the response to a request for one page of the list at `url`. The links repeat the other parameters of
    /// `query`, the raw query string of the request.
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
        json_response(StatusCode::OK, &self)
    }
}

/// Returns `url` with the parameters of `query` unchanged and `page` last.
fn page_url(url: &str, query: Option<&str>, page: u64) -> String {
    let parameters = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let others = parameters.filter(|pair| pair.split('=').next() != Some("page"));
    let mut link = format!("{url}?");
    for pair in others {
        link.push_str(pair);
        link.push('&');
    }
    link + "page=" + &page.to_string()
}

/// The content type of every body with an envelope.
pub(crate) const JSON: &str = "application/json";

/// Returns a body as JSON.
pub(crate) fn json_bytes(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("bodies have string keys and infallible fields")
}

/// Returns a response with a JSON body.
pub(crate) fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = Response::new(Body::from(json_bytes(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_links_keep_other_parameters_and_end_with_page() {
        let link = page_url("https://x/customers", Some("page=2&keyword=%D8%B9&per_page=5"), 3);
        assert_eq!(link, "https://x/customers?keyword=%D8%B9&per_page=5&page=3");
        assert_eq!(page_url("https://x/customers", None, 2), "https://x/customers?page=2");
    }
}
