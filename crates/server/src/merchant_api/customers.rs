//! Customers (contract §2.2, C1 to C5).

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;
use zumra_core::{Customer, CustomerId, NewCustomer};
use zumra_storage::{StorageError, Written};
use zumra_validation::requests::customers as rules;

use super::customer_filter::read_filter;
use super::customer_view::{CustomerView, Extras, GenderName};
use crate::app::App;
use crate::auth::{Caller, CustomersRead, CustomersWrite};
use crate::customer_fields::read_customer_change;
use crate::envelope::{Listing, MessagesResponse, Success};
use crate::openapi::{ConflictResponse, InvalidFields, PageParameters};
use crate::problem::Problem;
use crate::request::{ListRequest, PathId};
use crate::submitted::Submitted;

/// The message after a deletion. Like Salla, the API uses it for every language.
const DELETED: &str = "تم حذف Customer بنجاح";

type CustomerResponse = Success<CustomerView>;
type CustomerList = Listing<CustomerView>;

/// A new customer.
#[derive(ToSchema)]
#[schema(as = NewCustomer, example = json!({"first_name": "Ahmed", "last_name": "Ali", "mobile": "777777777", "mobile_code_country": "+967", "gender": "female", "birthday": "1997-06-03", "email": "ahmedali@test.test", "groups": [11_323_141]}))]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct NewCustomerBody {
    #[schema(min_length = 1, max_length = 25)]
    first_name: String,
    #[schema(min_length = 1, max_length = 25)]
    last_name: String,
    /// Without the country code. Unique within the store.
    #[schema(max_length = 64, pattern = r"^[+]?[0-9]+$")]
    mobile: String,
    /// `+966`
    #[schema(min_length = 1, max_length = 1024)]
    mobile_code_country: String,
    /// Unique within the store, ignoring case.
    #[schema(max_length = 255, format = Email)]
    email: Option<String>,
    gender: Option<GenderName>,
    #[schema(format = Date, example = "1997-06-03")]
    birthday: Option<String>,
    /// Ids of groups of this store, as numbers or strings. The customer joins the default group too.
    groups: Option<Vec<i64>>,
}

/// A change to a customer. Keys that are absent keep their values.
#[derive(ToSchema)]
#[schema(example = json!({"first_name": "Ahmed", "last_name": "Ali", "email": "ahmed.ali@test.test", "gender": "female", "birthday": "1997-06-03"}))]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct CustomerUpdate {
    #[schema(min_length = 1, max_length = 25, nullable = false)]
    first_name: Option<String>,
    #[schema(min_length = 1, max_length = 25, nullable = false)]
    last_name: Option<String>,
    /// Without the country code. Unique within the store.
    #[schema(max_length = 64, pattern = r"^[+]?[0-9]+$", nullable = false)]
    mobile: Option<String>,
    /// `+966`
    #[schema(min_length = 1, max_length = 1024, nullable = false)]
    mobile_code_country: Option<String>,
    /// Unique within the store, ignoring case.
    #[schema(max_length = 255, format = Email)]
    email: Option<String>,
    gender: Option<GenderName>,
    #[schema(format = Date, example = "1997-06-03")]
    birthday: Option<String>,
    /// Ids of groups of this store, as numbers or strings. They replace all groups of the customer except the default
    /// group.
    groups: Option<Vec<i64>>,
}

/// List customers
#[utoipa::path(
    get,
    path = "/customers",
    tag = "Customers",
    params(PageParameters,
        ("keyword" = Option<String>, Query, description = "Matches customers if each word is a prefix of a word of the name, of the email address or a part before its `@`, or of the mobile number with or without country code"),
        ("date_from" = Option<String>, Query, description = "Created at this time or later: `2024-12-30`, or a date with time, `2024-12-30T10:00:00+03:00`. Without an offset, in the time zone of the store"),
        ("date_to" = Option<String>, Query, description = "Created at this time or earlier, in the same forms; a day is included whole"),
        ("fields[]" = Option<Vec<String>>, Query, description = "Extra keys: `is_blocked`, `is_whitelisted`, `block_reason`, `is_inactive`, `total_points`, `country_id`, `custom_fields`, `current_store_customer`, `is_orders_rated`, `is_notifications_enabled`")),
    responses(
        (status = 200, description = "One page, newest first", body = CustomerList),
        (status = 422, response = InvalidFields),
    ),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<CustomersRead>,
    request: ListRequest,
) -> Result<Listing<CustomerView>, Problem> {
    let extras = Extras::for_list(&request.query);
    let filter = read_filter(&request, &caller.merchant.time_zone)?;
    let customers = app.storage.list_customers(caller.merchant.id, filter, request.page).await?;
    let view = |customer| CustomerView::new(customer, &caller.merchant, &app.options.public_url, &extras);
    Ok(request.respond(customers, view))
}

