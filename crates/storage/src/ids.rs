//! The ids that the storage assigns: positive, at most [`ASSIGNED_ID_MAX`], and never assigned twice.
//!
//! What belongs here: the search for unused ids, which both engines share. Their `ids.rs` keep the counters.

use jiff::Timestamp;
use zumra_core::ASSIGNED_ID_MAX;

/// How far [`Admin::skip_ids`](crate::Admin::skip_ids) skips unless an operator chooses: more than a shop creates between
/// two backups, and less than a thousandth of all ids.
pub const SKIPPED_IDS_DEFAULT: u32 = 1_000_000;

/// Of distant ids, each is farther by one part in so many.
const WIDENING: i64 = 16;
/// A block is left behind if fewer than one of so many ids is unused.
const USED_SHARE: usize = 16;
/// Maximum number of consecutive ids that are looked up at once.
const BLOCK_MAX: usize = 4096;

/// Ids that a restored backup skips for each second since it was taken: 864,000 a day.
const SKIPPED_PER_SECOND: i64 = 10;
/// Maximum number of ids that a restored backup skips: a twentieth of all.
const SKIPPED_MAX: u32 = 100_000_000;

/// Returns the number of ids that a backup of `taken_at` skips when it is used for the first time.
///
/// It grows with time, so that a second restore of the same backup skips what was assigned after the first one.
pub(crate) fn skipped_after(taken_at: Timestamp, now: Timestamp) -> u32 {
    let seconds = (now.as_second() - taken_at.as_second()).max(0);
    let by_time = u32::try_from(seconds.saturating_mul(SKIPPED_PER_SECOND)).unwrap_or(SKIPPED_MAX);
    SKIPPED_IDS_DEFAULT.saturating_add(by_time).min(SKIPPED_MAX)
}

/// A search for unused ids above a counter.
///
/// Fixtures and copies bring ids that may lie anywhere, in blocks of a million too. So the search looks at the next ids,
/// and if nearly all of them are used, at ids that are farther and farther away: 300 look-ups reach the last id. It may
/// leave out unused ids between used ones.
///
/// Look up which of [`FreeIds::candidates`] are unused, pass them to [`FreeIds::take`], and repeat until there are no
/// candidates. [`FreeIds::last`] is then the new value of the counter.
#[derive(Debug)]
pub(crate) struct FreeIds {
    /// Distance between consecutive ids of the counter.
    stride: i64,
    last: i64,
    wanted: usize,
    found: Vec<i64>,
    /// Number of consecutive ids to look up at once.
    block: usize,
    /// True if the next look-up is of distant ids.
    is_wide: bool,
    /// Distance of the nearest of them, in strides. Doubles while blocks are used, so that any used range ends soon.
    reach: i64,
}

impl FreeIds {
    /// Starts a search for `wanted` ids after `last`.
    pub(crate) fn after(last: i64, stride: i64, wanted: usize) -> Self {
        debug_assert!(stride > 0, "a stride of {stride} would not advance");
        let block = wanted.min(BLOCK_MAX);
        Self { stride, last, wanted, found: Vec::new(), block, is_wide: false, reach: 1 }
    }

    /// Returns the ids to look up next, ascending. Empty if the search has ended.
    pub(crate) fn candidates(&self) -> Vec<i64> {
        let id = |distance: i64| self.last.saturating_add(self.stride.saturating_mul(distance));
        let is_assignable = |id: &i64| *id <= ASSIGNED_ID_MAX;
        if self.missing() == 0 {
            Vec::new()
        } else if self.is_wide {
            let next = |distance: &i64| Some(distance + (distance / WIDENING).max(1));
            std::iter::successors(Some(self.reach), next).map(id).take_while(is_assignable).collect()
        } else {
            (1..).take(self.block).map(id).take_while(is_assignable).collect()
        }
    }

