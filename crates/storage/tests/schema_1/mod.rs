//! A database that only the first migration has made, with rows: what migrating it must keep.

use jiff::{SignedDuration, Timestamp};
use zumra_core::{
    Actor, CustomerId, GroupId, IdGenerator, ImportId, MerchantId, Operation, PageRequest, SearchQuery,
};
use zumra_storage::{AddMembersOutcome, CustomerFilter, Storage};

/// Tracks migrations, as both engines do.
pub(crate) const TRACKING_TABLE: &str = "CREATE TABLE schema_migrations (
    number integer NOT NULL PRIMARY KEY, name text NOT NULL, hash text NOT NULL, applied_at bigint NOT NULL);";

/// Inserts a merchant with rows in every renamed table. The operation comes from the engine's own statement.
pub(crate) const ROWS: &str = include_str!("rows.sql");

/// Checks that the storage shows [`ROWS`] after the migration, and can change them.
pub(crate) async fn check(storage: &dyn Storage, now: Timestamp) {
    let (merchant, page) = (MerchantId::FIRST, PageRequest { page: 1, per_page: 10 });
    let ids = async |keyword: Option<&str>| {
        let filter = CustomerFilter { keyword: keyword.and_then(SearchQuery::parse), ..Default::default() };
        let found = storage.list_customers(merchant, filter, page).await.unwrap();
        (found.items.iter().map(|customer| customer.id.get()).collect::<Vec<_>>(), found.total)
    };
    assert_eq!(ids(None).await, (vec![2, 1], 2));
    assert_eq!(ids(Some("sar")).await, (vec![1], 1));
    let (import, problems) =
        storage.find_import(merchant, ImportId::new(20).unwrap()).await.unwrap().unwrap();
    assert_eq!((import.last_row, import.created_customers, import.rejected_rows), (7, 2, 3));
    assert_eq!(problems[0].row, 6);
    let lease = storage.lease_import(None, now, now + SignedDuration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!((lease.key.fencing_token, lease.last_row), (5, 7));
    let operation = |seed| Operation {
        proposed_id: IdGenerator::new(seed).next_operation(now),
        at: now,
        actor: Actor::Operator,
    };
    let omar = CustomerId::new(2).unwrap();
    let added = storage
        .add_members(merchant, GroupId::new(11).unwrap(), vec![omar].into(), operation(1))
        .await
        .unwrap();
    assert!(matches!(added, AddMembersOutcome::Added { added: 1, .. }), "a member by rule: {added:?}");
    storage.delete_customer(merchant, CustomerId::FIRST, operation(2)).await.unwrap();
    assert_eq!(ids(None).await, (vec![2], 1));
    assert_eq!(ids(Some("sar")).await, (vec![], 0));
    let inspection = storage.inspect().await.unwrap();
    assert_eq!((inspection.problems, inspection.memberships, inspection.past_memberships), (vec![], 2, 2));
}
