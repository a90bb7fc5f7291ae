//! Customer groups (contract §2.1).

use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use zumra_core::{CustomerId, Group, GroupId};
use zumra_storage::{AddMembers, Ids};
use zumra_validation::{AddCustomers, Column, Facts, FieldErrors, Input, RuleSet, Table};

use crate::App;
use crate::auth::{Caller, CustomersRead, CustomersWrite};
use crate::body::Submitted;
use crate::envelope::{Listing, OPERATION, Problem, Success};
use crate::request::ListRequest;

/// The sentence of a success, in every language. Its grammar is part of the contract.
const ADDED: &str = "The customers has been added to group successfully";

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

/// The body of a request to add customers to a group.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the OpenAPI document; validation reads requests")]
pub(crate) struct AddCustomersBody {
    /// Id of a group of this store.
    #[schema(example = 667_738_032)]
    group_id: i64,
    /// Ids of customers of this store.
    #[schema(min_items = 1, max_items = 10_000, example = json!([447_121_768, 1_761_729_493]))]
    customers: Vec<i64>,
}

/// Add customers to a group
///
/// All of them or none: one unknown id, and nobody is added. Ids that repeat, and customers who are members already,
/// are no mistake.
#[utoipa::path(
    post,
    path = "/customers/groups/add_customers",
    operation_id = "post-customers-groups-add_customers",
    tag = "Customer Groups",
    request_body = AddCustomersBody,
    responses(
        (status = 200, description = "All of them are members now", body = Success<Vec<String>>,
         headers(("Zumra-Operation" = Option<i64>, description = "The operation that this request became; absent if all were members before")),
         example = json!({"status": 200, "success": true, "data": ["The customers has been added to group successfully"]})),
        (status = 413, response = crate::openapi::PayloadTooLarge),
        (status = 422, response = crate::openapi::InvalidFieldsResponse),
    ),
)]
pub(crate) async fn add_customers(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = caller.merchant.id;
    let limit = app.options.limits.customers_per_request;
    let request = match AddCustomers::fast(submitted.content_type(), &submitted.body, limit) {
        Some(request) => request,
        None => read_slowly(&app, &caller, &submitted, limit).await?,
    };
    let operation = app.operation(caller.token);
    match app.storage.add_members(merchant, request.group, request.customers, operation).await? {
        AddMembers::Added { operation, .. } => {
            let mut response = Success::ok([ADDED]).into_response();
            response.headers_mut().insert(OPERATION, HeaderValue::from(operation.get()));
            Ok(response)
        }
        AddMembers::Unchanged => Ok(Success::ok([ADDED]).into_response()),
        AddMembers::Unknown(unknown) => Err(explain(&app, &submitted, limit, &Unknown(unknown)).await),
    }
}

/// The whole validation, for a request that is wrong or only unusual.
async fn read_slowly(
    app: &App,
    caller: &Caller<CustomersWrite>,
    submitted: &Submitted,
    limit: usize,
) -> Result<AddCustomers, Problem> {
    let input = submitted.input(app).await?;
    let rules = AddCustomers::rules(limit);
    let asked = rules.lookups(&input);
    let ids = Ids {
        groups: asked.groups.into_iter().filter_map(GroupId::new).collect(),
        customers: asked.customers.into_iter().filter_map(CustomerId::new).collect(),
    };
    let known = Known(app.storage.known_ids(caller.merchant.id, ids).await?);
    check(&rules, &input, &known, submitted)?;
    AddCustomers::from_checked(&input)
        .ok_or_else(|| Problem::Internal("a request passed validation without valid ids".to_owned()))
}

/// What is wrong with a request that named unknown ids: the same sentences in the same order as by the slow path.
async fn explain(app: &App, submitted: &Submitted, limit: usize, facts: &Unknown) -> Problem {
    let input = match submitted.input(app).await {
        Ok(input) => input,
        Err(problem) => return problem,
    };
    match check(&AddCustomers::rules(limit), &input, facts, submitted) {
        Err(problem) => problem,
        Ok(()) => Problem::Internal("the storage refused ids that the request does not name".to_owned()),
    }
}

fn check(rules: &RuleSet, input: &Input, facts: &dyn Facts, submitted: &Submitted) -> Result<(), Problem> {
    rules.check(input, facts).map_err(|errors: FieldErrors| Problem::Fields(errors, submitted.language))
}

/// Facts from the ids that the merchant has, ascending.
struct Known(Ids);

impl Facts for Known {
    fn exists(&self, table: Table, id: i64) -> bool {
        holds(&self.0, table, id)
    }

    fn is_taken(&self, _: Column, _: &str) -> bool {
        false
    }
}

/// Facts from the ids that the merchant does not have, ascending.
struct Unknown(Ids);

impl Facts for Unknown {
    fn exists(&self, table: Table, id: i64) -> bool {
        !holds(&self.0, table, id)
    }

    fn is_taken(&self, _: Column, _: &str) -> bool {
        false
    }
}

fn holds(ids: &Ids, table: Table, id: i64) -> bool {
    match table {
        Table::Groups => GroupId::new(id).is_some_and(|id| ids.groups.binary_search(&id).is_ok()),
        Table::Customers => CustomerId::new(id).is_some_and(|id| ids.customers.binary_search(&id).is_ok()),
    }
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
