//! Where time comes from. An argument everywhere, so that a test can move a day ahead.

use jiff::Timestamp;

/// A source of the present moment.
pub trait Clock: Send + Sync {
    /// The moment that is now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        truncate_to_micros(Timestamp::now())
    }
}

/// Cuts a moment to microseconds, which is what engines keep: what was written then reads back the same.
pub fn truncate_to_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}
