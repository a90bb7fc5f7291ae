//! Operations: ids and order.

use jiff::SignedDuration;
use zumra_core::{CustomerId, GroupId};

use super::context::{SHOP, TestContext, case_list, merchant_id};
use crate::AddMembersOutcome;

case_list![operation_ids_ascend_when_the_clock_goes_back];

async fn operation_ids_ascend_when_the_clock_goes_back(context: TestContext) {
    context.load(SHOP).await;
    let mut ids = Vec::new();
    for (hours, customer) in [(2, 1), (1, 3), (3, 4)] {
        // A generator of its own, as another process has.
        let operation =
            context.with_own_generator().operation_at(TestContext::now() + SignedDuration::from_hours(hours));
        let customers = vec![CustomerId::new(customer).expect("positive")].into();
        let group = GroupId::new(10).expect("positive");
        match context
            .storage
            .add_members(merchant_id(1), group, customers, operation)
            .await
            .expect("storage responds")
        {
            AddMembersOutcome::Added { operation, .. } => ids.push(operation),
            other => panic!("{other:?}"),
        }
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}
