//! The OpenAPI document: its frame, and what follows from the path, scope and body of an operation.
//!
//! A handler documents its path, tag, query parameters, body and success. [`describe_operations`] adds the rest.

use serde_json::json;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Object, ObjectBuilder, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa::{IntoParams, Modify, OpenApi, ToResponse, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use zumra_core::Scope;

use crate::problem::{ErrorBody, InvalidFieldsBody, NotFoundBody};

/// Returns the document of `routes` below `base`: pretty-printed JSON with a newline at the end.
pub(crate) fn document<S>(base: &str, routes: OpenApiRouter<S>) -> String
where
    S: Clone + Send + Sync + 'static,
{
    let router = OpenApiRouter::with_openapi(Frame::openapi()).nest(base, routes);
    let json =
        router.into_openapi().to_pretty_json().expect("the document has string keys and infallible fields");
    json + "\n"
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Zumra",
        description = "Customers and customer groups of a shop, over the wire format of Salla's Merchant API v2.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact(name = "Zumra contributors"),
    ),
    servers(
        (url = "/", description = "The service that serves this document"),
        (url = "http://127.0.0.1:8723", description = "A local service, `zumra dev`"),
    ),
    tags(
        (name = "Customer Groups", description = "Groups of customers, and adding customers to them"),
        (name = "Customers", description = "Customers of a store, banning, and import from spreadsheets"),
        (name = "Merchant", description = "The store that a token belongs to"),
        (name = "Payments", description = "Payment methods, which the features of groups name"),
    ),
    components(
        schemas(ErrorBody, NotFoundBody, InvalidFieldsBody),
        responses(ConflictResponse, InvalidFields, NotFound, PayloadTooLarge, Unavailable),
    ),
    modifiers(&Bearer),
)]
struct Frame;

/// The key of an operation's required scope, for programs that read the document.
const SCOPE_EXTENSION: &str = "x-required-scope";

/// The name of the security scheme.
pub(crate) const BEARER: &str = "bearer";

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some(
            "A token of a merchant, from `zumra token create`. A service that runs as `zumra dev` accepts \
             `zumra-dev-token-read-write` and `zumra-dev-token-read-only`."
                .to_owned(),
        );
        document.components.get_or_insert_default().add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    }
}

/// Completes the operations of a route: operation id, ids in the path, security, and the responses that follow from
/// its method, path, body and `scope`. A response that the handler documents itself stays as it is.
pub(crate) fn describe_operations(paths: &mut Paths, scope: Option<Scope>) {
    for (path, item) in &mut paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            operation.operation_id = Some(operation_id(method, path));
            if method != "get" {
                describe_operation_header(operation);
            }
            describe_path_ids(operation, path);
            describe_body_errors(operation);
            describe_security(operation, scope);
            add_response(operation, "503", Ref::from_response_name("Unavailable"));
        }
    }
}

/// Returns `put-customers-groups-group` for `PUT /customers/groups/{group}`.
fn operation_id(method: &str, path: &str) -> String {
    format!("{method}{}", path.replace('/', "-").replace(['{', '}'], ""))
}

/// Documents `Zumra-Operation` on the successes of a write.
fn describe_operation_header(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            let header = HeaderBuilder::new()
                .schema(Some(integer()))
                .description(Some("Id of the operation that the request wrote; absent if nothing changed"));
            response.headers.insert("Zumra-Operation".to_owned(), header.build().into());
        }
    }
}

/// Documents each `{name}` in the path, and 404.
fn describe_path_ids(operation: &mut Operation, path: &str) {
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let ids: Vec<RefOr<Parameter>> = names.map(|name| path_id(name).into()).collect();
    if ids.is_empty() {
        return;
    }
    let parameters = operation.parameters.get_or_insert_default();
    parameters.splice(0..0, ids);
    add_response(operation, "404", Ref::from_response_name("NotFound"));
}

fn path_id(name: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(format!("Id of the {name}, which must belong to this store")))
        .schema(Some(ObjectBuilder::from(integer()).minimum(Some(1))))
        .build()
}

/// Documents 413 and 422 for an operation with a body.
fn describe_body_errors(operation: &mut Operation) {
    if operation.request_body.is_some() {
        add_response(operation, "413", Ref::from_response_name("PayloadTooLarge"));
        add_response(operation, "422", Ref::from_response_name("InvalidFields"));
    }
}

