//! Fixtures: load a shop.

use jiff::SignedDuration;
use zumra_core::CustomerId;

use super::context::{SHOP, TestContext, case_list, merchant_id, shop};
use crate::{Conflict, StorageError};

case_list![
    loading_again_changes_nothing,
    loading_updates_only_rows_that_differ,
    conflicting_fixture_changes_nothing,
    token_of_another_merchant_conflicts,
    loading_restores_a_revoked_token,
];

async fn loading_again_changes_nothing(context: TestContext) {
    context.load(SHOP).await;
    let before = context.storage.inspect().await.expect("inspected");
    let later = context.operation_at(TestContext::now() + SignedDuration::from_hours(1));
    let again = context.storage.load_fixture(shop(SHOP), later).await.expect("loaded");
    assert_eq!((again.operation, again.changes), (None, 0));
    assert_eq!(context.storage.inspect().await.expect("inspected"), before);
}

async fn loading_updates_only_rows_that_differ(context: TestContext) {
    context.load(SHOP).await;
    let changed =
        r#"{"id":1,"name":"shop","customers":[{"id":3,"first_name":"new"},{"id":4,"first_name":"d"}]}"#;
    let later = TestContext::now() + SignedDuration::from_hours(1);
    let loaded =
        context.storage.load_fixture(shop(changed), context.operation_at(later)).await.expect("loaded");
    assert_eq!(loaded.changes, 1);
    let read = async |id| {
        let id = CustomerId::new(id).expect("positive");
        context.storage.find_customer(merchant_id(1), id).await.expect("storage responds").expect("found")
    };
    let (third, fourth) = (read(3).await, read(4).await);
    assert_eq!((third.details.first_name.as_str(), third.updated_at), ("new", later));
    assert_eq!(third.created_at, TestContext::now());
    assert_eq!(fourth.updated_at, TestContext::now());
    assert_eq!(context.find_group_ids(1, 2).await, [20]);
}

async fn conflicting_fixture_changes_nothing(context: TestContext) {
    context.load(SHOP).await;
    let before = context.storage.inspect().await.expect("inspected");
    let cases = [
        (r#"{"id":8,"first_name":"x","mobile":"512345678"}"#, Conflict::Mobile(CustomerId::new(8))),
        (r#"{"id":9,"first_name":"x","email":"NOURA@example.com"}"#, Conflict::Email(CustomerId::new(9))),
    ];
    for (customer, expected) in cases {
        let bad =
            format!(r#"{{"id":1,"name":"renamed","customers":[{{"id":7,"first_name":"y"}},{customer}]}}"#);
        let rejected = context.storage.load_fixture(shop(&bad), context.operation()).await;
        assert!(
            matches!(&rejected, Err(StorageError::Conflict(conflict)) if *conflict == expected),
            "{rejected:?}"
        );
    }
    assert_eq!(context.storage.inspect().await.expect("inspected"), before);
    assert_eq!(context.storage.list_merchants(None, 1).await.expect("listed")[0].name.as_str(), "shop");
}

fn with_token(merchant: i64) -> String {
    let token = r#"{"token":"a-secret-of-at-least-16-characters","scopes":["customers.read"]}"#;
    format!(r#"{{"id":{merchant},"name":"shop","tokens":[{token}]}}"#)
}

async fn token_of_another_merchant_conflicts(context: TestContext) {
    context.load(&with_token(1)).await;
    let rejected = context.storage.load_fixture(shop(&with_token(2)), context.operation()).await;
    assert!(matches!(rejected, Err(StorageError::Conflict(Conflict::Token))), "{rejected:?}");
    assert_eq!(context.storage.list_merchants(None, 9).await.expect("listed").len(), 1);
}

async fn loading_restores_a_revoked_token(context: TestContext) {
    context.load(&with_token(1)).await;
    let token = context.storage.list_tokens(merchant_id(1)).await.expect("listed").remove(0);
    context.storage.revoke_token(merchant_id(1), token.id, context.operation()).await.expect("revoked");
    context.load(&with_token(1)).await;
    assert_eq!(context.storage.list_tokens(merchant_id(1)).await.expect("listed"), [token]);
}
