//! Loading shops.

use jiff::SignedDuration;
use zumra_core::CustomerId;

use super::{SHOP, Scene, case_list, merchant_id, shop};
use crate::{Conflict, StorageError};

case_list![
    loading_again_changes_nothing,
    loading_changes_what_differs_and_keeps_the_rest,
    a_conflict_changes_nothing,
    a_token_of_another_merchant_is_refused,
    a_loaded_token_works_again_after_it_was_revoked,
];

async fn loading_again_changes_nothing(scene: Scene) {
    scene.load(SHOP).await;
    let before = scene.storage.inspect().await.expect("inspected");
    let later = scene.operation_at(Scene::now() + SignedDuration::from_hours(1));
    let again = scene.storage.load_fixture(shop(SHOP), later).await.expect("loaded");
    assert_eq!((again.operation, again.changes), (None, 0));
    assert_eq!(scene.storage.inspect().await.expect("inspected"), before);
}

async fn loading_changes_what_differs_and_keeps_the_rest(scene: Scene) {
    scene.load(SHOP).await;
    let changed =
        r#"{"id":1,"name":"shop","customers":[{"id":3,"first_name":"new"},{"id":4,"first_name":"d"}]}"#;
    let later = Scene::now() + SignedDuration::from_hours(1);
    let loaded = scene.storage.load_fixture(shop(changed), scene.operation_at(later)).await.expect("loaded");
    assert_eq!(loaded.changes, 1);
    let read = async |id| {
        let id = CustomerId::new(id).expect("positive");
        scene.storage.find_customer(merchant_id(1), id).await.expect("answered").expect("found")
    };
    let (third, fourth) = (read(3).await, read(4).await);
    assert_eq!((third.details.first_name.as_str(), third.updated_at), ("new", later));
    assert_eq!(third.created_at, Scene::now());
    assert_eq!(fourth.updated_at, Scene::now());
    assert_eq!(scene.groups_of(1, 2).await, [20]);
}

async fn a_conflict_changes_nothing(scene: Scene) {
    scene.load(SHOP).await;
    let before = scene.storage.inspect().await.expect("inspected");
    let cases = [
        (
            r#"{"id":8,"first_name":"x","mobile":"512345678"}"#,
            Conflict::Mobile(CustomerId::new(8).expect("positive")),
        ),
        (
            r#"{"id":9,"first_name":"x","email":"NOURA@example.com"}"#,
            Conflict::Email(CustomerId::new(9).expect("positive")),
        ),
    ];
    for (customer, expected) in cases {
        let bad =
            format!(r#"{{"id":1,"name":"renamed","customers":[{{"id":7,"first_name":"y"}},{customer}]}}"#);
        let refused = scene.storage.load_fixture(shop(&bad), scene.operation()).await;
        assert!(
            matches!(&refused, Err(StorageError::Conflict(conflict)) if *conflict == expected),
            "{refused:?}"
        );
    }
    assert_eq!(scene.storage.inspect().await.expect("inspected"), before);
    assert_eq!(scene.storage.list_merchants(None, 1).await.expect("listed")[0].name.as_str(), "shop");
}

fn with_token(merchant: i64) -> String {
    let token = r#"{"token":"a-secret-of-at-least-16-characters","scopes":["customers.read"]}"#;
    format!(r#"{{"id":{merchant},"name":"shop","tokens":[{token}]}}"#)
}

async fn a_token_of_another_merchant_is_refused(scene: Scene) {
    scene.load(&with_token(1)).await;
    let refused = scene.storage.load_fixture(shop(&with_token(2)), scene.operation()).await;
    assert!(matches!(refused, Err(StorageError::Conflict(Conflict::Token))), "{refused:?}");
    assert_eq!(scene.storage.list_merchants(None, 9).await.expect("listed").len(), 1);
}

async fn a_loaded_token_works_again_after_it_was_revoked(scene: Scene) {
    scene.load(&with_token(1)).await;
    let token = scene.storage.list_tokens(merchant_id(1)).await.expect("listed").remove(0);
    scene.storage.revoke_token(merchant_id(1), token.id, scene.operation()).await.expect("revoked");
    scene.load(&with_token(1)).await;
    assert_eq!(scene.storage.list_tokens(merchant_id(1)).await.expect("listed"), [token]);
}
