//! Tokens: create, list, find, revoke.

use zumra_core::{NewToken, Scopes, TokenHash, TokenId};

use super::context::{SHOP, TestContext, case_list, merchant, merchant_id};
use crate::{Conflict, StorageError};

case_list![
    token_is_found_by_hash_with_its_merchant,
    used_secret_conflicts_across_merchants,
    token_of_a_missing_merchant_is_rejected,
    revoking_a_token_is_visible_and_idempotent,
    token_of_another_merchant_cannot_be_revoked,
];

fn token(byte: u8) -> NewToken {
    let scopes: Scopes = "customers.read webhooks.read".parse().expect("scopes");
    NewToken { hash: TokenHash::from_bytes([byte; 32]), scopes, expires_at: Some(TestContext::now()) }
}

async fn token_is_found_by_hash_with_its_merchant(context: TestContext) {
    context.storage.create_merchant(merchant(5), context.operation()).await.expect("created");
    let created =
        context.storage.create_token(merchant_id(5), token(1), context.operation()).await.expect("created");
    let found = context
        .storage
        .find_token(TokenHash::from_bytes([1; 32]))
        .await
        .expect("storage responds")
        .expect("found");
    assert_eq!((&found.0, found.1.id), (&created, merchant_id(5)));
    assert_eq!((created.expires_at, created.scopes), (Some(TestContext::now()), token(1).scopes));
    assert!(
        context.storage.find_token(TokenHash::from_bytes([2; 32])).await.expect("storage responds").is_none()
    );
}

async fn used_secret_conflicts_across_merchants(context: TestContext) {
    for id in [5, 6] {
        context.storage.create_merchant(merchant(id), context.operation()).await.expect("created");
    }
    context.storage.create_token(merchant_id(5), token(1), context.operation()).await.expect("created");
    for id in [5, 6] {
        let again = context.storage.create_token(merchant_id(id), token(1), context.operation()).await;
        assert!(matches!(again, Err(StorageError::Conflict(Conflict::Token))), "{again:?}");
    }
    assert!(context.storage.list_tokens(merchant_id(6)).await.expect("listed").is_empty());
}

async fn token_of_a_missing_merchant_is_rejected(context: TestContext) {
    let rejected = context.storage.create_token(merchant_id(5), token(1), context.operation()).await;
    assert!(matches!(rejected, Err(StorageError::NotFound(_))), "{rejected:?}");
}

async fn revoking_a_token_is_visible_and_idempotent(context: TestContext) {
    context.load(SHOP).await;
    let created =
        context.storage.create_token(merchant_id(1), token(1), context.operation()).await.expect("created");
    let revoked =
        context.storage.revoke_token(merchant_id(1), created.id, context.operation()).await.expect("revoked");
    assert_eq!(revoked.revoked_at, Some(TestContext::now()));
    let later = context.operation_at(TestContext::now() + jiff::SignedDuration::from_hours(1));
    let again =
        context.storage.revoke_token(merchant_id(1), created.id, later).await.expect("storage responds");
    assert_eq!(again, revoked);
    assert_eq!(context.storage.list_tokens(merchant_id(1)).await.expect("listed"), [revoked]);
}

async fn token_of_another_merchant_cannot_be_revoked(context: TestContext) {
    for id in [5, 6] {
        context.storage.create_merchant(merchant(id), context.operation()).await.expect("created");
    }
    let created =
        context.storage.create_token(merchant_id(5), token(1), context.operation()).await.expect("created");
    for (merchant, id) in [(6, created.id), (5, TokenId::new(1).expect("positive"))] {
        let rejected = context.storage.revoke_token(merchant_id(merchant), id, context.operation()).await;
        assert!(matches!(rejected, Err(StorageError::NotFound(_))), "{rejected:?}");
    }
    assert_eq!(context.storage.list_tokens(merchant_id(5)).await.expect("listed"), [created]);
}
