//! Administration: inspect, close.

use super::context::{SHOP, TestContext, case_list, shop};
use crate::StorageError;

case_list![inspection_reports_counts_and_the_newest_operation, closed_storage_is_unavailable];

async fn inspection_reports_counts_and_the_newest_operation(context: TestContext) {
    assert_eq!(context.storage.inspect().await.expect("inspected").newest_operation, None);
    context.load(SHOP).await;
    let inspection = context.storage.inspect().await.expect("inspected");
    assert_eq!(inspection.newest_operation, Some(TestContext::now()));
    assert_eq!((inspection.merchants, inspection.customers, inspection.memberships), (1, 5, 1));
    assert!(inspection.problems.is_empty(), "{:?}", inspection.problems);
}

async fn closed_storage_is_unavailable(context: TestContext) {
    context.storage.ping().await.expect("open");
    context.storage.close().await;
    assert!(matches!(context.storage.ping().await, Err(StorageError::Unavailable(_))));
    let written = context.storage.load_fixture(shop(SHOP), context.operation()).await;
    assert!(matches!(written, Err(StorageError::Unavailable(_))), "{written:?}");
}
