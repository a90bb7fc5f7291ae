//! Adding customers to a group (contract §2.1, G1).

use axum::extract::State;
use axum::response::Response;
use utoipa::ToSchema;
use zumra_storage::{AddMembersOutcome, Ids};
use zumra_validation::{AddCustomers, Entity, LookupResults, UniqueField};

use crate::App;
use crate::auth::{Caller, CustomersWrite};
use crate::body::Submitted;
use crate::checked::holds;
use crate::envelope::{Problem, Success};

/// The sentence of a success, in every language. Its grammar is part of the contract.
const ADDED: &str = "The customers has been added to group successfully";

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
         example = json!({"status": 200, "success": true, "data": ["The customers has been added to group successfully"]})),
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
    let request = match AddCustomers::parse_fast(submitted.content_type(), &submitted.body, limit) {
        Some(request) => request,
        None => read_slowly(&app, &caller, &submitted, limit).await?,
    };
    let operation = app.operation(caller.token);
    match app.memberships.add_members(merchant, request.group, request.customers.into(), operation).await? {
        AddMembersOutcome::Added { operation, .. } => Ok(Success::ok([ADDED]).made_by(Some(operation))),
        AddMembersOutcome::Unchanged => Ok(Success::ok([ADDED]).made_by(None)),
        AddMembersOutcome::MissingIds(unknown) => {
            Err(explain(&app, &submitted, limit, &Unknown(unknown)).await)
        }
    }
}

/// The whole validation, for a request that is wrong or only unusual.
async fn read_slowly(
    app: &App,
    caller: &Caller<CustomersWrite>,
    submitted: &Submitted,
    limit: usize,
) -> Result<AddCustomers, Problem> {
    let rules = AddCustomers::rules(limit);
    let input = submitted.checked_input(app, caller.merchant.id, &rules, None).await?;
    AddCustomers::from_valid(&input)
        .ok_or_else(|| Problem::Internal("a request passed validation without valid ids".to_owned()))
}

/// What is wrong with a request that named unknown ids: the same sentences in the same order as by the slow path.
async fn explain(app: &App, submitted: &Submitted, limit: usize, facts: &Unknown) -> Problem {
    let input = match submitted.input(app).await {
        Ok(input) => input,
        Err(problem) => return problem,
    };
    match submitted.check(&AddCustomers::rules(limit), &input, facts) {
        Err(problem) => problem,
        Ok(()) => Problem::Internal("the storage refused ids that the request does not name".to_owned()),
    }
}

/// LookupResults from the ids that the merchant does not have, ascending.
struct Unknown(Ids);

impl LookupResults for Unknown {
    fn exists(&self, table: Entity, id: i64) -> bool {
        !holds(&self.0, table, id)
    }

    fn is_used(&self, _: UniqueField, _: &str) -> bool {
        false
    }
}
