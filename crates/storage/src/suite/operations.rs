//! What every write has in common.

use jiff::SignedDuration;
use zumra_core::{CustomerId, GroupId};

use super::{SHOP, Scene, case_list, merchant_id};
use crate::{AddMembersOutcome, StorageError};

case_list![
    operation_ids_ascend_though_the_clock_goes_back,
    the_newest_operation_shows_when_inspected,
    a_closed_storage_is_unavailable,
];

async fn operation_ids_ascend_though_the_clock_goes_back(scene: Scene) {
    scene.load(SHOP).await;
    let mut ids = Vec::new();
    for (hours, customer) in [(2, 1), (1, 3), (3, 4)] {
        // A source of its own, as another process would have.
        let other = Scene::new(scene.storage.clone());
        let operation = other.operation_at(Scene::now() + SignedDuration::from_hours(hours));
        let customers = vec![CustomerId::new(customer).expect("positive")].into();
        let group = GroupId::new(10).expect("positive");
        match scene.storage.add_members(merchant_id(1), group, customers, operation).await.expect("answered")
        {
            AddMembersOutcome::Added { operation, .. } => ids.push(operation),
            other => panic!("{other:?}"),
        }
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

async fn the_newest_operation_shows_when_inspected(scene: Scene) {
    assert_eq!(scene.storage.inspect().await.expect("inspected").newest_operation, None);
    scene.load(SHOP).await;
    let inspection = scene.storage.inspect().await.expect("inspected");
    assert_eq!(inspection.newest_operation, Some(Scene::now()));
    assert_eq!((inspection.merchants, inspection.customers, inspection.memberships), (1, 5, 1));
    assert!(inspection.problems.is_empty(), "{:?}", inspection.problems);
}

async fn a_closed_storage_is_unavailable(scene: Scene) {
    scene.storage.ping().await.expect("open");
    scene.storage.close().await;
    assert!(matches!(scene.storage.ping().await, Err(StorageError::Unavailable(_))));
    let written = scene.storage.load_fixture(super::shop(SHOP), scene.operation()).await;
    assert!(matches!(written, Err(StorageError::Unavailable(_))), "{written:?}");
}
