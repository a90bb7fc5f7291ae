//! Making, changing and deleting groups.

use jiff::SignedDuration;
use zumra_core::text::Name;
use zumra_core::{Features, Group, GroupChange, MerchantId, NewMerchant, Plan};

use super::{SHOP, Scene, case_list, customer_id, group_id, merchant_id, page, shop};
use crate::{AddMembersOutcome, Conflict, CustomerFilter, GroupSelector, Resource, StorageError};

case_list![
    groups_are_listed_oldest_first,
    a_group_is_kept_as_it_was_made,
    an_id_is_given_once,
    a_change_keeps_what_it_does_not_name,
    every_merchant_has_one_default_group,
    a_fixture_may_name_another_default_group,
    the_default_group_stays,
    a_deleted_group_is_gone_at_once_with_all_its_memberships,
    a_large_group_is_swept_in_pieces,
    a_deleted_group_that_is_loaded_again_is_empty,
    groups_of_another_merchant_cannot_be_touched,
];

async fn groups_are_listed_oldest_first(scene: Scene) {
    scene.load(r#"{"id":1,"name":"shop","groups":[{"id":40,"name":"old","default":true}]}"#).await;
    let later = scene.operation_at(Scene::now() + SignedDuration::from_secs(1));
    let more = r#"{"id":1,"name":"shop","groups":[{"id":20,"name":"b"},{"id":10,"name":"a"}]}"#;
    scene.storage.load_fixture(shop(more), later).await.expect("loaded");
    let listed = scene.storage.list_groups(merchant_id(1), page(1, 2)).await.expect("listed");
    let names: Vec<_> = listed.items.iter().map(|group| group.name.as_str()).collect();
    assert_eq!((names, listed.total), (vec!["old", "a"], 3));
}

fn group(id: i64, name: &str) -> Group {
    let condition = r#"[{"type":"total_sales","symbol":"between","min_value":1.5,"max_value":9007199254740993},
                        {"type":"doesnt_have_orders"}]"#;
    Group {
        conditions: serde_json::from_str(condition).expect("conditions"),
        features: Features { payment_method: Some(vec!["mada".to_owned()]), shipping: None },
        ..Group::new(group_id(id), Name::parse(name).expect("a name"))
    }
}

async fn find(scene: &Scene, which: GroupSelector) -> Option<Group> {
    scene.storage.find_group(merchant_id(1), which).await.expect("answered")
}

async fn a_group_is_kept_as_it_was_made(scene: Scene) {
    scene.load(SHOP).await;
    let new = group(50, "مميزون");
    let made =
        scene.storage.create_group(merchant_id(1), new.clone(), scene.operation()).await.expect("made");
    assert!(made.operation.is_some());
    assert_eq!(
        (&made.value, find(&scene, GroupSelector::Id(group_id(50))).await.as_ref()),
        (&new, Some(&new))
    );
    let listed = scene.storage.list_groups(merchant_id(1), page(1, 15)).await.expect("listed");
    assert!(listed.total == 4 && listed.items.contains(&new));
}

async fn an_id_is_given_once(scene: Scene) {
    scene.load(SHOP).await;
    let again = scene.storage.create_group(merchant_id(1), group(10, "other"), scene.operation()).await;
    assert!(
        matches!(again, Err(StorageError::Conflict(Conflict::Group(id))) if id == group_id(10)),
        "{again:?}"
    );
    assert_eq!(find(&scene, GroupSelector::Id(group_id(10))).await.expect("there").name.as_str(), "VIP");
}

