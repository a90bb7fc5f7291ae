//! The rebuild task: after an upgrade it gives the search index of every merchant the search terms of this version, in
//! chunks, so that no other write waits for a large shop.

use std::time::Duration;

use crate::app::App;

/// Customers per chunk. A chunk of SQLite holds the writer for about 10 ms (measured on two cores).
const CHUNK_CUSTOMERS: u32 = 200;
/// Time until a failed chunk is repeated.
const RETRY_DELAY: Duration = Duration::from_mins(1);

/// Rebuilds until every index is current. New merchants start with a current index, so the task then ends.
pub(crate) async fn run_rebuild_task(app: App) {
    let (mut customers, mut merchants) = (0, 0);
    loop {
        match app.storage.rebuild_search_index(CHUNK_CUSTOMERS).await {
            Ok(None) => break,
            Ok(Some(chunk)) => {
                if customers == 0 && merchants == 0 {
                    tracing::info!(
                        "rebuilding the search index; keywords match by its old and its new form meanwhile"
                    );
                }
                customers += chunk.customers;
                merchants += u64::from(chunk.is_last);
            }
            Err(error) => {
                tracing::warn!(%error, "rebuilding the search index failed: {error}; retrying in {RETRY_DELAY:?}");
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
    if customers > 0 || merchants > 0 {
        tracing::info!(merchants, customers, "search index rebuilt");
    }
}
