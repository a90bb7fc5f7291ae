//! Banning customers (contract §2.2, C6 and C7).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa::ToSchema;
use zumra_core::CustomerId;
use zumra_validation::requests::ban::ban as rules;

use crate::app::App;
use crate::auth::{Caller, CustomersWrite};
use crate::envelope::{MessageResponse, Success};
use crate::problem::Problem;
use crate::request::PathId;
use crate::submitted::Submitted;

const BANNED: &str = "The Blacklist has been updated successfully";
const UNBANNED: &str = "The customer in the blacklist has been removed successfully";

/// The reason of a ban.
#[derive(ToSchema)]
#[schema(as = Ban)]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct BanBody {
    #[schema(min_length = 1, max_length = 65_535, example = "untrusted customer")]
    reason: String,
}

/// Ban a customer
///
/// Banning again replaces the reason.
#[utoipa::path(
    put,
    path = "/customers/blacklist/{customer}",
    tag = "Customers",
    request_body = BanBody,
    responses((status = 201, description = "The customer is banned", body = MessageResponse,
        example = json!(Success::message(StatusCode::CREATED, BANNED)))),
)]
pub(crate) async fn ban(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(customer): PathId<CustomerId>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = caller.merchant.id;
    // A missing customer is 404, also if the body is invalid.
    app.storage.find_customer(merchant, customer).await?.ok_or(Problem::NotFound)?;
    let fields = submitted.validate(&app, merchant, &rules(), None).await?;
    let reason = fields.text("reason")?.flatten();
    let operation = app.new_operation(caller.token);
    let banned = app.storage.ban_customer(merchant, customer, reason, operation).await?;
    Ok(Success::message(StatusCode::CREATED, BANNED).with_operation(banned.operation))
}

/// Lift the ban of a customer
///
/// 404 if the customer is not banned.
#[utoipa::path(
    delete,
    path = "/customers/blacklist/{customer}",
    tag = "Customers",
    responses((status = 202, description = "The customer is no longer banned", body = MessageResponse,
        example = json!(Success::message(StatusCode::ACCEPTED, UNBANNED)))),
)]
pub(crate) async fn unban(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(customer): PathId<CustomerId>,
) -> Result<Response, Problem> {
    let operation = app.new_operation(caller.token);
    let unbanned = app.storage.ban_customer(caller.merchant.id, customer, None, operation).await?;
    Ok(Success::message(StatusCode::ACCEPTED, UNBANNED).with_operation(unbanned.operation))
}
