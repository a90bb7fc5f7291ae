//! The JSON of a customer (contract §2.2), and the extra keys that `fields[]` selects.

use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use zumra_core::{Country, Customer, CustomerId, GroupId, Merchant, Mobile, MobileCode};
use zumra_validation::Input;

use super::php_date::PhpDate;
use super::store_url::store_url;

/// A customer. The order of the keys is part of the contract. Keys selected by `fields[]` are around `groups`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Customer, description = "A customer. `fields[]` adds further keys.")]
pub(crate) struct CustomerView {
    #[schema(value_type = i64, minimum = 1, example = 1_188_233_194)]
    id: CustomerId,
    #[schema(example = "Ali Ahmed")]
    full_name: String,
    #[schema(example = "Ali")]
    first_name: String,
    /// Empty if unknown.
    #[schema(example = "Ahmed")]
    last_name: String,
    /// Without the country code.
    #[schema(required = true, example = 560_000_000)]
    mobile: Option<i64>,
    #[schema(required = true, example = "+966")]
    mobile_code: Option<String>,
    #[schema(required = true, example = "ali@example.com")]
    email: Option<String>,
    urls: Urls,
    #[schema(format = "uri")]
    avatar: String,
    #[schema(required = true, value_type = Option<GenderName>, example = "male")]
    gender: Option<&'static str>,
    /// Midnight of the day.
    #[schema(required = true)]
    birthday: Option<PhpDate>,
    city: String,
    #[schema(example = "السعودية")]
    country: &'static str,
    /// Of ISO 3166; empty if unknown.
    #[schema(example = "SA")]
    country_code: &'static str,
    #[schema(example = "SAR")]
    currency: &'static str,
    location: String,
    #[schema(example = "ar")]
    lang: &'static str,
    created_at: PhpDate,
    /// Unchanged when the customer joins or leaves a group.
    updated_at: PhpDate,
    #[serde(flatten)]
    #[schema(ignore)]
    extras_before_groups: Map<String, Value>,
    /// Ids of the groups that the customer is a member of.
    #[schema(value_type = Vec<i64>)]
    groups: Vec<GroupId>,
    #[serde(flatten)]
    #[schema(ignore)]
    extras_after_groups: Map<String, Value>,
}

/// URLs of a customer's pages.
#[derive(Debug, Serialize, ToSchema)]
struct Urls {
    #[schema(format = "uri")]
    customer: String,
    #[schema(format = "uri")]
    admin: String,
}

/// The gender of a customer.
#[derive(ToSchema)]
#[schema(as = Gender, rename_all = "lowercase")]
#[expect(dead_code, reason = "read by the OpenAPI document; the name comes from the storage")]
pub(super) enum GenderName {
    Male,
    Female,
}

/// Extra keys in lists and details.
const LIST_KEYS: [&str; 10] = [
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

/// Extra keys in details only.
const DETAIL_KEYS: [&str; 9] = [
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

/// The extra keys that a request selects. Unknown keys are ignored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extras(Vec<&'static str>);

impl Extras {
    /// Reads the keys for a list.
    pub(crate) fn for_list(query: &Input) -> Self {
        Self::select(query, LIST_KEYS.into_iter())
    }

    /// Reads the keys for details.
    pub(crate) fn for_details(query: &Input) -> Self {
        Self::select(query, LIST_KEYS.into_iter().chain(DETAIL_KEYS))
    }

    fn select(query: &Input, known: impl Iterator<Item = &'static str>) -> Self {
        let selected = query.texts("fields");
        Self(known.filter(|key| selected.iter().any(|selected| selected == key)).collect())
    }

    fn has(&self, key: &str) -> bool {
        self.0.contains(&key)
    }

    /// Returns the keys before `groups`: orders and ratings.
    fn before_groups(&self) -> Map<String, Value> {
        let mut keys = Map::new();
        let stats = ["orders_count", "orders_amount"].into_iter().filter(|key| self.has(key));
        let stats: Map<_, _> = stats.map(|key| (key.to_owned(), json!(0))).collect();
        if !stats.is_empty() {
            keys.insert("stats".to_owned(), stats.into());
        }
        if self.has("is_orders_rated") {
            keys.insert("is_orders_rated".to_owned(), json!(false));
            keys.insert("pending_rating_count".to_owned(), json!(0));
        }
        keys
    }

    /// Returns the keys after `groups`, in alphabetical order. Values that Zumra does not store are those of a new
    /// customer.
    fn after_groups(&self, customer: &Customer, zone: &TimeZone) -> Map<String, Value> {
        let mut names: Vec<_> = self.0.iter().copied().filter(|key| is_after_groups(key)).collect();
        names.sort_unstable();
        let entry = |key: &str| {
            let value = match key {
                "block_reason" => json!(customer.ban_reason),
                "is_blocked" => json!(customer.ban_reason.is_some()),
                "is_inactive" | "is_whitelisted" => json!(false),
                "is_notifications_enabled" => json!(true),
                "custom_fields" => json!([]),
                "current_store_customer" => current_store_customer(customer, zone),
                "abandoned_carts_items" | "country_id" | "latest_purchase" => Value::Null,
                _ => json!(0),
            };
            (key.to_owned(), value)
        };
        names.into_iter().map(entry).collect()
    }
}

fn is_after_groups(key: &str) -> bool {
    !matches!(key, "orders_count" | "orders_amount" | "is_orders_rated")
}

/// Returns the customer's relation to this store. In Zumra a customer belongs to one store only.
fn current_store_customer(customer: &Customer, zone: &TimeZone) -> Value {
    json!({
        "id": customer.id, "approval_status": 1, "reason": null,
        "created_at": PhpDate::from_timestamp(customer.created_at, zone),
        "updated_at": PhpDate::from_timestamp(customer.updated_at, zone), "last_login_date": null,
    })
}

impl CustomerView {
    pub(crate) fn new(customer: Customer, merchant: &Merchant, public_url: &str, extras: &Extras) -> Self {
        let zone = &merchant.time_zone;
        let extras_after_groups = extras.after_groups(&customer, zone);
        let details = customer.details;
        let last_name = details.last_name.as_ref().map_or("", |name| name.as_str());
        let country = details.mobile_code.as_ref().and_then(MobileCode::country);
        let store_url = store_url(merchant);
        Self {
            id: customer.id,
            full_name: format!("{} {last_name}", details.first_name).trim_end().to_owned(),
            first_name: details.first_name.as_str().to_owned(),
            last_name: last_name.to_owned(),
            mobile: details.mobile.as_ref().map(Mobile::number),
            mobile_code: details.mobile_code.as_ref().map(|code| code.as_str().to_owned()),
            email: details.email.as_ref().map(|email| email.as_str().to_owned()),
            urls: Urls {
                customer: format!("{store_url}/profile"),
                admin: format!("{store_url}/customers/{}", customer.id),
            },
            avatar: format!("{public_url}/avatar.svg"),
            gender: details.gender.map(zumra_core::Gender::as_str),
            birthday: details.birthday.map(|day| PhpDate::from_day(day, zone)),
            city: details.city.unwrap_or_default(),
            country: country.map_or("", |Country { name, .. }| name),
            country_code: country.map_or("", |Country { code, .. }| code),
            currency: "SAR",
            location: details.location.unwrap_or_default(),
            lang: "ar",
            created_at: PhpDate::from_timestamp(customer.created_at, zone),
            updated_at: PhpDate::from_timestamp(customer.updated_at, zone),
            extras_before_groups: extras.before_groups(),
            groups: customer.groups,
            extras_after_groups,
        }
    }
}
