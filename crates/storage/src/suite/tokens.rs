//! Merchants and tokens.

use zumra_core::merchant::Plan;
use zumra_core::text::Name;
use zumra_core::{NewMerchant, NewToken, Scopes, TokenHash, TokenId};

use super::{SHOP, Scene, case_list, merchant_id};
use crate::{Conflict, StorageError};

case_list![
    a_merchant_is_kept_once,
    merchants_are_listed_from_an_id_on,
    a_token_is_found_by_its_hash_with_its_merchant,
    a_secret_belongs_to_one_token,
    a_token_needs_a_merchant,
    revoking_is_seen_and_again_is_nothing_new,
    a_token_of_another_merchant_cannot_be_revoked,
];

fn merchant(id: i64) -> NewMerchant {
    NewMerchant {
        id: merchant_id(id),
        name: Name::parse("متجر").expect("a name"),
        plan: Plan::Special,
        time_zone: jiff::tz::TimeZone::get("Asia/Dubai").expect("a zone"),
        domain: Some("https://shop.example".parse().expect("a domain")),
    }
}

fn token(byte: u8) -> NewToken {
    let scopes: Scopes = "customers.read webhooks.read".parse().expect("scopes");
    NewToken { hash: TokenHash::from_bytes([byte; 32]), scopes, expires_at: Some(Scene::now()) }
}

async fn a_merchant_is_kept_once(scene: Scene) {
    let created = scene.storage.create_merchant(merchant(5), scene.operation()).await.expect("created");
    assert_eq!((created.name.as_str(), created.plan), ("متجر", Plan::Special));
    let again = scene.storage.create_merchant(merchant(5), scene.operation()).await;
    assert!(matches!(again, Err(StorageError::Conflict(Conflict::Merchant(_)))), "{again:?}");
    assert_eq!(scene.storage.list_merchants(None, 10).await.expect("listed"), [created]);
}

async fn merchants_are_listed_from_an_id_on(scene: Scene) {
    for id in [3, 1, 2] {
        scene.storage.create_merchant(merchant(id), scene.operation()).await.expect("created");
    }
    let listed = scene.storage.list_merchants(Some(merchant_id(1)), 1).await.expect("listed");
    assert_eq!(listed.iter().map(|m| m.id.get()).collect::<Vec<_>>(), [2]);
}

async fn a_token_is_found_by_its_hash_with_its_merchant(scene: Scene) {
    scene.storage.create_merchant(merchant(5), scene.operation()).await.expect("created");
    let created =
        scene.storage.create_token(merchant_id(5), token(1), scene.operation()).await.expect("created");
    let found =
        scene.storage.find_token(TokenHash::from_bytes([1; 32])).await.expect("answered").expect("found");
    assert_eq!((&found.0, found.1.id), (&created, merchant_id(5)));
    assert_eq!((created.expires_at, created.scopes), (Some(Scene::now()), token(1).scopes));
    assert!(scene.storage.find_token(TokenHash::from_bytes([2; 32])).await.expect("answered").is_none());
}

async fn a_secret_belongs_to_one_token(scene: Scene) {
    for id in [5, 6] {
        scene.storage.create_merchant(merchant(id), scene.operation()).await.expect("created");
    }
    scene.storage.create_token(merchant_id(5), token(1), scene.operation()).await.expect("created");
    for id in [5, 6] {
        let again = scene.storage.create_token(merchant_id(id), token(1), scene.operation()).await;
        assert!(matches!(again, Err(StorageError::Conflict(Conflict::Token))), "{again:?}");
    }
    assert!(scene.storage.list_tokens(merchant_id(6)).await.expect("listed").is_empty());
}

async fn a_token_needs_a_merchant(scene: Scene) {
    let refused = scene.storage.create_token(merchant_id(5), token(1), scene.operation()).await;
    assert!(matches!(refused, Err(StorageError::NotFound(_))), "{refused:?}");
}

async fn revoking_is_seen_and_again_is_nothing_new(scene: Scene) {
    scene.load(SHOP).await;
    let created =
        scene.storage.create_token(merchant_id(1), token(1), scene.operation()).await.expect("created");
    let revoked =
        scene.storage.revoke_token(merchant_id(1), created.id, scene.operation()).await.expect("revoked");
    assert_eq!(revoked.revoked_at, Some(Scene::now()));
    let later = scene.operation_at(Scene::now() + jiff::SignedDuration::from_hours(1));
    let again = scene.storage.revoke_token(merchant_id(1), created.id, later).await.expect("answered");
    assert_eq!(again, revoked);
    assert_eq!(scene.storage.list_tokens(merchant_id(1)).await.expect("listed"), [revoked]);
}

async fn a_token_of_another_merchant_cannot_be_revoked(scene: Scene) {
    for id in [5, 6] {
        scene.storage.create_merchant(merchant(id), scene.operation()).await.expect("created");
    }
    let created =
        scene.storage.create_token(merchant_id(5), token(1), scene.operation()).await.expect("created");
    for (merchant, id) in [(6, created.id), (5, TokenId::new(1).expect("positive"))] {
        let refused = scene.storage.revoke_token(merchant_id(merchant), id, scene.operation()).await;
        assert!(matches!(refused, Err(StorageError::NotFound(_))), "{refused:?}");
    }
    assert_eq!(scene.storage.list_tokens(merchant_id(5)).await.expect("listed"), [created]);
}
