//! Groups: list, create, update, delete, archive.

use jiff::SignedDuration;
use zumra_core::text::Name;
use zumra_core::{Features, Group, GroupChange, MerchantId, NewGroup, NewMerchant, Plan};

use super::context::{SHOP, TestContext, case_list, customer_id, group_id, merchant_id, page, shop};
use crate::{AddMembersOutcome, Conflict, CustomerFilter, GroupSelector, Resource, StorageError};

case_list![
    groups_are_listed_oldest_first,
    created_group_is_stored_unchanged,
    update_keeps_fields_that_the_change_does_not_set,
    every_merchant_has_one_default_group,
    fixture_can_change_the_default_group,
    fixture_without_a_default_group_keeps_the_stored_one,
    default_group_cannot_be_deleted,
    deleted_group_and_its_memberships_disappear_at_once,
    memberships_of_a_deleted_group_are_archived_in_chunks,
    reloading_a_deleted_group_starts_empty,
    groups_of_another_merchant_are_not_found,
];

async fn groups_are_listed_oldest_first(context: TestContext) {
    context.load(r#"{"id":1,"name":"shop","groups":[{"id":40,"name":"old","default":true}]}"#).await;
    let later = context.operation_at(TestContext::now() + SignedDuration::from_secs(1));
    let more = r#"{"id":1,"name":"shop","groups":[{"id":20,"name":"b"},{"id":10,"name":"a"}]}"#;
    context.storage.load_fixture(shop(more), later).await.expect("loaded");
    let listed = context.storage.list_groups(merchant_id(1), page(1, 2)).await.expect("listed");
    let names: Vec<_> = listed.items.iter().map(|group| group.name.as_str()).collect();
    assert_eq!((names, listed.total), (vec!["old", "a"], 3));
}

fn group(name: &str) -> NewGroup {
    let conditions = r#"[{"type":"total_sales","symbol":"between","min_value":1.5,"max_value":9007199254740993},
                        {"type":"doesnt_have_orders"}]"#;
    NewGroup {
        conditions: serde_json::from_str(conditions).expect("conditions"),
        features: Features { payment_method: Some(vec!["mada".to_owned()]), shipping: None },
        ..NewGroup::new(Name::parse(name).expect("a name"))
    }
}

async fn find(context: &TestContext, selector: GroupSelector) -> Option<Group> {
    context.storage.find_group(merchant_id(1), selector).await.expect("storage responds")
}

async fn created_group_is_stored_unchanged(context: TestContext) {
    context.load(SHOP).await;
    let new = group("مميزون");
    let created = context
        .storage
        .create_group(merchant_id(1), new.clone(), context.operation())
        .await
        .expect("created");
    assert!(created.operation.is_some());
    let new = new.with_id(created.value.id);
    assert_eq!(
        (&created.value, find(&context, GroupSelector::Id(new.id)).await.as_ref()),
        (&new, Some(&new))
    );
    let listed = context.storage.list_groups(merchant_id(1), page(1, 15)).await.expect("listed");
    assert!(listed.total == 4 && listed.items.contains(&new));
}

async fn update_keeps_fields_that_the_change_does_not_set(context: TestContext) {
    context.load(SHOP).await;
    let created = context.storage.create_group(merchant_id(1), group("before"), context.operation()).await;
    let old = created.expect("created").value;
    let id = old.id;
    let update = async |change| {
        let id = GroupSelector::Id(id);
        context.storage.update_group(merchant_id(1), id, change, context.operation()).await.expect("updated")
    };
    let renamed = update(GroupChange { name: Name::parse("after").ok(), ..GroupChange::default() }).await;
    assert!(renamed.operation.is_some());
    assert_eq!(renamed.value, Group { name: Name::parse("after").expect("a name"), ..old });
    let same = update(GroupChange { name: Name::parse("after").ok(), ..GroupChange::default() }).await;
    assert_eq!(same.operation, None, "nothing changed");
    let bare = GroupChange { conditions: Some(vec![]), features: Some(Features::default()), name: None };
    assert!(update(bare).await.operation.is_some());
    let found = find(&context, GroupSelector::Id(id)).await.expect("exists");
    assert_eq!(found, Group::new(id, Name::parse("after").expect("a name")));
}

