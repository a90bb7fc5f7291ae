//! The archive task: moves memberships of soft-deleted groups to `past_memberships`, in chunks, so that no other
//! write waits for a large group.

use std::time::Duration;

use crate::app::App;

/// Memberships per chunk.
const CHUNK_ROWS: u32 = 1000;
/// Time between two checks without a notification. They find groups that another process deleted, or that this process
/// deleted before a restart.
const POLL_INTERVAL: Duration = Duration::from_mins(1);

/// Archives deleted groups until the process stops, woken by `archive_notifier`.
pub(crate) async fn run_archive_task(app: App) {
    loop {
        match app.storage.archive_deleted_groups(CHUNK_ROWS).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(
                %error,
                "archiving memberships of deleted groups failed: {error}; retrying within {POLL_INTERVAL:?}"
            ),
        }
        app.archive_notifier.wait(POLL_INTERVAL).await;
    }
}
