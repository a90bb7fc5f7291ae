//! Customers (contract §2.2, C1 to C5).

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use utoipa::ToSchema;
use zumra_core::text::Name;
use zumra_core::{Customer, CustomerChange, CustomerId, MessageCode, NewCustomer, SearchQuery};
use zumra_storage::{CustomerFilter, StorageError, Written};
use zumra_validation::Input;
use zumra_validation::requests::customers as rules;

use super::customer_view::{CustomerView, Extras};
use crate::App;
use crate::auth::{Caller, CustomersRead, CustomersWrite};
use crate::body::Submitted;
use crate::checked::Fields;
use crate::envelope::{Listing, Problem, Success};
use crate::request::{ListRequest, PathId, language_of_not_found};

/// A customer to make, or what to change in one.
#[derive(ToSchema)]
#[schema(example = json!({"first_name": "Ahmed", "last_name": "Ali", "mobile": "777777777", "mobile_code_country": "+967", "gender": "female", "birthday": "1997-06-03", "email": "ahmedali@test.test", "groups": [11_323_141]}))]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct CustomerBody {
    /// Required of a new customer.
    #[schema(max_length = 25)]
    first_name: Option<String>,
    /// Required of a new customer.
    #[schema(max_length = 25)]
    last_name: Option<String>,
    /// Without the country code; unique within the store. Required of a new customer.
    #[schema(max_length = 64)]
    mobile: Option<String>,
    /// `+966`. Required of a new customer.
    #[schema(max_length = 1024)]
    mobile_code_country: Option<String>,
    /// Unique within the store, whatever its case.
    #[schema(max_length = 255)]
    email: Option<String>,
    /// `male` or `female`
    gender: Option<String>,
    /// `1997-06-03`
    birthday: Option<String>,
    /// Ids of groups of this store, as numbers or as strings. In a change they replace all groups of the customer but
    /// the default group.
    groups: Option<Vec<i64>>,
}

/// List customers
#[utoipa::path(
    get,
    path = "/customers",
    operation_id = "get-customers",
    tag = "Customers",
    params(crate::openapi::PageParameters,
        ("keyword" = Option<String>, Query, description = "Beginnings of words of a name, of an e-mail address or of a mobile number, with its country code or without"),
        ("date_from" = Option<String>, Query, description = "Created on this day or later, `2024-12-30`"),
        ("date_to" = Option<String>, Query, description = "Created on this day or before, `2024-12-31`"),
        ("fields[]" = Option<Vec<String>>, Query, description = "Extra keys: `is_blocked`, `is_whitelisted`, `block_reason`, `is_inactive`, `total_points`, `country_id`, `custom_fields`, `current_store_customer`, `is_orders_rated`, `is_notifications_enabled`")),
    responses((status = 200, description = "One page, newest first", body = Listing<CustomerView>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<CustomersRead>,
    request: ListRequest,
) -> Result<Listing<CustomerView>, Problem> {
    let extras = Extras::of_list(&request.query);
    let filter = read_filter(&request.query, &caller.merchant.time_zone);
    let customers = app.storage.list_customers(caller.merchant.id, filter, request.page).await?;
    let view = |customer| CustomerView::new(customer, &caller.merchant, &app.options.public_url, &extras);
    Ok(request.answer(customers, view))
}

/// What is no date is as if it were not there.
fn read_filter(query: &Input, zone: &TimeZone) -> CustomerFilter {
    let date = |name| query.text(name).and_then(|text| Span::read(&text, zone));
    CustomerFilter {
        keyword: query.text("keyword").and_then(|text| SearchQuery::parse(&text)),
        created_from: date("date_from").map(|span| span.from),
        created_before: date("date_to").map(|span| span.before),
    }
}

/// A day of a shop, or a second.
struct Span {
    from: Timestamp,
    before: Timestamp,
}

impl Span {
    fn read(text: &str, zone: &TimeZone) -> Option<Self> {
        let moment = |at: DateTime| at.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
        if let Ok(day) = text.parse::<Date>()
            && !text.contains(':')
        {
            let next = day.checked_add(1.day()).ok()?;
            return Some(Self { from: moment(day.into())?, before: moment(next.into())? });
        }
        let from = moment(text.parse().ok()?)?;
        Some(Self { from, before: from.checked_add(SignedDuration::from_secs(1)).ok()? })
    }
}

/// Create a customer
///
/// Every new customer joins the default group, and the groups that the request names.
#[utoipa::path(
    post,
    path = "/customers",
    operation_id = "post-customers",
    tag = "Customers",
    request_body = CustomerBody,
    responses(
        (status = 200, description = "The customer", body = Success<CustomerView>),
        (status = 422, response = crate::openapi::InvalidFieldsResponse),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let made = match try_create(&app, &caller, &submitted).await? {
        // Somebody was faster, with the same number or with one of the groups: now the rules see it.
        Err(StorageError::Conflict(_) | StorageError::MissingGroup(_)) => {
            try_create(&app, &caller, &submitted).await?
        }
        made => made,
    }?;
    let view = CustomerView::new(made.value, &caller.merchant, &app.options.public_url, &Extras::default());
    Ok(Success::ok(view).made_by(made.operation))
}

/// What the storage says of a request that the rules have nothing against.
type Outcome = Result<Written<Customer>, StorageError>;

async fn try_create(
    app: &App,
    caller: &Caller<CustomersWrite>,
    submitted: &Submitted,
) -> Result<Outcome, Problem> {
    let merchant = caller.merchant.id;
    let fields = submitted.checked(app, merchant, &rules::create(), None).await?;
    let change = read_change(&fields)?;
    let operation = app.operation(caller.token);
    let (Some(name), Some(id)) = (change.first_name.clone(), CustomerId::new(app.ids.next(operation.at)))
    else {
        return Err(Problem::Internal("a customer passed validation without a name".to_owned()));
    };
    let groups = change.groups.clone().unwrap_or_default();
    let customer = NewCustomer::new(id, name).with_change(change);
    Ok(app.storage.create_customer(merchant, customer, groups, operation).await)
}

/// Customer details
#[utoipa::path(
    get,
    path = "/customers/{customer}",
    operation_id = "get-customers-customer",
    tag = "Customers",
    params(("customer" = i64, Path, description = "Id of a customer of this store"),
        ("fields[]" = Option<Vec<String>>, Query, description = "Extra keys: those of the list, and `orders_count`, `orders_amount`, `orders_average`, `orders_complete_ratio`, `orders_cancel_ratio`, `orders_cancel`, `latest_purchase`, `abandoned_carts_items`, `wallet_balance`")),
    responses(
        (status = 200, description = "The customer", body = Success<CustomerView>),
        (status = 404, response = crate::openapi::NotFoundResponse),
    ),
)]
pub(crate) async fn details(
    State(app): State<App>,
    caller: Caller<CustomersRead>,
    headers: HeaderMap,
    PathId(id): PathId<CustomerId>,
    request: ListRequest,
) -> Result<Success<CustomerView>, Problem> {
    let found = app.storage.find_customer(caller.merchant.id, id).await?;
    let customer = found.ok_or_else(|| Problem::NotFound(language_of_not_found(&headers)))?;
    let extras = Extras::of_details(&request.query);
    Ok(Success::ok(CustomerView::new(customer, &caller.merchant, &app.options.public_url, &extras)))
}

