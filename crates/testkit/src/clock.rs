//! Time and chance that tests decide.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use zumra_core::{Clock, Entropy};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl Default for FakeClock {
    /// Stands at the first of December 2026, noon UTC.
    fn default() -> Self {
        Self(AtomicI64::new(1_796_126_400_000_000))
    }
}

impl FakeClock {
    /// Moves it.
    pub fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).expect("a test moves by less than ages");
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).expect("a test stays near its day")
    }
}

/// Bytes that are the same in every run.
#[derive(Debug, Default)]
pub struct SeededEntropy(AtomicU64);

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            // Knuth's generator: good enough to tell things apart.
            let step = |n: u64| {
                Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
            };
            let (Ok(n) | Err(n)) = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step);
            *byte = n.to_be_bytes()[0];
        }
    }
}
