//! Waking a background task.

use std::time::Duration;

use tokio::sync::Notify;

/// The notifier of one background task. A notification that arrives while the task is busy is kept for its next wait.
#[derive(Default)]
pub(crate) struct Notifier(Notify);

impl Notifier {
    /// Wakes the task.
    pub(crate) fn notify(&self) {
        self.0.notify_one();
    }

    /// Returns after a notification, or after `poll_interval` without one.
    pub(crate) async fn wait(&self, poll_interval: Duration) {
        // Both results lead to the same check for work.
        let _ = tokio::time::timeout(poll_interval, self.0.notified()).await;
    }
}
