//! Adding customers to groups.

use zumra_core::{CustomerId, GroupId};

use super::{SHOP, Scene, case_list, merchant_id};
use crate::{AddMembersOutcome, Ids};

case_list![
    adding_shows_at_once,
    adding_again_changes_nothing,
    only_the_new_ones_count,
    repeated_ids_count_once,
    one_unknown_among_many_adds_nobody_and_is_named,
    unknown_ones_are_found_wherever_they_stand,
    an_unknown_group_is_named_with_the_unknown_customers,
    ids_of_another_merchant_are_unknown,
    the_largest_ids_work,
    ten_thousand_at_once,
    many_at_the_same_time_are_all_kept,
    known_ids_are_the_ones_that_are_there,
];

fn added(outcome: &AddMembersOutcome) -> u64 {
    match outcome {
        AddMembersOutcome::Added { added, .. } => *added,
        AddMembersOutcome::Unchanged => 0,
        AddMembersOutcome::MissingIds(ids) => panic!("unknown: {ids:?}"),
    }
}

fn unknown(outcome: AddMembersOutcome) -> (Vec<i64>, Vec<i64>) {
    let AddMembersOutcome::MissingIds(ids) = outcome else { panic!("{outcome:?}") };
    (
        ids.groups.into_iter().map(GroupId::get).collect(),
        ids.customers.into_iter().map(CustomerId::get).collect(),
    )
}

