//! A clock and an entropy source that tests control.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use zumra_core::{Clock, Entropy};

/// A clock that only [`advance`](Self::advance) changes.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl Default for FakeClock {
    /// Starts at 2026-12-01 12:00 UTC.
    fn default() -> Self {
        Self(AtomicI64::new(1_796_126_400_000_000))
    }
}

impl FakeClock {
    /// Advances the clock, or sets it back if `duration` is negative.
    pub fn advance(&self, duration: SignedDuration) {
        let micros = i64::try_from(duration.as_micros()).expect("the duration fits in 64 bits");
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).expect("the time is in jiff's range")
    }
}

/// A pseudorandom generator with a fixed seed: the same bytes in every run.
#[derive(Debug, Default)]
pub struct SeededEntropy(AtomicU64);

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            // Knuth's MMIX generator. Tests need distinct values, not unpredictable ones.
            let step = |state: u64| {
                Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
            };
            let (Ok(state) | Err(state)) = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step);
            *byte = state.to_be_bytes()[0];
        }
    }
}