/// Documents the scope and 401. The scope is in the description: a security requirement can have scopes only for OAuth,
/// and Zumra does not issue its tokens over OAuth.
fn describe_security(operation: &mut Operation, scope: Option<Scope>) {
    operation.security = Some(vec![SecurityRequirement::new(BEARER, None::<&str>)]);
    let needs = match scope {
        Some(scope) => format!("Requires the scope `{scope}`."),
        None => "Accepts any valid token.".to_owned(),
    };
    operation.description = Some(match operation.description.take() {
        Some(description) => format!("{description}\n\n{needs}"),
        None => needs,
    });
    if let Some(scope) = scope {
        let extension = ExtensionsBuilder::new().add(SCOPE_EXTENSION, scope.as_str());
        operation.extensions = Some(extension.build());
    }
    let (description, message) = match scope {
        Some(scope) => (
            format!("Missing or invalid token, or a token without the scope `{scope}`"),
            format!("The access token should have access to one of those scopes: {scope}"),
        ),
        None => ("Missing or invalid token".to_owned(), "The access token is invalid".to_owned()),
    };
    let example =
        json!({"status": 401, "success": false, "error": {"code": "Unauthorized", "message": message}});
    let schema = Ref::from_schema_name(ErrorBody::name());
    let body = Content::builder().schema(Some(schema)).example(Some(example)).build();
    let unauthorized = ResponseBuilder::new().description(description).content("application/json", body);
    add_response(operation, "401", unauthorized.build());
}

fn add_response(operation: &mut Operation, status: &str, response: impl Into<RefOr<Response>>) {
    operation.responses.responses.entry(status.to_owned()).or_insert(response.into());
}

fn integer() -> Object {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).build()
}

/// The parameters of every list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the OpenAPI document; `ListRequest` reads requests")]
pub(crate) struct PageParameters {
    /// Number of the page, from 1.
    #[param(minimum = 1, maximum = 9_007_199_254_740_991_u64, default = 1)]
    page: Option<u64>,
    /// Items per page. Values above 60 are taken as 60.
    #[param(minimum = 1, maximum = 60, default = 15)]
    per_page: Option<u32>,
}

#[derive(ToResponse)]
#[response(
    description = "Overloaded, database unavailable, or request timed out. With `Retry-After`, nothing was changed and the request may be repeated. Without it, the outcome of a write is unknown: it may or may not be stored",
    headers(("Retry-After" = u32, description = "Delay in seconds before the request may be repeated; absent if the outcome is unknown")),
    example = json!({"status": 503, "success": false, "error": {"code": "service_unavailable", "message": "Service Unavailable"}}),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
struct Unavailable(ErrorBody<'static>);

/// For operations that a concurrent one can contradict after validation.
#[derive(ToResponse)]
#[response(
    description = "A concurrent request changed the same rows. Nothing was changed, and the request may be repeated",
    example = json!({"status": 409, "success": false, "error": {"code": "conflict", "message": "Conflict"}}),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
pub(crate) struct ConflictResponse(ErrorBody<'static>);

#[derive(ToResponse)]
#[response(
    description = "The body is larger than the limit, 16 MiB by default",
    example = json!({"status": 413, "success": false, "error": {"code": "payload_too_large", "message": "Payload Too Large"}}),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
struct PayloadTooLarge(ErrorBody<'static>);

#[derive(ToResponse)]
#[response(
    description = "Some fields are invalid; nothing was changed",
    examples(
        ("missing" = (summary = "Missing fields", value = json!({"status": 422, "success": false, "error": {"code": "error", "message": "alert.invalid_fields", "fields": {"group_id": ["حقل group id مطلوب."], "customers": ["حقل customers مطلوب."]}}}))),
        ("wrong" = (summary = "Invalid values", value = json!({"status": 422, "success": false, "error": {"code": "error", "message": "alert.invalid_fields", "fields": {"group_id": ["يجب أن يكون حقل group id عددًا صحيحًا"], "customers.0": ["حقل customers.0 غير صالح"]}}}))),
    ),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
pub(crate) struct InvalidFields(InvalidFieldsBody<'static>);

#[derive(ToResponse)]
#[response(
    description = "No row of this store has this id",
    example = json!({"success": false, "status": 404, "error": {"code": 404, "message": "The content you are trying to access is no longer available"}}),
)]
#[expect(dead_code, reason = "read by the OpenAPI document")]
struct NotFound(NotFoundBody<'static>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_ids_contain_method_and_path() {
        assert_eq!(operation_id("get", "/customers"), "get-customers");
        assert_eq!(operation_id("put", "/customers/groups/{group}"), "put-customers-groups-group");
    }
}
