//! The OpenAPI document: its frame, and what many routes say alike.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Paths};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, ObjectBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoParams, Modify, OpenApi, ToResponse};
use utoipa_axum::router::OpenApiRouter;
use zumra_core::Scope;

use crate::envelope::{InvalidFields, NotFound, Refusal};

const INT64: SchemaFormat = SchemaFormat::KnownFormat(KnownFormat::Int64);

/// The document of these routes, which stand below `base`: pretty-printed JSON with a newline at the end.
pub(crate) fn document<S>(base: &str, routes: OpenApiRouter<S>) -> String
where
    S: Clone + Send + Sync + 'static,
{
    let whole = OpenApiRouter::with_openapi(Zumra::openapi()).nest(base, routes);
    let json =
        whole.into_openapi().to_pretty_json().expect("the document has string keys and no failing parts");
    json + "\n"
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Zumra",
        description = "Customers and customer groups of a shop, over the wire format of Salla's Merchant API v2.",
        license(name = "MIT OR Apache-2.0"),
    ),
    components(
        schemas(Refusal, NotFound, InvalidFields<FieldMessages>),
        responses(Unavailable, PayloadTooLarge, InvalidFieldsResponse, NotFoundResponse, GroupSentence, InvalidFileResponse),
    ),
    modifiers(&Bearer),
)]
struct Zumra;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("bearer", bearer);
    }
}

/// Writes what holds for every route with a scope: the token that it needs, and what it answers without one.
pub(crate) fn require_scope(paths: &mut Paths, scope: Option<Scope>) {
    for item in paths.paths.values_mut() {
        for operation in [&mut item.post, &mut item.put, &mut item.delete].into_iter().flatten() {
            describe_write(operation);
        }
        let methods = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        for operation in methods.into_iter().flatten() {
            secure(operation, scope);
        }
    }
}

/// What every write says: which operation it became; and that a body has a limit.
fn describe_write(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            let header = HeaderBuilder::new()
                .schema(Some(ObjectBuilder::new().schema_type(Type::Integer).format(Some(INT64))))
                .description(Some(
                    "The operation that this request became; absent if there was nothing to change",
                ));
            response.headers.insert("Zumra-Operation".to_owned(), header.build().into());
        }
    }
    if operation.request_body.is_some() {
        responses.insert("413".to_owned(), RefOr::Ref(Ref::from_response_name("PayloadTooLarge")));
    }
}

fn secure(operation: &mut Operation, scope: Option<Scope>) {
    operation.security = Some(vec![SecurityRequirement::new("bearer", scope.map(Scope::as_str))]);
    let (description, message) = match scope {
        Some(scope) => (
            format!("No token, one that opens nothing, or one without the scope `{scope}`"),
            format!("The access token should have access to one of those scopes: {scope}"),
        ),
        None => ("No token, or one that opens nothing".to_owned(), "The access token is invalid".to_owned()),
    };
    let example =
        json!({"status": 401, "success": false, "error": {"code": "Unauthorized", "message": message}});
    let body =
        Content::builder().schema(Some(Ref::from_schema_name("Refusal"))).example(Some(example)).build();
    let unauthorized = ResponseBuilder::new().description(description).content("application/json", body);
    let responses = &mut operation.responses.responses;
    responses.insert("401".to_owned(), RefOr::T(unauthorized.build()));
    responses.insert("503".to_owned(), RefOr::Ref(Ref::from_response_name("Unavailable")));
}

/// The parameters of every list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the OpenAPI document; `ListRequest` reads requests")]
pub(crate) struct PageParameters {
    /// Number of the page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u64>,
    /// Items a page; more than 60 is taken as 60.
    #[param(minimum = 1, default = 15)]
    per_page: Option<u32>,
}

/// The default group cannot be deleted.
#[derive(ToResponse)]
#[response(
    description = "It is the default group, which cannot be deleted",
    example = json!({"status": 422, "success": false, "error": {"code": "error", "message": "لا يمكن حذف المجموعة الافتراضية"}}),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
pub(crate) struct GroupSentence(Refusal<'static>);

/// The file cannot be imported.
#[derive(ToResponse)]
#[response(
    description = "The file is missing, cannot be read, or lacks columns. An empty one is refused without `fields`",
    example = json!({"status": 422, "success": false, "error": {"code": "error", "message": "الملف المرفوع فارغ!"}}),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
pub(crate) struct InvalidFileResponse(Refusal<'static>);

/// Sentences by the key of the field.
type FieldMessages = BTreeMap<String, Vec<String>>;

/// The service cannot do it now.
#[derive(ToResponse)]
#[response(
    description = "Too busy, or its database is away; try again after `Retry-After` seconds",
    headers(("Retry-After" = u32, description = "Seconds to wait")),
    example = json!({"status": 503, "success": false, "error": {"code": "service_unavailable", "message": "Service Unavailable"}}),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
struct Unavailable(Refusal<'static>);

/// The body is over the limit.
#[derive(ToResponse)]
#[response(
    description = "The body is over the limit, 16 MiB by default",
    example = json!({"status": 413, "success": false, "error": {"code": "payload_too_large", "message": "Payload Too Large"}}),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
struct PayloadTooLarge(Refusal<'static>);

/// Some fields are not as they should be.
#[derive(ToResponse)]
#[response(
    description = "Some fields are not as they should be; nothing was changed",
    examples(
        ("missing" = (summary = "Fields that are missing", value = json!({"status": 422, "success": false, "error": {"code": "error", "message": "alert.invalid_fields", "fields": {"group_id": ["حقل group id مطلوب."], "customers": ["حقل customers مطلوب."]}}}))),
        ("wrong" = (summary = "Values that are wrong", value = json!({"status": 422, "success": false, "error": {"code": "error", "message": "alert.invalid_fields", "fields": {"group_id": ["يجب أن يكون حقل group id عددًا صحيحًا"], "customers.0": ["حقل customers.0 غير صالح"]}}}))),
    ),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
pub(crate) struct InvalidFieldsResponse(InvalidFields<FieldMessages>);

/// There is no such thing.
#[derive(ToResponse)]
#[response(
    description = "There is no such thing",
    example = json!({"success": false, "status": 404, "error": {"code": 404, "message": "The content you are trying to access is no longer available"}}),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
pub(crate) struct NotFoundResponse(NotFound<'static>);