    /// Takes as many of the `unused` ones of `candidates` as are missing. Both are ascending.
    pub(crate) fn take(&mut self, candidates: &[i64], unused: &[i64]) {
        if self.is_wide {
            // Only the first one: the others are far apart.
            self.found.extend(unused.first());
            self.last = unused.first().copied().unwrap_or(ASSIGNED_ID_MAX);
            self.reach = self.reach.saturating_mul(2);
            self.is_wide = false;
            return;
        }
        self.found.extend(unused.iter().take(self.missing()));
        let end = if self.missing() == 0 { self.found.last() } else { candidates.last() };
        self.last = end.copied().unwrap_or(self.last);
        self.is_wide = unused.len() * USED_SHARE < candidates.len();
        if !self.is_wide {
            self.reach = 1;
        }
        self.block = (self.block * 2).min(BLOCK_MAX);
    }

    /// Returns the value of the counter after the search.
    pub(crate) fn last(&self) -> i64 {
        self.last
    }

    /// Returns the ids, ascending. Fewer than wanted if the counter has no more.
    pub(crate) fn into_found(self) -> Vec<i64> {
        self.found
    }

    fn missing(&self) -> usize {
        self.wanted - self.found.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the ids that a search finds, the new value of the counter, and the number of look-ups.
    fn search(
        last: i64,
        stride: i64,
        wanted: usize,
        is_used: impl Fn(i64) -> bool,
    ) -> (Vec<i64>, i64, usize) {
        let mut search = FreeIds::after(last, stride, wanted);
        for lookups in 0..1000 {
            let candidates = search.candidates();
            if candidates.is_empty() {
                let counter = search.last();
                return (search.into_found(), counter, lookups);
            }
            assert!(candidates.len() <= BLOCK_MAX && candidates.is_sorted() && candidates[0] > search.last());
            let unused: Vec<i64> = candidates.iter().copied().filter(|id| !is_used(*id)).collect();
            search.take(&candidates, &unused);
        }
        panic!("the search does not end");
    }

    #[test]
    fn the_next_ids_are_found_at_once() {
        assert_eq!(search(0, 1, 1, |_| false), (vec![1], 1, 1));
        assert_eq!(search(7, 16, 3, |_| false), (vec![23, 39, 55], 55, 1));
        assert_eq!(search(5, 1, 3, |id| id == 7), (vec![6, 8, 9], 9, 2));
    }

    #[test]
    fn used_ranges_are_left_behind_in_a_few_steps() {
        for (stride, end) in [(1, 1_000_000), (16, 1_000_000), (1, 2_000_000_000)] {
            for wanted in [1, 500] {
                let (found, last, lookups) = search(0, stride, wanted, |id| id <= end);
                assert_eq!((found.len(), found.last()), (wanted, Some(&last)));
                assert!(found[0] > end && found[0] <= end + end / 8 && lookups < 10, "{found:?} {lookups}");
            }
        }
        // One id of 1,000 is unused.
        let (found, _, lookups) = search(0, 1, 500, |id| id < 50_000_000 && id % 1000 != 0);
        assert!(found.len() == 500 && lookups < 100, "{lookups}");
    }

    #[test]
    fn restored_backups_skip_more_ids_the_older_they_are() {
        let skipped = |from: &str, to: &str| skipped_after(from.parse().unwrap(), to.parse().unwrap());
        assert_eq!(skipped("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), 1_000_000);
        assert_eq!(skipped("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), 1_864_000);
        assert_eq!(
            skipped("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
            1_000_000,
            "a clock that went back"
        );
        assert_eq!(skipped("2000-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), 100_000_000);
    }

    #[test]
    fn ids_are_used_up_at_2_to_the_31() {
        let max = ASSIGNED_ID_MAX;
        assert_eq!(search(max - 2, 1, 3, |_| false), (vec![max - 1, max], max, 1));
        assert!(search(max - 1, 1, 1, |id| id == max).0.is_empty());
        assert!(search(max - 15, 16, 1, |_| false).0.is_empty());
        assert!(search(max, 1, 1, |_| false).0.is_empty());
        assert!(search(i64::MAX, 16, 1, |_| false).0.is_empty());
        assert!(search(0, 1, 2, |_| true).0.is_empty());
    }
}
