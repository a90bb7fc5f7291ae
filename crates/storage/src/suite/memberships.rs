//! Memberships: add members, find existing ids.

use zumra_core::{CustomerId, GroupId};

use super::context::{SHOP, TestContext, case_list, merchant_id};
use crate::{AddMembersOutcome, Ids};

case_list![
    added_members_are_visible_at_once,
    adding_members_again_changes_nothing,
    only_new_members_are_counted,
    repeated_ids_count_once,
    one_missing_id_rejects_the_whole_request,
    missing_ids_are_found_at_any_position,
    missing_group_and_customers_are_reported_together,
    ids_of_another_merchant_are_missing,
    largest_ids_are_supported,
    ten_thousand_members_in_one_request,
    concurrent_adds_are_all_stored,
    existing_ids_are_found,
];

fn count_added(outcome: &AddMembersOutcome) -> u64 {
    match outcome {
        AddMembersOutcome::Added { added, .. } => *added,
        AddMembersOutcome::Unchanged => 0,
        AddMembersOutcome::MissingIds(ids) => panic!("missing: {ids:?}"),
    }
}

fn find_missing_ids(outcome: AddMembersOutcome) -> (Vec<i64>, Vec<i64>) {
    let AddMembersOutcome::MissingIds(ids) = outcome else { panic!("{outcome:?}") };
    (
        ids.groups.into_iter().map(GroupId::get).collect(),
        ids.customers.into_iter().map(CustomerId::get).collect(),
    )
}

