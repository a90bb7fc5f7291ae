//! Customer groups (contract §2.1, G2 to G6).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use zumra_core::text::Name;
use zumra_core::{Group, GroupChange, GroupId, MessageCode};
use zumra_storage::{Conflict, GroupSelector, StorageError};
use zumra_validation::requests::groups as rules;

use crate::App;
use crate::auth::{Caller, CustomersRead, CustomersWrite};
use crate::body::Submitted;
use crate::checked::Fields;
use crate::envelope::{Listing, MessageData, Problem, Success};
use crate::openapi::GroupSentence;
use crate::request::{ListRequest, PathId, language, language_of_not_found};

/// A group as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupView {
    /// Its id.
    #[schema(value_type = i64, example = 2_075_683_582)]
    id: GroupId,
    /// Its name.
    #[schema(example = "VIP Customers")]
    name: String,
}

impl From<Group> for GroupView {
    fn from(group: Group) -> Self {
        Self { id: group.id, name: group.name.as_str().to_owned() }
    }
}

/// A group to make, or what to change in one.
#[derive(ToSchema)]
#[schema(example = json!({"name": "VIPCustomers", "conditions": [{"type": "total_sales", "symbol": ">", "value": 100}], "features": {"payment_method": ["credit_card", "mada"], "shipping": ["all"]}}))]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct GroupBody {
    /// Required when the group is made.
    #[schema(max_length = 255)]
    name: Option<String>,
    /// Kept complete and valid; nobody joins by them yet. All must hold.
    conditions: Option<Vec<ConditionBody>>,
    features: Option<FeaturesBody>,
}

/// Who would belong to a group by rule.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct ConditionBody {
    /// `total_sales`, `total_orders`, `store_rating` or `doesnt_have_orders`
    r#type: String,
    /// `>`, `<` or `between`. Required unless the type is `doesnt_have_orders`.
    symbol: Option<String>,
    /// For `>` and `<`.
    value: Option<f64>,
    /// For `between`.
    min_value: Option<f64>,
    /// For `between`.
    max_value: Option<f64>,
}

/// What the members of a group may use.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct FeaturesBody {
    /// Slugs of payment methods, as `GET /payment/methods` lists them.
    payment_method: Option<Vec<String>>,
    /// `all`, or ways of shipping.
    shipping: Option<Vec<String>>,
}

/// What to change in the default group.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct DefaultGroupBody {
    features: Option<FeaturesBody>,
}

/// Create a group
#[utoipa::path(
    post,
    path = "/customers/groups",
    operation_id = "post-customers-groups",
    tag = "Customer Groups",
    request_body = GroupBody,
    responses(
        (status = 200, description = "The group", body = Success<GroupView>,
         example = json!({"status": 200, "success": true, "data": {"id": 1_394_760_126, "name": "VIPCustomers"}})),
        (status = 422, response = crate::openapi::InvalidFieldsResponse),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = caller.merchant.id;
    let fields = submitted.checked(&app, merchant, &rules::create(), None).await?;
    let change = read_change(&fields)?;
    let name = change.name.clone();
    let name =
        name.ok_or_else(|| Problem::Internal("a group passed validation without a name".to_owned()))?;
    let operation = app.operation(caller.token);
    let id = GroupId::new(app.ids.next(operation.at)).ok_or_else(|| Problem::Internal("no id".to_owned()))?;
    let group = Group::new(id, name).with_change(change);
    let made = app.storage.create_group(merchant, group, operation).await?;
    Ok(Success::ok(GroupView::from(made.value)).made_by(made.operation))
}

