//! What is left to do after a group was deleted: its memberships move to where past ones are kept, a few at a time, so
//! that nobody has to wait for a large group.

use std::time::Duration;

use tokio::sync::Notify;

use crate::App;

/// Memberships that move at once.
const PIECE: u32 = 1000;
/// How often somebody looks for what another process, or this one before a restart, has left.
const PATROL: Duration = Duration::from_mins(1);

/// Wakes the one who sweeps.
#[derive(Default)]
pub(crate) struct Broom(Notify);

impl Broom {
    /// There is something to do.
    pub(crate) fn take_up(&self) {
        self.0.notify_one();
    }
}

/// Sweeps whenever there is something to sweep, for ever.
pub(crate) async fn run(app: App) {
    loop {
        match app.storage.archive_deleted_groups(PIECE).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "deleted groups could not be swept; it is tried again"),
        }
        let _ = tokio::time::timeout(PATROL, app.broom.0.notified()).await; // late is as good as called
    }
}