/// Returns a shop with group 10 and this number of customers, ids from 1.
fn large_shop(customers: i64) -> String {
    let customers: Vec<_> = (1..=customers).map(|id| format!(r#"{{"id":{id},"first_name":"c"}}"#)).collect();
    format!(
        r#"{{"id":1,"name":"large","groups":[{{"id":10,"name":"VIP"}}],"customers":[{}]}}"#,
        customers.join(",")
    )
}

async fn added_members_are_visible_at_once(context: TestContext) {
    context.load(SHOP).await;
    assert_eq!(count_added(&context.add(1, 10, &[2, 3]).await), 2);
    assert_eq!(context.find_group_ids(1, 2).await, [10, 20]);
    assert_eq!(context.find_group_ids(1, 3).await, [10]);
    assert!(context.find_group_ids(1, 1).await.is_empty());
}

async fn adding_members_again_changes_nothing(context: TestContext) {
    context.load(SHOP).await;
    context.add(1, 10, &[2, 3]).await;
    let before = context.storage.inspect().await.expect("inspected");
    assert_eq!(context.add(1, 10, &[3, 2]).await, AddMembersOutcome::Unchanged);
    assert_eq!(context.storage.inspect().await.expect("inspected"), before);
}

async fn only_new_members_are_counted(context: TestContext) {
    context.load(SHOP).await;
    context.add(1, 10, &[2]).await;
    assert_eq!(count_added(&context.add(1, 10, &[1, 2, 3]).await), 2);
}

async fn repeated_ids_count_once(context: TestContext) {
    context.load(SHOP).await;
    assert_eq!(count_added(&context.add(1, 10, &[4, 4, 4]).await), 1);
    assert_eq!(context.find_group_ids(1, 4).await, [10]);
}

async fn one_missing_id_rejects_the_whole_request(context: TestContext) {
    context.load(&large_shop(9_999)).await;
    let ids: Vec<i64> = (1..=10_000).rev().collect();
    assert_eq!(find_missing_ids(context.add(1, 10, &ids).await), (vec![], vec![10_000]));
    assert_eq!(context.storage.inspect().await.expect("inspected").memberships, 0);
}

/// Adds every subset of eight consecutive ids, of which four exist.
async fn missing_ids_are_found_at_any_position(context: TestContext) {
    let existing = [3, 4, 6, 9];
    let customers = existing.map(|id| format!(r#"{{"id":{id},"first_name":"c"}}"#)).join(",");
    let shop = r#"{"id":1,"name":"gaps","groups":[{"id":10,"name":"VIP"}],"customers":["#;
    context.load(&format!("{shop}{customers}]}}")).await;
    for subset in 1_u8..=255 {
        let wanted: Vec<i64> = (0..8).filter(|bit| subset & (1 << bit) != 0).map(|bit| 2 + bit).collect();
        let missing: Vec<i64> = wanted.iter().copied().filter(|id| !existing.contains(id)).collect();
        match context.add(1, 10, &wanted).await {
            AddMembersOutcome::MissingIds(ids) => {
                let reported: Vec<i64> = ids.customers.into_iter().map(CustomerId::get).collect();
                assert_eq!((ids.groups.into_vec(), reported), (Vec::new(), missing), "{wanted:?}");
            }
            outcome => assert!(missing.is_empty(), "{wanted:?}: {outcome:?}"),
        }
    }
}

async fn missing_group_and_customers_are_reported_together(context: TestContext) {
    context.load(SHOP).await;
    assert_eq!(find_missing_ids(context.add(1, 99, &[7, 1, 6]).await), (vec![99], vec![6, 7]));
}

async fn ids_of_another_merchant_are_missing(context: TestContext) {
    context.load(SHOP).await;
    context.load(r#"{"id":2,"name":"other","groups":[{"id":77,"name":"g"}],"customers":[{"id":88,"first_name":"x"}]}"#).await;
    assert_eq!(find_missing_ids(context.add(1, 77, &[1, 88]).await), (vec![77], vec![88]));
    assert_eq!(find_missing_ids(context.add(2, 77, &[88, 1]).await), (vec![], vec![1]));
}

async fn largest_ids_are_supported(context: TestContext) {
    let shop = format!(
        r#"{{"id":1,"name":"s","groups":[{{"id":{max},"name":"g"}}],"customers":[{{"id":{max},"first_name":"x"}}]}}"#,
        max = i64::MAX
    );
    context.load(&shop).await;
    assert_eq!(count_added(&context.add(1, i64::MAX, &[i64::MAX]).await), 1);
    assert_eq!(context.find_group_ids(1, i64::MAX).await, [i64::MAX]);
}

async fn ten_thousand_members_in_one_request(context: TestContext) {
    context.load(&large_shop(10_000)).await;
    let ids: Vec<i64> = (1..=10_000).collect();
    assert_eq!(count_added(&context.add(1, 10, &ids).await), 10_000);
    assert_eq!(context.storage.inspect().await.expect("inspected").memberships, 10_000);
    assert_eq!(context.find_group_ids(1, 10_000).await, [10]);
}

async fn concurrent_adds_are_all_stored(context: TestContext) {
    context.load(&large_shop(300)).await;
    let tasks: Vec<_> = (1..=300)
        .map(|id| {
            let (storage, operation) = (context.storage.clone(), context.operation());
            let customer = CustomerId::new(id).expect("positive");
            let group = GroupId::new(10).expect("positive");
            tokio::spawn(async move {
                storage.add_members(merchant_id(1), group, vec![customer].into(), operation).await
            })
        })
        .collect();
    let mut operations = std::collections::BTreeSet::new();
    for task in tasks {
        match task.await.expect("no panic").expect("storage responds") {
            AddMembersOutcome::Added { operation, added: 1 } => assert!(operations.insert(operation)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(context.storage.inspect().await.expect("inspected").memberships, 300);
}

async fn existing_ids_are_found(context: TestContext) {
    context.load(SHOP).await;
    let ids = |groups: &[i64], customers: &[i64]| Ids {
        groups: groups.iter().filter_map(|id| GroupId::new(*id)).collect(),
        customers: customers.iter().filter_map(|id| CustomerId::new(*id)).collect(),
    };
    let existing =
        context.storage.find_existing_ids(merchant_id(1), ids(&[99, 20, 10, 20], &[9, 3, 1, 3])).await;
    assert_eq!(existing.expect("storage responds"), ids(&[10, 20], &[1, 3]));
}
