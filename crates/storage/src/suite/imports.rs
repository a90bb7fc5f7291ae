//! Imports: leases, fencing tokens, chunks.

use jiff::{SignedDuration, Timestamp};
use zumra_core::text::Name;
use zumra_core::{
    FileDetails, Import, ImportChunk, ImportId, ImportLease, Language, LeaseKey, NewCustomer, NewImport,
    RowProblem, SearchQuery,
};

use super::context::{SHOP, TestContext, case_list, group_id, merchant_id, page};
use crate::{CustomerFilter, Result, StorageError};

case_list![
    import_has_one_lease_holder_at_a_time,
    stale_lease_cannot_write,
    chunk_inserts_customers_and_row_problems,
    repeated_chunk_changes_nothing,
    last_chunk_finishes_the_import_and_drops_the_file,
    used_contact_is_a_problem_of_its_row,
    row_problems_are_stored_up_to_a_limit,
    imports_of_another_merchant_are_not_found,
    details_of_the_file_are_kept,
    customers_of_a_chunk_join_their_groups,
];

const LEASE: SignedDuration = SignedDuration::from_secs(30);

fn import_id(id: i64) -> ImportId {
    ImportId::new(id).expect("positive")
}

fn details() -> FileDetails {
    FileDetails {
        sheet: Some("عملاء".to_owned()),
        encoding: None,
        header_row: 3,
        unknown_columns: vec!["\"Color\"".to_owned()],
    }
}

/// Creates an import. The first one of a shop has the id 1.
async fn create(context: &TestContext) -> Import {
    let new = NewImport { file: vec![0, 1, 255], language: Language::English, details: details() };
    context.storage.create_import(merchant_id(1), new, context.operation()).await.expect("stored")
}

async fn lease_at(context: &TestContext, now: Timestamp) -> Option<ImportLease> {
    context.storage.lease_import(None, now, now + LEASE).await.expect("storage responds")
}

fn customer(mobile: &str) -> NewCustomer {
    NewCustomer { mobile: mobile.parse().ok(), ..NewCustomer::new(Name::parse("سارة").expect("a name")) }
}

fn chunk(last_row: u32, customers: Vec<(u32, NewCustomer)>) -> ImportChunk {
    let (mobile_used_reason, email_used_reason) = ("used".to_owned(), "used too".to_owned());
    ImportChunk { last_row, customers, mobile_used_reason, email_used_reason, ..ImportChunk::default() }
}

fn problem(row: u32, column: &str, reason: &str) -> RowProblem {
    RowProblem { row, column: column.to_owned(), reason: reason.to_owned() }
}

async fn write(context: &TestContext, lease: LeaseKey, chunk: ImportChunk) -> Result<Import> {
    let (until, operation) = (TestContext::now() + LEASE, context.operation());
    context.storage.write_import_chunk(lease, until, chunk, operation).await
}

async fn import_has_one_lease_holder_at_a_time(context: TestContext) {
    context.load(SHOP).await;
    assert_eq!(lease_at(&context, TestContext::now()).await, None);
    let created = create(&context).await;
    assert_eq!(
        (created.id, created.at, created.finished_at, created.last_row),
        (import_id(1), TestContext::now(), None, 0)
    );
    let first = lease_at(&context, TestContext::now()).await.expect("a lease");
    assert_eq!(
        (first.key.merchant, first.key.import, first.key.fencing_token),
        (merchant_id(1), import_id(1), 1)
    );
    assert_eq!((first.file.as_slice(), first.language), ([0, 1, 255].as_slice(), Language::English));
    assert_eq!(first.actor, context.operation().actor);
    assert_eq!(lease_at(&context, TestContext::now() + LEASE - SignedDuration::from_secs(1)).await, None);
    let second = lease_at(&context, TestContext::now() + LEASE).await.expect("the lease has expired");
    assert_eq!(second.key.fencing_token, 2);
    create(&context).await;
    let selected = Some((merchant_id(1), import_id(2)));
    let named = context.storage.lease_import(selected, TestContext::now(), TestContext::now() + LEASE).await;
    assert_eq!(named.expect("storage responds").map(|lease| lease.key.import), Some(import_id(2)));
    let second = context.storage.lease_import(selected, TestContext::now(), TestContext::now() + LEASE).await;
    assert_eq!(second.expect("storage responds"), None);
}

