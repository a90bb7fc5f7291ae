//! Customers (contract §2.2).

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;
use zumra_core::customer::fold_keyword;
use zumra_core::{Country, Customer, CustomerId, GroupId, Merchant, Mobile, MobileCode};

use super::time::PhpDate;
use crate::App;
use crate::auth::{Caller, CustomersRead};
use crate::envelope::{Listing, Problem, Success};
use crate::request::{ListRequest, PathId};

/// A customer as answers show it, keys in the contract's order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomerView {
    #[schema(value_type = i64, example = 1_188_233_194)]
    id: CustomerId,
    #[schema(example = "Ali Ahmed")]
    full_name: String,
    #[schema(example = "Ali")]
    first_name: String,
    /// Empty if it is not known.
    #[schema(example = "Ahmed")]
    last_name: String,
    /// Without the country code.
    #[schema(example = 560_000_000)]
    mobile: Option<u64>,
    #[schema(example = "+966")]
    mobile_code: Option<String>,
    #[schema(example = "ali@example.com")]
    email: Option<String>,
    urls: Urls,
    avatar: String,
    #[schema(example = "male")]
    gender: Option<&'static str>,
    birthday: Option<PhpDate>,
    city: String,
    #[schema(example = "السعودية")]
    country: &'static str,
    #[schema(example = "SA")]
    country_code: &'static str,
    #[schema(example = "SAR")]
    currency: &'static str,
    location: String,
    #[schema(example = "ar")]
    lang: &'static str,
    created_at: PhpDate,
    /// Joining and leaving groups does not count as a change.
    updated_at: PhpDate,
    /// Ids of the groups that the customer is in now.
    #[schema(value_type = Vec<i64>)]
    groups: Vec<GroupId>,
}

/// Where to see a customer.
#[derive(Debug, Serialize, ToSchema)]
struct Urls {
    customer: String,
    admin: String,
}

impl CustomerView {
    fn new(customer: Customer, merchant: &Merchant, public_url: &str) -> Self {
        let details = customer.details;
        let zone = &merchant.time_zone;
        let last_name = details.last_name.as_ref().map_or("", |name| name.as_str());
        let country = details.mobile_code.as_ref().and_then(MobileCode::country);
        // A shop that names no domain has links that are links, and lead nowhere on purpose.
        let domain = merchant.domain.as_ref().map(|domain| domain.as_str().to_owned());
        let domain = domain.unwrap_or_else(|| format!("https://{}.example", merchant.id));
        Self {
            id: details.id,
            full_name: format!("{} {last_name}", details.first_name).trim_end().to_owned(),
            first_name: details.first_name.as_str().to_owned(),
            last_name: last_name.to_owned(),
            mobile: details.mobile.as_ref().map(Mobile::number),
            mobile_code: details.mobile_code.as_ref().map(|code| code.as_str().to_owned()),
            email: details.email.as_ref().map(|email| email.as_str().to_owned()),
            urls: Urls {
                customer: format!("{domain}/profile"),
                admin: format!("{domain}/customers/{}", details.id),
            },
            avatar: format!("{public_url}/avatar.svg"),
            gender: details.gender.map(zumra_core::Gender::as_str),
            birthday: details.birthday.map(|day| PhpDate::day(day, zone)),
            city: details.city.unwrap_or_default(),
            country: country.map_or("", |Country { name, .. }| name),
            country_code: country.map_or("", |Country { code, .. }| code),
            currency: "SAR",
            location: details.location.unwrap_or_default(),
            lang: "ar",
            created_at: PhpDate::moment(customer.created_at, zone),
            updated_at: PhpDate::moment(customer.updated_at, zone),
            groups: customer.groups,
        }
    }
}

/// List customers
#[utoipa::path(
    get,
    path = "/customers",
    operation_id = "get-customers",
    tag = "Customers",
    params(crate::openapi::PageParameters,
        ("keyword" = Option<String>, Query, description = "Part of a name, an e-mail address or a mobile number, with its country code or without")),
    responses((status = 200, description = "One page, newest first", body = Listing<CustomerView>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<CustomersRead>,
    request: ListRequest,
) -> Result<Listing<CustomerView>, Problem> {
    let keyword =
        request.query.text("keyword").map(|text| fold_keyword(&text)).filter(|text| !text.is_empty());
    let customers = app.storage.list_customers(caller.merchant.id, keyword, request.page).await?;
    let view = |customer| CustomerView::new(customer, &caller.merchant, &app.options.public_url);
    Ok(request.answer(customers, view))
}

/// Customer details
#[utoipa::path(
    get,
    path = "/customers/{customer}",
    operation_id = "get-customers-customer",
    tag = "Customers",
    params(("customer" = i64, Path, description = "Id of a customer of this store")),
    responses(
        (status = 200, description = "The customer", body = Success<CustomerView>),
        (status = 404, response = crate::openapi::NotFoundResponse),
    ),
)]
pub(crate) async fn details(
    State(app): State<App>,
    caller: Caller<CustomersRead>,
    headers: axum::http::HeaderMap,
    PathId(id): PathId<CustomerId>,
) -> Result<Success<CustomerView>, Problem> {
    let found = app.storage.find_customer(caller.merchant.id, id).await?;
    let not_found = || Problem::NotFound(crate::request::language_of_not_found(&headers));
    let customer = found.ok_or_else(not_found)?;
    Ok(Success::ok(CustomerView::new(customer, &caller.merchant, &app.options.public_url)))
}

/// The picture of every customer: nobody's.
pub(crate) async fn avatar() -> impl IntoResponse {
    const PICTURE: &str = concat!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96"><rect width="96" height="96" fill="#e8ecef"/>"##,
        r##"<g fill="#9aa7b1"><circle cx="48" cy="37" r="17"/><path d="M14 96c0-22 15-35 34-35s34 13 34 35z"/></g></svg>"##,
    );
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "max-age=86400")], PICTURE)
}
