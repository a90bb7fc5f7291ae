//! Operations: the choice of ids, which both engines share.

use zumra_core::{Operation, OperationId};

use crate::{Result, StorageError};

/// Returns the id of an operation: the proposed id, or the newest id plus `gap` if that is greater.
///
/// Ids therefore ascend in commit order within a merchant, even if clocks differ.
pub(crate) fn next_id(newest: Option<i64>, operation: &Operation, gap: i64) -> Result<OperationId> {
    debug_assert!(gap > 0, "a gap of {gap} would repeat an id");
    let proposed = operation.proposed_id.get();
    let id = newest.map_or(proposed, |newest| proposed.max(newest.saturating_add(gap)));
    OperationId::new(id).ok_or_else(|| StorageError::corrupt("operations", "id", id))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use zumra_core::Actor;

    use super::*;

    #[test]
    fn ids_ascend_even_if_the_proposed_id_is_old() {
        let proposed_id = OperationId::new(50).unwrap();
        let operation = Operation { proposed_id, at: Timestamp::UNIX_EPOCH, actor: Actor::Operator };
        let next = |newest, gap| next_id(newest, &operation, gap).unwrap().get();
        assert_eq!(
            [next(None, 1), next(Some(49), 1), next(Some(50), 1), next(Some(70), 3)],
            [50, 50, 51, 73]
        );
        // The gap applies only if it leads beyond the proposed id.
        assert_eq!(next(Some(45), 10), 55);
    }
}
