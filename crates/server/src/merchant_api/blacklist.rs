//! Customers who may not order (contract §2.2, C6 and C7).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use utoipa::ToSchema;
use zumra_core::CustomerId;
use zumra_storage::{StorageError, Written};
use zumra_validation::requests::ban::ban as rules;

use crate::App;
use crate::auth::{Caller, CustomersWrite};
use crate::body::Submitted;
use crate::envelope::{MessageData, Problem, Success};
use crate::request::{PathId, language_of_not_found};

/// Why a customer is banned.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct BanBody {
    #[schema(max_length = 65_535, example = "untrusted customer")]
    reason: String,
}

/// Ban a customer
///
/// Banning again replaces the reason.
#[utoipa::path(
    put,
    path = "/customers/blacklist/{customer}",
    operation_id = "put-customers-blacklist-customer",
    tag = "Customers",
    params(("customer" = i64, Path, description = "Id of a customer of this store")),
    request_body = BanBody,
    responses(
        (status = 201, description = "The customer is banned now", body = Success<MessageData>,
         example = json!({"status": 201, "success": true, "data": {"message": "The Blacklist has been updated successfully", "code": 201}})),
        (status = 404, response = crate::openapi::NotFoundResponse),
        (status = 422, response = crate::openapi::InvalidFieldsResponse),
    ),
)]
pub(crate) async fn ban(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(id): PathId<CustomerId>,
    headers: HeaderMap,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = caller.merchant.id;
    let found = app.storage.find_customer(merchant, id).await?;
    found.ok_or_else(|| Problem::NotFound(language_of_not_found(&headers)))?;
    let fields = submitted.checked(&app, merchant, &rules(), None).await?;
    let reason = fields.text("reason")?.flatten();
    let operation = app.operation(caller.token);
    let banned = app.storage.ban_customer(merchant, id, reason, operation).await;
    let banned = or_not_found(banned, &headers)?;
    let answer = Success::message(StatusCode::CREATED, "The Blacklist has been updated successfully");
    Ok(answer.made_by(banned.operation))
}

/// Lift the ban of a customer
#[utoipa::path(
    delete,
    path = "/customers/blacklist/{customer}",
    operation_id = "delete-customers-blacklist-customer",
    tag = "Customers",
    params(("customer" = i64, Path, description = "Id of a banned customer of this store")),
    responses(
        (status = 202, description = "The customer is not banned any more", body = Success<MessageData>,
         example = json!({"status": 202, "success": true, "data": {"message": "The customer in the blacklist has been removed successfully", "code": 202}})),
        (status = 404, response = crate::openapi::NotFoundResponse),
    ),
)]
pub(crate) async fn unban(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(id): PathId<CustomerId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let operation = app.operation(caller.token);
    let lifted = app.storage.ban_customer(caller.merchant.id, id, None, operation).await;
    let lifted = or_not_found(lifted, &headers)?;
    let message = "The customer in the blacklist has been removed successfully";
    Ok(Success::message(StatusCode::ACCEPTED, message).made_by(lifted.operation))
}

fn or_not_found(
    outcome: Result<Written<()>, StorageError>,
    headers: &HeaderMap,
) -> Result<Written<()>, Problem> {
    outcome.map_err(|error| match error {
        StorageError::NotFound(_) => Problem::NotFound(language_of_not_found(headers)),
        error => error.into(),
    })
}
