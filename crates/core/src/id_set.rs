//! Sorted lists of ids without duplicates.

use std::ops::Deref;

/// Ids in ascending order, each once.
///
/// Construction checks the input and sorts it only if it is not strictly ascending: O(n) for lists that clients
/// usually send, O(n log n) otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdSet<Id>(Vec<Id>);

impl<Id: Copy + Ord> IdSet<Id> {
    /// Returns true if the set contains `id`. Binary search, O(log n).
    pub fn contains(&self, id: Id) -> bool {
        self.0.binary_search(&id).is_ok()
    }

    /// Returns the ids of this set that `other` does not contain. O(n + m).
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut others = other.iter().peekable();
        let is_missing = |id: &Id| {
            while others.next_if(|candidate| *candidate < id).is_some() {}
            others.peek() != Some(&id)
        };
        Self(self.iter().copied().filter(is_missing).collect())
    }
}

impl<Id> IdSet<Id> {
    /// Returns the ids as a vector, without copying.
    pub fn into_vec(self) -> Vec<Id> {
        self.0
    }
}

impl<Id> Default for IdSet<Id> {
    /// Returns an empty set.
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<Id: Ord> From<Vec<Id>> for IdSet<Id> {
    /// Sorts and deduplicates `ids` in place, if needed.
    fn from(mut ids: Vec<Id>) -> Self {
        let is_ascending = ids.is_sorted_by(|left, right| left < right);
        if !is_ascending {
            ids.sort_unstable();
            ids.dedup();
        }
        Self(ids)
    }
}

impl<Id: Ord> FromIterator<Id> for IdSet<Id> {
    fn from_iter<I: IntoIterator<Item = Id>>(ids: I) -> Self {
        Self::from(ids.into_iter().collect::<Vec<_>>())
    }
}

impl<Id> Deref for IdSet<Id> {
    type Target = [Id];

    fn deref(&self) -> &[Id] {
        &self.0
    }
}

impl<Id> IntoIterator for IdSet<Id> {
    type Item = Id;
    type IntoIter = std::vec::IntoIter<Id>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, Id> IntoIterator for &'a IdSet<Id> {
    type Item = &'a Id;
    type IntoIter = std::slice::Iter<'a, Id>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_sorted_and_deduplicated() {
        assert_eq!(IdSet::from(vec![3, 1, 3, 2, 1]).into_vec(), [1, 2, 3]);
        assert_eq!(IdSet::from(vec![1, 1, 2]).into_vec(), [1, 2]);
        assert_eq!([2, 1].into_iter().collect::<IdSet<_>>(), IdSet::from(vec![1, 2]));
        assert!(IdSet::<i64>::default().is_empty());
    }

    #[test]
    fn ascending_input_keeps_its_allocation() {
        let ids = vec![1, 2, 5, 9];
        let address = ids.as_ptr();
        let set = IdSet::from(ids);
        assert_eq!(set.as_ptr(), address);
        assert_eq!(&*set, [1, 2, 5, 9]);
    }

    #[test]
    fn iterating_returns_ids_in_ascending_order() {
        let set = IdSet::from(vec![9, 5, 7]);
        assert_eq!((&set).into_iter().copied().collect::<Vec<_>>(), [5, 7, 9]);
        assert_eq!(set.into_iter().collect::<Vec<_>>(), [5, 7, 9]);
    }

    proptest! {
        #[test]
        fn sets_agree_with_the_standard_library(
            left in prop::collection::vec(0..20_i64, 0..20),
            right in prop::collection::vec(0..20_i64, 0..20),
        ) {
            let [left_tree, right_tree] =
                [&left, &right].map(|ids| ids.iter().copied().collect::<std::collections::BTreeSet<_>>());
            let [left, right] = [left, right].map(IdSet::from);
            prop_assert!(left.iter().eq(&left_tree));
            prop_assert!(left.difference(&right).iter().eq(left_tree.difference(&right_tree)));
            for id in 0..20 {
                prop_assert_eq!(left.contains(id), left_tree.contains(&id));
            }
        }
    }
}
