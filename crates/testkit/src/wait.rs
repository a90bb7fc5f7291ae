//! Waiting for a condition, always with a deadline.

use std::time::{Duration, Instant};

/// Time between two checks of a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Deadline for conditions that an idle host meets within seconds. Loaded hosts take longer.
pub const DEADLINE: Duration = Duration::from_mins(2);

/// Checks `condition` every 2 ms and returns when it is true.
///
/// # Panics
///
/// If the condition is still false after `deadline`. The message contains `what`, the expected state.
pub fn eventually(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < deadline, "not within {deadline:?}: {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Like [`eventually`], for a condition that awaits. The check that is in progress at the deadline is canceled.
///
/// # Panics
///
/// If the condition is still false after `deadline`.
pub async fn eventually_async(deadline: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let poll = async {
        while !condition().await {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    assert!(tokio::time::timeout(deadline, poll).await.is_ok(), "not within {deadline:?}: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn condition_is_checked_until_it_is_true() {
        let mut checks = 0;
        eventually(DEADLINE, "three checks", || {
            checks += 1;
            checks == 3
        });
        assert_eq!(checks, 3);
    }

    #[test]
    #[should_panic(expected = "not within 10ms: the impossible")]
    fn deadline_ends_the_wait() {
        eventually(Duration::from_millis(10), "the impossible", || false);
    }

    #[tokio::test]
    #[should_panic(expected = "not within 10ms: the impossible")]
    async fn deadline_cancels_a_check_that_hangs() {
        let hang = async || std::future::pending::<bool>().await;
        eventually_async(Duration::from_millis(10), "the impossible", hang).await;
    }
}
