//! Merchants: create, list.

use zumra_core::Plan;

use super::context::{TestContext, case_list, merchant, merchant_id};
use crate::{Conflict, StorageError};

case_list![creating_a_merchant_with_a_used_id_conflicts, merchants_are_listed_after_an_id];

async fn creating_a_merchant_with_a_used_id_conflicts(context: TestContext) {
    let created = context.storage.create_merchant(merchant(5), context.operation()).await.expect("created");
    assert_eq!((created.name.as_str(), created.plan), ("متجر", Plan::Special));
    let again = context.storage.create_merchant(merchant(5), context.operation()).await;
    assert!(matches!(again, Err(StorageError::Conflict(Conflict::Merchant(_)))), "{again:?}");
    assert_eq!(context.storage.list_merchants(None, 10).await.expect("listed"), [created]);
}

async fn merchants_are_listed_after_an_id(context: TestContext) {
    for id in [3, 1, 2] {
        context.storage.create_merchant(merchant(id), context.operation()).await.expect("created");
    }
    let listed = context.storage.list_merchants(Some(merchant_id(1)), 1).await.expect("listed");
    assert_eq!(listed.iter().map(|m| m.id.get()).collect::<Vec<_>>(), [2]);
}
