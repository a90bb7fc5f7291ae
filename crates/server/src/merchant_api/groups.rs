//! Customer groups (contract §2.1, G2 to G6).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use zumra_core::text::Name;
use zumra_core::{Group, GroupChange, GroupId, MessageCode, NewGroup};
use zumra_storage::GroupSelector;
use zumra_validation::requests::groups as rules;

use crate::app::App;
use crate::auth::{Caller, CustomersRead, CustomersWrite};
use crate::envelope::{Listing, MessageResponse, Success};
use crate::fields::Fields;
use crate::openapi::PageParameters;
use crate::problem::{ErrorBody, Problem};
use crate::request::{ListRequest, PathId};
use crate::submitted::Submitted;

const DEFAULT_GROUP_UPDATED: &str = "The default group has been updated successfully";
const DELETED: &str = "The Object has been removed successfully";

/// A group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Group)]
pub(crate) struct GroupView {
    #[schema(value_type = i64, minimum = 1, example = 2_075_683_582)]
    id: GroupId,
    #[schema(example = "VIP Customers")]
    name: String,
}

impl From<Group> for GroupView {
    fn from(group: Group) -> Self {
        Self { id: group.id, name: group.name.as_str().to_owned() }
    }
}

type GroupResponse = Success<GroupView>;
type GroupList = Listing<GroupView>;

/// A new group.
#[derive(ToSchema)]
#[schema(as = NewGroup, example = json!({"name": "VIPCustomers", "conditions": [{"type": "total_sales", "symbol": ">", "value": 100}], "features": {"payment_method": ["credit_card", "mada"], "shipping": ["all"]}}))]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct NewGroupBody {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// Validated and stored, but not evaluated yet. All conditions must be true.
    conditions: Option<Vec<ConditionBody>>,
    features: Option<FeaturesBody>,
}

/// A change to a group. Keys that are absent keep their values.
#[derive(ToSchema)]
#[schema(example = json!({"name": "VIP", "conditions": [{"type": "total_sales", "symbol": "between", "min_value": 100, "max_value": 500}], "features": {"payment_method": ["credit_card", "mada"], "shipping": ["all"]}}))]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct GroupUpdate {
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    name: Option<String>,
    /// Validated and stored, but not evaluated yet. All conditions must be true.
    conditions: Option<Vec<ConditionBody>>,
    features: Option<FeaturesBody>,
}

/// A condition of automatic membership.
#[derive(ToSchema)]
#[schema(as = Condition)]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct ConditionBody {
    r#type: ConditionType,
    /// Required unless the type is `doesnt_have_orders`.
    symbol: Option<ConditionSymbol>,
    /// For `>` and `<`.
    value: Option<f64>,
    /// For `between`.
    min_value: Option<f64>,
    /// For `between`.
    max_value: Option<f64>,
}

/// What a condition compares.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
enum ConditionType {
    TotalSales,
    TotalOrders,
    StoreRating,
    DoesntHaveOrders,
}

/// How a condition compares.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
enum ConditionSymbol {
    #[schema(rename = ">")]
    Greater,
    #[schema(rename = "<")]
    Less,
    Between,
}

/// What the members of a group may use.
#[derive(ToSchema)]
#[schema(as = Features)]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct FeaturesBody {
    /// Slugs of payment methods, as in `GET /payment/methods`.
    payment_method: Option<Vec<String>>,
    /// `all`, or shipping methods.
    shipping: Option<Vec<String>>,
}

/// A change to the default group.
#[derive(ToSchema)]
#[schema(as = DefaultGroupUpdate)]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct DefaultGroupBody {
    features: Option<FeaturesBody>,
}

/// Create a group
#[utoipa::path(
    post,
    path = "/customers/groups",
    tag = "Customer Groups",
    request_body = NewGroupBody,
    responses((status = 200, description = "The group", body = GroupResponse,
        example = json!({"status": 200, "success": true, "data": {"id": 1_394_760_126, "name": "VIPCustomers"}}))),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = caller.merchant.id;
    let fields = submitted.validate(&app, merchant, &rules::create(), None).await?;
    let change = read_change(&fields)?;
    let Some(name) = change.name.clone() else {
        return Err(Problem::Internal("a group passed validation without a name".to_owned()));
    };
    let operation = app.new_operation(caller.token);
    let group = NewGroup {
        conditions: change.conditions.unwrap_or_default(),
        features: change.features.unwrap_or_default(),
        ..NewGroup::new(name)
    };
    let created = app.storage.create_group(merchant, group, operation).await?;
    Ok(Success::ok(GroupView::from(created.value)).with_operation(created.operation))
}