async fn stale_lease_cannot_write(context: TestContext) {
    context.load(SHOP).await;
    create(&context).await;
    let paused = lease_at(&context, TestContext::now()).await.expect("a lease");
    let next = lease_at(&context, TestContext::now() + LEASE).await.expect("a lease");
    let before = context.storage.inspect().await.expect("inspected");
    let late = write(&context, paused.key, chunk(2, vec![(2, customer("70"))])).await;
    assert!(matches!(late, Err(StorageError::LeaseLost)), "{late:?}");
    assert_eq!(context.storage.inspect().await.expect("inspected"), before);
    let done = write(&context, next.key, chunk(2, vec![(2, customer("70"))])).await.expect("written");
    assert_eq!((done.last_row, done.created_customers, done.rejected_rows), (2, 1, 0));
    let finish = ImportChunk { is_last: true, ..chunk(2, vec![]) };
    let late = write(&context, paused.key, finish).await;
    assert!(matches!(late, Err(StorageError::LeaseLost)), "{late:?}");
}

async fn chunk_inserts_customers_and_row_problems(context: TestContext) {
    context.load(SHOP).await;
    create(&context).await;
    let lease = lease_at(&context, TestContext::now()).await.expect("a lease");
    let mut rows = chunk(4, vec![(2, customer("70")), (4, customer("72"))]);
    rows.problems = vec![problem(3, "mobile", "missing"), problem(3, "email", "wrong")];
    let import = write(&context, lease.key, rows).await.expect("written");
    assert_eq!(
        (import.last_row, import.created_customers, import.rejected_rows, import.finished_at),
        (4, 2, 1, None)
    );
    for mobile in ["70", "72"] {
        let id = find_with(&context, mobile).await.expect("created");
        assert_eq!(context.find_group_ids(1, id).await, [30], "every new customer joins the default group");
    }
    let (found, problems) = find(&context).await;
    assert_eq!(found, import);
    assert_eq!(problems, [problem(3, "mobile", "missing"), problem(3, "email", "wrong")]);
    let inspection = context.storage.inspect().await.expect("inspected");
    assert_eq!((inspection.customers, inspection.memberships, inspection.problems.len()), (7, 3, 0));
}

/// Returns the id of the customer with a mobile number of country 966.
async fn find_with(context: &TestContext, mobile: &str) -> Option<i64> {
    let keyword = SearchQuery::parse(mobile);
    let filter = CustomerFilter { keyword, ..CustomerFilter::default() };
    let found = context.storage.list_customers(merchant_id(1), filter, page(1, 2)).await.expect("listed");
    assert!(found.total <= 1, "{found:?}");
    found.items.first().map(|customer| customer.id.get())
}

async fn find(context: &TestContext) -> (Import, Vec<RowProblem>) {
    context
        .storage
        .find_import(merchant_id(1), import_id(1))
        .await
        .expect("storage responds")
        .expect("exists")
}

async fn repeated_chunk_changes_nothing(context: TestContext) {
    context.load(SHOP).await;
    create(&context).await;
    let lease = lease_at(&context, TestContext::now()).await.expect("a lease");
    let rows = || {
        let mut rows = chunk(3, vec![(2, customer("70"))]);
        rows.problems = vec![problem(3, "mobile", "missing")];
        rows
    };
    let first = write(&context, lease.key, rows()).await.expect("written");
    let again = write(&context, lease.key, rows()).await.expect("written");
    assert_eq!((first, find(&context).await.1.len()), (again, 1));
    let next = lease_at(&context, TestContext::now() + LEASE).await.expect("a lease");
    assert_eq!(next.last_row, 3, "the next lease continues after it");
}

async fn last_chunk_finishes_the_import_and_drops_the_file(context: TestContext) {
    context.load(SHOP).await;
    create(&context).await;
    let lease = lease_at(&context, TestContext::now()).await.expect("a lease");
    let failure = Some("unreadable".to_owned());
    let last = ImportChunk { is_last: true, failure: failure.clone(), ..chunk(9, vec![]) };
    let import = write(&context, lease.key, last.clone()).await.expect("written");
    assert_eq!(
        (import.finished_at, &import.failure, import.last_row),
        (Some(TestContext::now()), &failure, 9)
    );
    assert_eq!(lease_at(&context, TestContext::now() + LEASE + LEASE).await, None);
    let again = write(&context, lease.key, last).await.expect("written");
    assert_eq!(again, import);
}