/// List groups
#[utoipa::path(
    get,
    path = "/customers/groups",
    operation_id = "get-customers-groups",
    tag = "Customer Groups",
    params(crate::openapi::PageParameters),
    responses((status = 200, description = "One page, oldest first", body = Listing<GroupView>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<CustomersRead>,
    request: ListRequest,
) -> Result<Listing<GroupView>, Problem> {
    let groups = app.storage.list_groups(caller.merchant.id, request.page).await?;
    Ok(request.answer(groups, GroupView::from))
}

/// Update a group
///
/// What the body leaves out stays as it is.
#[utoipa::path(
    put,
    path = "/customers/groups/{group}",
    operation_id = "put-customers-groups-group",
    tag = "Customer Groups",
    params(("group" = i64, Path, description = "Id of a group of this store")),
    request_body = GroupBody,
    responses(
        (status = 200, description = "The group", body = Success<GroupView>,
         example = json!({"status": 200, "success": true, "data": {"id": 21_314_237, "name": "VIP"}})),
        (status = 404, response = crate::openapi::NotFoundResponse),
        (status = 422, response = crate::openapi::InvalidFieldsResponse),
    ),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(id): PathId<GroupId>,
    headers: HeaderMap,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let (merchant, which) = (caller.merchant.id, GroupSelector::Id(id));
    let not_found = || Problem::NotFound(language_of_not_found(&headers));
    // An id in the path is looked for before anything is said about the body.
    app.storage.find_group(merchant, which).await?.ok_or_else(not_found)?;
    let fields = submitted.checked(&app, merchant, &rules::update(), None).await?;
    let operation = app.operation(caller.token);
    match app.storage.update_group(merchant, which, read_change(&fields)?, operation).await {
        Ok(changed) => Ok(Success::ok(GroupView::from(changed.value)).made_by(changed.operation)),
        Err(StorageError::NotFound(_)) => Err(not_found()),
        Err(error) => Err(error.into()),
    }
}

/// Update the default group
///
/// Every new customer joins the default group. Only its features can change.
#[utoipa::path(
    post,
    path = "/customers/groups/default",
    operation_id = "post-customers-groups-default",
    tag = "Customer Groups",
    request_body = DefaultGroupBody,
    responses(
        (status = 201, description = "It is as the request says now", body = Success<MessageData>,
         example = json!({"status": 201, "success": true, "data": {"message": "The default group has been updated successfully", "code": 201}})),
        (status = 422, response = crate::openapi::InvalidFieldsResponse),
    ),
)]
pub(crate) async fn update_default(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = caller.merchant.id;
    let fields = submitted.checked(&app, merchant, &rules::update_default(), None).await?;
    let change = GroupChange { features: fields.json("features")?, ..GroupChange::default() };
    let operation = app.operation(caller.token);
    let changed = app.storage.update_group(merchant, GroupSelector::Default, change, operation).await?;
    let answer = Success::message(StatusCode::CREATED, "The default group has been updated successfully");
    Ok(answer.made_by(changed.operation))
}

/// Delete a group
///
/// Its members leave it, and stay in their other groups.
#[utoipa::path(
    delete,
    path = "/customers/groups/{group}",
    operation_id = "delete-customers-groups-group",
    tag = "Customer Groups",
    params(("group" = i64, Path, description = "Id of a group of this store")),
    responses(
        (status = 202, description = "It is gone, and all memberships in it", body = Success<MessageData>,
         example = json!({"status": 202, "success": true, "data": {"message": "The Object has been removed successfully", "code": 202}})),
        (status = 404, response = crate::openapi::NotFoundResponse),
        (status = 422, response = GroupSentence),
    ),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    PathId(id): PathId<GroupId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let operation = app.operation(caller.token);
    match app.storage.delete_group(caller.merchant.id, id, operation).await {
        Ok(operation) => {
            app.broom.take_up();
            let answer = Success::message(StatusCode::ACCEPTED, "The Object has been removed successfully");
            Ok(answer.made_by(Some(operation)))
        }
        Err(StorageError::NotFound(_)) => Err(Problem::NotFound(language_of_not_found(&headers))),
        Err(StorageError::Conflict(Conflict::DefaultGroup(_))) => {
            Err(Problem::Refused(MessageCode::DefaultGroupStays, language(&headers)))
        }
        Err(error) => Err(error.into()),
    }
}

fn read_change(fields: &Fields) -> Result<GroupChange, Problem> {
    let name = fields.parsed_with("name", MessageCode::String, |text| Name::parse(text).ok())?;
    Ok(GroupChange {
        name: name.flatten(),
        conditions: fields.json("conditions")?,
        features: fields.json("features")?,
    })
}