/// List groups
#[utoipa::path(
    get,
    path = "/customers/groups",
    tag = "Customer Groups",
    params(PageParameters),
    responses((status = 200, description = "One page, oldest first", body = GroupList)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<CustomersRead>,
    request: ListRequest,
) -> Result<Listing<GroupView>, Problem> {
    let groups = app.storage.list_groups(caller.merchant.id, request.page).await?;
    Ok(request.respond(groups, GroupView::from))
}

/// Update a group
///
/// Fields that are not in the body stay unchanged.
#[utoipa::path(
    put,
    path = "/customers/groups/{group}",
    tag = "Customer Groups",
    request_body = GroupUpdate,
    responses((status = 200, description = "The group", body = GroupResponse,
        example = json!({"status": 200, "success": true, "data": {"id": 21_314_237, "name": "VIP"}}))),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(id): PathId<GroupId>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let (merchant, group) = (caller.merchant.id, GroupSelector::Id(id));
    // A missing group is 404, also if the body is invalid.
    app.storage.find_group(merchant, group).await?.ok_or(Problem::NotFound)?;
    let fields = submitted.validate(&app, merchant, &rules::update(), None).await?;
    let change = read_change(&fields)?;
    let operation = app.new_operation(caller.token);
    let updated = app.storage.update_group(merchant, group, change, operation).await?;
    Ok(Success::ok(GroupView::from(updated.value)).with_operation(updated.operation))
}

/// Update the default group
///
/// Every new customer becomes a member of the default group. Only its features can be changed.
#[utoipa::path(
    post,
    path = "/customers/groups/default",
    tag = "Customer Groups",
    request_body = DefaultGroupBody,
    responses((status = 201, description = "The default group is updated", body = MessageResponse,
        example = json!(Success::message(StatusCode::CREATED, DEFAULT_GROUP_UPDATED)))),
)]
pub(crate) async fn update_default(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = caller.merchant.id;
    let fields = submitted.validate(&app, merchant, &rules::update_default(), None).await?;
    let change = GroupChange { features: fields.deserialize("features")?, ..GroupChange::default() };
    let operation = app.new_operation(caller.token);
    let updated = app.storage.update_group(merchant, GroupSelector::Default, change, operation).await?;
    Ok(Success::message(StatusCode::CREATED, DEFAULT_GROUP_UPDATED).with_operation(updated.operation))
}

/// Delete a group
///
/// Its members stay in their other groups. The default group cannot be deleted.
#[utoipa::path(
    delete,
    path = "/customers/groups/{group}",
    tag = "Customer Groups",
    responses(
        (status = 202, description = "The group and all memberships in it are deleted", body = MessageResponse,
            example = json!(Success::message(StatusCode::ACCEPTED, DELETED))),
        (status = 422, description = "The group is the default group, which cannot be deleted", body = ErrorBody,
            example = json!({"status": 422, "success": false, "error": {"code": "error", "message": "لا يمكن حذف المجموعة الافتراضية"}})),
    ),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(id): PathId<GroupId>,
) -> Result<Response, Problem> {
    let operation = app.new_operation(caller.token);
    let operation = app.storage.delete_group(caller.merchant.id, id, operation).await?;
    app.archive_notifier.notify();
    Ok(Success::message(StatusCode::ACCEPTED, DELETED).with_operation(Some(operation)))
}

fn read_change(fields: &Fields) -> Result<GroupChange, Problem> {
    let name = fields.parse_with("name", MessageCode::String, |text| Name::parse(text).ok())?;
    Ok(GroupChange {
        name: name.flatten(),
        conditions: fields.deserialize("conditions")?,
        features: fields.deserialize("features")?,
    })
}