async fn every_merchant_has_one_default_group(context: TestContext) {
    let merchant = NewMerchant {
        id: merchant_id(1),
        name: Name::parse("shop").expect("a name"),
        plan: Plan::Basic,
        time_zone: jiff::tz::TimeZone::UTC,
        domain: None,
    };
    context.storage.create_merchant(merchant, context.operation()).await.expect("created");
    let created = find(&context, GroupSelector::Default).await.expect("a default group");
    assert!(created.is_default && created.id.get() < 1 << 31);
    context
        .storage
        .load_fixture(shop(r#"{"id":1,"name":"shop"}"#), context.operation())
        .await
        .expect("loaded");
    assert_eq!(find(&context, GroupSelector::Default).await, Some(created));
    let loaded = context.storage.load_fixture(shop(r#"{"id":2,"name":"other"}"#), context.operation()).await;
    assert!(loaded.expect("loaded").operation.is_some());
    let other =
        context.storage.find_group(merchant_id(2), GroupSelector::Default).await.expect("storage responds");
    assert!(other.is_some_and(|group| group.is_default));
}

async fn fixture_can_change_the_default_group(context: TestContext) {
    context.load(SHOP).await;
    let next = r#"{"id":1,"name":"shop","groups":[{"id":10,"name":"VIP","default":true}]}"#;
    context.load(next).await;
    assert_eq!(find(&context, GroupSelector::Default).await.map(|group| group.id), Some(group_id(10)));
    assert!(!find(&context, GroupSelector::Id(group_id(30))).await.expect("exists").is_default);
    let again = context.storage.load_fixture(shop(next), context.operation()).await.expect("loaded");
    assert_eq!(again.changes, 0);
}

async fn fixture_without_a_default_group_keeps_the_stored_one(context: TestContext) {
    context.load(SHOP).await;
    context.load(r#"{"id":1,"name":"shop","groups":[{"id":30,"name":"renamed"}]}"#).await;
    let default = find(&context, GroupSelector::Default).await.expect("a default group");
    assert_eq!((default.id, default.name.as_str()), (group_id(30), "renamed"));
}

async fn default_group_cannot_be_deleted(context: TestContext) {
    context.load(SHOP).await;
    let rejected = context.storage.delete_group(merchant_id(1), group_id(30), context.operation()).await;
    assert!(matches!(rejected, Err(StorageError::Conflict(Conflict::DefaultGroup(_)))), "{rejected:?}");
    assert!(find(&context, GroupSelector::Default).await.is_some());
    let change = GroupChange { features: Some(group("x").features), ..GroupChange::default() };
    let changed = context
        .storage
        .update_group(merchant_id(1), GroupSelector::Default, change, context.operation())
        .await;
    assert_eq!(changed.expect("updated").value.features, group("x").features);
}

async fn delete(context: &TestContext, id: i64) -> Result<zumra_core::OperationId, StorageError> {
    context.storage.delete_group(merchant_id(1), group_id(id), context.operation()).await
}

/// Archives memberships until none remain. Returns the number of chunks.
async fn archive_all(context: &TestContext, limit: u32) -> u32 {
    let mut chunks = 0;
    while context.storage.archive_deleted_groups(limit).await.expect("archived") {
        chunks += 1;
        assert!(chunks < 1000, "archiving does not end");
    }
    chunks
}

async fn deleted_group_and_its_memberships_disappear_at_once(context: TestContext) {
    context.load(SHOP).await;
    context.add(1, 10, &[1, 2, 3]).await;
    delete(&context, 10).await.expect("deleted");
    let check = async || {
        assert_eq!(find(&context, GroupSelector::Id(group_id(10))).await, None);
        assert_eq!(context.find_group_ids(1, 2).await, [20], "other memberships stay");
        let listed =
            context.storage.list_customers(merchant_id(1), CustomerFilter::default(), page(1, 15)).await;
        assert!(
            listed.expect("listed").items.iter().all(|customer| !customer.groups.contains(&group_id(10)))
        );
        assert_eq!(context.storage.list_groups(merchant_id(1), page(1, 15)).await.expect("listed").total, 2);
        let added = context.add(1, 10, &[4]).await;
        assert!(
            matches!(&added, AddMembersOutcome::MissingIds(ids) if *ids.groups == [group_id(10)]),
            "{added:?}"
        );
        assert!(matches!(delete(&context, 10).await, Err(StorageError::NotFound(Resource::Group))));
        let ids = crate::Ids { groups: vec![group_id(10), group_id(20)].into(), ..Default::default() };
        let existing =
            context.storage.find_existing_ids(merchant_id(1), ids).await.expect("storage responds");
        assert_eq!(*existing.groups, [group_id(20)]);
    };
    check().await;
    assert!(archive_all(&context, 100).await > 0);
    check().await;
    let inspection = context.storage.inspect().await.expect("inspected");
    assert_eq!((inspection.memberships, inspection.past_memberships), (1, 3));
}

async fn memberships_of_a_deleted_group_are_archived_in_chunks(context: TestContext) {
    let customers: Vec<_> =
        (1..=95).map(|id| format!(r#"{{"id":{id},"first_name":"c","groups":[10]}}"#)).collect();
    let shop = format!(
        r#"{{"id":1,"name":"s","groups":[{{"id":10,"name":"g"}}],"customers":[{}]}}"#,
        customers.join(",")
    );
    context.load(&shop).await;
    delete(&context, 10).await.expect("deleted");
    assert!(context.storage.archive_deleted_groups(10).await.expect("archived"));
    let inspection = context.storage.inspect().await.expect("inspected");
    assert_eq!((inspection.memberships, inspection.past_memberships), (85, 10), "the limit is exact");
    // Deleting a customer meanwhile archives its membership too, exactly once.
    context
        .storage
        .delete_customer(merchant_id(1), customer_id(95), context.operation())
        .await
        .expect("deleted");
    assert!(archive_all(&context, 10).await >= 9);
    let inspection = context.storage.inspect().await.expect("inspected");
    assert_eq!((inspection.memberships, inspection.past_memberships), (0, 95));
}

async fn reloading_a_deleted_group_starts_empty(context: TestContext) {
    context.load(SHOP).await;
    context.add(1, 10, &[1, 2]).await;
    delete(&context, 10).await.expect("deleted");
    context.load(r#"{"id":1,"name":"shop","groups":[{"id":10,"name":"VIP"}]}"#).await;
    assert!(context.find_group_ids(1, 1).await.is_empty());
    assert_eq!(archive_all(&context, 10).await, 0);
    assert_eq!(context.storage.inspect().await.expect("inspected").past_memberships, 2);
    assert!(find(&context, GroupSelector::Id(group_id(10))).await.is_some());
}

async fn groups_of_another_merchant_are_not_found(context: TestContext) {
    context.load(SHOP).await;
    context.load(r#"{"id":2,"name":"other"}"#).await;
    let other: MerchantId = merchant_id(2);
    let id = GroupSelector::Id(group_id(10));
    assert_eq!(context.storage.find_group(other, id).await.expect("storage responds"), None);
    let change = GroupChange { name: Name::parse("mine").ok(), ..GroupChange::default() };
    let updated = context.storage.update_group(other, id, change, context.operation()).await;
    assert!(matches!(updated, Err(StorageError::NotFound(Resource::Group))), "{updated:?}");
    let deleted = context.storage.delete_group(other, group_id(10), context.operation()).await;
    assert!(matches!(deleted, Err(StorageError::NotFound(Resource::Group))), "{deleted:?}");
    assert_eq!(find(&context, id).await.expect("exists").name.as_str(), "VIP");
}