async fn a_change_keeps_what_it_does_not_name(scene: Scene) {
    scene.load(SHOP).await;
    let old = group(50, "before");
    scene.storage.create_group(merchant_id(1), old.clone(), scene.operation()).await.expect("made");
    let update = async |change| {
        let id = GroupSelector::Id(group_id(50));
        scene.storage.update_group(merchant_id(1), id, change, scene.operation()).await.expect("changed")
    };
    let renamed = update(GroupChange { name: Name::parse("after").ok(), ..GroupChange::default() }).await;
    assert!(renamed.operation.is_some());
    assert_eq!(renamed.value, Group { name: Name::parse("after").expect("a name"), ..old });
    let same = update(GroupChange { name: Name::parse("after").ok(), ..GroupChange::default() }).await;
    assert_eq!(same.operation, None, "nothing changed");
    let bare = GroupChange { conditions: Some(vec![]), features: Some(Features::default()), name: None };
    assert!(update(bare).await.operation.is_some());
    let found = find(&scene, GroupSelector::Id(group_id(50))).await.expect("there");
    assert_eq!(found, Group::new(group_id(50), Name::parse("after").expect("a name")));
}

async fn every_merchant_has_one_default_group(scene: Scene) {
    let merchant = NewMerchant {
        id: merchant_id(1),
        name: Name::parse("shop").expect("a name"),
        plan: Plan::Basic,
        time_zone: jiff::tz::TimeZone::UTC,
        domain: None,
    };
    scene.storage.create_merchant(merchant, scene.operation()).await.expect("made");
    let made = find(&scene, GroupSelector::Default).await.expect("a default group");
    assert!(made.is_default && made.id.get() < 1 << 53);
    scene.storage.load_fixture(shop(r#"{"id":1,"name":"shop"}"#), scene.operation()).await.expect("loaded");
    assert_eq!(find(&scene, GroupSelector::Default).await, Some(made));
    let loaded = scene.storage.load_fixture(shop(r#"{"id":2,"name":"other"}"#), scene.operation()).await;
    assert!(loaded.expect("loaded").operation.is_some());
    let other = scene.storage.find_group(merchant_id(2), GroupSelector::Default).await.expect("answered");
    assert!(other.is_some_and(|group| group.is_default));
}

async fn a_fixture_may_name_another_default_group(scene: Scene) {
    scene.load(SHOP).await;
    let next = r#"{"id":1,"name":"shop","groups":[{"id":10,"name":"VIP","default":true}]}"#;
    scene.load(next).await;
    assert_eq!(find(&scene, GroupSelector::Default).await.map(|group| group.id), Some(group_id(10)));
    assert!(!find(&scene, GroupSelector::Id(group_id(30))).await.expect("there").is_default);
    let again = scene.storage.load_fixture(shop(next), scene.operation()).await.expect("loaded");
    assert_eq!(again.changes, 0);
}

async fn the_default_group_stays(scene: Scene) {
    scene.load(SHOP).await;
    let refused = scene.storage.delete_group(merchant_id(1), group_id(30), scene.operation()).await;
    assert!(matches!(refused, Err(StorageError::Conflict(Conflict::DefaultGroup(_)))), "{refused:?}");
    assert!(find(&scene, GroupSelector::Default).await.is_some());
    let change = GroupChange { features: Some(group(1, "x").features), ..GroupChange::default() };
    let changed =
        scene.storage.update_group(merchant_id(1), GroupSelector::Default, change, scene.operation()).await;
    assert_eq!(changed.expect("changed").value.features, group(1, "x").features);
}

async fn delete(scene: &Scene, id: i64) -> Result<zumra_core::OperationId, StorageError> {
    scene.storage.delete_group(merchant_id(1), group_id(id), scene.operation()).await
}

async fn sweep(scene: &Scene, limit: u32) -> u32 {
    let mut rounds = 0;
    while scene.storage.archive_deleted_groups(limit).await.expect("swept") {
        rounds += 1;
    }
    rounds
}

async fn a_deleted_group_is_gone_at_once_with_all_its_memberships(scene: Scene) {
    scene.load(SHOP).await;
    scene.add(1, 10, &[1, 2, 3]).await;
    delete(&scene, 10).await.expect("deleted");
    let check = async || {
        assert_eq!(find(&scene, GroupSelector::Id(group_id(10))).await, None);
        assert_eq!(scene.groups_of(1, 2).await, [20], "other memberships stay");
        let listed =
            scene.storage.list_customers(merchant_id(1), CustomerFilter::default(), page(1, 15)).await;
        assert!(listed.expect("listed").items.iter().all(|one| !one.groups.contains(&group_id(10))));
        assert_eq!(scene.storage.list_groups(merchant_id(1), page(1, 15)).await.expect("listed").total, 2);
        let added = scene.add(1, 10, &[4]).await;
        assert!(
            matches!(&added, AddMembersOutcome::MissingIds(ids) if *ids.groups == [group_id(10)]),
            "{added:?}"
        );
        assert!(matches!(delete(&scene, 10).await, Err(StorageError::NotFound(Resource::Group))));
        let ids = crate::Ids { groups: vec![group_id(10), group_id(20)].into(), ..Default::default() };
        let known = scene.storage.find_existing_ids(merchant_id(1), ids).await.expect("answered");
        assert_eq!(*known.groups, [group_id(20)]);
    };
    check().await;
    assert!(sweep(&scene, 100).await > 0);
    check().await;
    let inspection = scene.storage.inspect().await.expect("inspected");
    assert_eq!((inspection.memberships, inspection.past_memberships), (1, 3));
}

async fn a_large_group_is_swept_in_pieces(scene: Scene) {
    let customers: Vec<_> =
        (1..=95).map(|id| format!(r#"{{"id":{id},"first_name":"c","groups":[10]}}"#)).collect();
    let shop = format!(
        r#"{{"id":1,"name":"s","groups":[{{"id":10,"name":"g"}}],"customers":[{}]}}"#,
        customers.join(",")
    );
    scene.load(&shop).await;
    delete(&scene, 10).await.expect("deleted");
    assert!(scene.storage.archive_deleted_groups(10).await.expect("swept"));
    let inspection = scene.storage.inspect().await.expect("inspected");
    assert_eq!((inspection.memberships, inspection.past_memberships), (85, 10), "no more than was allowed");
    // A customer who leaves half-way takes the rest of the memberships along, each once.
    scene.storage.delete_customer(merchant_id(1), customer_id(95), scene.operation()).await.expect("deleted");
    assert!(sweep(&scene, 10).await >= 9);
    let inspection = scene.storage.inspect().await.expect("inspected");
    assert_eq!((inspection.memberships, inspection.past_memberships), (0, 95));
}

async fn a_deleted_group_that_is_loaded_again_is_empty(scene: Scene) {
    scene.load(SHOP).await;
    scene.add(1, 10, &[1, 2]).await;
    delete(&scene, 10).await.expect("deleted");
    scene.load(r#"{"id":1,"name":"shop","groups":[{"id":10,"name":"VIP"}]}"#).await;
    assert!(scene.groups_of(1, 1).await.is_empty());
    assert_eq!(sweep(&scene, 10).await, 0);
    assert_eq!(scene.storage.inspect().await.expect("inspected").past_memberships, 2);
    assert!(find(&scene, GroupSelector::Id(group_id(10))).await.is_some());
}

async fn groups_of_another_merchant_cannot_be_touched(scene: Scene) {
    scene.load(SHOP).await;
    scene.load(r#"{"id":2,"name":"other"}"#).await;
    let other: MerchantId = merchant_id(2);
    let id = GroupSelector::Id(group_id(10));
    assert_eq!(scene.storage.find_group(other, id).await.expect("answered"), None);
    let change = GroupChange { name: Name::parse("mine").ok(), ..GroupChange::default() };
    let updated = scene.storage.update_group(other, id, change, scene.operation()).await;
    assert!(matches!(updated, Err(StorageError::NotFound(Resource::Group))), "{updated:?}");
    let deleted = scene.storage.delete_group(other, group_id(10), scene.operation()).await;
    assert!(matches!(deleted, Err(StorageError::NotFound(Resource::Group))), "{deleted:?}");
    assert_eq!(find(&scene, id).await.expect("there").name.as_str(), "VIP");
}
