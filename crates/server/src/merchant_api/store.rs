//! Information about the shop (contract §2.3, S1).

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::store_url::store_url;
use crate::app::App;
use crate::auth::{AnyScope, Caller};
use crate::envelope::Success;
use crate::problem::Problem;

type StoreResponse = Success<StoreView>;

/// A shop. Values that Zumra does not store are empty or null.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Store)]
pub(crate) struct StoreView {
    #[schema(example = 1_305_146_709)]
    id: i64,
    name: String,
    #[schema(example = "company")]
    entity: &'static str,
    email: &'static str,
    #[schema(format = "uri")]
    avatar: String,
    #[schema(example = "pro")]
    plan: &'static str,
    #[schema(example = "live")]
    r#type: &'static str,
    #[schema(example = "active")]
    status: &'static str,
    verified: bool,
    #[schema(example = "SAR")]
    currency: &'static str,
    #[schema(format = "uri")]
    domain: String,
    description: &'static str,
    licenses: Licenses,
    social: Social,
}

/// License numbers of a shop.
#[expect(clippy::struct_field_names, reason = "the contract names the keys")]
#[derive(Debug, Default, Serialize, ToSchema)]
struct Licenses {
    #[schema(required = true)]
    tax_number: Option<String>,
    #[schema(required = true)]
    commercial_number: Option<String>,
    #[schema(required = true)]
    freelance_number: Option<String>,
}

/// Profiles of a shop on social networks and in app stores.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Social {
    #[schema(required = true)]
    telegram: Option<String>,
    #[schema(required = true)]
    twitter: Option<String>,
    #[schema(required = true)]
    facebook: Option<String>,
    #[schema(required = true)]
    maroof: Option<String>,
    #[schema(required = true)]
    youtube: Option<String>,
    #[schema(required = true)]
    snapchat: Option<String>,
    #[schema(required = true)]
    whatsapp: Option<String>,
    #[schema(required = true)]
    appstore_link: Option<String>,
    #[schema(required = true)]
    googleplay_link: Option<String>,
}

/// Store information
///
/// Any valid token is accepted.
#[utoipa::path(
    get,
    path = "/store/info",
    tag = "Merchant",
    responses((status = 200, description = "The store that the token belongs to", body = StoreResponse)),
)]
pub(crate) async fn info(
    State(app): State<App>,
    caller: Caller<AnyScope>,
) -> Result<Success<StoreView>, Problem> {
    let merchant = &caller.merchant;
    Ok(Success::ok(StoreView {
        id: merchant.id.get(),
        name: merchant.name.as_str().to_owned(),
        entity: "company",
        email: "",
        avatar: format!("{}/avatar.svg", app.options.public_url),
        plan: merchant.plan.as_str(),
        r#type: "live",
        status: "active",
        verified: false,
        currency: "SAR",
        domain: store_url(merchant),
        description: "",
        licenses: Licenses::default(),
        social: Social::default(),
    }))
}