/// A shop with group 10 and so many customers, ids from 1.
fn large_shop(customers: i64) -> String {
    let customers: Vec<_> = (1..=customers).map(|id| format!(r#"{{"id":{id},"first_name":"c"}}"#)).collect();
    format!(
        r#"{{"id":1,"name":"large","groups":[{{"id":10,"name":"VIP"}}],"customers":[{}]}}"#,
        customers.join(",")
    )
}

async fn adding_shows_at_once(scene: Scene) {
    scene.load(SHOP).await;
    assert_eq!(added(&scene.add(1, 10, &[2, 3]).await), 2);
    assert_eq!(scene.groups_of(1, 2).await, [10, 20]);
    assert_eq!(scene.groups_of(1, 3).await, [10]);
    assert!(scene.groups_of(1, 1).await.is_empty());
}

async fn adding_again_changes_nothing(scene: Scene) {
    scene.load(SHOP).await;
    scene.add(1, 10, &[2, 3]).await;
    let before = scene.storage.inspect().await.expect("inspected");
    assert_eq!(scene.add(1, 10, &[3, 2]).await, AddMembersOutcome::Unchanged);
    assert_eq!(scene.storage.inspect().await.expect("inspected"), before);
}

async fn only_the_new_ones_count(scene: Scene) {
    scene.load(SHOP).await;
    scene.add(1, 10, &[2]).await;
    assert_eq!(added(&scene.add(1, 10, &[1, 2, 3]).await), 2);
}

async fn repeated_ids_count_once(scene: Scene) {
    scene.load(SHOP).await;
    assert_eq!(added(&scene.add(1, 10, &[4, 4, 4]).await), 1);
    assert_eq!(scene.groups_of(1, 4).await, [10]);
}

async fn one_unknown_among_many_adds_nobody_and_is_named(scene: Scene) {
    scene.load(&large_shop(9_999)).await;
    let ids: Vec<i64> = (1..=10_000).rev().collect();
    assert_eq!(unknown(scene.add(1, 10, &ids).await), (vec![], vec![10_000]));
    assert_eq!(scene.storage.inspect().await.expect("inspected").memberships, 0);
}

/// Whatever subset of eight neighbours is asked for, of whom every other one or two are there.
async fn unknown_ones_are_found_wherever_they_stand(scene: Scene) {
    let there = [3, 4, 6, 9];
    let customers = there.map(|id| format!(r#"{{"id":{id},"first_name":"c"}}"#)).join(",");
    let shop = r#"{"id":1,"name":"gaps","groups":[{"id":10,"name":"VIP"}],"customers":["#;
    scene.load(&format!("{shop}{customers}]}}")).await;
    for subset in 1_u8..=255 {
        let wanted: Vec<i64> = (0..8).filter(|bit| subset & (1 << bit) != 0).map(|bit| 2 + bit).collect();
        let missing: Vec<i64> = wanted.iter().copied().filter(|id| !there.contains(id)).collect();
        match scene.add(1, 10, &wanted).await {
            AddMembersOutcome::MissingIds(ids) => {
                let named: Vec<i64> = ids.customers.into_iter().map(CustomerId::get).collect();
                assert_eq!((ids.groups.into_vec(), named), (Vec::new(), missing), "{wanted:?}");
            }
            outcome => assert!(missing.is_empty(), "{wanted:?}: {outcome:?}"),
        }
    }
}

async fn an_unknown_group_is_named_with_the_unknown_customers(scene: Scene) {
    scene.load(SHOP).await;
    assert_eq!(unknown(scene.add(1, 99, &[7, 1, 6]).await), (vec![99], vec![6, 7]));
}

async fn ids_of_another_merchant_are_unknown(scene: Scene) {
    scene.load(SHOP).await;
    scene.load(r#"{"id":2,"name":"other","groups":[{"id":77,"name":"g"}],"customers":[{"id":88,"first_name":"x"}]}"#).await;
    assert_eq!(unknown(scene.add(1, 77, &[1, 88]).await), (vec![77], vec![88]));
    assert_eq!(unknown(scene.add(2, 77, &[88, 1]).await), (vec![], vec![1]));
}

async fn the_largest_ids_work(scene: Scene) {
    let shop = format!(
        r#"{{"id":1,"name":"s","groups":[{{"id":{max},"name":"g"}}],"customers":[{{"id":{max},"first_name":"x"}}]}}"#,
        max = i64::MAX
    );
    scene.load(&shop).await;
    assert_eq!(added(&scene.add(1, i64::MAX, &[i64::MAX]).await), 1);
    assert_eq!(scene.groups_of(1, i64::MAX).await, [i64::MAX]);
}

async fn ten_thousand_at_once(scene: Scene) {
    scene.load(&large_shop(10_000)).await;
    let ids: Vec<i64> = (1..=10_000).collect();
    assert_eq!(added(&scene.add(1, 10, &ids).await), 10_000);
    assert_eq!(scene.storage.inspect().await.expect("inspected").memberships, 10_000);
    assert_eq!(scene.groups_of(1, 10_000).await, [10]);
}

async fn many_at_the_same_time_are_all_kept(scene: Scene) {
    scene.load(&large_shop(300)).await;
    let tasks: Vec<_> = (1..=300)
        .map(|id| {
            let (storage, operation) = (scene.storage.clone(), scene.operation());
            let customer = CustomerId::new(id).expect("positive");
            let group = GroupId::new(10).expect("positive");
            tokio::spawn(async move {
                storage.add_members(merchant_id(1), group, vec![customer].into(), operation).await
            })
        })
        .collect();
    let mut operations = std::collections::BTreeSet::new();
    for task in tasks {
        match task.await.expect("no panic").expect("the storage answers") {
            AddMembersOutcome::Added { operation, added: 1 } => assert!(operations.insert(operation)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(scene.storage.inspect().await.expect("inspected").memberships, 300);
}

async fn known_ids_are_the_ones_that_are_there(scene: Scene) {
    scene.load(SHOP).await;
    let ids = |groups: &[i64], customers: &[i64]| Ids {
        groups: groups.iter().filter_map(|id| GroupId::new(*id)).collect(),
        customers: customers.iter().filter_map(|id| CustomerId::new(*id)).collect(),
    };
    let known = scene.storage.find_existing_ids(merchant_id(1), ids(&[99, 20, 10, 20], &[9, 3, 1, 3])).await;
    assert_eq!(known.expect("answered"), ids(&[10, 20], &[1, 3]));
}