/// Create a customer
///
/// The customer becomes a member of the default group and of the groups in the request.
#[utoipa::path(
    post,
    path = "/customers",
    tag = "Customers",
    request_body = NewCustomerBody,
    responses(
        (status = 200, description = "The customer", body = CustomerResponse),
        (status = 409, response = ConflictResponse),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let mut result = try_create(&app, &caller, &submitted).await?;
    if is_race(&result) {
        result = try_create(&app, &caller, &submitted).await?;
    }
    let created = result?;
    let view =
        CustomerView::new(created.value, &caller.merchant, &app.options.public_url, &Extras::default());
    Ok(Success::ok(view).with_operation(created.operation))
}

/// The storage's result of a write that passed validation.
type WriteResult = Result<Written<Customer>, StorageError>;

/// Returns true if, after validation, a concurrent request used the id, the mobile number or the email, or deleted a
/// group. The caller then tries once more: validation names the field in a 422, and a new customer gets another id.
fn is_race(result: &WriteResult) -> bool {
    matches!(result, Err(StorageError::Conflict(_) | StorageError::MissingGroup(_)))
}

async fn try_create(
    app: &App,
    caller: &Caller<CustomersWrite>,
    submitted: &Submitted,
) -> Result<WriteResult, Problem> {
    let merchant = caller.merchant.id;
    let fields = submitted.validate(app, merchant, &rules::create(), None).await?;
    let change = read_customer_change(&fields)?;
    let Some(name) = change.first_name.clone() else {
        return Err(Problem::Internal("a customer passed validation without a name".to_owned()));
    };
    let operation = app.new_operation(caller.token);
    let groups = change.groups.clone().unwrap_or_default();
    let customer = NewCustomer::new(name).with_change(change);
    Ok(app.storage.create_customer(merchant, customer, groups, operation).await)
}

/// Customer details
#[utoipa::path(
    get,
    path = "/customers/{customer}",
    tag = "Customers",
    params(("fields[]" = Option<Vec<String>>, Query, description = "Extra keys: those of the list, and `orders_count`, `orders_amount`, `orders_average`, `orders_complete_ratio`, `orders_cancel_ratio`, `orders_cancel`, `latest_purchase`, `abandoned_carts_items`, `wallet_balance`")),
    responses((status = 200, description = "The customer", body = CustomerResponse)),
)]
pub(crate) async fn details(
    State(app): State<App>,
    caller: Caller<CustomersRead>,
    PathId(id): PathId<CustomerId>,
    request: ListRequest,
) -> Result<Success<CustomerView>, Problem> {
    let customer = app.storage.find_customer(caller.merchant.id, id).await?.ok_or(Problem::NotFound)?;
    let extras = Extras::for_details(&request.query);
    Ok(Success::ok(CustomerView::new(customer, &caller.merchant, &app.options.public_url, &extras)))
}

/// Update a customer
///
/// Fields that are not in the body stay unchanged.
#[utoipa::path(
    put,
    path = "/customers/{customer}",
    tag = "Customers",
    request_body = CustomerUpdate,
    responses(
        (status = 200, description = "The customer", body = CustomerResponse),
        (status = 409, response = ConflictResponse),
    ),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(id): PathId<CustomerId>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = &caller.merchant;
    // The response for a missing customer is 404 even if the body is invalid.
    app.storage.find_customer(merchant.id, id).await?.ok_or(Problem::NotFound)?;
    let mut result = try_update(&app, &caller, id, &submitted).await?;
    if is_race(&result) {
        result = try_update(&app, &caller, id, &submitted).await?;
    }
    let updated = result?;
    let view = CustomerView::new(updated.value, merchant, &app.options.public_url, &Extras::default());
    Ok(Success::ok(view).with_operation(updated.operation))
}

async fn try_update(
    app: &App,
    caller: &Caller<CustomersWrite>,
    id: CustomerId,
    submitted: &Submitted,
) -> Result<WriteResult, Problem> {
    let merchant = caller.merchant.id;
    let fields = submitted.validate(app, merchant, &rules::update(), Some(id)).await?;
    let change = read_customer_change(&fields)?;
    let operation = app.new_operation(caller.token);
    Ok(app.storage.update_customer(merchant, id, change, operation).await)
}

/// Delete a customer
#[utoipa::path(
    delete,
    path = "/customers/{customer}",
    tag = "Customers",
    responses((status = 200, description = "The customer and its memberships are deleted", body = MessagesResponse,
        example = json!(Success::ok([DELETED])))),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(id): PathId<CustomerId>,
) -> Result<Response, Problem> {
    let operation = app.new_operation(caller.token);
    let operation = app.storage.delete_customer(caller.merchant.id, id, operation).await?;
    Ok(Success::ok([DELETED]).with_operation(Some(operation)))
}

/// Returns the avatar of every customer: a silhouette.
pub(crate) async fn avatar() -> impl IntoResponse {
    const PICTURE: &str = concat!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96"><rect width="96" height="96" fill="#e8ecef"/>"##,
        r##"<g fill="#9aa7b1"><circle cx="48" cy="37" r="17"/><path d="M14 96c0-22 15-35 34-35s34 13 34 35z"/></g></svg>"##,
    );
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "max-age=86400")], PICTURE)
}