async fn used_contact_is_a_problem_of_its_row(context: TestContext) {
    context.load(SHOP).await;
    create(&context).await;
    let lease = lease_at(&context, TestContext::now()).await.expect("a lease");
    let with_email = NewCustomer { email: "NOURA@example.com".parse().ok(), ..customer("73") };
    let rows = vec![
        (2, customer("512345678")),
        (3, customer("71")),
        (4, customer("71")),
        (5, with_email),
        (6, customer("74")),
    ];
    let import = write(&context, lease.key, chunk(6, rows)).await.expect("written");
    assert_eq!((import.created_customers, import.rejected_rows), (2, 3));
    let problems =
        [problem(2, "mobile", "used"), problem(4, "mobile", "used"), problem(5, "email", "used too")];
    assert_eq!(find(&context).await.1, problems);
    let exists = async |mobile: &str| find_with(&context, mobile).await.is_some();
    assert!(exists("71").await && exists("74").await && !exists("73").await);
}

async fn row_problems_are_stored_up_to_a_limit(context: TestContext) {
    context.load(SHOP).await;
    create(&context).await;
    let lease = lease_at(&context, TestContext::now()).await.expect("a lease");
    for first in [2, 702] {
        let mut rows = chunk(first + 699, vec![]);
        rows.problems = (first..first + 700).map(|row| problem(row, "mobile", "missing")).collect();
        write(&context, lease.key, rows).await.expect("written");
    }
    let (import, problems) = find(&context).await;
    assert_eq!((import.rejected_rows, problems.len(), problems[999].row), (1400, 1000, 1001));
}

async fn imports_of_another_merchant_are_not_found(context: TestContext) {
    context.load(SHOP).await;
    context.load(r#"{"id":2,"name":"other"}"#).await;
    create(&context).await;
    create(&context).await;
    let listed = context.storage.list_imports(merchant_id(1), 10).await.expect("listed");
    assert_eq!(listed.iter().map(|import| import.id.get()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(context.storage.list_imports(merchant_id(1), 1).await.expect("listed").len(), 1);
    assert!(context.storage.list_imports(merchant_id(2), 10).await.expect("listed").is_empty());
    assert!(
        context.storage.find_import(merchant_id(2), import_id(1)).await.expect("storage responds").is_none()
    );
}

async fn details_of_the_file_are_kept(context: TestContext) {
    context.load(SHOP).await;
    assert_eq!(create(&context).await.details, Some(details()));
    let lease = lease_at(&context, TestContext::now()).await.expect("a lease");
    let last = ImportChunk { is_last: true, ..chunk(2, vec![]) };
    write(&context, lease.key, last).await.expect("written");
    let listed = context.storage.list_imports(merchant_id(1), 1).await.expect("listed");
    assert_eq!(listed[0].details, Some(details()));
}

async fn customers_of_a_chunk_join_their_groups(context: TestContext) {
    context.load(SHOP).await;
    create(&context).await;
    let lease = lease_at(&context, TestContext::now()).await.expect("a lease");
    let rows = || chunk(4, vec![(2, customer("70")), (3, customer("71")), (4, customer("512345678"))]);
    let groups = [
        (2, vec![group_id(10), group_id(30)]),
        (3, vec![group_id(20), group_id(10)]),
        (4, vec![group_id(10)]),
    ];
    let missing = ImportChunk { groups: [(3, vec![group_id(99)])].into(), ..rows() };
    let before = context.storage.inspect().await.expect("inspected");
    let rejected = write(&context, lease.key, missing).await;
    assert!(matches!(rejected, Err(StorageError::MissingGroup(id)) if id == group_id(99)), "{rejected:?}");
    assert_eq!(context.storage.inspect().await.expect("inspected"), before);
    let import =
        write(&context, lease.key, ImportChunk { groups: groups.into(), ..rows() }).await.expect("written");
    assert_eq!((import.created_customers, import.rejected_rows), (2, 1));
    let mut groups = Vec::new();
    for mobile in ["70", "71"] {
        let id = find_with(&context, mobile).await.expect("created");
        groups.push(context.find_group_ids(1, id).await);
    }
    assert_eq!(groups, [vec![10, 30], vec![10, 20, 30]]);
    assert_eq!(context.storage.inspect().await.expect("inspected").problems.len(), 0);
}