/// Update a customer
///
/// What the body leaves out stays as it is.
#[utoipa::path(
    put,
    path = "/customers/{customer}",
    operation_id = "put-customers-customer",
    tag = "Customers",
    params(("customer" = i64, Path, description = "Id of a customer of this store")),
    request_body = CustomerBody,
    responses(
        (status = 200, description = "The customer", body = Success<CustomerView>),
        (status = 404, response = crate::openapi::NotFoundResponse),
        (status = 422, response = crate::openapi::InvalidFieldsResponse),
    ),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(id): PathId<CustomerId>,
    headers: HeaderMap,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = &caller.merchant;
    let not_found = || Problem::NotFound(language_of_not_found(&headers));
    // An id in the path is looked for before anything is said about the body.
    app.storage.find_customer(merchant.id, id).await?.ok_or_else(not_found)?;
    let changed = match try_update(&app, &caller, id, &submitted).await? {
        // Somebody was faster, with the same number or with one of the groups: now the rules see it.
        Err(StorageError::Conflict(_) | StorageError::MissingGroup(_)) => {
            try_update(&app, &caller, id, &submitted).await?
        }
        changed => changed,
    };
    let changed = changed.map_err(|error| match error {
        StorageError::NotFound(_) => not_found(),
        error => error.into(),
    })?;
    let view = CustomerView::new(changed.value, merchant, &app.options.public_url, &Extras::default());
    Ok(Success::ok(view).made_by(changed.operation))
}

async fn try_update(
    app: &App,
    caller: &Caller<CustomersWrite>,
    id: CustomerId,
    submitted: &Submitted,
) -> Result<Outcome, Problem> {
    let merchant = caller.merchant.id;
    let fields = submitted.checked(app, merchant, &rules::update(), Some(id)).await?;
    let operation = app.operation(caller.token);
    Ok(app.storage.update_customer(merchant, id, read_change(&fields)?, operation).await)
}

/// Delete a customer
#[utoipa::path(
    delete,
    path = "/customers/{customer}",
    operation_id = "delete-customers-customer",
    tag = "Customers",
    params(("customer" = i64, Path, description = "Id of a customer of this store")),
    responses(
        (status = 200, description = "The customer is gone, and all the customer's memberships", body = Success<Vec<String>>,
         example = json!({"status": 200, "success": true, "data": ["تم حذف Customer بنجاح"]})),
        (status = 404, response = crate::openapi::NotFoundResponse),
    ),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(id): PathId<CustomerId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let operation = app.operation(caller.token);
    let deleted = app.storage.delete_customer(caller.merchant.id, id, operation).await;
    let operation = deleted.map_err(|error| match error {
        StorageError::NotFound(_) => Problem::NotFound(language_of_not_found(&headers)),
        error => error.into(),
    })?;
    Ok(Success::ok(["تم حذف Customer بنجاح"]).made_by(Some(operation)))
}

pub(crate) fn read_change(fields: &Fields) -> Result<CustomerChange, Problem> {
    let name = |field| fields.parsed_with(field, MessageCode::String, |text| Name::parse(text).ok());
    Ok(CustomerChange {
        first_name: name("first_name")?.flatten(),
        last_name: name("last_name")?.flatten(),
        mobile: fields.parsed("mobile", MessageCode::Numeric)?.flatten(),
        mobile_code: fields.parsed("mobile_code_country", MessageCode::String)?.flatten(),
        email: fields.parsed("email", MessageCode::Email)?,
        gender: fields.parsed("gender", MessageCode::In)?,
        birthday: fields.parsed("birthday", MessageCode::DateFormat)?,
        groups: fields.groups("groups"),
    })
}

/// The picture of every customer: nobody's.
pub(crate) async fn avatar() -> impl IntoResponse {
    const PICTURE: &str = concat!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96"><rect width="96" height="96" fill="#e8ecef"/>"##,
        r##"<g fill="#9aa7b1"><circle cx="48" cy="37" r="17"/><path d="M14 96c0-22 15-35 34-35s34 13 34 35z"/></g></svg>"##,
    );
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "max-age=86400")], PICTURE)
}
