//! Adding customers to a group (contract §2.1, G1).

use axum::extract::State;
use axum::response::Response;
use utoipa::ToSchema;
use zumra_storage::{AddMembersOutcome, Ids};
use zumra_validation::{AddCustomers, Entity, LookupResults, UniqueField};

use crate::app::App;
use crate::auth::{Caller, CustomersWrite};
use crate::envelope::{MessagesResponse, Success};
use crate::lookups;
use crate::problem::Problem;
use crate::submitted::Submitted;

/// The message of a success in every language. Its grammar is part of the contract.
const ADDED: &str = "The customers has been added to group successfully";

/// Customers to add to a group.
#[derive(ToSchema)]
#[schema(as = NewMembers)]
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
/// All or nothing: if one id does not exist, no customer is added. Repeated ids and existing members are not errors.
/// The request is idempotent and may be repeated after any error.
#[utoipa::path(
    post,
    path = "/customers/groups/add_customers",
    tag = "Customer Groups",
    request_body = AddCustomersBody,
    responses((status = 200, description = "All customers are members of the group", body = MessagesResponse,
        example = json!(Success::ok([ADDED])))),
)]
pub(crate) async fn add_customers(
    State(app): State<App>,
    caller: Caller<CustomersWrite>,
    submitted: Submitted,
) -> Result<Response, Problem> {
    let merchant = caller.merchant.id;
    let max_customers = app.options.limits.customers_per_request;
    let request = match AddCustomers::parse_fast(submitted.content_type(), &submitted.body, max_customers) {
        Some(request) => request,
        None => validate(&app, &caller, &submitted, max_customers).await?,
    };
    let operation = app.new_operation(caller.token);
    match app.memberships.add_members(merchant, request.group, request.customers.into(), operation).await? {
        AddMembersOutcome::Added { operation, .. } => {
            Ok(Success::ok([ADDED]).with_operation(Some(operation)))
        }
        AddMembersOutcome::Unchanged => Ok(Success::ok([ADDED]).with_operation(None)),
        AddMembersOutcome::MissingIds(ids) => {
            let rules = AddCustomers::rules(max_customers);
            Err(submitted.explain_violation(&app, &rules, &MissingIds(ids)).await)
        }
    }
}

/// Validates a request that the fast path does not accept: it is invalid, or has an unusual form.
async fn validate(
    app: &App,
    caller: &Caller<CustomersWrite>,
    submitted: &Submitted,
    max_customers: usize,
) -> Result<AddCustomers, Problem> {
    let rules = AddCustomers::rules(max_customers);
    let input = submitted.validate_input(app, caller.merchant.id, &rules, None).await?;
    AddCustomers::from_valid(&input)
        .ok_or_else(|| Problem::Internal("a request passed validation without valid ids".to_owned()))
}

/// Lookup results from the ids that do not exist, so that the errors are those of the full validation.
struct MissingIds(Ids);

impl LookupResults for MissingIds {
    fn exists(&self, entity: Entity, id: i64) -> bool {
        !lookups::contains(&self.0, entity, id)
    }

    fn is_used(&self, _: UniqueField, _: &str) -> bool {
        false
    }
}
