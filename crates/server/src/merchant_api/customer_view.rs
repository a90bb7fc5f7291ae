//! A customer as answers show it (contract §2.2), and the extra keys that `fields[]` asks for.

use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use zumra_core::{Country, Customer, CustomerId, GroupId, Merchant, Mobile, MobileCode};
use zumra_validation::Input;

use super::time::PhpDate;

/// A customer, keys in the contract's order. Keys that `fields[]` asks for stand beside `groups`.
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
    mobile: Option<i64>,
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
    /// Keys before the groups.
    #[serde(flatten)]
    #[schema(ignore)]
    before: Map<String, Value>,
    /// Ids of the groups that the customer is in now.
    #[schema(value_type = Vec<i64>)]
    groups: Vec<GroupId>,
    /// Keys after the groups, in the order of the alphabet.
    #[serde(flatten)]
    #[schema(ignore)]
    after: Map<String, Value>,
}

/// Where to see a customer.
#[derive(Debug, Serialize, ToSchema)]
struct Urls {
    customer: String,
    admin: String,
}

/// The extra keys that lists and details know.
const LISTED: [&str; 10] = [
    "block_reason",
    "country_id",
    "current_store_customer",
    "custom_fields",
    "is_blocked",
    "is_inactive",
    "is_notifications_enabled",
    "is_orders_rated",
    "is_whitelisted",
    "total_points",
];

/// The extra keys that details know besides.
const DETAILED: [&str; 9] = [
    "abandoned_carts_items",
    "latest_purchase",
    "orders_amount",
    "orders_average",
    "orders_cancel",
    "orders_cancel_ratio",
    "orders_complete_ratio",
    "orders_count",
    "wallet_balance",
];

/// Which extra keys a request asks for, each a name that we know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extras(Vec<&'static str>);

impl Extras {
    /// Those that a list shows.
    pub(crate) fn of_list(query: &Input) -> Self {
        Self::read(query, &[&LISTED])
    }

    /// Those that details show.
    pub(crate) fn of_details(query: &Input) -> Self {
        Self::read(query, &[&LISTED, &DETAILED])
    }

    fn read(query: &Input, known: &[&[&'static str]]) -> Self {
        let asked = query.texts("fields");
        let known = known.iter().flat_map(|names| names.iter());
        Self(known.filter(|name| asked.iter().any(|asked| asked == **name)).copied().collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// Orders and ratings stand before the groups.
    fn before(&self) -> Map<String, Value> {
        let mut keys = Map::new();
        let stats = ["orders_count", "orders_amount"].into_iter().filter(|name| self.has(name));
        let stats: Map<_, _> = stats.map(|name| (name.to_owned(), json!(0))).collect();
        if !stats.is_empty() {
            keys.insert("stats".to_owned(), stats.into());
        }
        if self.has("is_orders_rated") {
            keys.insert("is_orders_rated".to_owned(), json!(false));
            keys.insert("pending_rating_count".to_owned(), json!(0));
        }
        keys
    }

    /// Everything else stands after the groups. What Zumra keeps no account of is what it is of a new customer.
    fn after(&self, customer: &Customer, zone: &TimeZone) -> Map<String, Value> {
        let mut names: Vec<_> = self.0.iter().copied().filter(|name| after_groups(name)).collect();
        names.sort_unstable();
        let key = |name: &str| {
            let value = match name {
                "block_reason" => json!(customer.ban_reason),
                "is_blocked" => json!(customer.ban_reason.is_some()),
                "is_inactive" | "is_whitelisted" => json!(false),
                "is_notifications_enabled" => json!(true),
                "custom_fields" => json!([]),
                "current_store_customer" => current_store_customer(customer, zone),
                "abandoned_carts_items" | "country_id" | "latest_purchase" => Value::Null,
                _ => json!(0),
            };
            (name.to_owned(), value)
        };
        names.into_iter().map(key).collect()
    }
}

fn after_groups(name: &str) -> bool {
    !matches!(name, "orders_count" | "orders_amount" | "is_orders_rated")
}

/// The customer as one of this store alone, which every customer is here.
fn current_store_customer(customer: &Customer, zone: &TimeZone) -> Value {
    json!({
        "id": customer.details.id, "approval_status": 1, "reason": null,
        "created_at": PhpDate::moment(customer.created_at, zone),
        "updated_at": PhpDate::moment(customer.updated_at, zone), "last_login_date": null,
    })
}

/// Where a shop is. One that names no domain has links that are links, and lead nowhere on purpose.
pub(crate) fn domain(merchant: &Merchant) -> String {
    let domain = merchant.domain.as_ref().map(|domain| domain.as_str().to_owned());
    domain.unwrap_or_else(|| format!("https://{}.example", merchant.id))
}

impl CustomerView {
    pub(crate) fn new(customer: Customer, merchant: &Merchant, public_url: &str, extras: &Extras) -> Self {
        let zone = &merchant.time_zone;
        let after = extras.after(&customer, zone);
        let details = customer.details;
        let last_name = details.last_name.as_ref().map_or("", |name| name.as_str());
        let country = details.mobile_code.as_ref().and_then(MobileCode::country);
        let domain = domain(merchant);
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
            before: extras.before(),
            groups: customer.groups,
            after,
        }
    }
}
