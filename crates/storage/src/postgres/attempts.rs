//! Attempts of writes: their nonces and id gaps.

use std::sync::atomic::{AtomicU64, Ordering};

use zumra_core::Entropy;

/// Largest [`Attempt::id_gap`]. A larger bound makes it rarer that two concurrent
/// writers choose the same id.
const ID_GAPS: u64 = 1024;

/// What distinguishes one attempt of a write from other attempts and other writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    /// Stored in the operation's row, and the same for all attempts of one write. After a lost connection, it shows
    /// whether the write was committed.
    pub(super) nonce: i64,
    /// Distance from the merchant's newest operation id to the id of this attempt, if the sum is above the proposed id.
    /// Without random distances, all concurrent writers would take the next id.
    pub(super) id_gap: i64,
}

/// Source of nonces and id gaps: numbers that do not repeat within a process and differ between processes.
pub(super) struct AttemptSource(AtomicU64);

impl AttemptSource {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        let mut start = [0; 8];
        entropy.fill(&mut start);
        Self(AtomicU64::new(u64::from_le_bytes(start)))
    }

    /// Returns the nonce of a new write.
    pub(super) fn next_nonce(&self) -> i64 {
        self.next().cast_signed()
    }

    /// Returns another attempt of the write with this nonce.
    pub(super) fn next_attempt(&self, nonce: i64) -> Attempt {
        Attempt { nonce, id_gap: 1 + (self.next() % ID_GAPS).cast_signed() }
    }

    /// Returns the next number of the generator `SplitMix64`, which visits all 64-bit numbers once in pseudorandom order.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
